"""From an HTTP answer to JSON or an error: the border where the service's words become ours."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn, cast

from pydantic_core import from_json

from quantinal_mcp.client.retry import LONGEST_PAUSE_SECONDS, parse_retry_after
from quantinal_mcp.errors import (
    ApiError,
    Conflict,
    Forbidden,
    InsufficientQuants,
    InvalidResponse,
    NotFound,
    RateLimited,
    Rejected,
    Unauthorized,
    UpstreamError,
)
from quantinal_mcp.models.text import readable

_BY_STATUS: Mapping[int, type[ApiError]] = {
    401: Unauthorized,
    402: InsufficientQuants,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: RateLimited,
}

_NEXT_STEPS: Mapping[type[ApiError], str] = {
    Unauthorized: "Ask the user to check QUANTINAL_API_TOKEN (Console → Account → API Tokens); "
    "do not retry with the same token.",
    InsufficientQuants: "Tell the user to top up the balance in the console; do not retry until then.",
    Forbidden: "This needs the web console or access that this token lacks; tell the user.",
    NotFound: "Check the id with the matching list tool; it may be deleted or belong to another account.",
    Conflict: "Resolve what the message names first, then call again.",
    Rejected: "Correct the arguments and call again.",
    UpstreamError: "Nothing is known to be wrong with the call; try again in a minute.",
}

_BY_STATUS_ONLY: Mapping[int, str] = {
    405: "Nothing like it is offered there: check QUANTINAL_BASE_URL.",
    408: _NEXT_STEPS[UpstreamError],
    413: "Send less at once.",
    425: _NEXT_STEPS[UpstreamError],
}
"""What the documents do not name, and what stands in front of a service answers with."""

_HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")
_LONGEST_DETAIL = 600


def decode(body: bytes) -> Any:
    """Decode a JSON body, every text in it as the service wrote it.

    Raises:
        InvalidResponse: The body is no JSON, for instance a load balancer's page, or no more than a null.
    """
    try:
        value = _parse(body)
    except (ValueError, RecursionError):
        value = None
    if value is None:
        raise InvalidResponse(
            "The service answered with something that is not JSON.",
            "Try again in a minute; if it persists, check QUANTINAL_BASE_URL.",
        )
    return value


def _parse(body: bytes) -> Any:
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        if not _HALF_PAIR.search(body):
            raise
    # Half of a surrogate pair is no character, and could not be sent on; without it the rest is not lost.
    value = json.loads(body.decode(), parse_constant=_refuse)
    return from_json(json.dumps(value, ensure_ascii=False).encode(errors="ignore"))


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def error_from(status: int, retry_after: str | None, body: bytes, token: str, base_url: str) -> ApiError:
    """Return the error for an answer that is no success; it is for reading, so that its text is clean.

    `retry_after` is the header of that name, `base_url` what the request's URL began with.
    """
    try:
        decoded = readable(decode(body), token)
    except InvalidResponse:
        decoded = None
    fields: Mapping[str, Any] = cast("Mapping[str, Any]", decoded) if isinstance(decoded, dict) else {}
    kind = _BY_STATUS.get(status) or (UpstreamError if status >= 500 else Rejected)
    pause = parse_retry_after(retry_after)
    message = _detail(fields) or f"The service answered HTTP {status}."
    next_step = _of_no_endpoint(fields, base_url) if kind is NotFound else ""
    next_step = next_step or _next_step(kind, status, pause)
    return kind(message, next_step, status=status, retry_after=pause, body=fields)


def _of_no_endpoint(fields: Mapping[str, Any], base_url: str) -> str:
    """What to do about a 404 where it is the path rather than the resource that there is not."""
    if not base_url.rstrip("/").endswith("/v1"):
        return "Check QUANTINAL_BASE_URL: by the documents it ends in /v1, and this one does not."
    if fields.get("detail") in (None, "Not Found"):  # the latter is what FastAPI says of a path that it does not have
        return f"This may be no answer to the call: check QUANTINAL_BASE_URL. {_NEXT_STEPS[NotFound]}"
    return ""


def _next_step(kind: type[ApiError], status: int, pause: float | None) -> str:
    if kind is RateLimited:
        when = "a minute" if pause is None else "a day" if pause >= LONGEST_PAUSE_SECONDS else f"{pause:.0f} s"
        return f"Not executed. Wait {when}, then call again."
    if 300 <= status < 400:
        return (
            "Nothing was executed. Redirects are not followed, since they could take the token elsewhere: check "
            "QUANTINAL_BASE_URL."
        )
    return _BY_STATUS_ONLY.get(status) or _NEXT_STEPS.get(kind, "")


def _detail(fields: Mapping[str, Any]) -> str:
    detail = fields.get("detail") or fields.get("message") or ""
    if isinstance(detail, list):
        detail = "; ".join(_problem(item) for item in cast("list[Any]", detail))
    text = " ".join(str(detail).split())
    if len(text) > _LONGEST_DETAIL:
        return text[:_LONGEST_DETAIL] + "…"
    return text if not text or text.endswith((".", "!", "?", "…")) else text + "."


def _problem(item: Any) -> str:
    """One entry of a FastAPI-style `detail` list, as `field: what is wrong`."""
    if not isinstance(item, dict):
        return str(item)
    problem = cast("Mapping[str, Any]", item)
    loc = problem.get("loc")
    parts = cast("list[object]", loc) if isinstance(loc, list) else []
    where = ".".join(str(part) for part in parts if part not in ("body", "query", "path"))
    what = str(problem.get("msg", ""))
    return f"{where}: {what}" if where else what
