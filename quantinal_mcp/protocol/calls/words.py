"""The words of the rules: what ids look like and who lists them, what arguments are also called, what there is not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from quantinal_mcp.models.text import clean_text, on_one_line


class Kind(NamedTuple):
    """A kind of id: whose it is, how it begins, and the call that lists such."""

    owner: str
    prefix: str
    listed_by: str


KINDS: Mapping[str, Kind] = {
    "space": Kind("a space's", "spc_", "list_spaces"),
    "tracker": Kind("a tracker's", "trk_", "get_overview"),
    "run": Kind("a run's", "run_", "list_runs(tracker_id=…)"),
    "source": Kind("a source's", "", "list_vault_sources(tracker_id=…)"),
}

_VAULT = "vlt_"
_PLAIN_ID = re.compile(r"trk_[\w-]{1,64}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.IGNORECASE)
_NAME = re.compile(r"[^/\\%?#]*[^\W\d_][^/\\%?#]*")


def kind_wanted(argument: str) -> str | None:
    """Return the kind of id that an argument takes, or None where it takes none."""
    if argument == "linked_trackers":
        return "tracker"
    found = re.search(r"(space|tracker|run|source)_ids?$", argument)
    return found[1] if found else None


def is_uuid(value: str) -> bool:
    """Whether this is a UUID and nothing else."""
    return _UUID.fullmatch(value.strip()) is not None


def kind_given(value: str) -> str | None:
    """Say what a value is, if it begins as ids do."""
    written = value.strip().lower()
    if written.startswith(_VAULT):
        return "a vault's id"
    for kind in KINDS.values():
        if kind.prefix and written.startswith(kind.prefix):
            return f"{kind.owner} id"
    return None


def may_be_name(value: object) -> bool:
    """Whether somebody may have given a name where an id belongs."""
    return (
        isinstance(value, str)
        and len(value.strip()) > 2
        and kind_given(value) is None
        and not is_uuid(value)
        and _NAME.fullmatch(value) is not None
    )


def of_tracker(given: Mapping[str, Any]) -> str:
    """Return the tracker that a call named, as the argument of another one."""
    tracker = given.get("tracker_id")
    is_id = isinstance(tracker, str) and _PLAIN_ID.fullmatch(tracker)
    return f"tracker_id={tracker}" if is_id else "tracker_id=…"


def lists(kind: str, given: Mapping[str, Any]) -> str:
    """Return the call that lists what is of a kind, for the tracker that a call named."""
    return KINDS[kind].listed_by.replace("tracker_id=…", of_tracker(given))


def quoted(text: str) -> str:
    """Return what a caller gave, as a message quotes it."""
    return f'"{on_one_line(clean_text(text))}"'


ALSO_CALLED: Mapping[str, tuple[str, ...]] = {
    "limit": ("page_size",),
    "count": ("limit", "page_size"),
    "per_page": ("page_size",),
    "max_results": ("limit", "page_size"),
    "id": ("run_id", "source_id", "tracker_id", "space_id"),
    "ids": ("tracker_ids",),
    "tracker": ("tracker_id", "tracker_ids"),
    "trackers": ("tracker_ids",),
    "space": ("space_id",),
    "run": ("run_id",),
    "source": ("source_id", "source_name"),
    "query": ("name_contains",),
    "search": ("name_contains",),
    "name": ("name_contains", "source_name", "confirm_name"),
    "since": ("start_date", "since_hours", "start_time"),
    "from": ("start_date",),
    "start": ("start_date", "start_time"),
    "until": ("end_date", "end_time"),
    "to": ("end_date",),
    "end": ("end_date", "end_time"),
    "days": ("start_date",),
    "hours": ("since_hours",),
    "state": ("status",),
    "text": ("comment", "content"),
    "note": ("context", "comment"),
    "notes": ("context", "comment"),
    "timeout": ("wait_seconds",),
    "wait": ("wait_seconds",),
    "budget": ("max_quants", "max_quants_per_day"),
    "max_cost": ("max_quants", "max_quants_per_day"),
    "verbose": ("detail",),
    "full": ("detail",),
    "rows": ("data",),
    "json": ("data",),
    "file": ("path",),
    "base64": ("content_base64",),
    "title": ("name",),
    "mode": ("reasoning_mode", "run_mode"),
    "interval": ("interval_minutes",),
    "every": ("interval_minutes",),
    "frequency": ("interval_minutes",),
    "prompt": ("instruction",),
    "meaning": ("score_meaning",),
    "links": ("linked_trackers",),
    "threshold": ("score_threshold",),
    "email": ("email_enabled",),
    "webhook": ("webhook_enabled",),
    "ttl_days": ("vault_ttl_days",),
    "vault_id": ("shared_vault_tracker_id",),
    "clear": ("clear_fields",),
    "types": ("content_types",),
}
"""What arguments are called elsewhere, and what they may be called here."""

THERE_IS_NOT: Mapping[str, str] = {
    "timezone": "times carry their own offset, like T09:00:00+01:00",
    "time_zone": "times carry their own offset, like T09:00:00+01:00",
    "tz": "times carry their own offset, like T09:00:00+01:00",
    "cron": "a schedule is a start_time and interval_minutes",
}
"""What belongs to nothing here, and what does its work."""

VERBS: Mapping[str, str] = {
    "run": "trigger",
    "start": "trigger",
    "execute": "trigger",
    "edit": "update",
    "change": "update",
    "modify": "update",
    "set": "update",
    "remove": "delete",
    "add": "create",
    "make": "create",
    "show": "get",
    "read": "get",
    "fetch": "get",
    "find": "list",
    "search": "list",
}
"""How tools' names begin elsewhere, and how they do here."""
