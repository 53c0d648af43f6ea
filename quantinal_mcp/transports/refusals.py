"""How HTTP requests are refused, as clients of either era show it to their users."""

from __future__ import annotations

from mcp_types import INVALID_REQUEST
from starlette.responses import JSONResponse, Response


def refusal(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """Return an answer that clients of either era show to their users."""
    error = {"code": INVALID_REQUEST, "message": message}
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, status, headers)
