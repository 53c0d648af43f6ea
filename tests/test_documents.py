"""What the documents for contributors say of the tree is so."""

from __future__ import annotations

import re
import tomllib
from dataclasses import astuple
from pathlib import Path

import pytest

from quantinal_mcp.client.request import LARGEST_BODY
from quantinal_mcp.client.wire import SHARED_REQUESTS, SINGLE_REQUESTS
from quantinal_mcp.transports.bounds import MIB, Bounds

ROOT = Path(__file__).parent.parent
ARCHITECTURE = ROOT / "docs" / "architecture.md"
SECURITY = ROOT / "SECURITY.md"
DOCUMENTS = [ARCHITECTURE, ROOT / "CONTRIBUTING.md"]
ROOMS = (ROOT, ROOT / "quantinal_mcp", ROOT / "tests")


def found(path: str) -> list[Path]:
    return [file for room in ROOMS for file in room.glob(path)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text("utf-8")
    named = set(re.findall(r"`([\w./*-]+(?:/|\.(?:py|json|md|toml|svg|html)))`", text))
    assert len(named) > 10
    assert [path for path in sorted(named) if not found(path)] == []
    linked = re.findall(r"\]\(([^)#:]+)\)", text)
    assert linked
    assert [path for path in linked if not (document.parent / path).exists()] == []


@pytest.mark.parametrize("document", [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")], ids=lambda document: document.name)
def test_every_link_within_the_project_leads_somewhere(document: Path) -> None:
    text = document.read_text("utf-8")
    linked = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|srcset)="([^"]+)"', text)
    for link in linked:
        path, _, heading = link.partition("#")
        if "://" in path:
            continue
        target = document.parent / path if path else document
        assert target.exists(), link
        assert not heading or heading in headings(target), link


def test_what_callers_can_make_the_server_hold_is_as_documented() -> None:
    text = SECURITY.read_text("utf-8")
    rows = re.findall(r"^\| .+ \| (\d+) \| (\d+) \| (\d+) \|$", text, re.MULTILINE)
    bounds = Bounds()
    mebibytes = tuple(part // MIB for part in astuple(bounds.bytes))
    shares = [bounds.calls, bounds.streams, bounds.sessions, SHARED_REQUESTS, SINGLE_REQUESTS]
    documented = [*map(astuple, shares[:3]), mebibytes, *map(astuple, shares[3:])]
    assert [tuple(map(int, row)) for row in rows] == documented
    assert (bounds.body_seconds, bounds.largest_body, bounds.idle_seconds) == (30, 16 * MIB, 30 * 60)
    assert LARGEST_BODY == 8 * MIB


def headings(document: Path) -> list[str]:
    lines = [line for line in document.read_text("utf-8").splitlines() if line.startswith("#")]
    return [re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in lines]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_name_that_a_document_places_in_a_file_is_there(document: Path) -> None:
    placed = re.findall(r"`(\w+)`(?: and `(\w+)`)?\s+in\s+`([\w/]+\.py)`", document.read_text("utf-8"))
    assert len(placed) > 2
    for *names, path in placed:
        [file] = found(path)
        for name in filter(None, names):
            assert re.search(rf"^\s*(async def |def |class )?{name}\b", file.read_text("utf-8"), re.MULTILINE), name


def test_the_architecture_lists_the_rooms_in_the_order_of_their_imports() -> None:
    table = ARCHITECTURE.read_text("utf-8").partition("<!-- layers:begin -->")[2].partition("<!-- layers:end -->")[0]
    rows = [re.findall(r"`([\w/.]+)`", line.split("|")[1]) for line in table.splitlines() if line.startswith("| `")][1:]
    shown = [name.removesuffix("/").removesuffix(".py") for row in rows for name in row]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = [layer.split(" | ") for layer in contracts[0]["layers"]]
    assert sorted(shown) == sorted(name for layer in layers for name in layer)
    places = {name: place for place, layer in enumerate(layers) for name in layer}
    assert [places[name] for name in shown] == sorted(places.values())
