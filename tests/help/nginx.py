"""A real nginx with the configuration of `deploy/`, between a test and the replicas it names."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from help.postgres import free_port

DEPLOYED = Path(__file__).parents[2] / "deploy" / "nginx"
_USERS = ("www-data", "nobody")
_TEMPORARY = ("client_body_temp_path", "proxy_temp_path", "fastcgi_temp_path", "uwsgi_temp_path", "scgi_temp_path")


def needed() -> str:
    """Where nginx is; without it a test is skipped, and says what for."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip("nginx is not installed (Debian: apt install nginx-light, or .ci/fleet)")
    return found


def replicas(ports: Sequence[int]) -> str:
    """What `replicas.conf` says, for replicas on these ports."""
    named = {chr(ord("a") + number): f"127.0.0.1:{port}" for number, port in enumerate(ports)}
    among = "".join(f"server {place} max_fails=1 fail_timeout=2s;" for place in named.values())
    alone = [f"upstream replica_{name} {{ server {place}; }}" for name, place in named.items()]
    names = "".join(f'"~{place}$" {name};' for name, place in named.items())
    held = "".join(f'"~\\.{name}$" replica_{name};' for name in named)
    maps = [
        f"map $upstream_addr $replica {{ {names} }}",
        f"map $http_mcp_session_id $holder {{ {held} default fleet; }}",
    ]
    return "\n".join([f"upstream fleet {{ zone fleet 64k; {among} }}", *alone, *maps])


@asynccontextmanager
async def nginx(ports: Sequence[int]) -> AsyncGenerator[str]:
    """Yield the URL of an nginx before the replicas on these ports."""
    program, port = needed(), free_port()
    folder = Path(tempfile.mkdtemp(prefix="quantinal-nginx-"))
    try:
        shutil.copy(DEPLOYED / "nginx.conf", folder)
        temporary = "".join(f"{name} {folder}/{name};\n" for name in _TEMPORARY)
        (folder / "replicas.conf").write_text(f"{temporary}{replicas(ports)}\n")
        (folder / "listen.conf").write_text(f"listen 127.0.0.1:{port};\naccess_log {folder}/served fleet;\n")
        user: str | None = None
        if os.geteuid() == 0:
            user = next(name for name in _USERS if name in {entry.pw_name for entry in pwd.getpwall()})
            shutil.chown(folder, user)
        always = f"daemon off; pid {folder}/pid; error_log {folder}/errors;"
        command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", always]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log, user=user)  # noqa: S603, ASYNC220
        try:
            with anyio.fail_after(10):
                while not await _answers(port):
                    assert server.poll() is None, (folder / "log").read_text()
                    await anyio.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(10)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _answers(port: int) -> bool:
    try:
        await (await anyio.connect_tcp("127.0.0.1", port)).aclose()
    except OSError:
        return False
    return True
