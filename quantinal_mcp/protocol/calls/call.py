"""A call that came to nothing, as far as what is said of it depends on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from quantinal_mcp.accounts.names import Named
from quantinal_mcp.models.common import Object
from quantinal_mcp.protocol.schemas import Schema


@dataclass(frozen=True, slots=True)
class Call:
    """Of which tool, what was given by its arguments' names, and when.

    `names` are what the account calls its spaces, trackers and sources that may have been meant, by kind of id.
    """

    tool: str
    properties: Schema
    given: Object
    now: datetime
    names: Mapping[str, Sequence[Named]] = field(default_factory=dict[str, Sequence[Named]])

    def called(self, kind: str, name: object) -> str:
        """Return the ids of what bears this name, as a sentence lists them; empty where nothing known does."""
        wanted = str(name).strip().casefold()
        found = [known.id for known in self.names.get(kind, ()) if known.name.casefold() == wanted]
        return " and of ".join(found[:5])
