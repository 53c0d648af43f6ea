"""Arguments that several tools share, each with its documented limits and what a model needs to know of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from quantinal_mcp.errors import InvalidRequest
from quantinal_mcp.settings import LONGEST_WAIT


def unsaid(schema: dict[str, Any]) -> None:
    """Limits that no document names, and that only keep out what no service can hold, are checked and not said."""
    for limit in ("maximum", "minLength", "maxLength"):
        schema.pop(limit, None)


PageNumber = Annotated[int, Field(ge=1, le=1_000_000, json_schema_extra=unsaid)]
PageSize = Annotated[int, Field(ge=1, le=100)]
Detail = Annotated[Literal["summary", "full"], Field(description="full: nothing left out")]
Wait = Annotated[float, Field(ge=0, le=LONGEST_WAIT, description="longest wait in seconds")]


def _no_switch(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("give a number of quants")  # noqa: TRY004 - pydantic reports ValueError
    return value


_Quants = Annotated[float, Field(ge=0, allow_inf_nan=False), BeforeValidator(_no_switch)]
"""A true or an infinity is no amount that anybody agreed to. A limit that followed the validator would be a `ge` in the
schema, which JSON Schema does not know."""
MaxQuants = Annotated[_Quants, Field(description="most the user agreed to; refuses dearer estimates")]
MaxQuantsPerDay = Annotated[_Quants, Field(description="cost of the schedule's day the user agreed to")]
Score = Annotated[float, Field(ge=0, le=100)]


def check_period(start_date: datetime | None, end_date: datetime | None) -> None:
    """Refuse a period that ends before it begins.

    Raises:
        InvalidRequest: It does.
    """
    if start_date is not None and end_date is not None and end_date < start_date:
        raise InvalidRequest("end_date is before start_date.", "Nothing was sent; swap them.")
