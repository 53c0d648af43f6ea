"""Draws assets/demo.svg: what `quantinal-mcp demo` prints, from a run of it."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import anyio
from mcp.shared.dispatcher import ProgressFnT
from rich.console import Console
from rich.terminal_theme import TerminalTheme

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # this tree's package, whatever is installed

from quantinal_mcp import demo  # noqa: E402

_NIGHT = TerminalTheme(
    (13, 19, 48),
    (214, 222, 245),
    [
        (51, 68, 122),
        (248, 113, 113),
        (94, 234, 212),
        (251, 191, 36),
        (96, 165, 250),
        (192, 132, 252),
        (56, 189, 248),
        (214, 222, 245),
    ],
)


class _Still(demo._Screen):  # noqa: SLF001
    """A terminal on which nothing moves: the progress is told in lines."""

    @contextmanager
    def waiting(self) -> Generator[ProgressFnT]:
        self.is_terminal = False
        with super().waiting() as told:
            yield told
        self.is_terminal = True


def main() -> int:
    """Return the demo's exit status."""
    console = Console(
        file=io.StringIO(), record=True, width=80, force_terminal=True, color_system="truecolor", highlight=False
    )
    status = anyio.run(demo._main, _Still(console, is_terminal=True))  # noqa: SLF001
    picture = console.export_svg(title="quantinal-mcp demo", theme=_NIGHT, unique_id="demo")
    # A picture in a README loads nothing, and needs no font that is not there.
    picture = re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL).replace("Fira Code, ", "")
    (ROOT / "assets" / "demo.svg").write_text(picture, "utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main())
