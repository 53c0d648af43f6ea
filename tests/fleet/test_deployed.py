"""What is in `deploy/` fits together."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from help import nginx
from help.postgres import free_port

DEPLOYED = nginx.DEPLOYED.parent
ADDRESS = re.compile(r"172\.30\.17\.\d+")


def test_nginx_knows_each_replica_of_the_compose_file_by_its_address() -> None:
    composed = set(re.findall(r"ipv4_address: ([\d.]+)", (DEPLOYED / "compose.yaml").read_text()))
    configured = (DEPLOYED / "nginx" / "replicas.conf").read_text()
    assert len(composed) == 2
    for address in composed:
        assert configured.count(f"server {address}:8000") == 2  # among all, and by itself
        assert configured.count(address.replace(".", r"\.") + ":8000$") == 1
    assert set(ADDRESS.findall(configured)) == composed


@pytest.mark.fleet
def test_what_is_deployed_is_a_configuration_that_nginx_takes(tmp_path: Path) -> None:
    program = nginx.needed()
    for name in ("nginx.conf", "replicas.conf", "listen.conf"):
        text = (DEPLOYED / "nginx" / name).read_text()
        (tmp_path / name).write_text(text.replace("listen 8080;", f"listen 127.0.0.1:{free_port()};"))
    command = [program, "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    here = f"pid {tmp_path}/pid; error_log stderr;"
    done = subprocess.run([*command, "-g", here], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
