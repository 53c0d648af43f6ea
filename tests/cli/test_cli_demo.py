"""The demo as a stranger sees it where stdout is no terminal."""

import re
import signal
import time

from help.command import ENDS_WITHIN, pipes, run, started


def test_the_demo_shows_a_polled_score_in_plain_lines_within_30_seconds() -> None:
    begun = time.monotonic()
    # Neither a colour switch nor a broken account of the user's reaches it.
    environ = {"FORCE_COLOR": "1", "QUANTINAL_API_TOKEN": "not a token", "QUANTINAL_BASE_URL": "ftp://x"}
    done = run("demo", environ=environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - begun < 30
    assert "\x1b" not in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    assert "Score 71 of 100" in done.stdout
    assert re.search(r"charged 0\.\d+ quants", done.stdout)
    assert re.search(r"sync_then_polling: \d polls", done.stdout)
    assert "█" in done.stdout
    for tool in ("list_spaces", "create_tracker", "upload_vault_json", "estimate_run_cost", "trigger_run"):
        assert tool in done.stdout
    assert "quantinal-mcp config CLIENT --sandbox" in done.stdout[-400:], "where to see the chart that hosts draw"


def test_an_interrupted_demo_ends_quietly() -> None:
    with started("demo") as process:
        _, stdout, stderr = pipes(process)
        while "trigger_run" not in stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(2 * ENDS_WITHIN) == 130
        assert stderr.read() == ""
