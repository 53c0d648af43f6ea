"""How the sandbox meets its clients: in process or on a socket, faults included, and how it is steered."""
