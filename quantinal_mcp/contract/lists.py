"""Whether lists keep what they say of themselves, and how they are ordered: decisions without I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, cast

from quantinal_mcp.contract.findings import Finding

Rows = list[dict[str, Any]]

_FEWEST_TO_ORDER = 3


def rows_of(answer: Any, key: str = "data") -> Rows:
    """Return the objects that a list answered, whatever else it holds."""
    listed = as_object(answer).get(key)
    rows = cast("list[Any]", listed) if isinstance(listed, list) else []
    return [as_object(row) for row in rows if isinstance(row, dict)]


def as_object(value: Any) -> dict[str, Any]:
    """Return a JSON object, or an empty one for anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def whole(value: Any) -> int | None:
    """Return a whole number, or None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def page_count(answer: Any) -> int:
    """Return how many pages a list says it has; one where it does not say."""
    return whole(as_object(as_object(answer).get("pagination")).get("total_pages")) or 1


def page_findings(endpoint: str, answer: Any, *, page: int, size: int) -> Iterator[Finding]:
    """Yield where one page is not what was asked for, or lies about the whole."""
    stated = as_object(as_object(answer).get("pagination"))
    rows = len(rows_of(answer))
    total, pages = whole(stated.get("total_items")), whole(stated.get("total_pages"))
    for name, asked in (("page", page), ("page_size", size)):
        told = whole(stated.get(name))
        if told is not None and told != asked:
            yield _page(endpoint, f"pagination.{name}", f"{name}={asked} was asked for and {told} is stated")
    if rows > size:
        yield _page(endpoint, "data", f"page_size={size} is ignored: {rows} rows")
    if total is None or pages is None:
        return
    # Of an empty list the documents do not say whether it has one page or none.
    if pages != max(1, -(-total // size)) and (total, pages) != (0, 0):
        yield _page(endpoint, "pagination.total_pages", f"{pages} pages of {size} are stated for {total} items")
    due = max(0, min(size, total - (page - 1) * size))
    if rows <= size and rows != due:
        yield _page(endpoint, "pagination.total_items", f"page {page} of {size} has {rows} rows, by its totals {due}")


def repeat_finding(endpoint: str, first: Rows, later: Rows) -> Iterator[Finding]:
    """Yield it if what was asked for as a later page is the first one again."""
    if later and first[: len(later)] == later:
        yield _page(endpoint, "data", "page is ignored: a later page is the first one again")


def _page(endpoint: str, field: str, detail: str) -> Finding:
    return Finding("differs", endpoint, "page", field, detail)


def order_of(rows: Sequence[Mapping[str, Any]], field: str) -> str | None:
    """Return how rows are ordered by a time: newest first, oldest first, in no order; None where too few tell."""
    times = [value for row in rows if isinstance(value := row.get(field), str)]
    if len(set(times)) < _FEWEST_TO_ORDER:
        return None
    if all(before >= after for before, after in pairwise(times)):
        return "newest first"
    if all(before <= after for before, after in pairwise(times)):
        return "oldest first"
    return "in no order"


def order_finding(endpoint: str, field: str, orders: Sequence[str]) -> Finding:
    """Say how the lists of an endpoint were ordered, of which the documents promise nothing."""
    told = " or ".join(sorted(set(orders)))
    return Finding("note", endpoint, "order", "data", f"{told} by {field}", len(orders), len(orders))
