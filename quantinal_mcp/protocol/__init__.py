"""What makes a function an MCP tool, resource or prompt: schemas, arguments, the caller, questions, next steps."""
