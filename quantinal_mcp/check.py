"""Whether this setup works: one finding per question, each with its mend."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal
from urllib.parse import urlsplit

import anyio
import click

from quantinal_mcp.backend import connect, is_in_database, journal_must_last, mend_journal, own_token, try_journal
from quantinal_mcp.client import Http, QuantinalClient
from quantinal_mcp.errors import Forbidden, Misconfigured, QuantinalError
from quantinal_mcp.journal.database import Unwritable
from quantinal_mcp.settings import Settings, SettingsError, load

Verdict = Literal["ok", "note", "FAIL"]

_MOST_SKEW_SECONDS = 30.0
_PROBE_SECONDS = 10.0
_GET_TOKEN = "create one in the console (Account → API Tokens) and set QUANTINAL_API_TOKEN, or set QUANTINAL_SANDBOX=1"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found. `mend` is what to do about it, empty where there is nothing to do."""

    name: str
    verdict: Verdict
    detail: str
    mend: str = ""

    def __str__(self) -> str:
        return f"{self.verdict:<4}  {self.name}: {self.detail}" + (f": {self.mend}" if self.mend else "")


def run(environ: Mapping[str, str], flags: Mapping[str, str], *, as_json: bool) -> int:
    """Print every finding and return the exit status: 1 if one is a failure."""
    findings = anyio.run(find, environ, flags)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(str(finding))
    return 1 if any(finding.verdict == "FAIL" for finding in findings) else 0


async def find(environ: Mapping[str, str], flags: Mapping[str, str]) -> list[Finding]:
    """Return what there is to say about the setup that these flags and this environment make."""
    try:
        settings = load(environ, flags)
    except SettingsError as error:
        return [Finding("settings", "FAIL", str(error), "correct or unset it")]
    findings = [Finding("settings", "ok", "valid"), _token(settings), _journal(settings)]
    http = connect(settings)
    try:
        if settings.sandbox:
            findings.append(Finding("host", "ok", "the embedded sandbox; no host is contacted"))
        else:
            findings += await _host(settings, http)
        token = own_token(settings)
        if token and findings[-1].verdict != "FAIL":
            findings += await _account(http, token)
        return findings
    finally:
        await http.aclose()


def _token(settings: Settings) -> Finding:
    if settings.sandbox:
        return Finding("token", "ok", "not needed in the sandbox")
    if settings.api_token is None:
        return Finding("token", "FAIL", "QUANTINAL_API_TOKEN is not set", _GET_TOKEN)
    if not settings.api_token.startswith("qapi_"):
        return Finding("token", "note", "present, but it does not start with qapi_", "make sure that it is whole")
    return Finding("token", "ok", "present")


def _journal(settings: Settings) -> Finding:
    mend = "mend it, move it away, or set QUANTINAL_STATE to another file"
    if is_in_database(settings):
        mend = mend_journal(settings)
    try:
        place = try_journal(settings)
    except Misconfigured as error:
        why = error.message.rstrip(".")
        if isinstance(error, Unwritable) and not journal_must_last(settings):
            return Finding("journal", "note", f"{why}; it is kept in memory, and forgotten with each server", mend)
        return Finding("journal", "FAIL", f"{why}; nothing can be triggered", mend)
    if place is None:
        return Finding("journal", "ok", "kept in memory, and forgotten with each server")
    return Finding("journal", "ok", f"{place} can be written")


async def _host(settings: Settings, http: Http) -> list[Finding]:
    """Whether anything answers there at all, and what its clock says."""
    try:
        date = await http.probe(_PROBE_SECONDS)
    except QuantinalError as error:
        return [_failure("host", error)]
    host = urlsplit(settings.base_url).hostname
    return [Finding("host", "ok", f"{host} answers"), _clock(date, datetime.now(UTC))]


def _clock(date: str | None, now: datetime) -> Finding:
    try:
        theirs = parsedate_to_datetime(date or "")
        ahead = (now - (theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC))).total_seconds()
    except ValueError:
        return Finding("clock", "note", "the host sent no date to compare with")
    if abs(ahead) <= _MOST_SKEW_SECONDS:
        return Finding("clock", "ok", "agrees with the host's")
    direction = "ahead of" if ahead > 0 else "behind"
    mend = "set this machine's clock; schedules and date filters go by it"
    return Finding("clock", "note", f"{abs(ahead):.0f} s {direction} the host's", mend)


async def _account(http: Http, token: str) -> list[Finding]:
    client = QuantinalClient(http, token)
    try:
        spaces = await client.list_spaces()
    except QuantinalError as error:
        return [_failure("account", error)]
    total = (spaces.get("pagination") or {}).get("total_items") or len(spaces["data"])
    found = [Finding("account", "ok", f"token accepted, {total} {'space' if total == 1 else 'spaces'}")]
    try:
        skills = await client.list_skills({"page": 1, "page_size": 100})
    except Forbidden as error:
        found.append(Finding("skills", "note", error.message.rstrip("."), error.next_step))
    except QuantinalError as error:
        found.append(_failure("skills", error))
    else:
        found.append(Finding("skills", "ok", f"{len(skills['data'])} readable"))
    return found


def _failure(name: str, error: QuantinalError) -> Finding:
    return Finding(name, "FAIL", f"[{error.code}] {error.message.rstrip('.')}", error.next_step)
