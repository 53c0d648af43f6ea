"""What the accounts hold and how it changes as time passes."""
