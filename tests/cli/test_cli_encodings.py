"""Output that can be read on Windows' older code pages, which know few of the characters it is drawn with."""

from __future__ import annotations

import io
import json
import os
import subprocess
from typing import IO

import pytest

from help.command import command
from quantinal_mcp import lookalikes

encodings = pytest.mark.parametrize("encoding", ["cp1252", "ascii"])


def run(encoding: str, *arguments: str, **environ: str) -> tuple[int, str, str]:
    done = subprocess.run(  # noqa: S603
        command(*arguments),
        env={**os.environ, "PYTHONIOENCODING": encoding, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    # click takes ASCII for a mistake, and writes UTF-8 there.
    readable_as = "utf-8" if encoding == "ascii" else encoding
    return done.returncode, done.stdout.decode(readable_as), done.stderr.decode(readable_as)


@pytest.mark.slow
@encodings
def test_the_demo_is_drawn_in_what_there_is(encoding: str) -> None:
    status, shown, said = run(encoding, "demo")
    assert (status, said) == (0, "")
    assert "> Market Research" in " ".join(shown.split())
    assert "skill prices x 1" in shown.replace("×", "x")
    assert "50 |####" in shown
    assert "?" not in shown
    assert max(len(line) for line in shown.splitlines()) <= 80


@encodings
def test_a_check_is_readable_and_its_json_whole(encoding: str) -> None:
    nowhere = {"QUANTINAL_BASE_URL": "http://127.0.0.1:1/v1"}
    status, shown, said = run(encoding, "check", **nowhere)
    assert (status, said) == (1, "")
    assert any(f"(Account {arrow} API Tokens)" in shown for arrow in "→>")
    status, shown, said = run(encoding, "check", "--json", **nowhere)
    assert "Account → API Tokens" in {finding["name"]: finding["mend"] for finding in json.loads(shown)}["token"]


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"], ["config", "cursor"]])
def test_every_command_can_be_read(arguments: list[str]) -> None:
    status, shown, said = run("cp437", *arguments)
    assert (status, said) == (0, "")
    assert shown


def test_a_bad_setting_is_told_in_what_there_is() -> None:
    status, _, said = run("cp932", "serve", QUANTINAL_API_TOKEN="two words")
    assert status == 2
    assert "expected a token like qapi_" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("", ""),
        ("→ ┤█▁ ╭─╮ …", "> |#_ +-+ ..."),
        ("“Zürich” – naïve", "'Zurich' - naive"),
        ("日本\ud800🚀", "????"),
        ("\N{FULLWIDTH LATIN SMALL LETTER A}", "a"),
    ],
)
def test_what_stands_for_a_character_is_like_it(text: str, plain: str) -> None:
    assert lookalikes.lookalike(text) == plain


def test_what_a_stream_can_write_it_writes() -> None:
    buffer = io.BytesIO()
    stream: IO[str] = io.TextIOWrapper(buffer, encoding="cp1252")
    lookalikes.use_for(stream)
    stream.write("é → ö")
    stream.flush()
    assert buffer.getvalue().decode("cp1252") == "é > ö"
