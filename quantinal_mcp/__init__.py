"""The Model Context Protocol server for Quantinal."""

__version__ = "0.1.0"
HOME = "https://github.com/quantinal-mcp/quantinal-mcp"
"""Where the project will be at home; a placeholder, as docs/releasing.md says."""
