"""How the sandbox meets its clients: in process, faults included, and how another process steers it."""
