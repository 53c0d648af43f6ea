"""From settings to what a server stands on: connections to the API (or the embedded sandbox), and the journal."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from quantinal_mcp.client import Http
from quantinal_mcp.journal.sqlite import SqliteJournal
from quantinal_mcp.journal.workers import make_folder
from quantinal_mcp.settings import Settings

SANDBOX_TOKEN = "qapi_sandbox"  # noqa: S105 - opens nothing but the simulation

_KEY_BYTES = 32


def own_token(settings: Settings) -> str | None:
    """Return the token of the server's own account: the sandbox has its own, which no configured one replaces."""
    return SANDBOX_TOKEN if settings.sandbox else settings.api_token


def connect(settings: Settings) -> Http:
    """Return the client's connections; the caller closes them."""
    if not settings.sandbox:
        return Http(settings.base_url)
    from quantinal_mcp.sandbox import Sandbox  # noqa: PLC0415 - a live server does not pay for it

    return Http("http://sandbox/v1", Sandbox(tokens=(SANDBOX_TOKEN,)).transport())


def journal_place(settings: Settings) -> Callable[[], Path] | None:
    """Return what tells where the journal's file is, or None where it is kept in memory."""
    state = settings.state
    if state == "memory" or (state is None and settings.sandbox):
        return None
    return _default_place if state is None else lambda: Path(state)


def _default_place() -> Path:
    from platformdirs import user_state_path  # noqa: PLC0415 - a session that triggers nothing does not need it

    return user_state_path("quantinal-mcp", appauthor=False) / "journal.db"


def open_journal(settings: Settings) -> SqliteJournal:
    """Return the journal; its file is made when the first trigger needs it.

    Where nobody asked for a place, one that cannot be written gives way to memory, with a line in the log.
    """
    is_default = settings.state is None and settings.budget_quants is None
    return SqliteJournal(journal_place(settings), gives_way=is_default)


def sealing_keys(settings: Settings) -> tuple[str | bytes, ...]:
    """Return the keys that seal questions: the configured ones, else one of its own beside the journal's file.

    Where there is no file, or none can be made, the key is this process's: its questions do not outlive it.
    """
    if settings.state_keys:
        return settings.state_keys
    if (place := journal_place(settings)) is not None:
        with suppress(OSError):
            path = place()
            return (_kept_key(path.with_name(path.name + ".key")),)
    return (os.urandom(_KEY_BYTES),)


def _kept_key(path: Path) -> bytes:
    make_folder(path.parent)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, os.urandom(_KEY_BYTES))
        os.fsync(handle)
        with suppress(FileExistsError):
            os.link(draft, path)  # whole, or not at all: two processes may start at once
    finally:
        os.close(handle)
        draft.unlink()
    key = path.read_bytes()
    if len(key) < _KEY_BYTES:
        raise OSError("the key is too short")
    return key
