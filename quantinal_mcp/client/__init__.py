"""The REST client: one method per endpoint, and one place for paths, retries, limits and errors."""

from quantinal_mcp.client.api import QuantinalClient
from quantinal_mcp.client.http import Http

__all__ = ["Http", "QuantinalClient"]
