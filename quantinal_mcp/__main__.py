"""`python -m quantinal_mcp` is the `quantinal-mcp` command."""

from quantinal_mcp.cli import main

main(prog_name="quantinal-mcp")
