"""Every error of this package, and the code by which a model knows it.

QuantinalError
├── ApiError                    the service answered with a status that is not a success
│   ├── Unauthorized            [unauthorized]         401
│   ├── InsufficientQuants      [insufficient_quants]  402
│   ├── Forbidden               [forbidden]            403
│   ├── NotFound                [not_found]            404
│   ├── Conflict                [conflict]             409
│   ├── RateLimited             [rate_limited]         429
│   ├── Rejected                [invalid_request]      400, 422, any other 4xx, and redirects, which are not followed
│   └── UpstreamError           [upstream_error]       5xx
├── InvalidRequest              [invalid_request]      caught here, nothing was sent
├── InvalidResponse             [invalid_response]     a body that is not what was promised
├── NetworkError                [network_error]        could not connect, or the connection broke
├── RequestTimeout              [timeout]              no answer in time
├── OutcomeUnknown              [outcome_unknown]      a write was sent and its answer was lost
├── NeedsConsent                [needs_consent]        the user must agree first
├── Declined                    [declined]             the user said no
├── OverBudget                  [over_budget]          the operator's ceiling
├── AlreadyRunning              [already_running]      a run that somebody began has not ended
├── Misconfigured               [misconfigured]        this server's own set-up stands in the way
└── NoToken                     [no_token]             no credentials
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any, ClassVar, Self

_REFUSALS = frozenset({400, 401, 402, 403, 404, 409, 422, 429})
"""The statuses by which the documents let the service refuse."""


class QuantinalError(Exception):
    """Anything that keeps a call from succeeding.

    `str(error)` is the whole text a model reads: the code in brackets, what happened, and what to do next.
    """

    code: ClassVar[str]

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message, next_step)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return " ".join(part for part in (f"[{self.code}]", self.message, self.next_step) if part)

    def as_kept(self) -> Self:
        """Return it without what was sent: the frames that raised it hold that, and a body that was answered may."""
        kept = copy(self)
        if isinstance(kept, ApiError | InvalidResponse | OutcomeUnknown):
            kept.body = {"detail": kept.message} if "detail" in kept.body else {}
        if isinstance(kept, OutcomeUnknown):
            kept.lost = None
        return kept


class ApiError(QuantinalError):
    """The service answered, and not with success. `body` is the decoded JSON object, or empty."""

    def __init__(
        self,
        message: str,
        next_step: str = "",
        *,
        status: int = 0,
        retry_after: float | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, next_step)
        self.status = status
        self.retry_after = retry_after
        self.body: Mapping[str, Any] = body or {}

    @property
    def is_refusal(self) -> bool:
        """Whether the service itself refused, and so executed nothing: a documented status, and its `detail`.

        What stands between here and the service answers with the same statuses, in other words, and may do so after it
        has passed the request on.
        """
        return self.status in _REFUSALS and isinstance(self.body.get("detail"), str | list)

    @property
    def is_redirect(self) -> bool:
        """Whether the answer was that something is elsewhere, so that nothing was executed here."""
        return 300 <= self.status < 400


class Unauthorized(ApiError):
    """401: the token is missing, revoked or mistyped."""

    code = "unauthorized"


class InsufficientQuants(ApiError):
    """402: the balance does not cover the run. There is no endpoint for the balance."""

    code = "insufficient_quants"


class Forbidden(ApiError):
    """403: the operation needs the web console, or another account's consent."""

    code = "forbidden"


class NotFound(ApiError):
    """404: no such resource, or it belongs to somebody else."""

    code = "not_found"


class Conflict(ApiError):
    """409: for instance a tracker whose vault others share cannot be deleted."""

    code = "conflict"


class RateLimited(ApiError):
    """429: not executed. `retry_after` is in seconds, where the service gave it."""

    code = "rate_limited"


class Rejected(ApiError):
    """400 or 422: the service refused the arguments. Also any other 4xx, and redirects."""

    code = "invalid_request"


class UpstreamError(ApiError):
    """5xx from the service or a load balancer in front of it."""

    code = "upstream_error"


class InvalidRequest(QuantinalError):
    """The arguments break a documented rule; nothing was sent."""

    code = "invalid_request"


class InvalidResponse(QuantinalError):
    """A success whose body is not what the documents promise. `body` is the JSON object, where it was one.

    `lasting` says that asking again would be answered in the same way.
    """

    code = "invalid_response"

    def __init__(
        self, message: str, next_step: str = "", *, body: Mapping[str, Any] | None = None, lasting: bool = False
    ) -> None:
        super().__init__(message, next_step)
        self.body: Mapping[str, Any] = body or {}
        self.lasting = lasting


class NetworkError(QuantinalError):
    """No connection, or one that broke. `connected` says whether the request may have been sent.

    `lasting` says that trying again would meet the same: a certificate that is not trusted, a proxy's refusal.
    """

    code = "network_error"

    def __init__(self, message: str, next_step: str = "", *, connected: bool = True, lasting: bool = False) -> None:
        super().__init__(message, next_step)
        self.connected = connected
        self.lasting = lasting


class RequestTimeout(QuantinalError):
    """No answer in time. `connected` says whether the request may have been sent."""

    code = "timeout"

    def __init__(self, message: str, next_step: str = "", *, connected: bool = True) -> None:
        super().__init__(message, next_step)
        self.connected = connected


class OutcomeUnknown(QuantinalError):
    """A POST was sent, its answer was lost, and it may or may not have been executed.

    `lost` is what ended the wait, and `body` whatever JSON object came with it.
    """

    code = "outcome_unknown"

    def __init__(self, message: str, next_step: str = "", *, lost: QuantinalError | None = None) -> None:
        super().__init__(message, next_step)
        self.lost = lost
        self.body: Mapping[str, Any] = lost.body if isinstance(lost, ApiError | InvalidResponse) else {}


class NeedsConsent(QuantinalError):
    """The user has not agreed to this cost or deletion; nothing was sent."""

    code = "needs_consent"


class Declined(QuantinalError):
    """The user said no; nothing was sent, and the question is not to be put again."""

    code = "declined"


class OverBudget(QuantinalError):
    """A ceiling set by the operator stands in the way; nothing was sent."""

    code = "over_budget"


class AlreadyRunning(QuantinalError):
    """A run of this tracker has not ended, and another was not asked for; nothing was sent."""

    code = "already_running"


class Misconfigured(QuantinalError):
    """This server's own set-up stands in the way; the message names the variable or the file."""

    code = "misconfigured"


class NoToken(QuantinalError):
    """No credentials came with the call, and none are configured."""

    code = "no_token"
