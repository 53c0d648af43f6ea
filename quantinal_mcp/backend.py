"""From settings to what a server stands on: connections to the API (or the embedded sandbox), and the journal."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from quantinal_mcp.client import Http
from quantinal_mcp.errors import Misconfigured
from quantinal_mcp.journal.address import DATABASE
from quantinal_mcp.journal.engine import Engine
from quantinal_mcp.journal.sqlite import SqliteJournal
from quantinal_mcp.journal.workers import make_folder
from quantinal_mcp.settings import Settings, SettingsError

if TYPE_CHECKING:
    from quantinal_mcp.journal.postgres import PostgresJournal

SANDBOX_TOKEN = "qapi_sandbox"  # noqa: S105 - opens nothing but the simulation

_KEY_BYTES = 32

logger = logging.getLogger(__name__)


def own_token(settings: Settings) -> str | None:
    """Return the token of the server's own account: the sandbox has its own, which no configured one replaces."""
    return SANDBOX_TOKEN if settings.sandbox else settings.api_token


def connect(settings: Settings) -> Http:
    """Return the client's connections; the caller closes them."""
    if not settings.sandbox:
        return Http(settings.base_url)
    from quantinal_mcp.sandbox import Sandbox  # noqa: PLC0415 - a live server does not pay for it

    return Http("http://sandbox/v1", Sandbox(tokens=(SANDBOX_TOKEN,)).transport())


def journal_place(settings: Settings) -> Callable[[], Path | None] | None:
    """Return what tells where the journal's file is, or None where it is in none; that may find none either."""
    state = settings.state
    if state == "memory" or (state is None and settings.sandbox) or is_in_database(settings):
        return None
    return _default_place if state is None else lambda: Path(state)


def is_in_database(settings: Settings) -> bool:
    """Whether the journal is in PostgreSQL."""
    return settings.state is not None and settings.state.startswith(DATABASE)


def _default_place() -> Path | None:
    from platformdirs import user_state_path  # noqa: PLC0415 - a session that triggers nothing does not need it

    with suppress(RuntimeError):  # newer ones raise where older ones answer with a path below the working directory
        path = user_state_path("quantinal-mcp", appauthor=False) / "journal.db"
        if path.is_absolute():
            return path
    logger.warning("no home directory is known: the journal is kept in memory, and ends with this process")
    return None


def journal_must_last(settings: Settings) -> bool:
    """Whether the journal has to outlive this process: a file was asked for, or a budget rests on it."""
    is_asked_for = settings.state not in {None, "memory"}
    return is_asked_for or (settings.budget_quants is not None and not settings.sandbox)


def try_journal(settings: Settings) -> str | None:
    """Open the journal, making it if need be, to find out whether it can be used; return where, None if in memory.

    Raises:
        Unwritable: Its file cannot be written; where it need not last, memory takes its place.
        Misconfigured: It is damaged, another program's, of a newer version, kept locked or out of reach; or it has to
            last, and is in memory.
    """
    if is_in_database(settings):
        return _try_database(settings)
    find = journal_place(settings)
    path = find() if find is not None else None
    if path is not None:
        journal = SqliteJournal(lambda: path)
        try:
            journal.try_out()
        finally:
            journal.close()
        return str(path)
    if journal_must_last(settings):
        raise Misconfigured(
            "A budget needs a journal that outlives this process, and it is in memory.",
            "Set QUANTINAL_STATE to a file.",
        )
    return None


def _try_database(settings: Settings) -> str:
    from anyio.from_thread import start_blocking_portal  # noqa: PLC0415

    journal = _in_database(settings)

    async def try_out() -> None:
        try:
            await journal.try_out()
        finally:
            await journal.aclose()

    with start_blocking_portal() as portal:  # an event loop may be running here
        portal.call(try_out)
    return journal.shown


def _in_database(settings: Settings) -> PostgresJournal:
    try:
        from quantinal_mcp.journal.postgres import PostgresJournal  # noqa: PLC0415 - its driver may not be there
    except ImportError:
        raise Misconfigured(
            "A journal in PostgreSQL needs a driver that is not installed.",
            "Tell the user: pip install 'quantinal-mcp[postgres]'.",
        ) from None
    assert settings.state is not None  # noqa: S101 - so is_in_database said
    return PostgresJournal(settings.state)


def require_journal(settings: Settings) -> None:
    """Find out before anything is served whether a journal that must last can be used; one that need not may fail.

    Raises:
        SettingsError: It cannot be used.
    """
    if journal_must_last(settings):
        try:
            try_journal(settings)
        except Misconfigured as error:
            variable = "QUANTINAL_STATE" if settings.state not in {None, "memory"} else "QUANTINAL_BUDGET_QUANTS"
            raise SettingsError(f"{variable}: {error.message.rstrip('.')}; {mend_journal(settings)}") from None


def mend_journal(settings: Settings) -> str:
    """Return what is to be done about a journal that cannot be used."""
    if is_in_database(settings):
        return (
            "mend the database or its address in QUANTINAL_STATE; pip install 'quantinal-mcp[postgres]' has its driver"
        )
    return "set QUANTINAL_STATE to a file that can be written"


def open_journal(settings: Settings) -> Engine:
    """Return the journal; what it is kept in is made when the first trigger needs it.

    Where nobody asked for a place, one that cannot be written gives way to memory, with a line in the log.

    Raises:
        Misconfigured: It is in PostgreSQL, and the driver is not installed.
    """
    if is_in_database(settings):
        return _in_database(settings)
    is_default = settings.state is None and settings.budget_quants is None
    return SqliteJournal(journal_place(settings), gives_way=is_default)


async def shared_key(settings: Settings) -> bytes | None:
    """Return the key that replicas share through their database; None where keys are configured, or there is none.

    Raises:
        Misconfigured: The database cannot be used.
    """
    if settings.state_keys or not is_in_database(settings):
        return None
    journal = _in_database(settings)
    try:
        return await journal.sealing_key()
    finally:
        await journal.aclose()


def sealing_keys(settings: Settings) -> tuple[str | bytes, ...]:
    """Return the keys that seal questions: the configured ones, else one of its own beside the journal's file.

    Where there is no file, or none can be made, the key is this process's: its questions do not outlive it.
    """
    if settings.state_keys:
        return settings.state_keys
    if (place := journal_place(settings)) is not None:
        with suppress(OSError):
            if (path := place()) is not None:
                return (_kept_key(path.with_name(path.name + ".key")),)
    return (os.urandom(_KEY_BYTES),)


def _kept_key(path: Path) -> bytes:
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        _make_key(path)
        key = path.read_bytes()
    if len(key) < _KEY_BYTES:
        raise OSError("the key is too short")
    return key


def _make_key(path: Path) -> None:
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
