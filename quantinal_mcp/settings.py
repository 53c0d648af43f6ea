"""What can be configured: each option once, as a flag and an environment variable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from quantinal_mcp.money.budget import Budget, parse_budget
from quantinal_mcp.parsing import (
    LOOPBACK,
    parse_base_url,
    parse_console_url,
    parse_names,
    parse_number,
    parse_port,
    parse_roots,
    parse_state,
    parse_state_keys,
    parse_switch,
    parse_token,
)

Toolset = Literal["spaces", "trackers", "runs", "vault", "skills"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]

TOOLSETS: tuple[Toolset, ...] = get_args(Toolset)
DEFAULT_BASE_URL = "https://api.quantinal.ai/v1"
LONGEST_WAIT = 300.0


class SettingsError(ValueError):
    """A setting that cannot be used; the message is one line and names its variable."""


@dataclass(frozen=True, slots=True)
class Option:
    """How one setting is given from outside. `parse` raises `ValueError` saying what is expected."""

    env: str
    meaning: str
    parse: Callable[[str], Any]
    default: str
    secret: bool = False
    repeatable: bool = False
    flag: str = ""


def parse_toolsets(text: str) -> tuple[str, ...]:
    """Read a comma list of toolsets."""
    names = parse_names(text.lower())
    if names == ("all",):
        return TOOLSETS
    unknown = [name for name in names if name not in TOOLSETS]
    if unknown or not names:
        raise ValueError(f"expected a comma list of {', '.join(TOOLSETS)}")
    return names


def parse_log_level(text: str) -> str:
    """Read a log level."""
    level = text.strip().upper()
    if level not in get_args(LogLevel):
        raise ValueError(f"expected one of {', '.join(get_args(LogLevel))}")
    return level


def _option(env: str, parse: Callable[[str], Any], default: Any, meaning: str, shown: str = "", **more: Any) -> Any:
    flag = "--" + env.removeprefix("QUANTINAL_").lower().replace("_", "-")
    described = Option(env, meaning, parse, shown or str(default), flag=more.pop("flag", flag), **more)
    return field(default=default, metadata={"option": described}, repr=not described.secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A server's configuration. Quants are the service's currency; seconds and megabytes are what they say."""

    api_token: str | None = _option(
        "QUANTINAL_API_TOKEN",
        parse_token,
        None,
        "The account's token, `qapi_…`; without one the tools are listed and a call says how to get one",
        "none",
        secret=True,
    )
    base_url: str = _option(
        "QUANTINAL_BASE_URL", parse_base_url, DEFAULT_BASE_URL, "Another host; plain http only to loopback"
    )
    console_url: str | None = _option(
        "QUANTINAL_CONSOLE_URL",
        parse_console_url,
        None,
        "The console's address, which is offered to the user where a token or quants are lacking and the client can",
        "none",
    )
    sandbox: bool = _option(
        "QUANTINAL_SANDBOX", parse_switch, False, "Serve the embedded sandbox instead of a live host", "off"
    )
    read_only: bool = _option("QUANTINAL_READ_ONLY", parse_switch, False, "Only the tools that read exist", "off")
    toolsets: tuple[str, ...] = _option(
        "QUANTINAL_TOOLSETS", parse_toolsets, TOOLSETS, f"Comma list of {', '.join(TOOLSETS)}", "all"
    )
    wait_seconds: float = _option(
        "QUANTINAL_WAIT_SECONDS",
        lambda text: parse_number(text, 0, LONGEST_WAIT),
        45.0,
        "How long a waiting tool holds a call by default, at most 300; many clients give up after 60",
        "45",
    )
    confirm_above_quants: float = _option(
        "QUANTINAL_CONFIRM_ABOVE_QUANTS",
        parse_number,
        0.05,
        "A run estimated above this needs the user's consent",
    )
    max_quants_per_run: float | None = _option(
        "QUANTINAL_MAX_QUANTS_PER_RUN",
        parse_number,
        None,
        "Ceiling for one run; nothing a model says can raise it",
        "none",
    )
    budget_quants: Budget | None = _option(
        "QUANTINAL_BUDGET_QUANTS",
        parse_budget,
        None,
        "Ceiling per token, like `5/day`, `20/week` or `50/month` (calendar periods, UTC); a bare number is per day",
        "none",
    )
    state: str | None = _option(
        "QUANTINAL_STATE",
        parse_state,
        None,
        "Where the journal is: a path, `postgresql://…` for replicas on several machines, or `memory`",
        "`journal.db` in the user's state directory",
        secret=True,
    )
    confirm_deletes: bool = _option(
        "QUANTINAL_CONFIRM_DELETES", parse_switch, True, "Irreversible deletes are confirmed", "on"
    )
    upload_roots: tuple[Path, ...] = _option(
        "QUANTINAL_UPLOAD_ROOTS",
        parse_roots,
        (),
        "Folders (separated by `:`, on Windows `;`) from which `upload_vault_file` may read a `path`",
        "none",
    )
    max_upload_mb: float = _option(
        "QUANTINAL_MAX_UPLOAD_MB",
        lambda text: parse_number(text, 0.001, 1024),
        50.0,
        "Largest file upload in megabytes",
        "50",
    )
    host: str = _option("QUANTINAL_HOST", str.strip, "127.0.0.1", "Address for `--transport http`")
    port: int = _option("QUANTINAL_PORT", parse_port, 8000, "Port for `--transport http`")
    allowed_hosts: tuple[str, ...] = _option(
        "QUANTINAL_ALLOWED_HOSTS",
        parse_names,
        (),
        "Host headers accepted beyond loopback (`name` or `name:*`)",
        "none",
        flag="--allowed-host",
        repeatable=True,
    )
    state_keys: tuple[str, ...] = _option(
        "QUANTINAL_STATE_KEYS",
        parse_state_keys,
        (),
        "Comma list of keys (32 bytes or more) that replicas share; the first one seals",
        "one beside the journal's file, or in its database",
        secret=True,
    )
    log_level: LogLevel = _option("QUANTINAL_LOG_LEVEL", parse_log_level, "WARNING", "Log level on stderr")

    @property
    def on_loopback(self) -> bool:
        """Whether the HTTP server can be reached from this machine only."""
        return self.host in LOOPBACK


def options() -> Mapping[str, Option]:
    """Return every option by the name of its field, in the order of the documentation."""
    return {item.name: item.metadata["option"] for item in fields(Settings)}


def load(environ: Mapping[str, str], flags: Mapping[str, str | None] | None = None) -> Settings:
    """Return the settings from flags and, where one is not given, the environment; empty means not given.

    Raises:
        SettingsError: A value cannot be used; the message names the variable, never a secret's value.
    """
    values: dict[str, Any] = {}
    for name, option in options().items():
        flag = ((flags or {}).get(name) or "").strip()
        text = flag or environ.get(option.env, "").strip()
        if not text:
            continue
        try:
            values[name] = option.parse(text)
        except ValueError as error:
            given_as = f"{option.flag} ({option.env})" if flag else option.env
            raise SettingsError(f"{given_as}: {error}{_shown(option, text)}") from None
    return Settings(**values)


def _shown(option: Option, text: str) -> str:
    # A secret pasted into the wrong variable, or into a URL, must not reach a log either.
    is_secret = option.secret or "qapi_" in text or "@" in text or len(text) > 100
    return "" if is_secret else f" (got {text!r})"
