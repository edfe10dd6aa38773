"""Every connection a line on the common time axis, with a letter for how it ended: what fell together, shows."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Static

from analyzer.analysis.verdicts import duration
from analyzer.api import Capture
from analyzer.escape import cut
from analyzer.schemas import VERDICTS
from analyzer.times import size
from analyzer.tui.entries import Entries
from analyzer.tui.headline import Headline
from analyzer.tui.lines import Line, Lines, Piece
from analyzer.tui.looks import Signs
from analyzer.tui.page import Page, text_of
from analyzer.tui.subject import Shown, Subject
from dissectors.schemas import NO_TIME
from dissectors.tables import Array

LETTERS = {0: (">", "odd"), 1: ("C", "good"), 2: ("c", "odd"), 3: ("F", "bad"), 4: ("R", "bad"), 5: ("X", "bad"),
           6: ("?", "bad"), 7: ("o", "dim"), 8: ("?", "odd")}  # fmt: skip
"""By code of `schemas.VERDICTS`: letter and style."""
KEY = "C closed with Close  c not answered  F FIN  R RST without Close  X refused  > open  ? unknown"
LABEL = 34
TOGETHER = 1_000_000_000
"""ns within which ends count as one event."""
MANY = 3


class OverviewLines(Lines):
    """One line a connection. The window of time is shared by all."""

    def __init__(self, signs: Signs) -> None:
        super().__init__(id="overview")
        self.signs = signs
        self.entries: Entries = None  # type: ignore[assignment]  # before the first snapshot
        self.window = (0, 1)

    def show(self, entries: Entries) -> None:
        """Another snapshot."""
        whole = self.entries is None or self.window == self.entries.span
        self.entries = entries
        if whole:
            self.window = entries.span
        self.renew()

    def length(self) -> int:
        """WebSocket connections."""
        return self.entries.sockets if self.entries is not None else 0

    def line(self, number: int, width: int) -> Line:
        """Its life as a bar, where messages crossed, and how it ended."""
        entry = self.entries.entry(number)
        cells = self.entries.snapshot["connections"].row(number)
        verdict = self.entries.snapshot["closes"].row(number)["verdict"]
        room = max(width - LABEL - 1, 10)
        first, last = (self._column(cells[name], room) for name in ("first_time", "last_time"))
        marks = [" "] * room
        for column in range(max(first, 0), min(last, room - 1) + 1):
            marks[column] = self.signs.across
        rows = self.entries.capture._places_of("messages", number)
        times = self.entries.snapshot["messages"]["time"][rows]
        for column in np.unique(self._columns(times[times != NO_TIME], room)).tolist():
            if 0 <= column < room:
                marks[column] = self.signs.bars[4]
        letter, style = LETTERS[verdict]
        label = cut(f"{entry.server} {entry.path}", LABEL - 2).ljust(LABEL - 1)
        end = max(min(last, room - 1), 0)
        if not 0 <= last < room:
            return [Piece(label), Piece("".join(marks), "client")]
        return [
            Piece(label),
            Piece("".join(marks[:end]), "client"),
            Piece(letter, style),
            Piece("".join(marks[end + 1 :])),
        ]

    def _column(self, time: int, room: int) -> int:
        return int(self._columns(np.array([time]), room)[0]) if time != NO_TIME else -1

    def _columns(self, times: Array, room: int) -> Array:
        start, stop = self.window
        return (times - start) * (room - 1) // max(stop - start, 1)


class OverviewPage(Page):
    """The screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus,equals_sign", "zoom(0.5)", "zoom in", key_display="+"),
        Binding("minus", "zoom(2)", "zoom out", key_display="-"),
        Binding("left,h", "pan(-1)", "earlier"),
        Binding("right,l", "pan(1)", "later"),
        Binding("0", "whole", "whole"),
        Binding("escape,q,o", "app.pop_screen", "back"),
    ]

    def compose(self) -> ComposeResult:
        """The parts."""
        yield Headline()
        yield Static("", id="axis", markup=False)
        yield OverviewLines(self.signs)
        yield Static("", id="figures", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """Begin."""
        self.query_one(OverviewLines).focus()
        super().on_mount()

    def show(self, capture: Capture) -> None:
        """Another snapshot."""
        self.query_one(Headline).show(capture)
        self.query_one(OverviewLines).show(Entries(capture, plain=False))
        self._draw()

    def subject(self) -> Subject | None:
        """The connection under the cursor."""
        lines = self.query_one(OverviewLines)
        return Subject(lines.entries.entry(lines.cursor)) if lines.length() else None

    def shown(self) -> Shown | None:
        """All WebSocket connections."""
        return Shown("connections", np.arange(self.query_one(OverviewLines).length()))

    def on_resize(self) -> None:
        """All is wider or narrower."""
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        self._axis()
        if self.tui.capture is not None:
            self.query_one("#figures", Static).update(text_of(*self._figures(self.tui.capture)))

    def _axis(self) -> None:
        lines = self.query_one(OverviewLines)
        if lines.entries is None:
            return
        start, stop = lines.window
        zero = lines.entries.span[0]
        room = max(lines.size.width - LABEL - 1, 10)
        ticks = max(room // 14, 1)
        marks = ""
        for tick in range(ticks):
            at = start + (stop - start) * tick // ticks - zero
            marks += f"{'|' if self.app_ascii else '╵'}+{duration(at)}".ljust(room // ticks)
        self.query_one("#axis", Static).update(text_of([Piece(" " * (LABEL - 1) + marks, "dim")]))

    def _figures(self, capture: Capture) -> list[Line]:
        """What fell together, rates, sizes, round trips."""
        snapshot = capture.snapshot
        lines: list[Line] = [[Piece(KEY, "dim")]]
        lines += [[Piece(text, "bad")] for text in fallen_together(capture)[:2]]
        width = max(self.size.width - 30, 20)
        messages = snapshot["messages"]
        times = messages["time"][messages["time"] != NO_TIME]
        if len(times):
            begin, stop = self.query_one(OverviewLines).entries.span
            rate, _ = np.histogram(times - begin, bins=width, range=(0, max(stop - begin, 1)))
            peak = int(rate.max()) / max((stop - begin) / width / 1e9, 1e-9)
            lines.append([Piece("messages in time  ", "dim"), Piece(bars(rate, self.signs), "client"),
                          Piece(f" peak {peak:.0f}/s", "dim")])  # fmt: skip
            lengths = messages["length"]
            buckets = np.bincount(np.minimum(np.log2(np.maximum(lengths, 1)).astype(int), 30), minlength=1)
            low, high = int(lengths.min()), int(lengths.max())
            lines.append([Piece("sizes, by doubling  ", "dim"), Piece(bars(buckets, self.signs), "server"),
                          Piece(f" {size(low)} to {size(high)}", "dim")])  # fmt: skip
        trips = capture.view("messages").column("round_trip")
        trips = trips[trips >= 0]
        if len(trips):
            counts, _ = np.histogram(trips, bins=min(24, width))
            lines.append([Piece("ping round trips  ", "dim"), Piece(bars(counts, self.signs), "good"),
                          Piece(f" {duration(int(trips.min()))} to {duration(int(trips.max()))}", "dim")])  # fmt: skip
        return lines

    # -- actions -----------------------------------------------------------------------------------------------------

    def on_lines_chosen(self) -> None:
        """Open the connection."""
        lines = self.query_one(OverviewLines)
        self.tui.open_ladder(lines.entries.entry(lines.cursor))

    def _look(self, start: int, stop: int) -> None:
        lines = self.query_one(OverviewLines)
        low, high = lines.entries.span
        span = min(max(stop - start, 1000), high - low)
        start = max(low, min(start, high - span))
        lines.window = (start, start + span)
        lines.renew()
        self._axis()

    def action_zoom(self, factor: float) -> None:
        """Half or twice the time."""
        start, stop = self.query_one(OverviewLines).window
        middle, half = (start + stop) // 2, int((stop - start) * factor / 2)
        self._look(middle - half, middle + half)

    def action_pan(self, step: int) -> None:
        """A quarter of the window."""
        start, stop = self.query_one(OverviewLines).window
        by = step * (stop - start) // 4
        self._look(start + by, stop + by)

    def action_whole(self) -> None:
        """All of it."""
        self._look(*self.query_one(OverviewLines).entries.span)


def bars(counts: Array, signs: Signs) -> str:
    """Counts as a row of bars."""
    top, steps = max(int(counts.max(initial=0)), 1), len(signs.bars) - 1
    return "".join(signs.bars[min(-(-int(number) * steps // top), steps)] for number in counts)


def fallen_together(capture: Capture) -> list[str]:
    """Ends of several connections within a second, most first: a restart, a deploy, a network that went away."""
    closes = capture.snapshot["closes"]
    times, verdicts = closes["end_time"], closes["verdict"]
    rows = np.flatnonzero((times != NO_TIME) & (closes["end"] > 0))
    if len(rows) < MANY:
        return []
    order = rows[np.argsort(times[rows], kind="stable")]
    groups = np.split(order, np.flatnonzero(np.diff(times[order]) > TOGETHER) + 1)
    told = []
    for group in sorted(groups, key=len, reverse=True):
        if len(group) < MANY:
            break
        begin = int(times[group[0]]) - capture.snapshot.traffic.first_time
        words = ", ".join(f"{number} {VERDICTS[int(verdict)].replace('-', ' ')}" for verdict, number in
                          zip(*np.unique(verdicts[group], return_counts=True), strict=True))  # fmt: skip
        within = duration(int(times[group[-1]] - times[group[0]]))
        told.append(f"{len(group)} connections ended within {within} at +{duration(begin)}: {words}")
    return told
