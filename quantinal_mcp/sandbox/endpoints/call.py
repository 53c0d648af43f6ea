"""One authenticated request, as the handlers of the endpoints see it."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn, cast

from quantinal_mcp.sandbox.endpoints.checks import Fields
from quantinal_mcp.sandbox.world.account import Account
from quantinal_mcp.sandbox.world.clock import Clock
from quantinal_mcp.sandbox.world.errors import ApiError, bad_request
from quantinal_mcp.sandbox.world.options import Options


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request together with the account it is about."""

    account: Account
    options: Options
    clock: Clock
    path: Mapping[str, str]
    params: Mapping[str, str]
    headers: Mapping[str, str]
    content: bytes
    detached: bool = False
    """Nobody waits for the answer, so that a sync run need not be waited for."""

    @property
    def now(self) -> datetime:
        """The present."""
        return self.clock.now()

    def query(self) -> Fields:
        """The query string, to be checked."""
        return Fields(self.params, "query")

    def body(self, *, optional: bool = False) -> Fields:
        """The JSON object in the body, to be checked; 400 if it is not JSON."""
        if optional and not self.content.strip():
            return Fields({}, "body")
        try:
            value = json.loads(self.content, parse_constant=_no_constant)
            if b"\\ud" in self.content.lower():
                # Half of a surrogate pair parses, but can be neither stored nor sent back.
                json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            raise bad_request("Malformed JSON in request body") from None
        if value is None and optional:
            return Fields({}, "body")
        if not isinstance(value, dict):
            issue = {"loc": ["body"], "msg": "Input should be a valid dictionary", "type": "dict_type"}
            raise ApiError(422, [issue])
        return Fields(cast("dict[str, Any]", value), "body")


@dataclass(frozen=True)
class Answer:
    """A success that is not a plain 200."""

    status: int
    body: Any


Handler = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True)
class Endpoint:
    """One documented endpoint; its handler answers the JSON of a 200, or an `Answer`."""

    method: str
    path: str
    handler: Handler
    per_minute: int | None = None


def done(message: str) -> dict[str, Any]:
    """What a delete answers."""
    return {"success": True, "message": message, "data": None, "errors": None}


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
