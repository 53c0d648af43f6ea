"""The Model Context Protocol server for Quantinal."""

__version__ = "0.1.0"
