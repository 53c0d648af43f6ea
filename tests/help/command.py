"""The command as its users start it: another process."""

import json
import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import IO, Any

from mcp import StdioServerParameters

from help.seeded import TESLA

ENDS_WITHIN = 2.0


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "quantinal_mcp", *arguments]


def run(*arguments: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        command(*arguments),
        env={**os.environ, **(environ or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )


def server(*arguments: str, **environ: str) -> StdioServerParameters:
    """How the SDK's client starts a server; it passes on little of the environment by itself."""
    program, *rest = command(*arguments)
    return StdioServerParameters(command=program, args=rest, env={**os.environ, **environ})


@contextmanager
def started(*arguments: str, **environ: str) -> Generator[subprocess.Popen[str]]:
    """A process with open pipes; it is gone when the context ends."""
    process = subprocess.Popen(  # noqa: S603
        command(*arguments),
        env={**os.environ, **environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()


def pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str], IO[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    return process.stdin, process.stdout, process.stderr


def send(process: subprocess.Popen[str], **message: Any) -> None:
    stdin, _, _ = pipes(process)
    stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    stdin.flush()


def begin_waiting(process: subprocess.Popen[str]) -> None:
    """Leave the server in the middle of a wait for a run of a minute."""
    _, stdout, _ = pipes(process)
    client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    send(process, id=1, method="initialize", params=client)
    assert json.loads(stdout.readline())["id"] == 1
    send(process, method="notifications/initialized")
    arguments = {"tracker_id": TESLA, "sync": True, "context": {"sandbox": {"seconds": 60}}}
    call = {"name": "trigger_run", "arguments": arguments, "_meta": {"progressToken": "wait"}}
    send(process, id=2, method="tools/call", params=call)
    assert json.loads(stdout.readline())["method"] == "notifications/progress"
