"""How an id becomes one segment of a path, and nothing else."""

from __future__ import annotations

import re

from quantinal_mcp.errors import InvalidRequest

_SEGMENT = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


def path(*parts: str) -> str:
    """Return `/api/a/b/c`; fixed words and ids alike must be plain segments.

    Raises:
        InvalidRequest: A part holds a slash, a dot, an escape, or anything else that could leave its place.
    """
    for part in parts:
        if not _SEGMENT.fullmatch(part):
            raise InvalidRequest(
                "An id holds characters that no id has.", "Copy the id exactly as a list tool returned it."
            )
    return "/api/" + "/".join(parts)
