"""A real PgBouncer in transaction mode, with fewer connections to the database than it takes."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from help.postgres import PASSWORD, USER, Postgres, free_port

_CONNECTIONS = 3
_USERS = ("postgres", "nobody")


@contextmanager
def pooler(before: Postgres) -> Generator[int]:
    """Yield the port of one before that server."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("PgBouncer is not installed (Debian: apt install pgbouncer, or .ci/fleet)")
    port, folder = free_port(), Path(tempfile.mkdtemp(prefix="quantinal-pgbouncer-"))
    try:
        (folder / "users").write_text(f'"{USER}" "{PASSWORD}"\n')
        (folder / "ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={before.port}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = scram-sha-256\nauth_file = {folder}/users\n"
            f"pool_mode = transaction\ndefault_pool_size = {_CONNECTIONS}\n"
        )
        user = None
        if os.geteuid() == 0:
            user = next(name for name in _USERS if name in {entry.pw_name for entry in pwd.getpwall()})
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, user)
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen([program, folder / "ini"], stdout=log, stderr=log, user=user)  # noqa: S603
        try:
            for _ in range(200):
                if "process up" in (folder / "log").read_text():
                    break
                assert server.poll() is None, (folder / "log").read_text()
                time.sleep(0.05)
            yield port
        finally:
            server.terminate()
            server.wait(10)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
