"""The ladder: client and server as lifelines, every message or frame an arrow between them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Static

from analyzer.analysis.verdicts import duration
from analyzer.api import Capture
from analyzer.errors import FilterError
from analyzer.escape import cut, printable
from analyzer.query.compile import looks_into_payload
from analyzer.times import clock
from analyzer.tui.arrows import DRAWN, Drawing
from analyzer.tui.entries import Entries, Entry
from analyzer.tui.filtering import FilterBar
from analyzer.tui.lines import Line, Lines, Piece, text_of
from analyzer.tui.looks import STATE_STYLES, Signs, state_sign
from analyzer.tui.marks import letter_of, note_of
from analyzer.tui.page import TIMES, Page
from analyzer.tui.panel import relatives, safe
from analyzer.tui.rungs import NONE, Kind, Rungs, Show, frame_and_message, rungs_of
from analyzer.tui.sieve import SOON, Sieves, costs_of
from analyzer.tui.subject import Shown, Subject
from dissectors.schemas import NO_TIME
from dissectors.tables import Array

View = tuple[bool, Show, str, int]
"""What a ladder shows: frames or messages, of which kinds, by which filter; and how many rows that was told to hold
for."""
TIMELESS = (Kind.SILENCE, Kind.BORDER, Kind.NOTE, Kind.GAP)
"""Rungs that show no time."""
TIME_WIDTH = 12
LIFELINES = 5
"""Pieces of a line between and with the lifelines; words stand behind them."""


def across(width: int) -> int:
    """Characters from lifeline to lifeline, on a line of a width."""
    return max(min(width * 2 // 5, 60), 26)


class LadderLines(Lines):
    """One line a rung."""

    def __init__(self, signs: Signs) -> None:
        super().__init__(id="ladder")
        self.signs = signs
        self.capture: Capture = None  # type: ignore[assignment]  # before the first snapshot
        self.entry: Entry = None  # type: ignore[assignment]
        self.rungs = Rungs()
        self.client = 0
        self.times = 0
        self._start = NO_TIME

    def show(self, capture: Capture, entry: Entry, rungs: Rungs, at: int = -1) -> None:
        """Other rungs; `at` is where the one under the cursor stands now, -1 to begin at the top. Of another snapshot
        they are the same, and more."""
        grown = at >= 0 and self.capture is not None and capture is not self.capture
        self.capture, self.entry, self.rungs = capture, entry, rungs
        self.client = int(capture.snapshot["encrypted"]["client_direction"][entry.encrypted] if entry.encrypted >= 0
                          else capture.snapshot["channels"]["client"][entry.channel])  # fmt: skip
        known = np.flatnonzero(rungs.time[:1024] != NO_TIME)
        self._start = int(rungs.time[known[0]]) if len(known) else NO_TIME
        self.renew(at >= 0, at, grown)

    def on_unmount(self) -> None:
        """The rungs go at once: what else there is waits for garbage collection, which is rare."""
        self.rungs = Rungs()

    def length(self) -> int:
        """Rungs."""
        return len(self.rungs)

    def subject(self, number: int) -> Subject:
        """What a rung is."""
        return Subject(self.entry, Kind(self.rungs.kind[number]), int(self.rungs.ref[number]))

    def label(self, width: int = 0) -> str:
        """With the shortest arrow: the words matter more."""
        return super().label(width)

    def line(self, number: int, width: int) -> Line:
        """Time, the space between the lifelines, and what is to be said."""
        kind, ref = Kind(self.rungs.kind[number]), int(self.rungs.ref[number])
        mark = self.screen.tui.marks.of(Subject(self.entry, kind, ref).key)  # type: ignore[attr-defined]
        drawing = Drawing(self.capture, self.entry, self.rungs, self.signs, self.client, across(width))
        drawn = list(DRAWN[kind](drawing, ref, number))
        return [*self._margin(number, letter_of(mark)), *drawn[:LIFELINES], *note_of(mark), *drawn[LIFELINES:]]

    def _margin(self, number: int, letter: str) -> list[Piece]:
        """The time, and in front of it the letter of a mark."""
        told = cut(self._time(number), TIME_WIDTH).rjust(TIME_WIDTH)
        if letter == " ":
            return [Piece(told, "dim")]
        return [Piece(letter, "odd"), Piece(told[1:] if told[0] == " " else told[:-1], "dim")]

    def _time(self, number: int) -> str:
        time = int(self.rungs.time[number])
        if time == NO_TIME or self.rungs.kind[number] in TIMELESS:
            return ""
        if TIMES[self.times] == "time of day":
            return clock(time, self.screen.tui.zone)[:12]  # type: ignore[attr-defined]
        if TIMES[self.times] == "since last":
            before = number - 1
            while before >= 0 and (self.rungs.time[before] == NO_TIME or self.rungs.kind[before] == Kind.NOTE):
                before -= 1
            return f"+{duration(max(time - int(self.rungs.time[before]), 0))}" if before >= 0 else "+0"
        return f"+{max(time - self._start, 0) / 1e9:.6f}"[: TIME_WIDTH - 2] + " s"  # of long ones the last digits go


class LadderPage(Page):
    """The screen of one connection."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter"),
        Binding("w", "times", "times"),
        Binding("f", "frames", "frames", tooltip="frames or messages"),
        Binding("d", "kinds", "kinds", tooltip="kinds: all, data, control"),
        Binding("v", "next_note", "note", tooltip="next observation"),
        Binding("c", "close", "why", tooltip="why it closed"),
        Binding("escape,q,h,left", "step_out", "back"),
    ]

    def __init__(self, entry: Entry) -> None:
        super().__init__()
        self.entry = entry
        self.frames, self.kinds, self.expression = False, Show.ALL, ""
        self._sieves = Sieves()
        self._ready: tuple[Capture, View, Entry, Rungs] | None = None

    def compose(self) -> ComposeResult:
        """The parts."""
        yield Static("", id="headline", markup=False)
        yield Static("", id="ends", markup=False)
        yield LadderLines(self.signs)
        yield FilterBar("messages")
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Begin."""
        self.query_one(LadderLines).focus()
        self.query_one(LadderLines).times = self.tui.times

    def prepare(self, capture: Capture) -> None:
        """In the reading thread: what takes long."""
        self._ready = self._made(capture)

    def _view(self) -> View:
        return self.frames, self.kinds, self.expression, -1 if self._sieves.among is None else len(self._sieves.among)

    def _made(self, capture: Capture) -> tuple[Capture, View, Entry, Rungs]:
        entries, entry = Entries(capture, plain=False), self.entry
        if entry.connection >= 0:
            entry = entries.entry(entry.connection)
        elif entry.encrypted >= 0:
            entry = entries.entry(entries.sockets + entry.encrypted)
        view, among = self._view(), self._sieves.among
        try:
            return capture, view, entry, rungs_of(capture, entries, entry, *view[:3], among)
        except FilterError:
            return capture, view, entry, rungs_of(capture, entries, entry, *view[:2])

    def show(self, capture: Capture) -> None:
        """Another snapshot."""
        self._fill(capture, keep=True)
        if self._sieves.holding is not None or self._sieves.coming is not None:
            self._sieves.go_on(capture, self._all_places(capture))
            self.look_apart()

    def _fill(self, capture: Capture, keep: bool) -> None:
        lines = self.query_one(LadderLines)
        ready = self._ready
        if ready is None or ready[0] is not capture or ready[1] != self._view():
            ready = self._made(capture)
        self._ready = None
        self.entry, rungs = ready[2:]
        lines.show(capture, self.entry, rungs, self._place_in(rungs, capture) if keep else -1)
        self._titles()

    def _place_in(self, rungs: Rungs, capture: Capture) -> int:
        """Where the rung under the cursor stands among others, or the one nearest to it in time."""
        lines = self.query_one(LadderLines)
        if lines.cursor >= len(lines.rungs):
            return 0
        here = lines.cursor
        kind, ref = Kind(lines.rungs.kind[here]), int(lines.rungs.ref[here])
        if here < len(rungs) and rungs.kind[here] == kind and rungs.ref[here] == ref:
            return here
        at = rungs.find(kind, ref)
        if at < 0 and kind in (Kind.FRAME, Kind.MESSAGE):
            frame, message = frame_and_message(capture, kind, ref)
            at = rungs.find(Kind.FRAME, frame) if self.frames else rungs.find(Kind.MESSAGE, message)
        if at < 0 and lines.rungs.time[here] != NO_TIME and len(rungs):
            at = int(np.argmax(rungs.time >= lines.rungs.time[here]))
        return max(at, 0)

    def on_resize(self) -> None:
        """The lifelines stand elsewhere."""
        self.call_after_refresh(self._titles)

    def _titles(self) -> None:
        entry, lines = self.entry, self.query_one(LadderLines)
        style = STATE_STYLES.get(entry.state, "plain")
        shown = "frames" if self.frames else "messages"
        kinds = {Show.ALL: "all", Show.DATA: "data only", Show.CONTROL: "control only"}[self.kinds]
        first = [
            Piece(f" {entry.key} ", "bold"), Piece(f" {state_sign(self.signs, entry.state)} {entry.state}", style),
            Piece(f"  {entry.path}", "bold"), Piece(f"  {shown}, {kinds}, {TIMES[lines.times]}", "dim"),
            Piece(f"  {self._sieves.words()}", "odd"),
        ]  # fmt: skip
        self.query_one("#headline", Static).update(text_of(first, [Piece(f" {entry.verdict}", style)]))
        wide = across(max(lines.size.width, 40))
        client, server = cut(f"client {entry.client}", wide // 2), cut(f"{entry.server} server", wide // 2)
        gap = max(wide - len(client) - len(server), 1)
        around = "; ".join(relatives(self.tui.capture, entry)) if self.tui.capture is not None else ""
        self.query_one("#ends", Static).update(
            text_of([Piece(" " * (TIME_WIDTH + 1)), Piece(client, "client"), Piece(" " * gap), Piece(server, "server"),
                     Piece(f"  {safe(around)}", "note")])
        )  # fmt: skip

    # -- actions -----------------------------------------------------------------------------------------------------

    def on_lines_chosen(self) -> None:
        """Open the rung."""
        lines = self.query_one(LadderLines)
        self.tui.open_detail(self.entry, lines)

    def go_to(self, kind: Kind, ref: int) -> None:
        """Put the cursor on a rung; show all of them if it is hidden."""
        lines = self.query_one(LadderLines)
        at = lines.rungs.find(kind, ref)
        if at < 0 and self.tui.capture is not None:
            self._unfilter()
            self.kinds = Show.ALL
            self.frames = kind is Kind.FRAME if kind in (Kind.FRAME, Kind.MESSAGE) else self.frames
            self._fill(self.tui.capture, keep=True)
            at = lines.rungs.find(kind, ref)
        if at >= 0:
            lines.go(at)

    def turn_to(self, subject: Subject) -> None:
        """Show a rung, of this connection or another one."""
        if subject.entry.key != self.entry.key and self.tui.capture is not None:
            self._unfilter()
            self.entry, self.kinds = subject.entry, Show.ALL
            self._fill(self.tui.capture, keep=False)
        if subject.kind is not None:
            self.go_to(subject.kind, subject.ref)

    def subject(self) -> Subject | None:
        """The rung under the cursor."""
        lines = self.query_one(LadderLines)
        return lines.subject(lines.cursor) if len(lines.rungs) else None

    def shown(self) -> Shown | None:
        """The messages or frames shown."""
        lines = self.query_one(LadderLines)
        name, kind = ("frames", Kind.FRAME) if self.frames else ("messages", Kind.MESSAGE)
        rows = lines.rungs.ref[lines.rungs.kind == kind]
        capture = self.tui.capture
        return Shown(name, np.searchsorted(capture.view(name).rows, rows)) if capture is not None else None

    def retime(self) -> None:
        """Since start, since the last rung, time of day."""
        lines = self.query_one(LadderLines)
        lines.times = self.tui.times
        lines.renew()
        self._titles()

    def action_frames(self) -> None:
        """Frames or messages."""
        self.frames = not self.frames
        self._unfilter()
        if self.tui.capture is not None:
            self._fill(self.tui.capture, keep=True)

    def action_kinds(self) -> None:
        """All, data frames, control frames."""
        self.kinds = Show((self.kinds + 1) % len(Show))
        if self.tui.capture is not None:
            self._fill(self.tui.capture, keep=True)

    def action_next_note(self) -> None:
        """To the next observation."""
        lines = self.query_one(LadderLines)
        notes = np.flatnonzero(lines.rungs.kind == Kind.NOTE)
        if not len(notes):
            self.notify("nothing to note on this connection", timeout=2)
            return
        later = notes[notes > lines.cursor]
        lines.go(int(later[0] if len(later) else notes[0]))

    def action_close(self) -> None:
        """The verdict in full."""
        self.tui.open_detail(self.entry, self.query_one(LadderLines), tab="close")

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one(FilterBar).open(self.expression)

    def filter_state(self, expression: str) -> tuple[int, int] | None:
        """Matches, and rows in all; None where payloads are looked into, which is done apart.

        Raises: FilterError where it does not compile.
        """
        capture = self.tui.capture
        assert capture is not None
        if self.entry.connection < 0:
            return 0, 0
        places = self._all_places(capture)
        if self._takes_long(capture, expression, places):
            return None
        return len(capture.view(self.table).choose(expression, places)), len(places)

    def on_filter_bar_changed(self, event: FilterBar.Changed) -> None:
        """A filter that holds while it is typed."""
        capture = self.tui.capture
        if capture is None:
            return
        if self._sieves.holds(event.expression):
            self.stop_filter()
            self.query_one(FilterBar).tell(event.expression, self._told(capture))
            return
        places = self._all_places(capture)
        if self._takes_long(capture, event.expression, places):
            self._sieves.begin(event.expression, self.table, capture, places)
            self.query_one(FilterBar).tell(event.expression, Piece(self._sieves.words(), "odd"))
            self._titles()
            return
        self._unfilter()
        self.expression = event.expression
        self._fill(capture, keep=False)

    # -- filters on payload ------------------------------------------------------------------------------------------

    @property
    def table(self) -> str:
        """What is shown."""
        return "frames" if self.frames else "messages"

    def _all_places(self, capture: Capture) -> Array:
        if self.entry.connection < 0:
            return NONE
        return Entries(capture, plain=False).rows_of(self.table, self.entry.connection)

    def _takes_long(self, capture: Capture, expression: str, places: Array) -> bool:
        view = capture.view(self.table)
        if not expression or not looks_into_payload(expression, view):
            return False
        view.choose(expression, NONE)  # says what is wrong with it
        return int(costs_of(capture, self.table, places).sum()) > SOON

    def look_apart(self) -> None:
        """Take what was found in payloads; a filter holds once all were looked into."""
        sieve, capture = self._sieves.take(), self.tui.capture
        if sieve is None or capture is None:
            return
        if not sieve.running:
            self._sieves.go_on(capture, self._all_places(capture))  # what came meanwhile
        told = Piece(self._sieves.words(), "odd")
        if sieve.failure:
            told = Piece(f"failed: {printable(sieve.failure)}", "bad")
        elif sieve is self._sieves.holding:
            told = self._told(capture)
            other, self.expression = self.expression != sieve.expression, sieve.expression
            self._fill(capture, keep=not other)
        self.query_one(FilterBar).tell(sieve.expression, told)
        self._titles()

    def _told(self, capture: Capture) -> Piece:
        among = self._sieves.among
        return Piece(f"ok: {len(among) if among is not None else 0} of {len(self._all_places(capture))}", "good")

    def stop_filter(self) -> bool:
        """End looking into payloads; the last filter that held stays."""
        stopped = self._sieves.stop()
        self._titles()
        return stopped

    def _unfilter(self) -> None:
        self._sieves.clear()
        self.expression = ""

    def on_unmount(self) -> None:
        """Nobody looks any more."""
        self._sieves.clear()
        self._ready = None

    def on_filter_bar_closed(self) -> None:
        """Back to the rungs."""
        self.query_one(LadderLines).focus()

    def action_step_out(self) -> None:
        """End looking into payloads, else clear the filter, else back to the list."""
        if self.stop_filter():
            return
        if self.expression and self.tui.capture is not None:
            self._unfilter()
            self._fill(self.tui.capture, keep=False)
            return
        self.app.pop_screen()
