"""A real PostgreSQL of the tests' own: in a temporary folder, on loopback, ended by the process that started it."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import anyio
import asyncpg  # pyright: ignore[reportMissingTypeStubs]
import pytest
from anyio.abc import ByteStream, SocketAttribute
from anyio.from_thread import start_blocking_portal

USER = "keeper"
PASSWORD = "correct-horse:battery/staple"
"""With characters that an address has to write otherwise."""
QUOTED = "correct-horse%3Abattery%2Fstaple"

_START_SECONDS = 30.0
_USERS = ("postgres", "nobody")
"""Whom it runs as where the tests are root's: it refuses to be."""


def binaries() -> Path | None:
    """The folder of PostgreSQL's programs, where they are installed."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    found = shutil.which("initdb")
    folders = [*reversed(debian), *([Path(found).resolve().parent] if found else [])]
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


def needed() -> Path:
    """That folder; without it a test is skipped, and says what for."""
    folder = binaries()
    if folder is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql, or .ci/fleet)")
    return folder


@dataclass
class Postgres:
    """A running server."""

    programs: Path
    folder: Path
    port: int
    owner: str | None
    server: subprocess.Popen[bytes] | None = None

    def address(self, database: str, *, quoted: str = QUOTED) -> str:
        return f"postgresql://{USER}:{quoted}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = (self.folder / "log").open("ab")
        options = ["-c", "fsync=off", "-c", "unix_socket_directories=", "-c", "max_connections=200"]
        command = [self.programs / "postgres", "-D", self.folder / "data", "-h", "127.0.0.1", "-p", str(self.port)]
        self.server = subprocess.Popen(  # noqa: S603
            [*command, *options], stdout=log, stderr=log, user=self.owner, cwd=self.folder
        )
        log.close()
        until = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self.server.poll() is not None or time.monotonic() > until:
                raise AssertionError((self.folder / "log").read_text())
            time.sleep(0.05)

    def _answers(self) -> bool:
        ready = [self.programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ready, check=False).returncode == 0  # noqa: S603

    def stop(self) -> None:
        """End it at once, as an operator does: whoever is connected is cut off."""
        assert self.server is not None
        self.server.send_signal(signal.SIGINT)
        self.server.wait(20)

    def database(self) -> str:
        """Make a new database, and return its address."""
        name = f"d{secrets.token_hex(6)}"
        self.execute("postgres", f"CREATE DATABASE {name}")
        return self.address(name)

    def execute(self, database: str, statement: str) -> list[Any]:
        """Do something there as its administrator; blocks, also where an event loop runs."""

        async def work() -> list[Any]:
            connection = await cast("Any", asyncpg).connect(self.address(database))
            try:
                return await connection.fetch(statement)
            finally:
                await connection.close()

        with start_blocking_portal() as portal:
            return portal.call(work)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def postgres() -> Generator[Postgres]:
    """A server with nothing in it."""
    programs = needed()
    owner = None
    folder = Path(tempfile.mkdtemp(prefix="quantinal-postgres-"))
    try:
        if os.geteuid() == 0:
            names = {entry.pw_name for entry in pwd.getpwall()}
            owner = next(name for name in _USERS if name in names)
            shutil.chown(folder, owner)
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o644)  # in a folder that only its owner enters
        initdb = [programs / "initdb", "-D", folder / "data", "-U", USER, "--auth=scram-sha-256", "-N", "-E", "UTF8"]
        subprocess.run(  # noqa: S603
            [*initdb, "--locale=C", f"--pwfile={folder / 'password'}"],
            check=True,
            user=owner,
            cwd=folder,
            capture_output=True,
        )
        server = Postgres(programs, folder, free_port(), owner)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Line:
    """The way to the database, which can be cut at the moment of a commit, or lead nowhere."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.cuts: str | None = None
        """`before` or `after` the next commit that writes."""
        self.swallows = False

    @asynccontextmanager
    async def laid(self) -> AsyncGenerator[int]:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, self._carry)
            yield listener.extra(SocketAttribute.local_port)  # noqa: S610
            tasks.cancel_scope.cancel()

    async def _carry(self, client: ByteStream) -> None:
        server = await anyio.connect_tcp("127.0.0.1", self._port)
        async with client, server, anyio.create_task_group() as tasks:

            async def back() -> None:
                async for chunk in server:
                    if self.cuts == "now":
                        self.cuts = None
                        break
                    await client.send(chunk)
                tasks.cancel_scope.cancel()

            tasks.start_soon(back)
            wrote = False
            async for chunk in client:
                if self.swallows:
                    continue
                wrote = wrote or b"INSERT INTO intents" in chunk or b"UPDATE intents" in chunk
                if wrote and self.cuts is not None and b"COMMIT" in chunk:
                    if self.cuts == "before":
                        self.cuts = None
                        break
                    self.cuts = "now"
                await server.send(chunk)
            tasks.cancel_scope.cancel()
