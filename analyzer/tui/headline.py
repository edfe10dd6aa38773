"""The line on top: which capture, how much, how complete, how far it is read."""

from __future__ import annotations

import numpy as np
from textual.widgets import Static

from analyzer.analysis.verdicts import duration
from analyzer.api import Capture
from analyzer.escape import printable
from analyzer.times import count, size
from analyzer.tui.lines import Piece
from analyzer.tui.page import Page, text_of
from dissectors.notes import Severity
from dissectors.schemas import NO_TIME

WORST = ((Severity.MUST, "bad"), (Severity.SHOULD, "odd"), (Severity.ODD, "dim"))


class Headline(Static):
    """Two lines at most."""

    def __init__(self) -> None:
        super().__init__("", id="headline", markup=False)

    def show(self, capture: Capture) -> None:
        """Another snapshot."""
        snapshot = capture.snapshot
        traffic = snapshot.traffic
        page = self.screen
        assert isinstance(page, Page)
        names = ", ".join(printable(name.rpartition("/")[2]) for name in snapshot.source.names)
        line = [Piece(f" {names} ", "bold"), Piece(f" {count(traffic.packets, 'packet')}")]
        if traffic.first_time != NO_TIME and traffic.packets:
            line.append(Piece(f" in {duration(traffic.last_time - traffic.first_time)}"))
        line.append(Piece(f"  {count(len(snapshot['connections']), 'WebSocket')}"))
        line.append(Piece(f"  {count(len(snapshot['messages']), 'message')}"))
        missing = traffic.unseen
        line.append(Piece(f"  {size(missing)} not seen", "bad") if missing else Piece("  complete", "good"))
        if traffic.cut_packets:
            line.append(Piece(f"  {count(traffic.cut_packets, 'packet')} cut", "bad"))
        severities = np.bincount(snapshot["notes"]["severity"], minlength=8)
        for severity, style in WORST:
            if severities[severity]:
                line.append(Piece(f"  {page.signs.warning} {severities[severity]} {severity.name.lower()}", style))
        progress = page.tui.progress
        if page.tui.reading and progress is not None and not page.tui.is_live:
            share = progress.done / progress.total if progress.total else 0.0
            left = f", {duration(int(progress.left * 1e9))} left" if progress.left >= 0 else ""
            line.append(Piece(f"  reading {share:.0%}{left}", "odd"))
        elif snapshot.problems:
            line.append(Piece(f"  {printable(snapshot.problems[0])}", "bad"))
        self.update(text_of(line))
