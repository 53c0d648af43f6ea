"""`quantinal-mcp check --contract`: reads, prints one line per finding, and says whether it could look."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence

import anyio
import click

from quantinal_mcp.backend import connect, own_token
from quantinal_mcp.contract.findings import Finding
from quantinal_mcp.contract.reading import Reading
from quantinal_mcp.errors import NoToken, QuantinalError
from quantinal_mcp.settings import Settings, SettingsError, load


def run(environ: Mapping[str, str], flags: Mapping[str, str], *, as_json: bool) -> int:
    """Print where the service differs from its documents. Return 0 whatever that is, and 1 if it could not look."""
    try:
        reading = anyio.run(_look, load(environ, flags))
    except (SettingsError, QuantinalError) as error:
        click.echo(
            json.dumps({"looked": False, "why": str(error)}, ensure_ascii=False) if as_json else f"FAIL  {error}"
        )
        return 1
    findings = reading.findings()
    if as_json:
        told = {"looked": True, "answers": reading.answers, "findings": [one.as_json() for one in findings]}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        for one in findings:
            click.echo(str(one))
        click.echo(_summary(reading.answers, findings))
    return 0


async def _look(settings: Settings) -> Reading:
    token = own_token(settings)
    if token is None:
        raise NoToken("QUANTINAL_API_TOKEN is not set.", "Set it, or look at the sandbox with --sandbox.")
    http = connect(settings)
    try:
        reading = Reading(http, token)
        await reading.look()
    finally:
        await http.aclose()
    return reading


def _summary(answers: int, findings: Sequence[Finding]) -> str:
    counted = Counter(one.verdict for one in findings)
    told = f"differences {counted['differs']}, notes {counted['note']}, unread {counted['unread']}"
    return f"{answers} answers read: {told}. Nothing of the account's content is in these lines."
