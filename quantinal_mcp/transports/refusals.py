"""How HTTP requests are refused, as clients of either era show it to their users."""

from __future__ import annotations

from typing import Final

import anyio
from mcp_types import INVALID_REQUEST
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

LINGER_SECONDS: Final = 1.0
_AGAIN_SECONDS: Final = 5


class Refused(Exception):
    """A request that is answered with `status` and `message`, whatever of its body has not been read."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def busy(status: int, what: str) -> Refused:
    """Return how a request is refused that would have to wait for room."""
    whose = "This account has as many" if status == 429 else "There are as many"
    return Refused(status, f"[rate_limited] {whose} {what} as this server takes; try again in a moment.")


def refusal(
    status: int, message: str, headers: dict[str, str] | None = None, request_id: int | str | None = None
) -> Response:
    """Return an answer that clients of either era show to their users."""
    error = {"code": INVALID_REQUEST, "message": message}
    return JSONResponse({"jsonrpc": "2.0", "id": request_id, "error": error}, status, headers)


async def refuse_unread(refused: Refused, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer and close. A client still sending could not read an answer whose connection is closed at once."""

    async def hold(message: Message) -> None:
        await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

    headers = {"Connection": "close"}
    if refused.status in {429, 503}:
        headers["Retry-After"] = str(_AGAIN_SECONDS)
    await refusal(refused.status, refused.message, headers)(scope, receive, hold)
    with anyio.move_on_after(LINGER_SECONDS):
        while (await receive()).get("more_body", False):
            pass
    await send({"type": "http.response.body", "body": b""})
