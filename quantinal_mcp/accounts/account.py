"""All that this process knows of one token, and nothing of any other."""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime

from anyio.abc import TaskGroup

from quantinal_mcp.accounts.names import Names
from quantinal_mcp.client import Http, QuantinalClient
from quantinal_mcp.journal.protocol import Journal
from quantinal_mcp.journal.records import account_of
from quantinal_mcp.money.ceilings import Ceilings
from quantinal_mcp.money.charges import Charges
from quantinal_mcp.runs.notes import Notes
from quantinal_mcp.runs.reading import Runs
from quantinal_mcp.runs.sending import Sender
from quantinal_mcp.runs.triggers import Triggers
from quantinal_mcp.vaults.repeats import Uploaded

_MOST_ACCOUNTS = 1000


class Account:
    """One token's client, triggers, waits and names. What must outlive this process is in the journal."""

    def __init__(self, http: Http, token: str, tasks: TaskGroup, journal: Journal, ceilings: Ceilings) -> None:
        self.id = account_of(token)
        self.journal = journal
        self.ceilings = ceilings
        self.client = QuantinalClient(http, token)
        notes = Notes(journal, tasks)
        charges = Charges(journal, self.id, tasks, notes.catch_up)
        self.runs = Runs(self.client, charges)
        self.names = Names(self.client)
        self.uploaded = Uploaded()
        sender = Sender(self.client, journal, notes, charges, tasks)
        self.triggers = Triggers(self.client, journal, self.id, ceilings, self.runs, charges, sender)

    def now(self) -> datetime:
        """Return the time in UTC, on the journal's clock."""
        return datetime.fromtimestamp(self.journal.now(), UTC)

    @property
    def is_idle(self) -> bool:
        """Whether forgetting this account would lose nothing."""
        return self.triggers.is_idle


class Accounts:
    """The accounts that this process serves, by token; beyond `most` the longest unused idle ones are forgotten."""

    def __init__(
        self, http: Http, tasks: TaskGroup, journal: Journal, ceilings: Ceilings, most: int = _MOST_ACCOUNTS
    ) -> None:
        self._http = http
        self._tasks = tasks
        self._journal = journal
        self._ceilings = ceilings
        self._most = most
        self._accounts: OrderedDict[str, Account] = OrderedDict()

    def __len__(self) -> int:
        return len(self._accounts)

    def now(self) -> datetime:
        """Return the time in UTC, on the journal's clock."""
        return datetime.fromtimestamp(self._journal.now(), UTC)

    def of(self, token: str) -> Account:
        """Return the account of `token`; accounts are found by its digest."""
        key = account_of(token)
        account = self._accounts.get(key)
        if account is None:
            account = Account(self._http, token, self._tasks, self._journal, self._ceilings)
            self._accounts[key] = account
            self._forget_idle()
        self._accounts.move_to_end(key)
        return account

    def _forget_idle(self) -> None:
        for key, account in list(self._accounts.items())[:-1]:
            if len(self._accounts) <= self._most:
                return
            if account.is_idle:
                del self._accounts[key]
