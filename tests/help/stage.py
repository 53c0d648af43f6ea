"""A host's stage for the picture of scores: a real Chromium, and in it the official bridge with the page in a frame."""

from __future__ import annotations

import os
import shutil
import subprocess
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from inspect import isawaitable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from help.foreign import ROOT, node_with
from help.seeded import Json

if TYPE_CHECKING:  # a development dependency, absent where only the README's tests run
    from playwright.async_api import Browser, Frame, Locator, Page, Route

_PACKAGES = (
    "@modelcontextprotocol/ext-apps@2.0.4",
    "@modelcontextprotocol/client@2.4.0",
    "@modelcontextprotocol/core@2.4.0",
    "@modelcontextprotocol/server@2.4.0",
    "zod@4",
    "axe-core@4.14.1",
    "esbuild@0.28.2",
)
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_HOST = "https://host.example/"
_BRIDGE = "https://host.example/bridge.js"
_VIEW = "https://view.example/"
_HOST_PAGE = (
    '<!doctype html><html lang="en"><title>host</title><body style="margin: 0"><script src="bridge.js"></script>'
)

_LOWEST = """async ([url, rows]) => {
  const image = new Image();
  image.src = url;
  await image.decode();
  const { width, height } = image;
  const canvas = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
  canvas.drawImage(image, 0, 0);
  const { data } = canvas.getImageData(0, height - rows, width, rows);
  const found = new Set();
  for (let at = 0; at < data.length; at += 4) found.add(`rgb(${data[at]}, ${data[at + 1]}, ${data[at + 2]})`);
  return [...found];
}"""
_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"

FONT = {"--font-sans": "Inter, sans-serif"}
"""Hosts bring a font; this one is Debian's `fonts-inter`."""
BRITISH: Json = {"theme": "light", "locale": "en-GB", "timeZone": "Europe/Berlin", "styles": {"variables": FONT}}


@asynccontextmanager
async def chromium() -> AsyncGenerator[Browser]:
    """A fresh headless Chromium of the machine's own."""
    from playwright.async_api import async_playwright  # noqa: PLC0415

    path = next((found for name in ("chromium", "google-chrome") if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("there is no Chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=_FLAGS)
        yield browser
        await browser.close()


def bridge_and_axe() -> tuple[str, str]:
    """The sources of the official bridge, for a page, and of axe."""
    home = node_with(*_PACKAGES)
    bundle = home / "bridge.js"
    subprocess.run(  # noqa: S603
        [
            home / "node_modules" / ".bin" / "esbuild",
            ROOT / "tests" / "picture" / "host.mjs",
            "--bundle",
            "--format=iife",
            "--minify",
            "--log-level=error",
            f"--outfile={bundle}",
        ],
        env={**os.environ, "NODE_PATH": str(home / "node_modules")},
        check=True,
    )
    return bundle.read_text("utf-8"), (home / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


def policy(csp: Mapping[str, list[str]]) -> str:
    """The Content-Security-Policy that a host makes of a resource's metadata, as the specification has it."""
    resources, connect = " ".join(csp["resourceDomains"]), " ".join(csp["connectDomains"])
    frames, bases = " ".join(csp["frameDomains"]) or "'none'", " ".join(csp["baseUriDomains"]) or "'self'"
    return (
        f"default-src 'none'; script-src 'self' 'unsafe-inline' {resources}; "
        f"style-src 'self' 'unsafe-inline' {resources}; connect-src 'self' {connect}; "
        f"img-src 'self' data: {resources}; "
        f"font-src 'self' {resources}; media-src 'self' data: {resources}; object-src 'none'; "
        f"frame-src {frames}; base-uri {bases};"
    )


@dataclass
class Stage:
    """One page of a host, with the picture in its frame."""

    page: Page
    axe: str
    complaints: list[str] = field(default_factory=list[str])
    """Errors, dialogs, and addresses that were asked for."""
    called: list[Json] = field(default_factory=list[Json])
    answer: Callable[[Json], Any] | None = None
    """What a tool call of the page is answered with."""

    async def show(
        self,
        result: Json | None,
        *,
        width: int = 640,
        height: int = 40,
        context: Json | None = None,
        capabilities: Json | None = None,
        arguments: Json | None = None,
    ) -> None:
        """Raise a frame, and in it the picture of a result."""
        given: Json = {
            "url": _VIEW,
            "width": width,
            "height": height,
            "context": BRITISH | (context or {}),
            "capabilities": {"serverTools": {}} if capabilities is None else capabilities,
            "input": arguments or {"tracker_id": "trk_1"},
            "result": result,
        }
        await self.page.evaluate("given => stage.raise(given)", given)
        await self.settled()

    async def tell(self, result: Json) -> None:
        """Send a tool's result, as a host does when the call ends."""
        await self.page.evaluate("result => stage.bridge.sendToolResult(result)", result)
        await self.settled()

    async def change(self, **context: Any) -> None:
        """Change what the host says of itself."""
        await self.page.evaluate("context => stage.bridge.sendHostContextChange(context)", context)
        await self.settled()

    async def settled(self) -> None:
        """Wait until what was sent has arrived, been drawn, and its size been told, and what follows from that."""
        await self.frame.wait_for_function("() => !document.querySelector('[aria-disabled]')")
        for _ in range(3):
            await self.ask("ping")
            await self.look(_FRAMES)
        await self.ask("ping")

    async def ask(self, method: str) -> Json:
        """What the page answers to a request of the host's, past the bridge; messages overtake none."""
        return await self.page.evaluate("method => stage.ask(method)", method)

    async def sizes(self) -> list[Json]:
        """Every size that the page told."""
        return await self.page.evaluate("stage.sizes")

    @property
    def frame(self) -> Frame:
        """The frame that the picture is in."""
        return next(frame for frame in self.page.frames if frame.url == _VIEW)

    def find(self, selector: str) -> Locator:
        """What of the picture this selects."""
        return self.frame.locator(selector)

    async def look(self, script: str, given: Any = None) -> Any:
        """What a script says in the picture's frame."""
        return await self.frame.evaluate(script, given)

    async def text(self) -> str:
        """What a reader sees, in one line."""
        return " ".join((await self.find("main").inner_text()).split())

    async def faults(self) -> list[str]:
        """What axe finds serious or worse."""
        await self.look(self.axe)
        found = await self.look("async () => (await axe.run(document)).violations")
        return [
            f"{fault['impact']} {fault['id']}: {[node['html'][:200] for node in fault['nodes']]}"
            for fault in found
            if fault["impact"] in ("serious", "critical")
        ]

    async def photograph(self, path: Path) -> None:
        """Write a picture of what is drawn, at rest: nothing is pointed at, nothing moves."""
        await self.page.mouse.move(1, 1)  # within the frame, which does not hear of a pointer that has left it
        await self.page.emulate_media(reduced_motion="reduce")
        await self.settled()
        await self.find("main").screenshot(path=path)

    async def colours(self, rows: int) -> list[str]:
        """Which colours the lowest rows of the frame's pixels have."""
        data = b64encode(await self.page.locator("iframe").screenshot()).decode()
        return await self.page.evaluate(_LOWEST, [f"data:image/png;base64,{data}", rows])


async def value(stage: Stage) -> str:
    """What a screen reader says of the place on the chart."""
    return await stage.find("[role=slider]").get_attribute("aria-valuetext") or ""


@asynccontextmanager
async def raised(
    browser: Browser, page: str, csp: Mapping[str, list[str]], sources: tuple[str, str]
) -> AsyncGenerator[Stage]:
    """A stage whose frame gets this page under the policy that its resource asks for; nothing else can be loaded."""
    bridge, axe = sources
    context = await browser.new_context(viewport={"width": 900, "height": 1600}, device_scale_factor=2)
    context.set_default_timeout(10_000)
    stage = Stage(await context.new_page(), axe)

    async def serve(route: Route) -> None:
        url = route.request.url
        if url == _VIEW:
            headers = {"Content-Security-Policy": policy(csp)}
            await route.fulfill(body=page, content_type="text/html; charset=utf-8", headers=headers)
        elif url == _BRIDGE:
            await route.fulfill(body=bridge, content_type="text/javascript; charset=utf-8")
        elif url == _HOST:
            await route.fulfill(body=_HOST_PAGE, content_type="text/html; charset=utf-8")
        else:
            stage.complaints.append(f"{url} was asked for")
            await route.abort()

    async def call_tool(params: Json) -> Any:
        stage.called.append(params)
        assert stage.answer is not None
        answer = stage.answer(params)
        return await answer if isawaitable(answer) else answer

    stage.page.on("pageerror", lambda error: stage.complaints.append(str(error)))
    stage.page.on("console", lambda said: stage.complaints.append(said.text) if said.type == "error" else None)
    stage.page.on("dialog", lambda dialog: stage.complaints.append(dialog.message))
    await stage.page.route("**/*", serve)
    await stage.page.expose_function("callTool", call_tool)  # pyright: ignore[reportUnknownMemberType]
    await stage.page.goto(_HOST)
    yield stage
    await context.close()
