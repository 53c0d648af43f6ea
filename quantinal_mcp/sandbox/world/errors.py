"""The one exception by which a handler answers anything but success."""

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """An error answer: status, `detail` (text, or FastAPI's list of issues), headers, error code."""

    def __init__(
        self,
        status: int,
        detail: Any,
        *,
        headers: Mapping[str, str] | None = None,
        error_code: str | None = None,
    ) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.headers = headers
        self.body: dict[str, Any] = {"detail": detail}
        if error_code is not None:
            self.body["error_code"] = error_code


def not_found(what: str) -> ApiError:
    """404: it does not exist, or belongs to somebody else."""
    return ApiError(404, f"{what} not found")


def bad_request(detail: str) -> ApiError:
    """400: readable, but it makes no sense."""
    return ApiError(400, detail)


def console_only() -> ApiError:
    """403: an operation that API tokens cannot perform."""
    return ApiError(403, "This endpoint requires the web console and is not accessible via API tokens")
