"""How the sandbox is told to misbehave."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "status",
    "act_then_status",
    "refuse",
    "drop_before",
    "drop_after",
    "half",
    "hang_before",
    "hang_after",
    "slow_body",
]
KINDS: tuple[str, ...] = Kind.__args__


@dataclass
class Fault:
    """One misbehaviour, for the requests whose method and path match.

    - `status`: answers `code` without acting; `act_then_status` acts first.
    - `refuse`: no connection (over sockets the same as `drop_before`).
    - `drop_before`, `drop_after`: closes the connection without having acted, or after it.
    - `half`: acts, and closes the connection half way through the answer's body.
    - `hang_before`, `hang_after`: waits `seconds` before acting, or between acting and answering.
    - `slow_body`: the answer's body dribbles in, `seconds` in total.

    `act_then_status` and `drop_after` apply to a sync trigger as soon as its run was
    created; with `when="finished"`, once the sandbox would have answered.
    """

    method: str
    """`*` matches any."""
    path: str
    """A regular expression, searched for in the path."""
    kind: Kind
    times: int | None = 1
    """How many requests it meets; None for all."""
    skip: int = 0
    """How many matching requests it lets pass first."""
    code: int = 503
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: str = '{"detail": "Service unavailable"}'
    content_type: str | None = None
    """By default guessed from `body`: HTML or JSON."""
    seconds: float = 1.0
    when: Literal["created", "finished"] = "created"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {self.kind!r}")
        if self.when not in ("created", "finished"):
            raise ValueError(f"when must be created or finished, not {self.when!r}")
        re.compile(self.path)

    def matches(self, method: str, path: str) -> bool:
        """Whether it is meant for this request."""
        return self.method in ("*", method) and re.search(self.path, path) is not None


class Faults:
    """The faults in force; of those that match a request, the first one added meets it."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, *faults: Fault) -> None:
        """Put faults in force. They are counted down, so that each is added once."""
        self._faults += faults

    def clear(self) -> None:
        """Behave again."""
        self._faults.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that meets this request, if any; counts it down."""
        for fault in self._faults:
            if not fault.matches(method, path) or fault.times == 0:
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.times is not None:
                fault.times -= 1
            return fault
        return None


class ConnectionFault(Exception):
    """The connection is to be closed now; whoever runs the app does it."""


class Refused(ConnectionFault):
    """There was to be no connection at all."""
