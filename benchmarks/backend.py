"""The sandbox, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast


@contextmanager
def backend() -> Iterator[tuple[str, str]]:
    """Its base URL and a token."""
    command = [sys.executable, "-m", "quantinal_mcp", "sandbox", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    output = cast("IO[str]", process.stdout)
    try:
        said = dict(line.split(maxsplit=1) for line in (output.readline() for _ in range(2)))
        yield said["Base"].split()[-1], said["Token"].strip()
    finally:
        process.kill()
        process.wait()
        output.close()
