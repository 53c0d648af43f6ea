"""Validation of bodies and query strings, reported as FastAPI would."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from quantinal_mcp.sandbox.world.errors import ApiError

Check = Callable[[Any], Any]
Loc = tuple[str | int, ...]


class Invalid(Exception):
    """A value is not acceptable. `at` says where inside the value, for nested ones."""

    def __init__(self, message: str, kind: str, at: Loc = ()) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.at = at


class Fields:
    """The members of one object, taken one by one; all that is wrong is collected first."""

    def __init__(self, data: Mapping[str, Any], *loc: str | int) -> None:
        self._data = data
        self._loc = loc
        self._taken: set[str] = set()
        self.issues: list[dict[str, Any]] = []

    def has(self, name: str) -> bool:
        """Whether it was given at all, be it as null."""
        return name in self._data

    def take(
        self,
        name: str,
        check: Check,
        *,
        required: bool = False,
        nullable: bool = False,
        default: Any = None,
    ) -> Any:
        """The checked value; the default where it is missing (or wrong, which is noted)."""
        self._taken.add(name)
        if name not in self._data:
            if required:
                self._note((name,), "Field required", "missing")
            return default
        value = self._data[name]
        if value is None and nullable:
            return None
        try:
            return check(value)
        except Invalid as wrong:
            self._note((name, *wrong.at), wrong.message, wrong.kind)
            return default

    def others(self) -> dict[str, Any]:
        """The members that were not taken, as they came."""
        return {name: value for name, value in self._data.items() if name not in self._taken}

    def nested(
        self,
        name: str,
        read: "Callable[[Fields], Any]",
        *,
        required: bool = False,
        nullable: bool = False,
    ) -> Any:
        """A member that is itself an object, read by `read`; None where it is missing or wrong."""
        value = self.take(name, mapping, required=required, nullable=nullable)
        if value is None:
            return None
        inner = Fields(value, *self._loc, name)
        result = read(inner)
        self.issues += inner.issues
        return result

    def done(self) -> None:
        """Raise 422 if anything was wrong."""
        if self.issues:
            raise ApiError(422, self.issues)

    def _note(self, at: Loc, message: str, kind: str) -> None:
        self.issues.append({"loc": [*self._loc, *at], "msg": message, "type": kind})


def text(low: int = 0, high: int | None = None) -> Check:
    """A string of `low` to `high` characters."""

    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise Invalid("Input should be a valid string", "string_type")
        if len(value) < low:
            raise Invalid(f"String should have at least {low} character", "string_too_short")
        if high is not None and len(value) > high:
            raise Invalid(f"String should have at most {high} characters", "string_too_long")
        return value

    return check


def integer(low: int | None = None, high: int | None = None) -> Check:
    """A whole number (a boolean is none)."""

    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise Invalid("Input should be a valid integer", "int_type")
        return cast("int", _within(value, low, high))

    return check


def number(low: float | None = None, high: float | None = None) -> Check:
    """A number (a boolean is none)."""

    def check(value: Any) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise Invalid("Input should be a valid number", "float_type")
        return _within(value, low, high)

    return check


def boolean(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise Invalid("Input should be a valid boolean", "bool_type")
    return value


def mapping(value: Any) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise Invalid("Input should be a valid dictionary", "dict_type")
    return cast("dict[str, Any]", value)


def choice(*allowed: str) -> Check:
    """One of a few words."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise Invalid(f"Input should be {' or '.join(map(repr, allowed))}", "enum")
        return value

    return check


def list_of(item: Check, *, low: int = 0, high: int | None = None) -> Check:
    """An array of `low` to `high` items, each checked."""

    def check(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise Invalid("Input should be a valid list", "list_type")
        rows = cast("list[Any]", value)
        if len(rows) < low:
            raise Invalid(f"List should have at least {low} item", "too_short")
        if high is not None and len(rows) > high:
            raise Invalid(f"List should have at most {high} items", "too_long")
        for index, row in enumerate(rows):
            try:
                item(row)
            except Invalid as wrong:
                raise Invalid(wrong.message, wrong.kind, (index, *wrong.at)) from None
        return rows

    return check


def moment(value: Any) -> datetime:
    """An ISO 8601 datetime that says its offset, as UTC."""
    if not isinstance(value, str):
        raise Invalid("Input should be a valid datetime", "datetime_type")
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise Invalid("Input should be a valid datetime", "datetime_parsing") from None
    if parsed.tzinfo is None:
        raise Invalid("Input should have timezone info", "timezone_aware")
    try:
        return parsed.astimezone(UTC)
    except OverflowError:
        raise Invalid("Input should be a valid datetime", "datetime_parsing") from None


def integer_text(low: int | None = None, high: int | None = None) -> Check:
    """A whole number written in a query string."""

    def check(value: Any) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", str(value)):
            raise Invalid("Input should be a valid integer", "int_parsing")
        return cast("int", _within(int(value), low, high))

    return check


def number_text(low: float | None = None, high: float | None = None) -> Check:
    """A number written in a query string."""

    def check(value: Any) -> float:
        try:
            parsed = float(value)
        except ValueError:
            raise Invalid("Input should be a valid number", "float_parsing") from None
        return _within(parsed, low, high)

    return check


def _within(value: float, low: float | None, high: float | None) -> float:
    if isinstance(value, float) and not math.isfinite(value):
        raise Invalid("Input should be a finite number", "finite_number")
    if low is not None and value < low:
        raise Invalid(f"Input should be greater than or equal to {low}", "greater_than_equal")
    if high is not None and value > high:
        raise Invalid(f"Input should be less than or equal to {high}", "less_than_equal")
    return value
