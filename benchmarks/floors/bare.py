"""The floor of a start: the bare SDK with one empty tool."""

from mcp.server import MCPServer

server = MCPServer("bare")


@server.tool()
def nothing() -> None:
    """Do nothing."""


server.run("stdio")
