"""A server in a process of its own, spoken to by hand, so that what is measured is the server."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any, cast

VERSION = "2025-11-25"


def resident_kilobytes(pid: int) -> int:
    """Memory that a process holds (Linux)."""
    with open(f"/proc/{pid}/status") as status:  # noqa: PTH123
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1])


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used (Linux)."""
    with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Server:
    """A child process that speaks MCP on stdio."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._pid = process.pid
        self._stdin = cast("IO[bytes]", process.stdin)
        self._stdout = cast("IO[bytes]", process.stdout)
        self._id = 0
        self._tools: list[str] | None = None

    def send(self, method: str, params: Mapping[str, Any] | None = None) -> int:
        """Send a request and return its id."""
        self._id += 1
        self._write({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params or {}})
        return self._id

    def receive(self) -> dict[str, Any]:
        """Return the next answer."""
        while True:
            line = self._stdout.readline()
            if not line:
                raise RuntimeError("the server has ended")
            message = json.loads(line)
            if "id" in message and "method" not in message:
                if "error" in message or message["result"].get("isError"):
                    raise RuntimeError(line.decode()[:500])
                return message

    def ask(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a request and return its result."""
        self.send(method, params)
        return self.receive()["result"]

    def tools(self) -> list[str]:
        """The names of its tools, asked for once."""
        if self._tools is None:
            self._tools = [tool["name"] for tool in self.ask("tools/list")["tools"]]
        return self._tools

    def start_call(self, tool: str, arguments: Mapping[str, Any]) -> None:
        """Call a tool; its answer is one of those that `receive` returns."""
        self.send("tools/call", {"name": tool, "arguments": arguments})

    def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Call a tool and return its result."""
        self.start_call(tool, arguments)
        return self.receive()["result"]

    def shake_hands(self) -> None:
        """Do what every client does first."""
        client = {"name": "benchmark", "version": "1"}
        self.ask("initialize", {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": client})
        self._write({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def resident_kilobytes(self) -> int:
        """Memory that the process holds."""
        return resident_kilobytes(self._pid)

    def cpu_seconds(self) -> float:
        """Processor time that the process has used."""
        return cpu_seconds(self._pid)

    def _write(self, message: Mapping[str, Any]) -> None:
        self._stdin.write(json.dumps(message).encode() + b"\n")
        self._stdin.flush()

    def close(self) -> None:
        """Close the pipes."""
        self._stdin.close()
        self._stdout.close()


@contextmanager
def served(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Server]:
    """A server that runs `command`; it ends with the block."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None if os.environ.get("BENCHMARK_STDERR") else subprocess.DEVNULL,
        env={**os.environ, **environment, "PYTHONDONTWRITEBYTECODE": ""},  # as installed: compiled once
    )
    server = Server(process)
    try:
        yield server
    finally:
        process.kill()
        process.wait()
        server.close()


def cold_start(command: Sequence[str], environment: Mapping[str, str]) -> tuple[float, float, float]:
    """Seconds to the answered `tools/list`, processor seconds, and megabytes held after it."""
    started = time.perf_counter()
    with served(command, environment) as server:
        server.shake_hands()
        server.ask("tools/list")
        seconds = time.perf_counter() - started
        return seconds, server.cpu_seconds(), server.resident_kilobytes() / 1024
