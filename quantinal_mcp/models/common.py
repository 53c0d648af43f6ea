"""What every resource shares: identifiers, numbers, times and pages."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Generic, Required, TypeVar, cast

from pydantic import (
    AllowInfNan,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    with_config,
)
from typing_extensions import TypedDict

from quantinal_mcp.models.text import clean_text

tolerant = with_config(ConfigDict(extra="allow"))
"""For answers: the live service moves, and fields we do not know are kept."""

exact = with_config(ConfigDict(extra="forbid"))
"""For what is sent: a misspelt field is refused instead of being dropped."""

Object = dict[str, Any]


def _as_said(value: object, validate: ValidatorFunctionWrapHandler) -> object:
    number = validate(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else number


Number = Annotated[float, AllowInfNan(allow_inf_nan=False), WrapValidator(_as_said)]
"""A number in an answer. A whole one stays whole: what is sent back is what the service said, and 1440.0 may be refused
where 1440 is not."""

_MOST_QUANTS = 1e9


def _believable(value: object) -> object:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return value if 0 <= value <= _MOST_QUANTS else None


Amount = Annotated[float | None, BeforeValidator(_believable), WithJsonSchema({"type": "number"})]
"""A price or a charge in quants, believed only where it can be true: a negative, non-numeric, infinite or absurdly
large one is unknown."""


def _id(prefix: str, said: str = ".+") -> Any:
    """What an id must be, and how a schema says so: as briefly as it can, since every tool has ids."""
    return Field(pattern=rf"^{prefix}[A-Za-z0-9_-]{{1,64}}$", json_schema_extra={"pattern": f"^{prefix}{said}$"})


def _unsaid(schema: dict[str, Any]) -> None:
    """What an answer's id looks like is of no use to who reads it."""
    schema.pop("pattern", None)


Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,128}$", json_schema_extra=_unsaid)]
"""An id in an answer. Next steps repeat it to a model, so it is one word: an answer with another is refused."""

SpaceId = Annotated[str, _id("spc_")]
TrackerId = Annotated[str, _id("trk_")]
RunId = Annotated[str, _id("run_")]
SourceId = Annotated[str, _id("", r"[\w-]+")]


def _aware(value: object) -> datetime:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError("give an ISO 8601 time with an offset, like 2026-02-19T09:00:00Z")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("this time is out of range") from None


def iso_utc(moment: datetime) -> str:
    """Return `moment` as the service writes times: UTC, with a Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def iso_minute(moment: datetime) -> str:
    """Return `moment` as briefly as a model needs it: UTC, to the minute, with a Z."""
    return moment.astimezone(UTC).isoformat(timespec="minutes")[:16] + "Z"


def period(start: datetime | None, end: datetime | None) -> dict[str, str | int | float | None]:
    """Return a stretch of time as the service's filters take it; None is open."""
    return {"start_date": iso_utc(start) if start else None, "end_date": iso_utc(end) if end else None}


def read_time(text: str | None) -> datetime | None:
    """Return a time as the service wrote it, as UTC; None where it says none, or something else."""
    try:
        moment = datetime.fromisoformat(text or "")
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


Timestamp = Annotated[
    datetime,
    BeforeValidator(_aware),
    PlainSerializer(iso_utc),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""ISO 8601 with an offset; held and sent as UTC."""

Item = TypeVar("Item")


@tolerant
class Pagination(TypedDict, total=False):
    """Where a page stands. `page` counts from 1; `page_size` is at most 100."""

    page: int | None
    page_size: int | None
    total_items: int | None
    total_pages: int | None


@tolerant
class Page(TypedDict, Generic[Item], total=False):
    """One page of a list endpoint."""

    data: Required[list[Item]]
    pagination: Pagination | None


def page_count(listed: Page[Any]) -> int:
    """Return how many pages a list has; one where it does not say."""
    return (listed.get("pagination") or {}).get("total_pages") or 1


OURS = frozenset(
    {
        "next_step",
        "note",
        "cost",
        "delivery",
        "schedule_cost",
        "next_run_at",
        "gone",
        "rows_after",
        "rows_before",
        "shared_from",
    }
)
"""What this package calls the fields that it adds to a resource where it answers one."""


def without_ours(answer: Any) -> Any:
    """Return a resource, or a page of them, without fields that bear a name of `OURS`.

    Whoever adds such a field can then be sure that it is the only one, and whoever reads one, whose word it is. What a
    resource holds, for instance its configuration, stays whole.
    """
    if not isinstance(answer, dict):
        return answer
    fields = cast("Object", answer)
    pages = {name: fields[name] for name in ("data", "results") if isinstance(fields.get(name), list)}
    return _without_ours(fields) | {name: [_without_ours(item) for item in page] for name, page in pages.items()}


def _without_ours(resource: Any) -> Any:
    if not isinstance(resource, dict):
        return resource
    fields = cast("Object", resource)
    ours = _ours_among(tuple(fields))
    return {name: value for name, value in fields.items() if name not in ours} if ours else fields


@lru_cache(64)
def _ours_among(names: tuple[str, ...]) -> frozenset[str]:
    """Remembered, since the rows of a page have the same names."""
    return frozenset(name for name in names if clean_text(name).casefold() in OURS)


@tolerant
class Deleted(TypedDict, total=False):
    """The answer to a DELETE."""

    success: bool | None
    message: str | None
