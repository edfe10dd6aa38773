"""Draws the summary of the tour as an SVG for the README: `python -m samples.make.picture`."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.text import Text

import analyzer
from analyzer.cli import summary
from analyzer.cli.listing import Manner
from analyzer.cli.page import Page
from analyzer.times import zone_of

WIDTH = 110

with analyzer.open("sample:tour") as capture:
    out = io.StringIO()
    view = capture.view("connections")
    page = Page(out, WIDTH, colour=True, unicode=True)
    summary.write(capture.snapshot, view, np.arange(len(view)), page, Manner(zone_of("UTC"), False, None), None)
console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
console.print(Text.from_ansi(out.getvalue()), end="")
path = Path(__file__).parent.parent / "tour.svg"
svg = console.export_svg(title="framescope summary samples/tour.pcapng")
# fonts of the machine that shows it, nothing from elsewhere
path.write_text(re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL), "utf-8")
print(path)
