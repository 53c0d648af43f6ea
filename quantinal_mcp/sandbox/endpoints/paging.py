"""The `data` and `pagination` of every list."""

from collections.abc import Callable
from typing import Any

from quantinal_mcp.sandbox.endpoints.checks import Fields, integer_text


def paginate(query: Fields, rows: Callable[[], list[Any]]) -> dict[str, Any]:
    """Check the query (422 if anything in it is wrong) and answer the page of `rows` it asks for."""
    page = query.take("page", integer_text(1), default=1)
    size = query.take("page_size", integer_text(1, 100), default=20)
    query.done()
    found = rows()
    return {
        "data": found[(page - 1) * size : page * size],
        "pagination": {
            "page": page,
            "page_size": size,
            "total_items": len(found),
            "total_pages": -(-len(found) // size),
        },
    }
