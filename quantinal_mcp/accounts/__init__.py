"""What this process knows of one token: its client, triggers, waits and names."""
