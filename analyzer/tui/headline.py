"""The line on top: which capture, how much, how complete, how far it is read."""

from __future__ import annotations

import numpy as np
from textual.widgets import Static

from analyzer.analysis.verdicts import duration
from analyzer.api import Capture
from analyzer.escape import printable
from analyzer.times import count, size
from analyzer.tui.lines import Piece, text_of
from analyzer.tui.page import Page
from dissectors.notes import Severity
from dissectors.schemas import NO_TIME

WORST = ((Severity.MUST, "bad"), (Severity.SHOULD, "odd"), (Severity.ODD, "dim"))

BAR = 12
"""Characters of the progress bar."""


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
        line = [Piece(f" {names} ", "bold"), *self._progress(page), Piece(f" {count(traffic.packets, 'packet')}")]
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
        if snapshot.problems and (snapshot.finished or page.tui.is_live):
            line.append(Piece(f"  {printable(snapshot.problems[0])}", "bad"))
        self.update(text_of(line))

    def _progress(self, page: Page) -> list[Piece]:
        """How far the capture is read, and for how long still; nothing once it is."""
        progress = page.tui.progress
        if not page.tui.reading or progress is None or page.tui.is_live:
            return []
        if progress.total <= 0 or progress.left < 0:
            return [Piece(f" reading, {size(progress.done)} so far ", "odd")]
        done = min(progress.done * BAR // progress.total, BAR)
        left = f" {progress.done / progress.total:.0%}, {duration(int(progress.left * 1e9))} left "
        return [Piece(f" {page.signs.bars[-1] * done}", "odd"), Piece(page.signs.across * (BAR - done), "dim"),
                Piece(left, "odd")]  # fmt: skip
