"""All accounts of a sandbox, who they belong to, and how often they may ask."""

import math
from collections import deque
from collections.abc import Mapping

from quantinal_mcp.sandbox.world.account import Account
from quantinal_mcp.sandbox.world.clock import Clock
from quantinal_mcp.sandbox.world.errors import ApiError
from quantinal_mcp.sandbox.world.lifecycle import begin
from quantinal_mcp.sandbox.world.options import Options
from quantinal_mcp.sandbox.world.records import Json
from quantinal_mcp.sandbox.world.seed import seeded_account


class World:
    """The accounts, each built when it is first needed, and the windows of their rate limits."""

    def __init__(self, options: Options, clock: Clock) -> None:
        self.options = options
        self.clock = clock
        self._accounts: dict[str, Account] = {}
        self._windows: dict[tuple[int, str, str], deque[float]] = {}

    def account(self, token: str | None = None) -> Account:
        """The account of a token; of the first one if none is given."""
        token = self.options.tokens[0] if token is None else token
        if token not in self._accounts:
            self._accounts[token] = seeded_account(self.options, self.options.tokens.index(token))
        return self._accounts[token]

    def accounts(self) -> list[Account]:
        """The accounts of all tokens."""
        return [self.account(token) for token in self.options.tokens]

    def begin_run(self, tracker_id: str, trigger_type: str = "scheduled", *, sync: bool = False) -> Json:
        """Begin a run as the schedule or somebody else would, and answer it revealed.

        Raises LookupError for an unknown tracker, ApiError (402) when quants are lacking.
        """
        now = self.clock.now()
        for account in self.accounts():
            tracker = account.trackers.get(tracker_id)
            if tracker is not None:
                run = begin(
                    account, tracker, now, self.options, sync=sync, trigger_type=trigger_type, origin="elsewhere"
                )
                return run.revealed(now)
        raise LookupError(f"No tracker {tracker_id}")

    def token_of(self, headers: Mapping[str, str]) -> str | None:
        """The accepted token that a request carries, if any."""
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        sent = (
            bearer.strip() if scheme.lower() == "bearer" else "",
            headers.get("x-api-key", ""),
            headers.get("x-api-token", ""),
        )
        return next((token for token in sent if token in self.options.tokens), None)

    def admit(self, account: Account, endpoint: tuple[str, str], per_minute: int) -> None:
        """Count a request; 429 if there were `per_minute` within the last sixty seconds."""
        if not self.options.rate_limits:
            return
        now = self.clock.now().timestamp()
        window = self._windows.setdefault((account.index, *endpoint), deque())
        while window and window[0] <= now - 60:
            window.popleft()
        if len(window) >= per_minute:
            wait = max(1, math.ceil(window[0] + 60 - now))
            raise ApiError(
                429,
                f"Rate limit exceeded: {per_minute} requests per minute. Retry in {wait} seconds.",
                headers={"Retry-After": str(wait)},
            )
        window.append(now)
