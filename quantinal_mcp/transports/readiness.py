"""Whether a server can do all that it is there for, for who sends it its callers."""

from __future__ import annotations

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse

from quantinal_mcp.errors import Misconfigured
from quantinal_mcp.journal.protocol import Journal

_LOOK_AGAIN_SECONDS = 1.0


class Readiness:
    """Answers 200 while the journal can be reached, else 503: then nothing can be triggered, and all else goes on.

    However often it is asked, the journal is looked at once a second.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._looking = anyio.Lock()
        self._looked_at = float("-inf")
        self._is_ready = False

    async def answer(self, _request: Request) -> JSONResponse:
        """Answer `GET /ready`; it tells nobody where the journal is."""
        async with self._looking:
            if anyio.current_time() - self._looked_at > _LOOK_AGAIN_SECONDS:
                try:
                    await self._journal.reach()
                    self._is_ready = True
                except Misconfigured:
                    self._is_ready = False
                self._looked_at = anyio.current_time()
        if self._is_ready:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready", "reason": "the journal cannot be reached"}, status_code=503)
