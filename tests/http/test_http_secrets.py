"""No log at any level knows a token, also when the service echoes it."""

from __future__ import annotations

import json
import logging

import pytest

from help.eras import Mode, both_eras
from help.over_http import Wire, opened, plain, process, running, serving, wired
from help.seeded import ANN, BEN, PORTFOLIO, TESLA
from quantinal_mcp.sandbox import Fault, Sandbox
from quantinal_mcp.transports.http import create_app

pytestmark = pytest.mark.anyio


@both_eras
async def test_no_log_holds_a_token(sandbox: Sandbox, mode: Mode, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("httpx", "httpcore", "uvicorn.error", None):
        caplog.set_level(logging.DEBUG, logger=name)
    echo = json.dumps({"detail": f"Who is {ANN}?", "headers": {"authorization": f"Bearer {ANN}"}})
    answers: list[str] = []
    async with serving(sandbox, api_token=BEN) as served, plain() as http:
        wire = await wired(served, ANN, mode)
        for code in (200, 401, 422):
            sandbox.faults.add(Fault("GET", "/spaces", "status", times=None, code=code, body=echo))
            answers.append((await wire.send("tools/call", {"name": "list_spaces", "arguments": {}})).text)
            sandbox.faults.clear()
        answers += [str(await wire.call("trigger_run", tracker_id=tracker)) for tracker in (TESLA, PORTFOLIO)]
        both = {"X-API-Key": BEN, **wire.headers("tools/list", {})}
        answers.append((await http.post(f"{served.url}/mcp", headers=both, json={})).text)
        answers.append((await http.post(f"{served.url}/mcp", headers=wire.headers("tools/list", {}), json=[])).text)
        answers.append((await Wire(served.url, None, "0" * 32).send("tools/list", {})).text)
        if wire.session:
            answers.append((await Wire(served.url, BEN, wire.session).send("tools/list", {})).text)
        await opened(served.url, None)
    assert {record.name.partition(".")[0] for record in caplog.records} >= {"httpcore", "httpx", "mcp"}
    for token in (ANN, BEN):
        assert token not in caplog.text
        assert not any(token in str(vars(record)) for record in caplog.records)
        assert not any(token in answer for answer in answers)


async def test_a_header_in_which_the_service_echoes_a_token_is_in_no_log(sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("GET", "/spaces", "status", times=None, code=400, headers={"X-Echo": ANN}))
    async with sandbox.serve() as service:
        settings = {"QUANTINAL_BASE_URL": service, "QUANTINAL_LOG_LEVEL": "DEBUG", "QUANTINAL_API_TOKEN": BEN}
        async with process(**settings) as (server, url, said):
            assert (await Wire(url, ANN).call("list_spaces"))["isError"]
            server.terminate()
            await server.wait()
            assert server.stderr is not None
            log = said + b"".join([part async for part in server.stderr]).decode()
    assert sandbox.count("GET", "/spaces") == 1
    assert "uvicorn" in log
    assert ANN not in log
    assert BEN not in log


async def test_a_process_managers_app_keeps_such_a_header_out_of_its_log_too(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.faults.add(Fault("GET", "/spaces", "status", times=None, code=400, headers={"X-Echo": ANN}))
    for name in ("httpx", "httpcore", None):
        caplog.set_level(logging.DEBUG, logger=name)
    async with sandbox.serve() as service:
        monkeypatch.setenv("QUANTINAL_BASE_URL", service)
        monkeypatch.setenv("QUANTINAL_LOG_LEVEL", "DEBUG")
        async with running(create_app()) as served:
            assert (await Wire(served.url, ANN).call("list_spaces"))["isError"]
    assert any(record.name.startswith("mcp") for record in caplog.records)
    assert ANN not in caplog.text
