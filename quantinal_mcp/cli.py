"""The command line: flags and environment become settings, and a command opens its door.

What one command needs is imported inside it, so that no command pays for another.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal

import click

from quantinal_mcp import __version__, lookalikes
from quantinal_mcp.parsing import parse_switch
from quantinal_mcp.settings import Option, Settings, SettingsError, load, options

_INTERRUPTED = 130
_CLIENTS = ("claude-code", "claude-desktop", "codex", "cursor", "gemini", "vscode")
_SERVICES = ("documented", "v0.3")
_QUIET_LOGGERS = ("httpx", "httpcore", "httpx2", "httpcore2")


class _BadSetting(click.ClickException):
    exit_code = 2


class _Doors(click.Group):
    """Commands, of which `serve` need not be named, and whose output can be read wherever it goes."""

    def main(self, *args: Any, **more: Any) -> Any:
        lookalikes.use_for(sys.stdout, sys.stderr)
        return super().main(*args, **more)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        is_for_serve = not args or (args[0].startswith("-") and args[0] not in {"--help", "--version"})
        return super().parse_args(ctx, ["serve", *args] if is_for_serve else args)


def _flag(name: str, option: Option) -> Callable[[Callable[..., None]], Callable[..., None]]:
    described = f"{option.meaning.replace('`', '')}. [{option.env}; default: {option.default}]"
    if option.parse is parse_switch:
        declared = f"{option.flag}/--no-{option.flag.removeprefix('--')}"
        return click.option(declared, name, default=None, help=described)
    return click.option(option.flag, name, multiple=option.repeatable, default=None, metavar="VALUE", help=described)


def _with_setting_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command one flag per option, secrets excepted: a command line is visible to every process."""
    for name, option in reversed(list(options().items())):
        if not option.secret:
            command = _flag(name, option)(command)
    return command


def _texts(flags: Mapping[str, Any]) -> dict[str, str]:
    """Return flags as the environment would give them, so that one parser reads both."""
    return {name: _text(value) for name, value in flags.items() if value is not None}


def _text(value: str | bool | tuple[str, ...]) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    return value if isinstance(value, str) else "on" if value else "off"


def _settings(flags: Mapping[str, Any]) -> Settings:
    try:
        return load(os.environ, _texts(flags))
    except SettingsError as error:
        raise _BadSetting(str(error)) from None


@click.group(cls=_Doors, context_settings={"max_content_width": 100})
@click.version_option(__version__, prog_name="quantinal-mcp")
def main() -> None:
    """The Model Context Protocol server for Quantinal. Without a command it serves on stdio."""


@main.command()
@click.option(
    "--transport", type=click.Choice(["stdio", "http"]), default="stdio", show_default=True, help="How clients connect."
)
@click.argument("folders", nargs=-1, metavar="[FOLDER]...")
@_with_setting_flags
def serve(transport: Literal["stdio", "http"], folders: tuple[str, ...], **flags: Any) -> None:
    """Serve MCP, on stdio or as Streamable HTTP at /mcp.

    A FOLDER is one from which files may be uploaded, as with --upload-roots.

    Every flag is an environment variable too, and wins over it. QUANTINAL_API_TOKEN and QUANTINAL_STATE_KEYS are
    secrets and have no flag.
    """
    settings = _settings({**flags, "upload_roots": os.pathsep.join(folders)} if folders else flags)
    _log_to_stderr(settings)
    if settings.state or settings.budget_quants:
        _require_journal(settings)
    if settings.sandbox:
        _say("sandbox: a simulation with invented data; nothing is charged.")
    elif settings.api_token is None and transport == "stdio":
        _say("no QUANTINAL_API_TOKEN: tools are listed, and a call says how to get one. Or set QUANTINAL_SANDBOX=1.")
    try:
        if transport == "http":
            _serve_http(settings)
        else:
            _serve_stdio(settings)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _require_journal(settings: Settings) -> None:
    from quantinal_mcp.backend import require_journal  # noqa: PLC0415

    try:
        require_journal(settings)
    except SettingsError as error:
        raise _BadSetting(str(error)) from None


def _serve_http(settings: Settings) -> None:
    import anyio  # noqa: PLC0415

    from quantinal_mcp.transports.http import serve as serve_http  # noqa: PLC0415

    anyio.run(serve_http, settings)


def _serve_stdio(settings: Settings) -> None:
    from quantinal_mcp.transports.stdio import serve as serve_stdio  # noqa: PLC0415

    serve_stdio(settings)


def _log_to_stderr(settings: Settings) -> None:
    import logging  # noqa: PLC0415

    logging.basicConfig(level=settings.log_level, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    # Below WARNING they print requests, and with them what identifies an account.
    for name in _QUIET_LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[settings.log_level]))


def _say(line: str) -> None:
    click.echo(f"quantinal-mcp: {line}", err=True)


@main.command()
def demo() -> None:
    """Show the main job, end to end, against the embedded sandbox; needs no token and no network."""
    from quantinal_mcp.demo import run  # noqa: PLC0415

    sys.exit(run())


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1; 0 picks a free one.")
@click.option(
    "--service",
    type=click.Choice(_SERVICES),
    default=_SERVICES[0],
    show_default=True,
    help="Which service to play: that of the documents, or a newer one as far as it is known.",
)
def sandbox(port: int, service: str) -> None:
    """Serve the simulated Quantinal API on 127.0.0.1 until interrupted."""
    import anyio  # noqa: PLC0415

    from quantinal_mcp.backend import SANDBOX_TOKEN  # noqa: PLC0415
    from quantinal_mcp.sandbox import Sandbox  # noqa: PLC0415

    async def until_interrupted() -> None:
        async with Sandbox(service=service, tokens=(SANDBOX_TOKEN,)).serve(port) as base_url:
            click.echo(f"Base URL  {base_url}")
            click.echo(f"Token     {SANDBOX_TOKEN}")
            click.echo(f'Try       curl -H "Authorization: Bearer {SANDBOX_TOKEN}" {base_url}/api/spaces')
            click.echo(f"Or        QUANTINAL_BASE_URL={base_url} QUANTINAL_API_TOKEN={SANDBOX_TOKEN} quantinal-mcp")
            click.echo("Ctrl-C ends it.")
            sys.stdout.flush()
            await anyio.sleep_forever()

    try:
        anyio.run(until_interrupted)
    except KeyboardInterrupt:
        sys.exit(0)
    except OSError as error:
        raise click.ClickException(f"cannot listen on 127.0.0.1:{port}: {error.strerror}") from None


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the findings, and for --contract whether it looked.")
@click.option(
    "--contract",
    is_flag=True,
    help="Instead, say where the service differs from its documents. Reads only; exit status 1 if it could not look.",
)
@_with_setting_flags
def check(as_json: bool, contract: bool, **flags: Any) -> None:
    """Say whether this setup works, with a mend for what does not. Exit status 0, or 1 if something fails."""
    if contract:
        from quantinal_mcp.contract.report import run  # noqa: PLC0415
    else:
        from quantinal_mcp.check import run  # noqa: PLC0415

    sys.exit(run(os.environ, _texts(flags), as_json=as_json))


@main.command()
@click.option(
    "--json", "as_json", is_flag=True, help="Print JSON: the same figures, and each trigger with its run's id."
)
@_with_setting_flags
def ledger(as_json: bool, **flags: Any) -> None:
    """Show what was triggered from this machine, what it was expected to cost and did, and what is still open.

    Of the account of QUANTINAL_API_TOKEN; where none is set, of all that the journal holds.
    """
    from quantinal_mcp.ledger import run  # noqa: PLC0415

    sys.exit(run(_settings(flags), as_json=as_json))


@main.command()
@click.argument("client", type=click.Choice(_CLIENTS))
@click.option("--sandbox", is_flag=True, help="With invented data, in place of an account.")
def config(client: str, sandbox: bool) -> None:
    """Say how CLIENT is told of this server: a command, or what to put into which file."""
    from quantinal_mcp.install import SNIPPETS, launch  # noqa: PLC0415

    click.echo(SNIPPETS[client](launch(sandbox=sandbox)))
