"""The main job end to end, for a stranger to watch: a real client, a real server process, the embedded sandbox."""

from __future__ import annotations

import os
import sys
import tempfile
import textwrap
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import anyio
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.shared.dispatcher import ProgressFnT
from mcp_types import TextContent
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.progress import BarColumn, Progress, Task, TextColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

Json = Mapping[str, Any]

_WIDTH = 80
_INDENT = 3
_ANSWER_SECONDS = 60
_RUN_SECONDS = 7
_SYNC_LIMIT_SECONDS = 3
_SCORE = 71
_NAME = "Tesla Deliveries"
_ROWS = [
    {"region": "Europe", "week": 31, "deliveries": 4120, "note": "Model Y back in stock"},
    {"region": "China", "week": 31, "deliveries": 14380, "note": "preliminary insurance figures"},
    {"region": "US", "week": 31, "deliveries": 9750, "note": "quarter-end push begins"},
]
_AGENT = {
    "instruction": "Weigh the delivery figures in the vault against news and analyst estimates for Tesla.",
    "score_meaning": "Optimism",
    "skills": ["financial_markets"],
    "reasoning_mode": "basic",
}


class _Failed(Exception):
    """The demo cannot go on; the message is one line."""


class _TimeBar(BarColumn):
    """Goes on between two notifications, which are seconds apart."""

    def render(self, task: Task) -> ProgressBar:
        total = task.total or 0.0
        return ProgressBar(total, min(task.elapsed or 0.0, total), self.bar_width, complete_style="cyan")


@dataclass(slots=True)
class _Screen:
    """Where the demo is told: drawn on a terminal, in plain lines anywhere else."""

    console: Console
    is_terminal: bool
    steps: int = 0

    def step(self, title: str, tool: str) -> None:
        self.steps += 1
        head = Text(f"\n{self.steps}  {title}", style="bold")
        gap = max(2, self.console.width - len(str(self.steps)) - 2 - len(title) - len(tool))
        self.console.print(head, " " * gap, Text(tool, style="cyan"), sep="")

    def say(self, what: RenderableType, style: str = "") -> None:
        self.console.print(Padding(what, (0, 0, 0, _INDENT), expand=False), style=style)

    @contextmanager
    def waiting(self) -> Generator[ProgressFnT]:
        """Show how a wait goes, as the server's progress notifications tell it."""
        columns = (_TimeBar(30), TextColumn("{task.elapsed:4.1f} s  {task.description}"))
        bar = Progress(TextColumn(" " * (_INDENT - 1)), *columns, console=self.console, transient=True)
        task = bar.add_task("connecting", total=_RUN_SECONDS)

        async def told(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001 - as the SDK calls it
            doing = "waiting for the answer" if progress < _SYNC_LIMIT_SECONDS else "polling"
            if self.is_terminal:
                bar.update(task, description=f"{doing} ({message})")
            else:
                self.say(f"{progress:4.1f} s  {doing} ({message})")

        if not self.is_terminal:
            yield told
            return
        with bar:
            yield told


def run() -> int:
    """Show the demo on stdout and return its exit status: 0 only if a polled run brought a score."""
    screen = _screen()
    try:
        return anyio.run(_main, screen)
    except KeyboardInterrupt:
        screen.console.print("\nInterrupted.")
        return 130


def _screen() -> _Screen:
    is_terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    if is_terminal:
        console = Console(highlight=False, emoji=False)
        console.width = max(40, min(_WIDTH, console.width))
    else:
        # Not left to rich's guess, which FORCE_COLOR and its like would turn.
        console = Console(width=_WIDTH, force_terminal=False, color_system=None, highlight=False, emoji=False)
    return _Screen(console, is_terminal)


async def _main(screen: _Screen) -> int:
    screen.console.print("quantinal-mcp demo", style="bold")
    screen.console.print(
        "A tracker, from its creation to a scored run: a real MCP client talks to a real\n"
        "server process over stdio. Behind the server is the embedded sandbox, so this\n"
        "needs no token and no network, and costs nothing."
    )
    # A token in the environment has no business here.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("QUANTINAL_")}
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "quantinal_mcp", "serve", "--sandbox"], env=environment
    )
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        try:
            async with Client(stdio_client(server, log), read_timeout_seconds=_ANSWER_SECONDS) as client:
                return await _attempt(client, screen)
        except (MCPError, OSError, ExceptionGroup) as error:
            log.seek(0)
            why: BaseException = error
            while isinstance(why, BaseExceptionGroup):
                why = why.exceptions[0]
            screen.console.print(f"\nThe server could not be talked to: {why}\n{log.read()[-2000:]}".rstrip())
            return 1


async def _attempt(client: Client, screen: _Screen) -> int:
    try:
        space = await _pick_space(client, screen)
        tracker_id = await _create_tracker(client, screen, space)
        await _feed(client, screen, tracker_id)
        await _estimate(client, screen, tracker_id)
        await _run_once(client, screen, tracker_id)
        await _history(client, screen, space)
    except _Failed as failure:
        screen.console.print(f"\nThe demo failed: {failure}", style="bold red")
        return 1
    screen.console.print(
        "\nHosts with frames (Claude, ChatGPT, VS Code) draw such scores: after\n"
        "quantinal-mcp config CLIENT --sandbox, ask there how Tesla Sentiment moved.\n"
        "For your own account, quantinal-mcp check says what your setup still needs."
    )
    return 0


async def _call(client: Client, tool: str, arguments: Json, told: ProgressFnT | None = None) -> Json:
    result = await client.call_tool(tool, dict(arguments), progress_callback=told)
    if result.is_error or result.structured_content is None:
        said = " ".join(part.text for part in result.content if isinstance(part, TextContent))
        raise _Failed(f"{tool} answered {said}")
    return result.structured_content


async def _pick_space(client: Client, screen: _Screen) -> Json:
    screen.step("Pick a space", "list_spaces")
    spaces: list[Json] = (await _call(client, "list_spaces", {}))["data"]
    chosen = spaces[0]
    table = Table.grid(padding=(0, 2))
    for space in spaces:
        is_chosen = space is chosen
        counts = f"{space['tracker_count']} trackers, {space['result_count']} results"
        table.add_row("→" if is_chosen else " ", space["name"], counts, style="" if is_chosen else "dim")
    screen.say(table)
    return chosen


async def _create_tracker(client: Client, screen: _Screen, space: Json) -> str:
    screen.step("Create a tracker", "create_tracker")
    arguments = {
        "space_id": space["space_id"],
        "name": _NAME,
        "description": "What delivery figures do to the mood around Tesla",
        "run_mode": "manual",
        "agent_config": _AGENT,
    }
    tracker = await _call(client, "create_tracker", arguments)
    screen.say(f'"{tracker["name"]}", whose score from 0 to 100 means {_AGENT["score_meaning"]}')
    screen.say(tracker["tracker_id"], "dim")
    return tracker["tracker_id"]


async def _feed(client: Client, screen: _Screen, tracker_id: str) -> None:
    screen.step("Give it private data", "upload_vault_json")
    arguments = {"tracker_id": tracker_id, "source_name": "weekly-deliveries", "data": _ROWS}
    source = await _call(client, "upload_vault_json", arguments)
    screen.say(f'{source["rows_processed"]} rows are in its vault, as source "{source["name"]}"')


async def _estimate(client: Client, screen: _Screen, tracker_id: str) -> None:
    screen.step("Ask what a run costs", "estimate_run_cost")
    cost = await _call(client, "estimate_run_cost", {"tracker_id": tracker_id})
    consent = "the user is asked first" if cost["needs_consent"] else "little enough to run without asking the user"
    screen.say(f"about {cost['estimated_quants']} quants, {consent}")
    screen.say(cost["basis"], "dim")


async def _run_once(client: Client, screen: _Screen, tracker_id: str) -> None:
    screen.step("Run it and wait for the score", "trigger_run, sync: true")
    screen.say(f"The run takes {_RUN_SECONDS} s; the service hangs up on its caller after {_SYNC_LIMIT_SECONDS} s.")
    steering = {"sandbox": {"seconds": _RUN_SECONDS, "score": _SCORE}}
    with screen.waiting() as told:
        answer = await _call(client, "trigger_run", {"tracker_id": tracker_id, "sync": True, "context": steering}, told)
    delivery, cost = answer["delivery"], answer["cost"]
    result: Json = answer.get("result") or {}
    if delivery["mode"] != "sync_then_polling":
        raise _Failed(f"the run was delivered by {delivery['mode']}, not by polling")
    if "score" not in result:
        raise _Failed(f"the run is {answer['status']} and has no score ({answer.get('error_message', 'no reason')})")
    screen.say("The wait ended in a 504. Nothing was sent again: the run was found, and polling brought its end.")
    lines = [Text(result["insight"]), Text()]
    lines += [
        Text(f"{factor['impact']:+4}  {factor['factor']} (probability {factor['probability']:.0%})")
        for factor in result["score_adjustment_factors"]
    ]
    lines += [
        Text(f"{result['baseline_score']:4}  baseline score, before these factors"),
        Text(),
        Text(f"cost      expected {cost['estimated_quants']}, charged {cost['charged_quants']} quants (invented here)"),
        Text(f"delivery  {delivery['mode']}: {delivery['polls']} polls in {delivery['seconds']} s"),
    ]
    title = f"Score {result['score']} of 100"
    if screen.is_terminal:
        screen.say(Panel(Group(*lines), title=Text(title, style="bold green"), title_align="left", padding=(0, 1)))
    else:
        screen.say(Group(Text(title), *(line for line in lines if line.plain)))


async def _history(client: Client, screen: _Screen, space: Json) -> None:
    screen.step("See how a score moved", "get_score_history")
    trackers: list[Json] = (await _call(client, "list_trackers", {"space_id": space["space_id"]}))["data"]
    tracker = next((one for one in trackers if one["name"].startswith("Tesla Sentiment")), trackers[0])
    history = await _call(client, "get_score_history", {"tracker_id": tracker["tracker_id"], "limit": 500})
    points = [(datetime.fromisoformat(time), float(score)) for time, score in history["points"]]
    first, last = points[0][0], points[-1][0]
    screen.say(f'"{tracker["name"]}", {len(points)} scores in {(last - first).days} days')
    for line in chart(points, width=screen.console.width - _INDENT - 6):
        screen.say(Text(line, style="green"))
    lowest = min(points, key=lambda point: point[1])
    since = await _call(
        client,
        "get_score_history",
        {"tracker_id": tracker["tracker_id"], "start_date": lowest[0].isoformat(), "limit": 500},
    )
    now, trend = history["statistics"], since["statistics"].get("trend_per_day", 0)
    meaning = (
        f"The latest score is {now['latest']}, {now['change']:+g} since the run before. It rose from its low of "
        f"{now['minimum']} on {lowest[0]:%d %b} by {trend:.1f} points a day, and is "
        f"{abs(now['latest'] - now['mean']):.0f} points {'above' if now['latest'] > now['mean'] else 'below'} its mean."
    )
    screen.say(textwrap.fill(meaning, screen.console.width - _INDENT))


def chart(points: Sequence[tuple[datetime, float]], *, width: int, height: int = 6) -> list[str]:
    """Draw scores from 0 to 100 over time as columns of blocks, with a labelled axis on either side."""
    first, last = points[0][0], points[-1][0]
    span = (last - first).total_seconds() or 1.0
    columns: list[list[float]] = [[] for _ in range(width)]
    for time, score in points:
        columns[min(width - 1, int((time - first).total_seconds() / span * width))].append(score)
    eighths: list[int] = []
    for scores in columns:
        # A column without a run shows the score that still stands.
        eighths.append(round(sum(scores) / len(scores) / 100 * height * 8) if scores else eighths[-1])
    labels = {0: "100", height // 2: " 50"}
    lines = [
        f"{labels.get(row, ''):>3} ┤"
        + "".join(" ▁▂▃▄▅▆▇█"[max(0, min(8, level - 8 * (height - 1 - row)))] for level in eighths)
        for row in range(height)
    ]
    dates = f"{first:%d %b %Y}", f"{last:%d %b %Y}"
    return [*lines, "  0 ┼" + "─" * width, " " * 5 + dates[0] + dates[1].rjust(width - len(dates[0]))]
