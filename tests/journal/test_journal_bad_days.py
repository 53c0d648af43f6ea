"""Full disks, stuck processes, power cuts and kills: nothing that was written down is lost."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from help.journals import ACCOUNT, TRACKER, at, begun, got, intent, raw
from quantinal_mcp.errors import Misconfigured
from quantinal_mcp.journal.records import Snapshot
from quantinal_mcp.journal.rows import INSERT, values_of

pytestmark = pytest.mark.anyio

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
