"""Files of the journal that are another's, older, newer, misplaced, moved away or removed: none is overwritten."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from help.callers import gather
from help.journals import ACCOUNT, TRACKER, at, begun, got, raw
from quantinal_mcp.errors import Misconfigured
from quantinal_mcp.journal.migrations import STEPS, VERSION
from quantinal_mcp.journal.sqlite import SqliteJournal

pytestmark = pytest.mark.anyio

APPLICATION = 0x514D4350
Opened = Callable[[], SqliteJournal]


def kept_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() if path.is_file() else b"" for path in folder.iterdir()}


def moved(path: Path, name: str) -> Path:
    return path.rename(path.with_name(name))


def newer(path: Path) -> bytes:
    with raw(path) as db:
        db.execute("CREATE TABLE of_tomorrow (a)")
        db.execute(f"PRAGMA application_id={APPLICATION}")
        db.execute(f"PRAGMA user_version={VERSION + 1}")
    return path.read_bytes()


def of_another_program(path: Path) -> bytes:
    with raw(path) as db:
        db.execute("CREATE TABLE intents (a)")
    return path.read_bytes()


def no_database(path: Path) -> bytes:
    path.write_bytes(b"My shopping list: bread, and butter.\n" * 40)
    return path.read_bytes()


def damaged(path: Path) -> bytes:
    with raw(path) as db:
        db.execute("CREATE TABLE intents (a)")
        db.execute(f"PRAGMA application_id={APPLICATION}")
        db.execute(f"PRAGMA user_version={VERSION}")
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * (4096 - 100) + content[4096:])
    return path.read_bytes()


@pytest.mark.parametrize(
    ("put", "words"),
    [
        (newer, "a newer version of quantinal-mcp wrote it"),
        (of_another_program, "another program's"),
        (no_database, "not a database"),
        (damaged, "malformed"),
    ],
)
@pytest.mark.parametrize("gives_way", [False, True])
async def test_a_file_that_is_none_of_ours_is_refused_and_left_as_it_is(
    path: Path, put: Callable[[Path], bytes], words: str, gives_way: bool
) -> None:
    before = put(path)
    journal = SqliteJournal(lambda: path, gives_way=gives_way)
    with pytest.raises(Misconfigured, match=words) as refused:
        await begun(journal)
    assert str(path) in str(refused.value)
    with pytest.raises(Misconfigured):
        await journal.of(ACCOUNT, TRACKER)
    assert kept_in(path.parent) == {path.name: before}

    moved(path, "moved away")
    assert await journal.of(ACCOUNT, TRACKER) == []
    await begun(journal)
    assert kept_in(path.parent)["moved away"] == before
    await journal.aclose()


async def test_one_that_a_newer_version_took_over_meanwhile_is_not_written(path: Path) -> None:
    journal = at(path)
    await begun(journal)
    with raw(path) as db:
        db.execute(f"PRAGMA user_version={VERSION + 1}")
    with pytest.raises(Misconfigured, match="newer"):
        await begun(journal)
    await journal.aclose()
    with raw(path) as db:
        assert db.execute("SELECT count(*) FROM intents").fetchone() == (1,)


@pytest.mark.parametrize("version", range(VERSION))
async def test_every_older_version_is_brought_up_to_date(path: Path, tmp_path: Path, version: int) -> None:
    with raw(path) as db:
        for step in STEPS[:version]:
            db.executescript(step)
        db.execute(f"PRAGMA user_version={version}")
        if version:
            db.execute(f"PRAGMA application_id={APPLICATION}")
    old, new = at(path), at(tmp_path / "new.db")
    for journal in (old, new):
        await begun(journal)
        await journal.aclose()

    def schema(of: Path) -> list[tuple[str]]:
        with raw(of) as db:
            assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
            assert db.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
            return db.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()

    assert schema(path) == schema(tmp_path / "new.db")


async def test_many_that_start_at_once_make_one_file(on_file: Opened) -> None:
    journals = [on_file() for _ in range(8)]
    await gather(*[lambda one=one: begun(one) for one in journals])
    assert len(await journals[0].of(ACCOUNT, TRACKER)) == 8


async def test_a_place_that_cannot_be_written_is_told_or_gives_way_to_memory_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    nowhere = tmp_path / "file" / "journal.db"
    asked_for = SqliteJournal(lambda: nowhere)
    with pytest.raises(Misconfigured, match="Not a directory"):
        await begun(asked_for)
    with pytest.raises(Misconfigured):
        async with asked_for.exclusive(ACCOUNT, TRACKER):
            pytest.fail("nobody knows who else changes it")

    default = SqliteJournal(lambda: nowhere, gives_way=True)
    async with default.exclusive(ACCOUNT, TRACKER):
        one = await begun(default)
    assert (await got(default, one)).owner == default.worker
    await default.move(one, state="lost", owner=None)
    assert await default.take(one)
    assert not await default.take(one)
    (line,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert str(nowhere) in line.getMessage()
    assert "kept in memory" in line.getMessage()
    await default.aclose()


@pytest.mark.parametrize("place", ["a folder", "a pipe"])
async def test_what_is_no_file_is_not_taken_for_one(tmp_path: Path, place: str) -> None:
    path = tmp_path / "journal.db"
    if place == "a folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    with pytest.raises(Misconfigured, match="not a regular file"):
        await begun(at(path))


async def test_a_file_that_was_moved_away_or_removed_is_begun_anew(path: Path, on_file: Opened) -> None:
    one, other = on_file(), on_file()
    first = await begun(one)
    kept = at(moved(path, "kept.db"))
    shutil.rmtree(path.with_name("journal.db.workers"))
    second = await begun(one)
    assert (await got(other, second)).state == "sent"
    assert await other.get(first) is None
    assert (await got(kept, first)).intent_id == first
    await kept.aclose()
