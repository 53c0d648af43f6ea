"""A journal in PostgreSQL at the command line: what is said of it, and never who logs in there and how."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator

import anyio
import pytest

from help.command import run
from help.journals import begun
from help.postgres import PASSWORD, QUOTED, USER, Postgres, free_port, postgres
from quantinal_mcp.backend import shared_key
from quantinal_mcp.errors import Misconfigured
from quantinal_mcp.journal.migrations import VERSION
from quantinal_mcp.journal.postgres import PostgresJournal
from quantinal_mcp.settings import Settings, SettingsError, load

SECRETS = (PASSWORD, QUOTED, "battery", f"{USER}:")
fleet = pytest.mark.fleet


@pytest.fixture(scope="module")
def server() -> Generator[Postgres]:
    with postgres() as running:
        yield running


def nowhere(address: str, server: Postgres) -> str:
    return address.replace(f":{server.port}/", f":{free_port()}/")


def without_secrets(*texts: str) -> bool:
    return not any(secret in text for secret in SECRETS for text in texts)


async def one_trigger(address: str) -> None:
    journal = PostgresJournal(address)
    await begun(journal, account="an account", reserved=0.5, estimated=0.5)
    await journal.aclose()


@fleet
def test_check_and_ledger_say_where_it_is(server: Postgres) -> None:
    address = server.database()
    place = f"postgresql://127.0.0.1:{server.port}/{address.rpartition('/')[2]}"
    environ = {"QUANTINAL_STATE": address, "QUANTINAL_BASE_URL": "http://127.0.0.1:9"}
    empty = run("ledger", "--json", environ=environ)
    assert (empty.returncode, empty.stderr) == (0, "")
    assert (json.loads(empty.stdout)["journal"], json.loads(empty.stdout)["days"]) == (place, [])

    checked = run("check", "--json", environ=environ)
    (found,) = [finding for finding in json.loads(checked.stdout) if finding["name"] == "journal"]
    assert (found["verdict"], found["detail"]) == ("ok", f"{place} can be written")

    anyio.run(one_trigger, address)
    shown, told = run("ledger", environ=environ), run("ledger", "--json", environ=environ)
    assert place in shown.stdout
    assert json.loads(told.stdout)["today"]["expected_quants"] == 0.5
    assert json.loads(told.stdout)["open"][0]["state"] == "lost"
    assert without_secrets(empty.stdout, checked.stdout, checked.stderr, shown.stdout, shown.stderr, told.stdout)


@fleet
@pytest.mark.parametrize("wrong", ["out of reach", "password", "newer"])
@pytest.mark.parametrize("door", [[], ["--transport", "http", "--port", "0"]], ids=["stdio", "http"])
def test_one_that_cannot_be_used_ends_the_start(server: Postgres, wrong: str, door: list[str]) -> None:
    address = server.database()
    if wrong == "newer":
        anyio.run(one_trigger, address)
        newer = f"UPDATE quantinal.version SET version = {VERSION + 1}"  # noqa: S608
        server.execute(address.rpartition("/")[2], newer)
    elif wrong == "password":
        address = address.replace(QUOTED, "battery-wrong")
    else:
        address = nowhere(address, server)
    environ = {"QUANTINAL_STATE": address, "QUANTINAL_API_TOKEN": "qapi_x", "QUANTINAL_LOG_LEVEL": "DEBUG"}
    done = run(*door, environ=environ)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith("Error: QUANTINAL_STATE: The journal in postgresql://127.0.0.1:")
    assert "Traceback" not in done.stderr
    listed, checked = run("ledger", environ=environ), run("check", environ=environ)
    assert (listed.returncode, checked.returncode) == (1, 1)
    assert without_secrets(done.stderr, listed.stderr, listed.stdout, checked.stdout, checked.stderr)


@fleet
@pytest.mark.anyio
async def test_replicas_find_the_key_in_it_unless_they_were_given_one(server: Postgres) -> None:
    address = server.database()
    keys = {await shared_key(Settings(state=address)) for _ in range(2)}
    assert len(keys) == 1
    assert keys != {None}
    assert await shared_key(Settings(state=address, state_keys=("k" * 32,))) is None
    with pytest.raises(Misconfigured):
        await shared_key(Settings(state=nowhere(address, server)))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("postgresql://u:p@h/d", "postgresql://u:p@h/d"),
        (" postgres://u:p@h1:1,h2:2/d?sslmode=require ", "postgresql://u:p@h1:1,h2:2/d?sslmode=require"),
        ("postgresql://h/d", "postgresql://h/d"),
        ("PostgreSQL://h", "postgresql://h"),
        ("postgresql://u:hunter2/x@h/d", None),
        ("postgresql://u:hunter2@x@h/d", None),
        ("postgresql://u:hunter2#x@h/d", None),
        ("postgresql://u:hunter2?x@h/d", None),
        ("postgresql://", None),
        ("mysql://u:hunter2@h/d", None),
    ],
)
def test_an_address_is_taken_where_it_is_clear_what_of_it_may_be_shown(given: str, kept: str | None) -> None:
    if kept is not None:
        settings = load({"QUANTINAL_STATE": given})
        assert settings.state == kept
        assert "p@" not in repr(settings)
        return
    with pytest.raises(SettingsError, match="QUANTINAL_STATE: expected") as refused:
        load({"QUANTINAL_STATE": given})
    assert "hunter2" not in str(refused.value)


def test_without_its_driver_the_start_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "quantinal_mcp.journal.postgres", None)
    with pytest.raises(Misconfigured, match="driver that is not installed") as refused:
        anyio.run(shared_key, Settings(state="postgresql://u:hunter2@h/d"))
    assert "quantinal-mcp[postgres]" in str(refused.value)
    assert "hunter2" not in str(refused.value)
