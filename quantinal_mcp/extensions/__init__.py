"""What this server can do beyond the protocol's core, one module for each extension."""
