"""Every connection a line on the common time axis, with a letter for how it ended: what fell together, shows."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Footer, Static

from analyzer.analysis.verdicts import duration
from analyzer.api import Capture
from analyzer.escape import cut
from analyzer.schemas import FIN, RST, VERDICTS
from analyzer.times import clock, size
from analyzer.tui.entries import Entries
from analyzer.tui.headline import Headline
from analyzer.tui.lines import Line, Lines, Piece, text_of
from analyzer.tui.looks import STATE_STYLES, Signs
from analyzer.tui.page import TIMES, Page
from analyzer.tui.plots import bars, beside, plot
from analyzer.tui.subject import Shown, Subject
from dissectors.schemas import NO_TIME
from dissectors.tables import Array
from dissectors.websocket.opcodes import PONG

LETTERS = {0: (">", "odd"), 1: ("C", "good"), 2: ("c", "odd"), 3: ("F", "bad"), 4: ("R", "bad"), 5: ("X", "bad"),
           6: ("?", "bad"), 7: ("o", "dim"), 8: ("?", "odd")}  # fmt: skip
"""By code of `schemas.VERDICTS`: letter and style."""
HIDDEN = {0: (">", "odd"), FIN: ("f", "note"), RST: ("r", "note")}
"""By TCP's end of an encrypted connection."""
KEY = (
    ("C", "closed", "good"), ("c", "no answer", "odd"), ("F", "FIN", "bad"), ("R", "RST", "bad"),
    ("X", "refused", "bad"), (">", "open", "odd"), ("?", "unknown", "bad"), ("f r", "encrypted", "note"),
)  # fmt: skip
LABEL = 34
TOGETHER = 1_000_000_000
"""ns within which ends count as one event."""
MANY = 3
DRAG = 2
"""Columns that a mouse moves at least to drag: less is a click."""
DOUBLINGS = 40
"""Sizes up to a terabyte."""


def letter_of(entries: Entries, number: int) -> tuple[str, str, int, int]:
    """How a connection ended: letter, style, and from when to when it lasted."""
    if number < entries.sockets:
        cells = entries.snapshot["connections"].row(number)
        letter, style = LETTERS[entries.snapshot["closes"].row(number)["verdict"]]
    else:
        cells = entries.snapshot["encrypted"].row(number - entries.sockets)
        letter, style = HIDDEN[cells["end"]]
    return letter, style, cells["first_time"], cells["last_time"]


class OverviewLines(Lines):
    """One line a connection. The window of time is shared by all."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "screen.pan(-1)", "earlier", show=False),
        Binding("right,l", "screen.pan(1)", "earlier, later", key_display="h l", tooltip="later"),
    ]

    class Zoomed(Message):
        """The wheel asks for more or less time around a time."""

        def __init__(self, factor: float, around: int) -> None:
            super().__init__()
            self.factor, self.around = factor, around

    class Chose(Message):
        """A stretch of time was dragged over."""

        def __init__(self, window: tuple[int, int]) -> None:
            super().__init__()
            self.window = window

    def __init__(self, signs: Signs) -> None:
        super().__init__(id="overview")
        self.signs = signs
        self.entries: Entries = None  # type: ignore[assignment]  # before the first snapshot
        self.window = (0, 1)
        self._dragged = -1
        """The column where a drag began, -1 while there is none."""

    def show(self, entries: Entries) -> None:
        """Another snapshot."""
        whole = self.entries is None or self.window == self.entries.span
        self.entries = entries
        if whole:
            self.window = entries.span
        self.renew(grown=True)

    def length(self) -> int:
        """WebSocket connections, and encrypted ones."""
        return self.entries.sockets + self.entries.hidden if self.entries is not None else 0

    def line(self, number: int, width: int) -> Line:
        """Its life as a bar, where messages crossed, and how it ended."""
        entry = self.entries.entry(number)
        letter, style, begin, stop = letter_of(self.entries, number)
        room = max(width - LABEL - 1, 10)
        first, last = (int(self.columns(np.array([time]), room)[0]) if time != NO_TIME else -1
                       for time in (begin, stop))  # fmt: skip
        marks = np.full(room, " ", "U1")
        marks[max(first, 0) : max(min(last + 1, room), 0)] = self.signs.across
        if entry.connection >= 0:
            times = self.entries.snapshot["messages"]["time"][self.entries.rows_of("messages", number)]
            columns = self.columns(times[times != NO_TIME], room)
            counts = np.bincount(columns[(columns >= 0) & (columns < room)], minlength=room)
            busy = np.flatnonzero(counts)
            for column, bar in zip(busy.tolist(), bars(counts[busy], self.signs), strict=True):
                marks[column] = bar
        label = [Piece(cut(entry.server, 22), "server"), Piece(" "), Piece(entry.path, "bold")]
        told = "".join(piece.text for piece in label)
        label[2] = Piece(cut(entry.path, max(LABEL - 2 - len(told) + len(entry.path), 0)), "bold")
        label.append(Piece(" " * (LABEL - 1 - sum(len(piece.text) for piece in label))))
        life = "note" if entry.encrypted >= 0 else "client"
        if not 0 <= last < room:
            return [*label, Piece("".join(marks), life)]
        return [*label, Piece("".join(marks[:last]), life), Piece(letter, style), Piece("".join(marks[last + 1 :]))]

    def time_at(self, x: int) -> int:
        """The time at a column of the list's own."""
        start, stop = self.window
        room = max(self.scrollable_content_region.width - LABEL - 1, 10)
        return start + (stop - start) * max(min(x - LABEL, room - 1), 0) // (room - 1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """With Ctrl: nearer."""
        self._wheel(event, 0.5)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """With Ctrl: further away."""
        self._wheel(event, 2)

    def _wheel(self, event: events.MouseEvent, factor: float) -> None:
        if event.ctrl:
            event.prevent_default()
            event.stop()
            self.post_message(self.Zoomed(factor, self.time_at(event.x)))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Begin to drag over a stretch of time."""
        self._dragged = event.x if event.x >= LABEL else -1
        if self._dragged >= 0:
            self.capture_mouse()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Look at that stretch."""
        begin, self._dragged = self._dragged, -1
        self.release_mouse()
        if begin >= 0 and abs(event.x - begin) >= DRAG:
            ends = self.time_at(begin), self.time_at(event.x)
            self.post_message(self.Chose((min(ends), max(ends))))

    def columns(self, times: Array, room: int) -> Array:
        """Where times stand on a line of a width; outside of it where they are outside of the window."""
        start, stop = self.window
        found: Array = (times - start) * (room - 1) // max(stop - start, 1)
        return found


class OverviewPage(Page):
    """The screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus,equals_sign", "zoom(0.5)", "zoom in", key_display="+"),
        Binding("minus", "zoom(2)", "zoom out", key_display="-"),
        Binding("0", "whole", "whole"),
        Binding("escape,q,o", "app.pop_screen", "back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._plotted: tuple[tuple[Capture, tuple[int, int], int, int], list[Line]] | None = None

    def compose(self) -> ComposeResult:
        """The parts."""
        yield Headline()
        yield Static("", id="axis", markup=False)
        yield OverviewLines(self.signs)
        yield Static("", id="figures", markup=False)
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Begin."""
        self.query_one(OverviewLines).focus()

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

    def on_lines_moved(self) -> None:
        """Another connection under the cursor."""
        if self.tui.capture is not None:
            self.query_one("#figures", Static).update(text_of(*self._figures(self.tui.capture)))

    def _draw(self) -> None:
        self._axis()
        if self.tui.capture is not None:
            self.query_one("#figures", Static).update(text_of(*self._figures(self.tui.capture)))

    def _axis(self) -> None:
        """Times, and below them how many connections ended when."""
        lines = self.query_one(OverviewLines)
        if lines.entries is None:
            return
        start, stop = lines.window
        room = max(lines.scrollable_content_region.width - LABEL - 1, 10)
        ticks = max(room // 14, 1)
        marks = ""
        for tick in range(ticks):
            at = start + (stop - start) * tick // ticks
            marks += f"{self.signs.tick}{self._when(at)}".ljust(room // ticks)
        ends = np.concatenate([lines.entries.snapshot[table]["end_time"] for table in ("closes", "encrypted")])
        columns = lines.columns(ends[ends != NO_TIME], room)
        counts = np.bincount(columns[(columns >= 0) & (columns < room)], minlength=room)
        told = f"ends, at most {int(counts.max(initial=0))} at once".ljust(LABEL - 1)
        self.query_one("#axis", Static).update(text_of(
            [Piece(" " * (LABEL - 1) + marks, "dim")], [Piece(told, "dim"), Piece(bars(counts, self.signs), "bad")]
        ))  # fmt: skip

    # -- figures -----------------------------------------------------------------------------------------------------

    def _figures(self, capture: Capture) -> list[Line]:
        """What the letters mean, what fell together, and plots of the window."""
        lines = self.query_one(OverviewLines)
        told: list[Line] = [[piece for letter, word, style in KEY
                             for piece in (Piece(letter, style), Piece(f" {word}  ", "dim"))]]  # fmt: skip
        if lines.length():
            entry = lines.entries.entry(lines.cursor)
            told.append([Piece(f"{entry.key} ", "dim"), Piece(entry.verdict, STATE_STYLES.get(entry.state, "plain"))])
        told += [[Piece(text, "bad")] for text in fallen_together(capture)[:2]]
        height = 1 if self.size.height < 30 else 4 if self.size.height < 50 else 8
        wide = (max(self.size.width, 40) - 2 - 2 * 3) // 3
        asked = (capture, lines.window, wide, height)
        if self._plotted is None or self._plotted[0] != asked:
            self._plotted = asked, beside(self._plots(capture, wide, height), 3)
        return [*told, *self._plotted[1]]

    def _plots(self, capture: Capture, wide: int, height: int) -> list[list[Line]]:
        """Message rate, sizes and ping round trips, of the window."""
        lines, messages = self.query_one(OverviewLines), capture.snapshot["messages"]
        start, stop = lines.window
        times = messages["time"]
        inside = np.flatnonzero((times >= start) & (times <= stop))
        columns = lines.columns(times[inside], wide)
        rate = np.bincount(columns, minlength=wide)[:wide]
        ends = (f"{self._when(start)} ", f" {self._when(stop)}")
        peak = int(rate.max(initial=0)) / max((stop - start) / wide / 1e9, 1e-9)
        return [
            plot(f"messages, peak {peak:.0f}/s", rate, height, ends, "client", self.signs),
            self._sizes(messages["length"][inside], wide, height),
            self._trips(capture, lines, inside[messages["opcode"][inside] == PONG], wide, height, ends),
        ]

    def _sizes(self, lengths: Array, wide: int, height: int) -> list[Line]:
        buckets = np.bincount(np.log2(np.maximum(lengths, 1)).astype(int), minlength=1)[:DOUBLINGS]
        used = np.flatnonzero(buckets)
        low, high = (int(used[0]), int(used[-1])) if len(used) else (0, 0)
        each = max(wide // (high - low + 1), 1)
        drawn = np.repeat(buckets[low : high + 1], each)[:wide]
        drawn = np.pad(drawn, (0, wide - len(drawn)))
        title = f"sizes, doubling; {size(int(lengths.max(initial=0)))} at most"
        return plot(title, drawn, height, (f"{size(1 << low)} ", f" {size(2 << high)}"), "server", self.signs)

    def _trips(self, capture: Capture, lines: OverviewLines, pongs: Array, wide: int, height: int,
               ends: tuple[str, str]) -> list[Line]:  # fmt: skip
        """The longest round trip of each part of the window."""
        messages = capture.snapshot["messages"]
        asked = messages.take("time", messages["answers"][pongs])
        answered = messages["time"][pongs]
        known = (asked != NO_TIME) & (messages["answers"][pongs] >= 0)
        trips, columns = (answered - asked)[known], lines.columns(answered[known], wide)
        worst = np.zeros(wide, np.int64)
        np.maximum.at(worst, columns, trips)
        title = "no ping was answered"
        if len(trips):
            title = f"round trips {duration(int(np.median(trips)))}, worst {duration(int(trips.max()))}"
        return plot(title, worst, height, ends, "good", self.signs)

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
        self._draw()

    def action_zoom(self, factor: float) -> None:
        """Half or twice the time."""
        start, stop = self.query_one(OverviewLines).window
        middle, half = (start + stop) // 2, int((stop - start) * factor / 2)
        self._look(middle - half, middle + half)

    def on_overview_lines_zoomed(self, event: OverviewLines.Zoomed) -> None:
        """What is under the mouse stays there."""
        start, stop = self.query_one(OverviewLines).window
        span = int((stop - start) * event.factor)
        before = (event.around - start) * span // max(stop - start, 1)
        self._look(event.around - before, event.around - before + span)

    def on_overview_lines_chose(self, event: OverviewLines.Chose) -> None:
        """What was dragged over, in full."""
        self._look(*event.window)

    def action_times(self) -> None:
        """Since start, or time of day: there is no row before."""
        self.tui.times = 0 if TIMES[self.tui.times] == "time of day" else TIMES.index("time of day")
        self.retime_all()

    def retime(self) -> None:
        """Times are told in another way."""
        self._plotted = None
        self._draw()

    def _when(self, time: int) -> str:
        """A time of the axis."""
        if TIMES[self.tui.times] == "time of day":
            return clock(time, self.tui.zone)[:12]
        return f"+{duration(time - self.query_one(OverviewLines).entries.span[0])}"

    def action_pan(self, step: int) -> None:
        """A quarter of the window."""
        start, stop = self.query_one(OverviewLines).window
        by = step * (stop - start) // 4
        self._look(start + by, stop + by)

    def action_whole(self) -> None:
        """All of it."""
        self._look(*self.query_one(OverviewLines).entries.span)


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
    for group in sorted(groups, key=len, reverse=True)[:2]:
        if len(group) < MANY:
            break
        begin = int(times[group[0]]) - capture.snapshot.traffic.first_time
        words = ", ".join(f"{number} {VERDICTS[int(verdict)].replace('-', ' ')}" for verdict, number in
                          zip(*np.unique(verdicts[group], return_counts=True), strict=True))  # fmt: skip
        within = duration(int(times[group[-1]] - times[group[0]]))
        told.append(f"{len(group)} connections ended within {within} at +{duration(begin)}: {words}")
    return told
