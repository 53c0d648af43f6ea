"""Options come from flags and the environment, and a bad one is told in one line."""

import tomllib
from pathlib import Path

import pytest
from mcp import Client

from help.command import run, server
from quantinal_mcp import __version__
from quantinal_mcp.settings import Settings, SettingsError, load, options

ROOT = Path(__file__).parents[2]

BAD = [
    ("QUANTINAL_API_TOKEN", "qapi_two words"),
    ("QUANTINAL_API_TOKEN", "qapi_héllo"),
    ("QUANTINAL_STATE_KEYS", "tooshortkey"),
    ("QUANTINAL_STATE_KEYS", "k" * 40 + "," + "k" * 40),
    ("QUANTINAL_BASE_URL", "http://api.example.com"),
    ("QUANTINAL_BASE_URL", "https://user:hunter2@api.example.com"),
    ("QUANTINAL_BASE_URL", "https://[broken"),
    ("QUANTINAL_SANDBOX", "maybe"),
    ("QUANTINAL_READ_ONLY", "2"),
    ("QUANTINAL_TOOLSETS", "spaces,nothing"),
    ("QUANTINAL_WAIT_SECONDS", "301"),
    ("QUANTINAL_WAIT_SECONDS", "nan"),
    ("QUANTINAL_CONFIRM_ABOVE_QUANTS", "-1"),
    ("QUANTINAL_MAX_QUANTS_PER_RUN", "lots"),
    ("QUANTINAL_BUDGET_QUANTS", "inf"),
    ("QUANTINAL_CONFIRM_DELETES", "perhaps"),
    ("QUANTINAL_UPLOAD_ROOTS", "/no/such/folder\nat all"),
    ("QUANTINAL_UPLOAD_ROOTS", "~nobody-of-this-name/files"),
    ("QUANTINAL_STATE", "~nobody-of-this-name/journal.db"),
    ("QUANTINAL_MAX_UPLOAD_MB", "0"),
    ("QUANTINAL_PORT", "65536"),
    ("QUANTINAL_LOG_LEVEL", "loud"),
    ("QUANTINAL_CONSOLE_URL", "http://console.example.com"),
    ("QUANTINAL_CONSOLE_URL", "https://console.example.com/a b"),
    ("QUANTINAL_CONSOLE_URL", "https://user:hunter2@console.example.com"),
    ("QUANTINAL_CONSOLE_URL", "https://[broken"),
]
SECRETS = ("qapi_", "hunter2", "tooshort", "kkkk")


def test_version_is_printed_and_is_the_one_that_is_packaged() -> None:
    done = run("--version")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert (done.returncode, done.stdout.split()[-1], project["version"]) == (0, __version__, __version__)


@pytest.mark.parametrize(("variable", "value"), BAD)
def test_a_bad_variable_is_one_line_that_names_it_without_secrets(variable: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({variable: value})
    message = str(caught.value)
    assert message.startswith(f"{variable}: ")
    assert "\n" not in message
    assert not any(secret in message.replace("like qapi_…", "") for secret in SECRETS)


@pytest.mark.parametrize(
    ("variable", "value"), [("QUANTINAL_PORT", "x"), ("QUANTINAL_API_TOKEN", "hunter2 hunter2"), BAD[16]]
)
def test_the_command_ends_with_2_and_one_line_for_a_bad_variable(variable: str, value: str) -> None:
    done = run(environ={variable: value})
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert variable in done.stderr
    assert "hunter2" not in done.stderr


def test_a_bad_flag_is_one_line_that_names_flag_and_variable() -> None:
    done = run("--wait-seconds", "soon")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--wait-seconds (QUANTINAL_WAIT_SECONDS)" in done.stderr
    assert "'soon'" in done.stderr


@pytest.mark.parametrize("variable", ["QUANTINAL_BASE_URL", "QUANTINAL_LOG_LEVEL", "QUANTINAL_TOOLSETS"])
def test_a_token_in_the_wrong_variable_is_not_repeated(variable: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({variable: "qapi_misplaced"})
    assert "misplaced" not in str(caught.value)


def test_flags_win_over_the_environment() -> None:
    settings = load({"QUANTINAL_PORT": "1", "QUANTINAL_HOST": "::1"}, {"port": "2"})
    assert (settings.port, settings.host) == (2, "::1")


@pytest.mark.parametrize("blank", ["", "   "])
def test_an_empty_value_is_not_set(blank: str) -> None:
    assert load({option.env: blank for option in options().values()}) == Settings()
    assert load({"QUANTINAL_PORT": "1"}, {"port": blank}).port == 1


def test_secrets_have_no_flag_and_everything_else_has_one() -> None:
    shown = run("serve", "--help").stdout
    for option in options().values():
        assert (f"{option.flag} " in shown) is not option.secret, option.env


def test_secrets_are_not_in_the_settings_text() -> None:
    settings = load({"QUANTINAL_API_TOKEN": "qapi_hidden", "QUANTINAL_STATE_KEYS": "s" * 32})
    assert "qapi_hidden" not in repr(settings)
    assert "ssss" not in repr(settings)


@pytest.mark.anyio
@pytest.mark.parametrize("named", [["serve"], []])
async def test_flags_work_with_and_without_naming_serve(named: list[str]) -> None:
    flags = [*named, "--sandbox", "--toolsets", "skills", "--allowed-host", "a", "--allowed-host", "b:*"]
    async with Client(server(*flags, QUANTINAL_TOOLSETS="spaces", QUANTINAL_SANDBOX="off")) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["list_skills"]
        answer = await client.call_tool("list_skills", {})
    assert answer.is_error is False


def test_an_unknown_command_is_refused() -> None:
    done = run("serv")
    assert done.returncode == 2
    assert "No such command" in done.stderr
