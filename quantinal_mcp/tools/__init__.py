"""The tools: one file per resource, and the only code that knows MCP."""
