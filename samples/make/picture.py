"""Draws the README pictures as SVG, of the summary and of the interface: `python -m samples.make.picture`."""

from __future__ import annotations

import asyncio
import io
import re
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.text import Text

import analyzer
from analyzer.bundled import resolve
from analyzer.capture.files import open_source
from analyzer.cli import summary
from analyzer.cli.listing import Manner
from analyzer.cli.page import Page
from analyzer.times import zone_of
from analyzer.tui.app import FramescopeApp

WIDTH = 110

FOLDER = Path(__file__).parent.parent
SIZE = (110, 30)
WALKS = {
    "connections": ("j", "j"),
    "ladder": ("j", "enter", *("j",) * 13),
    "octets": ("j", "enter", *("j",) * 7, "enter", "3", *("right",) * 9),
    "bits": ("j", "enter", *("j",) * 7, "enter", "2"),
    "overview": ("o", "j"),
}
"""Keys that lead to each screen."""
OTHERS = {"overview": "restart"}
"""Screens that are shown of another sample than the tour."""


def keep(name: str, svg: str) -> None:
    """Write one, with the fonts of the machine that shows it and nothing from elsewhere."""
    path = FOLDER / f"{name}.svg"
    path.write_text(re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL), "utf-8")
    print(path)


def summary_svg() -> str:
    """The summary of the tour."""
    with analyzer.open("sample:tour") as capture:
        out = io.StringIO()
        view = capture.view("connections")
        page = Page(out, WIDTH, colour=True, unicode=True)
        summary.write(capture.snapshot, view, np.arange(len(view)), page, Manner(zone_of("UTC"), False, None), None)
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(out.getvalue()), end="")
    return console.export_svg(title="framescope summary samples/tour.pcapng")


async def screen_svg(keys: tuple[str, ...], sample: str) -> str:
    """A screen of the interface."""
    source = open_source([resolve(f"sample:{sample}")])
    app = FramescopeApp(source)
    async with app.run_test(size=SIZE) as pilot:
        while app.reading:
            await pilot.pause(0.05)
        await pilot.press(*keys)
        await pilot.pause(0.5)
        svg = app.export_screenshot(title=f"framescope samples/{sample}.pcapng")
    source.close()
    return svg


keep("tour", summary_svg())
for name, keys in WALKS.items():
    keep(name, asyncio.run(screen_svg(keys, OTHERS.get(name, "tour"))))
