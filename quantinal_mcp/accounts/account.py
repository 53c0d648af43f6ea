"""All that this process knows of one token, and nothing of any other."""

from __future__ import annotations

import hashlib
from collections import OrderedDict, defaultdict

import anyio
from anyio.abc import TaskGroup

from quantinal_mcp.accounts.names import Names
from quantinal_mcp.client import Http, QuantinalClient
from quantinal_mcp.money.budget import Ledger
from quantinal_mcp.runs.desk import Desk
from quantinal_mcp.runs.watch import Watches

_MOST_ACCOUNTS = 1000


class Account:
    """One token's client, budget, triggers, waits, names and update locks."""

    def __init__(
        self, http: Http, token: str, tasks: TaskGroup, budget: float | None, max_quants_per_run: float | None
    ) -> None:
        self.ledger = Ledger(budget)
        self.client = QuantinalClient(http, token, self.ledger.book)
        self.desk = Desk(self.client, self.ledger, tasks)
        self.watches = Watches(self.client)
        self.names = Names(self.client)
        self.max_quants_per_run = max_quants_per_run
        self.updating: defaultdict[str, anyio.Lock] = defaultdict(anyio.Lock)
        self.updated_at: dict[str, float] = {}

    @property
    def is_idle(self) -> bool:
        """Whether forgetting this account would lose nothing."""
        return self.desk.is_idle and self.ledger.committed == 0


class Accounts:
    """The accounts that this process serves, by token; idle ones are forgotten when there are many."""

    def __init__(
        self, http: Http, tasks: TaskGroup, budget: float | None = None, max_quants_per_run: float | None = None
    ) -> None:
        self._http = http
        self._tasks = tasks
        self._budget = budget
        self._max_quants_per_run = max_quants_per_run
        self._accounts: OrderedDict[bytes, Account] = OrderedDict()

    def of(self, token: str) -> Account:
        """Return the account of `token`; accounts are found by its digest."""
        key = hashlib.sha256(token.encode()).digest()
        account = self._accounts.get(key)
        if account is None:
            account = Account(self._http, token, self._tasks, self._budget, self._max_quants_per_run)
            self._accounts[key] = account
            self._forget_idle()
        self._accounts.move_to_end(key)
        return account

    def _forget_idle(self) -> None:
        if len(self._accounts) <= _MOST_ACCOUNTS:
            return
        for key, account in list(self._accounts.items())[:-1]:
            if account.is_idle:
                del self._accounts[key]
                return
