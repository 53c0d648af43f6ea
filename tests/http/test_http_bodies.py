"""How large the body of a request may be, and that one which breaks off leaves no trace."""

from __future__ import annotations

import base64
import json

import anyio
import pytest

from help.eras import Mode, both_eras
from help.over_http import connection_to, head, plain, serving, until, wired
from help.seeded import ANN, TESLA
from quantinal_mcp.sandbox import Sandbox
from quantinal_mcp.transports.bounds import Bounds

LARGEST_BODY = Bounds().largest_body

pytestmark = pytest.mark.anyio


async def test_a_body_that_says_it_is_too_large_is_refused_unread(sandbox: Sandbox) -> None:
    async with serving(sandbox) as served, await connection_to(served.url) as stream:
        with anyio.fail_after(5):
            await stream.send(head(ANN, f"Content-Length: {LARGEST_BODY + 1}"))
            answer = b"".join([part async for part in stream])
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()


async def test_a_body_that_turns_out_too_large_is_refused(sandbox: Sandbox) -> None:
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    async with serving(sandbox) as served, await connection_to(served.url) as stream:
        with anyio.fail_after(10):
            await stream.send(head(ANN, "Transfer-Encoding: chunked"))
            for _ in range(LARGEST_BODY // 0x100000 + 8):
                await stream.send(chunk)
            assert (await stream.receive()).startswith(b"HTTP/1.1 413 ")


async def test_the_sender_of_a_body_too_large_reads_why(sandbox: Sandbox) -> None:
    async with serving(sandbox) as served, plain() as http:
        content = b" " * (LARGEST_BODY + 1)
        refused = await http.post(f"{served.url}/mcp", headers={"X-API-Key": ANN}, content=content)
    assert refused.status_code == 413
    assert str(LARGEST_BODY) in refused.json()["error"]["message"]


@both_eras
async def test_an_upload_of_10_mb_in_base64_passes(sandbox: Sandbox, mode: Mode) -> None:
    content = base64.b64encode(b"x" * 10 * 1024 * 1024).decode()
    async with serving(sandbox) as served:
        wire = await wired(served, ANN, mode)
        result = await wire.call("upload_vault_file", tracker_id=TESLA, filename="big.txt", content_base64=content)
    assert not result["isError"], json.dumps(result)[:300]


@both_eras
async def test_a_client_that_leaves_in_the_middle_of_its_request_leaves_no_trace(
    sandbox: Sandbox, mode: Mode, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(sandbox) as served:
        wire = await wired(served, ANN, mode)
        session = f"Content-Length: 1000\r\nMcp-Session-Id: {wire.session}" if wire.session else "Content-Length: 1000"
        async with await connection_to(served.url) as stream:
            await stream.send(head(ANN, session) + b'{"jsonrpc": ')
            await until(lambda: served.in_flight == 1)
        await until(lambda: served.in_flight == 0)
        assert not (await wire.call("list_spaces"))["isError"]
    assert [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}] == []
