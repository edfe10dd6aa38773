"""The list of connections, and the verdict on the one under the cursor."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Footer, Static

from analyzer.analysis.verdicts import duration
from analyzer.api import Capture
from analyzer.errors import FilterError
from analyzer.escape import printable
from analyzer.schemas import STATES
from analyzer.times import clock, count
from analyzer.tui.columns import COLUMNS, GAP, NUMBERS, column_at, fit, widths_for
from analyzer.tui.entries import GROUPS, ORDERS, Entries, Entry, Places
from analyzer.tui.filtering import FilterBar
from analyzer.tui.headline import Headline
from analyzer.tui.lines import Line, Lines, Piece, text_of
from analyzer.tui.looks import STATE_STYLES, Signs
from analyzer.tui.marks import letter_of
from analyzer.tui.page import Page
from analyzer.tui.panel import about
from analyzer.tui.subject import Shown, Subject
from dissectors.schemas import NO_TIME

BESIDE = ("none", *GROUPS)
"""What the list can be grouped by, in the order of the key."""


class ConnectionLines(Lines):
    """One line a connection; where they are grouped, one above each group."""

    def __init__(self, signs: Signs) -> None:
        super().__init__(id="connections")
        self.signs = signs
        self.entries: Entries = None  # type: ignore[assignment]  # before the first snapshot
        self.places: Places = np.empty(0, np.int64)
        """By line: a place of `entries`, or below 0 that of a group: -1 is the first."""
        self.group = "none"
        self.groups: list[tuple[str, Places]] = []
        self.folded: set[str] = set()
        self.widths: dict[str, int] = {}
        self._cells: dict[int, Entry] = {}

    def show(self, entries: Entries, places: Places, keep: bool, group: str = "none") -> None:
        """Other rows, or the same further on. `keep`: the row under the cursor stays where it is on the screen."""
        grown = keep and self.entries is not None and entries is not self.entries
        here = self._under_cursor() if keep else None
        self.entries = entries
        self.group = group
        self.groups = entries.groups(places, group) if group != "none" else []
        self.places = self._with_headers() if self.groups else places
        self._cells.clear()
        at = self._line_of(here) if here is not None else -1
        self.renew(keep, at, grown)

    def _with_headers(self) -> Places:
        parts = []
        for number, (name, members) in enumerate(self.groups):
            parts += [np.array([-1 - number]), members if name not in self.folded else members[:0]]
        return np.concatenate(parts)

    def _under_cursor(self) -> tuple[int, int] | str | None:
        if self.entries is None or self.cursor >= len(self.places):
            return None
        place = int(self.places[self.cursor])
        return self.entries.identity(place) if place >= 0 else self.groups[-1 - place][0]

    def _line_of(self, wanted: tuple[int, int] | str) -> int:
        if isinstance(wanted, str):
            names = [name for name, _ in self.groups]
            place = -1 - names.index(wanted) if wanted in names else -1 - len(names)
        else:
            place = self.entries.place(wanted)
        found = np.flatnonzero(self.places == place)
        return int(found[0]) if len(found) else -1

    def entry(self, number: int) -> Entry:
        """The row of a line that is none of a group's own."""
        place = int(self.places[number])
        if place not in self._cells:
            if len(self._cells) > 2000:
                self._cells.clear()
            self._cells[place] = self.entries.entry(place)
        return self._cells[place]

    @property
    def current(self) -> Entry | None:
        """The row under the cursor; None on a group's own line."""
        inside = self.cursor < len(self.places) and self.places[self.cursor] >= 0
        return self.entry(self.cursor) if inside else None

    def fold(self) -> None:
        """Hide or show the group under the cursor."""
        name = self.groups[-1 - int(self.places[self.cursor])][0]
        self.folded ^= {name}
        self.places = self._with_headers()
        self.renew()

    def length(self) -> int:
        """Rows shown."""
        return len(self.places)

    def line(self, number: int, width: int) -> Line:
        """One connection, or one group."""
        self.widths = widths_for(width)
        if self.places[number] < 0:
            return self._header(*self.groups[-1 - int(self.places[number])])
        entry, line = self.entry(number), []
        mark = self.screen.tui.marks.of(Subject(entry).key)  # type: ignore[attr-defined]
        for name, least in self.widths.items():
            text, style = COLUMNS[name][2](self, entry)
            if name == "verdict" and mark is not None and mark.note:
                text, style = f"; {printable(mark.note)}  {text}", "odd"
            line.append(Piece(fit(text, least, name in NUMBERS), style))
            line.append(Piece(f"{letter_of(mark)} " if name == "state" else " " * GAP, "odd"))
        return line[:-1]

    def started(self, entry: Entry) -> str:
        """When a connection began: since the capture, since the one above it, or by the clock."""
        page = self.screen
        assert isinstance(page, Page)
        if entry.first == NO_TIME:
            return "-"
        if page.tui.times == 2:
            return clock(entry.first, page.tui.zone)[:8]
        if page.tui.times == 1:
            at = np.flatnonzero(self.places == self.entries.place_of(entry))
            above = int(self.places[int(at[0]) - 1]) if len(at) and at[0] else -1
            before = self.entries.entry(above).first if above >= 0 else NO_TIME
            wait = entry.first - before
            return f"{'+' if wait >= 0 else '-'}{duration(abs(wait))}" if before != NO_TIME else "-"
        return f"+{duration(max(entry.first - self.entries.span[0], 0))}"

    def _header(self, name: str, members: Places) -> Line:
        sign = self.signs.folded if name in self.folded else self.signs.unfolded
        states = self.entries.snapshot["connections"]["state"][members[members < self.entries.sockets]]
        numbers = np.bincount(states, minlength=len(STATES)).tolist()
        told: Line = [Piece(f"{sign} ", "bold"), Piece(f"{self.group} ", "dim"), Piece(f"{name or '-'}  ", "bold"),
                      Piece(count(len(members), "connection"), "dim")]  # fmt: skip
        return [*told, *(Piece(f"  {number} {STATES[state]}", STATE_STYLES.get(STATES[state], "dim"))
                         for state, number in enumerate(numbers) if number)]  # fmt: skip


class Titles(Static):
    """The names of the columns; a click sorts by one."""

    class Clicked(Message):
        """A column's name was clicked."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    def on_click(self, event: events.Click) -> None:
        """Which one it is."""
        self.post_message(self.Clicked(column_at(event.x, max(self.size.width - 1, 40))))


class ConnectionsPage(Page):
    """The screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter"),
        Binding("less_than_sign", "sort(-1)", "sort", key_display="<"),
        Binding("greater_than_sign", "sort(1)", "sort", show=False),
        Binding("r", "reverse", "reverse", show=False),
        Binding("b", "group", "group"),
        Binding("t", "plain", "HTTP", tooltip="show or hide plain HTTP"),
        Binding("o", "app.overview", "overview"),
        Binding("v", "app.notes", "notes"),
        Binding("escape", "step_out", "clear filter", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.by, self.reversed, self.plain, self.group = "start", False, True, "none"
        self.expression = ""
        self.wanted = self.last = ""
        """The connection that the cursor stood on when the capture was closed, and the one that it stands on."""
        self._ready: Entries | None = None

    def compose(self) -> ComposeResult:
        """The parts."""
        yield Headline()
        yield Titles("", id="titles", markup=False)
        yield ConnectionLines(self.signs)
        with Vertical(id="below"):
            yield Static("", id="verdict", markup=False)
        yield FilterBar("connections")
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Begin."""
        self.query_one(ConnectionLines).focus()

    def prepare(self, capture: Capture) -> None:
        """In the reading thread: what takes long."""
        entries = Entries(capture)
        entries.warm()
        self._ready = entries

    def show(self, capture: Capture) -> None:
        """Another snapshot."""
        ready = self._ready
        self.query_one(Headline).show(capture)
        self._choose(ready if ready is not None and ready.capture is capture else Entries(capture), keep=True)
        self._come_back()

    def _come_back(self) -> None:
        """The cursor stands where it stood when the capture was closed, unless it was moved meanwhile."""
        lines = self.query_one(ConnectionLines)
        if self.wanted and not lines.cursor:
            entry = lines.entries.named(self.wanted)
            if entry is not None:
                self.go_to(entry)
        elif lines.cursor:
            self.wanted = ""

    def go_to(self, entry: Entry) -> None:
        """Put the cursor on a connection; clear the filter if it hides it."""
        lines = self.query_one(ConnectionLines)
        for _ in range(2):
            for number in range(lines.length()):
                if lines.places[number] == lines.entries.place_of(entry):
                    self.wanted = ""
                    lines.go(number)
                    return
            if self.wanted:
                return
            self.expression, self.plain = "", True
            self._choose(keep=True)

    @property
    def current(self) -> Entry | None:
        """The connection under the cursor."""
        return self.query_one(ConnectionLines).current

    def subject(self) -> Subject | None:
        """The same."""
        return Subject(self.current) if self.current is not None else None

    def shown(self) -> Shown | None:
        """The WebSocket connections shown: plain HTTP has other fields."""
        lines = self.query_one(ConnectionLines)
        return (
            Shown("connections", lines.places[(lines.places >= 0) & (lines.places < lines.entries.sockets)])
            if lines.entries
            else None
        )

    def retime(self) -> None:
        """Starts are told in another way."""
        self.query_one(ConnectionLines).renew()

    def _choose(self, entries: Entries | None = None, keep: bool = False) -> None:
        lines = self.query_one(ConnectionLines)
        entries = entries or lines.entries
        if entries is None:
            return
        try:
            places = entries.choose(self.expression, self.plain)
        except FilterError:
            places = entries.choose("", self.plain)
        lines.show(entries, entries.order(places, self.by, self.reversed), keep, self.group)
        self._titles()
        self._verdict()

    def _titles(self) -> None:
        lines = self.query_one(ConnectionLines)
        width = max(lines.size.width, 40)
        sign = ("▾" if self.reversed else "▴") if not self.app_ascii else ("v" if self.reversed else "^")
        pieces: list[Piece] = []
        for name, least in widths_for(width).items():
            sorted_by = name == self.by
            title = fit(f"{name} {sign}" if sorted_by else name, least, name in NUMBERS)
            pieces += [Piece(title, "title" if sorted_by else "dim"), Piece(" " * GAP)]
        self.query_one("#titles", Static).update(text_of(pieces))

    def on_resize(self) -> None:
        """The columns are others."""
        height = self.size.height
        self.query_one("#below").styles.height = 7 if height < 30 else 10 if height < 50 else 15
        self.call_after_refresh(self._titles)
        self.call_after_refresh(self._verdict)

    def on_lines_moved(self) -> None:
        """Another connection under the cursor."""
        self._verdict()

    def on_lines_chosen(self) -> None:
        """Open it."""
        lines = self.query_one(ConnectionLines)
        entry = lines.current
        if entry is not None:
            self.tui.open_ladder(entry)
        elif lines.length():
            lines.fold()

    def _verdict(self) -> None:
        """What is known of the connection under the cursor."""
        lines, capture = self.query_one(ConnectionLines), self.tui.capture
        entry = lines.current
        self.last = entry.key if entry is not None else self.last
        told: list[Line] = [[Piece(self._nothing(lines), "dim")]]
        if entry is not None and capture is not None:
            told = about(capture, entry, self.signs, self.tui.zone)
        self.query_one("#verdict", Static).update(text_of(*told))

    def _nothing(self, lines: ConnectionLines) -> str:
        if lines.length():
            return "a group: Enter folds it, b groups by something else"
        if self.expression:
            return "no connection matches the filter: Esc clears it"
        if self.tui.reading:
            return "reading …"
        return "\n".join(self.tui.absence())

    # -- actions -----------------------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one(FilterBar).open(self.expression)

    def on_filter_bar_changed(self, event: FilterBar.Changed) -> None:
        """A filter that holds while it is typed."""
        self.expression = event.expression
        self._choose()

    def on_filter_bar_closed(self) -> None:
        """Back to the list."""
        self.query_one(ConnectionLines).focus()

    def filter_state(self, expression: str) -> tuple[int, int]:
        """Matches, and rows in all.

        Raises: FilterError where it does not compile.
        """
        entries = self.query_one(ConnectionLines).entries
        return len(entries.choose(expression, self.plain)), len(entries)

    def stop_filter(self) -> bool:
        """No filter takes long here."""
        return False

    def action_sort(self, step: int) -> None:
        """By the next or the previous column."""
        names = list(ORDERS)
        self.by = names[(names.index(self.by) + step) % len(names)]
        self._choose(keep=True)
        if self.by not in self.query_one(ConnectionLines).widths:  # else its title tells it
            self.notify(f"sorted by {self.by}", timeout=1)

    def on_titles_clicked(self, event: Titles.Clicked) -> None:
        """Sort by a column; a second click turns it round."""
        if event.column in ORDERS:
            self.reversed = not self.reversed if event.column == self.by else False
            self.by = event.column
            self._choose(keep=True)

    def action_reverse(self) -> None:
        """The other way round."""
        self.reversed = not self.reversed
        self._choose(keep=True)

    def action_group(self) -> None:
        """By server, by path, by verdict, or not at all."""
        self.group = BESIDE[(BESIDE.index(self.group) + 1) % len(BESIDE)]
        self._choose(keep=True)

    def action_plain(self) -> None:
        """Show or hide plain HTTP."""
        self.plain = not self.plain
        self._choose()

    def action_step_out(self) -> None:
        """Clear the filter."""
        if self.expression:
            self.expression = ""
            self._choose()
