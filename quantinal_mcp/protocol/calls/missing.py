"""What a model is told where the service has nothing by an id that it gave. A decision without I/O."""

from __future__ import annotations

import re

from quantinal_mcp.errors import NotFound
from quantinal_mcp.protocol.calls.call import Call
from quantinal_mcp.protocol.calls.words import lists, may_be_name, quoted

_SAID = re.compile(
    r"(?:the |data |vault )*(?P<kind>space|tracker|run|source)(?: ['\"]?(?P<id>[\w-]+)['\"]?)? (?:was )?not found\.?",
    re.IGNORECASE,
)
_NOTHING_SENT = "Nothing was sent."
_NARROWEST = ("run", "source", "tracker", "space")


def names_to_look_up(error: NotFound, call: Call) -> frozenset[str]:
    """Return the kinds of id in whose place a name seems to have been given: a source's looks like an id."""
    is_name = _kind_of(error, call) == "source" and may_be_name(call.given.get("source_id"))
    return frozenset({"source"} if is_name else ())


def not_found(error: NotFound, call: Call) -> NotFound:
    """Say what there is not, and which call lists what there is; an error that is not about an id stays as it is."""
    kind = _kind_of(error, call)
    if kind is None:
        return error
    given = str(call.given.get(f"{kind}_id", "")).strip()
    is_named = given and _SAID.fullmatch(error.message)
    message = _there_is_no(kind, given, call) if is_named else error.message
    if called := call.called(kind, given):
        step = f"{quoted(given)} is the name of {kind} {called}."
    else:
        elsewhere = "tracker" if kind in {"run", "source"} else "account"
        step = f"{lists(kind, call.given)} lists what there is; it may be deleted or belong to another {elsewhere}."
    if _NOTHING_SENT in error.next_step:
        step = f"{step} {_NOTHING_SENT}"
    return NotFound(message, step, status=error.status, body=error.body)


def _kind_of(error: NotFound, call: Call) -> str | None:
    """Return the kind of what is missing, None where it may be something else: of no id, or the path itself."""
    if not error.is_refusal or "QUANTINAL_BASE_URL" in error.next_step:
        return None
    if said := _SAID.fullmatch(error.message):
        kind = said["kind"].lower()
        return kind if said["id"] in (None, call.given.get(f"{kind}_id")) else None
    return next((kind for kind in _NARROWEST if f"{kind}_id" in call.given), None)


def _there_is_no(kind: str, given: str, call: Call) -> str:
    named = quoted(given) if kind == "source" else given
    if kind in {"run", "source"}:
        return f"Tracker {str(call.given.get('tracker_id')).strip()} has no {kind} {named}."
    return f"There is no {kind} {named}."
