"""What the check found, one line each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from quantinal_mcp.contract.comparing import differences
from quantinal_mcp.contract.promises import Promise

Verdict = Literal["differs", "note", "unread"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know of the service.

    `differs` breaks a promise of the documents, `note` is what they are silent on, `unread` could not be looked at.
    `field` is a path within the answer, and `seen` of `looked_at` values show it (0 where that says nothing).
    """

    verdict: Verdict
    endpoint: str
    sort: str
    field: str
    detail: str
    seen: int = 0
    looked_at: int = 0

    def __str__(self) -> str:
        where = f"{self.endpoint} {self.field}".rstrip()
        count = f" ({self.seen} of {self.looked_at})" if self.looked_at > 1 else ""
        return f"{self.verdict:<7}  {where}: {self.detail}{count}"

    def as_json(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return asdict(self)


def compare(endpoint: str, values: Sequence[Any], promise: Promise, within: str = "") -> list[Finding]:
    """Return where values of one kind differ from their promise; what several show in common is one finding."""
    seen: dict[tuple[str, str, str], int] = {}
    for value in values:
        for difference in set(differences(value, promise, within)):
            seen[difference] = seen.get(difference, 0) + 1
    return [
        Finding("differs", endpoint, sort, field, detail, count, len(values))
        for (field, sort, detail), count in sorted(seen.items())
    ]


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Return each finding once, those of several lists of one endpoint added up, in the order they were made."""
    by_what: dict[tuple[str, ...], Finding] = {}
    for one in findings:
        key = (one.verdict, one.endpoint, one.sort, one.field, one.detail)
        before = by_what.get(key)
        if before is None:
            by_what[key] = one
        else:
            by_what[key] = replace(one, seen=before.seen + one.seen, looked_at=before.looked_at + one.looked_at)
    return list(by_what.values())
