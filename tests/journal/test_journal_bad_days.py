"""Disks, files and clocks at their worst: nothing is overwritten, nothing that was written down is lost."""

from __future__ import annotations

import logging
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from help.callers import gather
from help.journals import ACCOUNT, TRACKER, at, begun, got, intent
from quantinal_mcp.errors import Misconfigured
from quantinal_mcp.journal.migrations import STEPS, VERSION
from quantinal_mcp.journal.records import Snapshot
from quantinal_mcp.journal.rows import INSERT, values_of
from quantinal_mcp.journal.sqlite import SqliteJournal

pytestmark = pytest.mark.anyio

APPLICATION = 0x514D4350
Opened = Callable[[], SqliteJournal]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def raw(path: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(path, isolation_level=None))


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


FULL = """
import resource, signal, sys, anyio
from help.journals import at, begun, got, intent
from pathlib import Path
from quantinal_mcp.errors import Misconfigured

async def main() -> None:
    path = Path(sys.argv[1])
    journal = at(path)
    first = await begun(journal)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        await begun(journal)
    except Misconfigured as error:
        print(error)
    asked_for = at(path.with_name("asked.db"))
    try:
        asked_for.try_out()
    except Misconfigured as error:
        print(error)
    default = type(journal)(lambda: path.with_name("default.db"), gives_way=True)
    await begun(default)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (await got(journal, first)).state == "sent"
    assert len(await journal.intents(None, 0)) == 1
    await begun(journal)
    assert len(await journal.intents(None, 0)) == 2
    for one in (journal, asked_for, default):
        await one.aclose()
    print("mended")

anyio.run(main)
"""


async def test_on_a_full_disk_nothing_is_begun_and_nothing_is_lost(path: Path) -> None:
    done = subprocess.run(  # noqa: S603, ASYNC221 - our own interpreter
        [sys.executable, "-c", FULL, str(path)],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr.count("\n") == 1, done.stderr
    assert "default.db cannot be written" in done.stderr
    in_use, asked_for, last = done.stdout.splitlines()
    for line in (in_use, asked_for):
        assert line.startswith("[misconfigured] The journal at ")
        assert "disk" in line
    assert last == "mended"


async def test_a_file_that_a_stuck_process_keeps_locked_is_told_and_usable_afterwards(path: Path) -> None:
    journal = at(path)
    one = await begun(journal)
    with raw(path) as stuck:
        stuck.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Misconfigured, match="kept locked by another process"):
            await begun(journal)
    assert (await got(journal, one)).owner == journal.worker
    await begun(journal)
    await journal.aclose()


def cut_the_power(path: Path, cut: Path, seed: int) -> None:
    """Copy a file to `cut` as a power cut in the middle of writing it may leave it: pages half written."""
    size = 4096
    before = path.read_bytes()
    with raw(path) as db:
        db.execute("PRAGMA cache_size=1")  # so that pages are written before the end
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE intents SET reserved = 77, owner = NULL, state = 'refused'")
        during = path.read_bytes()
        cut.parent.mkdir()
        shutil.copy(f"{path}-journal", f"{cut}-journal")
    written = [at for at in range(0, len(before), size) if during[at : at + size] != before[at : at + size]]
    content = bytearray(during)
    assert len(written) > 3
    rng = random.Random(seed)  # noqa: S311 - it must repeat
    for page in written:
        torn = page + rng.randrange(size)
        content[torn : page + size] = rng.randbytes(page + size - torn)
    cut.write_bytes(content)


@pytest.mark.parametrize("seed", range(5))
async def test_a_power_cut_in_the_middle_of_a_write_leaves_what_was_there_before(
    path: Path, tmp_path: Path, seed: int
) -> None:
    journal = at(path)
    ids = [await begun(journal, before=Snapshot.of(f"run_{number}" for number in range(100))) for _ in range(30)]
    await journal.aclose()
    cut = tmp_path / "cut" / "journal.db"
    cut_the_power(path, cut, seed)

    after = at(cut)
    found = await after.intents(ACCOUNT, 0)
    assert [one.intent_id for one in found] == sorted(ids)
    assert {(one.reserved, one.state) for one in found} == {(0.1, "lost")}
    await begun(after)
    await after.aclose()
    with raw(cut) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


WRITING = """
import sys, anyio
from help.journals import at, begun
from pathlib import Path

async def main() -> None:
    journal = at(Path(sys.argv[1]))
    while True:
        print(await begun(journal), flush=True)

anyio.run(main)
"""


async def test_what_was_acknowledged_is_there_whenever_its_process_is_killed(path: Path) -> None:
    acknowledged: list[str] = []
    rng = random.Random(7)  # noqa: S311 - it must repeat
    for _ in range(6):
        with subprocess.Popen(  # noqa: S603, ASYNC220 - our own interpreter
            [sys.executable, "-c", WRITING, str(path)],
            env={"PYTHONPATH": ":".join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
        ) as writer:
            assert writer.stdout is not None
            acknowledged.append(writer.stdout.readline().strip())
            try:
                writer.wait(rng.uniform(0.0, 0.1))
            except subprocess.TimeoutExpired:
                writer.send_signal(signal.SIGKILL)
            acknowledged += writer.stdout.read().split()
    journal = at(path)
    found = await journal.intents(ACCOUNT, 0)
    assert set(acknowledged) <= {one.intent_id for one in found}
    assert len(found) <= len(acknowledged) + 6
    assert {one.state for one in found} == {"lost"}
    await journal.aclose()
    with raw(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


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


async def test_thousands_of_open_intents_are_told_apart_and_their_snapshots_stay_small(path: Path) -> None:
    journal = at(path)
    journal.try_out()
    before = Snapshot.of(f"run_{number}" for number in range(2000))
    assert len(before.packed) == 16_000
    records = [intent(journal, before=before, owner=None, state="lost") for _ in range(3000)]
    with raw(path) as db:
        db.execute("BEGIN")
        for record in records:
            db.execute(INSERT, values_of(record))
        db.execute("COMMIT")
    found = await journal.of(ACCOUNT, TRACKER)
    assert {one.intent_id for one in found} == {one.intent_id for one in records}
    assert await journal.take(found[0].intent_id)
    assert await journal.begin(intent(journal), {one.intent_id for one in found}, None) is not None
    await journal.aclose()
