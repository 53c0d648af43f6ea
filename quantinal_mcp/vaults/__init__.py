"""What goes into a vault: files and rows, and an upload whose answer was lost."""
