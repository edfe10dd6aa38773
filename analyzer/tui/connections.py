"""The list of connections, and the verdict on the one under the cursor."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Footer, Static

from analyzer.analysis.verdicts import duration, tell
from analyzer.api import Capture
from analyzer.errors import FilterError
from analyzer.escape import printable
from analyzer.times import clock, count, size
from analyzer.tui.entries import ORDERS, Entries, Entry, Places
from analyzer.tui.filtering import FilterBar
from analyzer.tui.headline import Headline
from analyzer.tui.lines import Line, Lines, Piece
from analyzer.tui.looks import STATE_STYLES, Signs, state_sign
from analyzer.tui.marks import letter_of
from analyzer.tui.page import Page, text_of
from analyzer.tui.subject import Shown, Subject
from dissectors.http.secrets import mask_text
from dissectors.schemas import NO_TIME

GAP = 2

Cell = Callable[["ConnectionLines", Entry], tuple[str, str]]


def _state(lines: ConnectionLines, entry: Entry) -> tuple[str, str]:
    code = ""
    if entry.connection >= 0:
        number = lines.entries.snapshot["closes"].row(entry.connection)["close_code"]
        code = f" {number}" if number >= 0 else ""
    word = "other" if entry.state == "other-protocol" else entry.state
    return f"{state_sign(lines.signs, entry.state)} {word}{code}", STATE_STYLES.get(entry.state, "plain")


def _activity(lines: ConnectionLines, entry: Entry) -> tuple[str, str]:
    counts = lines.entries.activity(entry, lines.widths["activity"])
    top = max(max(counts), 1)
    bars = lines.signs.bars
    steps = len(bars) - 1
    return "".join(bars[min(-(-number * steps // top), steps)] for number in counts), "line"


def _both(values: tuple[int, int], told: Callable[[int], str]) -> str:
    return f"{told(values[0])}/{told(values[1])}"


def _start(lines: ConnectionLines, entry: Entry) -> tuple[str, str]:
    if entry.first == NO_TIME:
        return "-", "dim"
    page = lines.screen
    assert isinstance(page, Page)
    if page.tui.times == 2:
        return clock(entry.first, page.tui.zone)[:8], "dim"
    if page.tui.times == 1:
        at = np.flatnonzero(lines.places == lines.entries.place(entry))
        before = lines.entry(int(at[0]) - 1) if len(at) and at[0] else None
        if before is None or before.first == NO_TIME:
            return "-", "dim"
        wait = entry.first - before.first
        return f"{'+' if wait >= 0 else '-'}{duration(abs(wait))}", "dim"
    return f"+{duration(max(entry.first - lines.entries.span[0], 0))}", "dim"


COLUMNS: dict[str, tuple[int, int, Cell]] = {
    "state": (14, 0, _state),
    "start": (9, 4, _start),
    "client": (21, 3, lambda lines, entry: (entry.client, "client")),
    "server": (21, 2, lambda lines, entry: (entry.server, "server")),
    "path": (18, 0, lambda lines, entry: (entry.path, "bold")),
    "subprotocol": (12, 6, lambda lines, entry: (entry.subprotocol or "-", "plain" if entry.subprotocol else "dim")),
    "deflate": (7, 7, lambda lines, entry: ("deflate", "plain") if entry.compressed else ("-", "dim")),
    "messages": (11, 1, lambda lines, entry: (_both(entry.messages, lambda number: f"{number}"), "plain")),
    "octets": (17, 5, lambda lines, entry: (_both(entry.octets, size), "plain")),
    "lasted": (9, 1, lambda lines, entry: (duration(entry.lasted) if entry.lasted >= 0 else "-", "plain")),
    "activity": (16, 8, _activity),
    "notes": (5, 9, lambda lines, entry: (str(entry.notes) if entry.notes else "", "note")),
    "verdict": (18, 0, lambda lines, entry: (entry.verdict, STATE_STYLES.get(entry.state, "plain"))),
}  # fmt: skip
"""Columns in the order of the screen: least width, when they come in (0: always), and the cell. The last one takes what
is left."""
FLEXIBLE = {"path": 34, "client": 27, "server": 27, "activity": 32, "subprotocol": 18}
"""Columns that grow on a wide screen, and how far."""
VERDICT_WISH = 44


def widths_for(width: int) -> dict[str, int]:
    """Which columns a screen has room for, and how wide they are."""
    chosen = {name for name, (_, rank, _) in COLUMNS.items() if rank == 0}
    used = sum(COLUMNS[name][0] + GAP for name in chosen) - GAP
    for name, (least, rank, _) in sorted(COLUMNS.items(), key=lambda item: item[1][1]):
        room = VERDICT_WISH - COLUMNS["verdict"][0] if rank > 3 else 0
        if rank and used + least + GAP + room <= width:
            chosen.add(name)
            used += least + GAP
    widths = {name: least for name, (least, _, _) in COLUMNS.items() if name in chosen}
    spare = width - used
    wish = max(min(VERDICT_WISH - widths["verdict"], spare), 0)
    widths["verdict"] += wish
    spare -= wish
    for name, most in FLEXIBLE.items():
        if name in widths:
            more = min(most - widths[name], spare // 2 if name != "subprotocol" else spare // 3)
            widths[name] += max(more, 0)
            spare -= max(more, 0)
    widths["verdict"] += spare
    return widths


class ConnectionLines(Lines):
    """One line a connection."""

    def __init__(self, signs: Signs) -> None:
        super().__init__(id="connections")
        self.signs = signs
        self.entries: Entries = None  # type: ignore[assignment]  # before the first snapshot
        self.places: Places = np.empty(0, np.int64)
        self.widths: dict[str, int] = {}
        self._cells: dict[int, Entry] = {}

    def show(self, entries: Entries, places: Places, keep: bool) -> None:
        """Other rows, or the same further on."""
        here = int(self.places[self.cursor]) if keep and self.cursor < len(self.places) else -1
        grown = here >= 0 and len(entries) != len(self.entries) if self.entries is not None else False
        self.entries, self.places = entries, places
        self._cells.clear()
        if here >= 0 and not grown:
            found = np.flatnonzero(places == here)
            if len(found):
                self.set_reactive(Lines.cursor, int(found[0]))
        self.renew(keep)

    def entry(self, number: int) -> Entry:
        """The row of a line."""
        place = int(self.places[number])
        if place not in self._cells:
            if len(self._cells) > 2000:
                self._cells.clear()
            self._cells[place] = self.entries.entry(place)
        return self._cells[place]

    @property
    def current(self) -> Entry | None:
        """The row under the cursor."""
        return self.entry(self.cursor) if self.cursor < len(self.places) else None

    def length(self) -> int:
        """Rows shown."""
        return len(self.places)

    def line(self, number: int, width: int) -> Line:
        """One connection."""
        self.widths = widths_for(width)
        entry, line = self.entry(number), []
        mark = self.screen.tui.marks.of(Subject(entry).key)  # type: ignore[attr-defined]
        for name, least in self.widths.items():
            text, style = COLUMNS[name][2](self, entry)
            if name == "verdict" and mark is not None and mark.note:
                text, style = f"; {printable(mark.note)}  {text}", "odd"
            line.append(Piece(fit(text, least), style))
            line.append(Piece(f"{letter_of(mark)} " if name == "state" else " " * GAP, "odd"))
        return line[:-1]


def fit(text: str, width: int) -> str:
    """A text of exactly this many characters."""
    return text.ljust(width) if len(text) <= width else text[: max(width - 1, 0)] + "…"


class ConnectionsPage(Page):
    """The screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter"),
        Binding("less_than_sign", "sort(-1)", "sort", key_display="<"),
        Binding("greater_than_sign", "sort(1)", "sort", show=False),
        Binding("r", "reverse", "reverse"),
        Binding("t", "plain", "HTTP on/off"),
        Binding("o", "app.overview", "overview"),
        Binding("v", "app.notes", "notes"),
        Binding("escape", "step_out", "clear filter", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.by, self.reversed, self.plain = "start", False, True
        self.expression = ""
        self.wanted = self.last = ""
        """The connection that the cursor stood on when the capture was closed, and the one that it stands on."""

    def compose(self) -> ComposeResult:
        """The parts."""
        yield Headline()
        yield Static("", id="titles", markup=False)
        yield ConnectionLines(self.signs)
        with Vertical(id="below"):
            yield Static("", id="verdict", markup=False)
        yield FilterBar("connections")
        yield Footer()

    def on_mount(self) -> None:
        """Begin."""
        self.query_one(ConnectionLines).focus()
        super().on_mount()

    def show(self, capture: Capture) -> None:
        """Another snapshot."""
        self.query_one(Headline).show(capture)
        self._choose(Entries(capture), keep=True)
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
                if lines.places[number] == lines.entries.place(entry):
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
        return Shown("connections", lines.places[lines.places < lines.entries.sockets]) if lines.entries else None

    def retime(self) -> None:
        """Starts are told in another way."""
        self.query_one(ConnectionLines).renew()

    def on_click(self, event: events.Click) -> None:
        """A click on a title sorts by it, another one the other way round."""
        if event.widget is None or event.widget.id != "titles":
            return
        at = 0
        for name, width in widths_for(max(self.query_one(ConnectionLines).size.width, 40)).items():
            at += width + GAP
            if event.x < at:
                if name in ORDERS:
                    self.reversed = not self.reversed if name == self.by else False
                    self.by = name
                    self._choose(keep=True)
                return

    def _choose(self, entries: Entries | None = None, keep: bool = False) -> None:
        lines = self.query_one(ConnectionLines)
        entries = entries or lines.entries
        if entries is None:
            return
        try:
            places = entries.choose(self.expression, self.plain)
        except FilterError:
            places = entries.choose("", self.plain)
        lines.show(entries, entries.order(places, self.by, self.reversed), keep)
        self._titles()
        self._verdict()

    def _titles(self) -> None:
        lines = self.query_one(ConnectionLines)
        width = max(lines.size.width, 40)
        sign = ("▾" if self.reversed else "▴") if not self.app_ascii else ("v" if self.reversed else "^")
        told = []
        for name, least in widths_for(width).items():
            title = {"state": "state", "messages": "messages"}.get(name, name)
            told.append(fit(f"{title} {sign}" if name == self.by else title, least))
        self.query_one("#titles", Static).update(text_of([Piece((" " * GAP).join(told), "dim")]))

    def on_resize(self) -> None:
        """The columns are others."""
        self.call_after_refresh(self._titles)
        self.call_after_refresh(self._verdict)

    def on_lines_moved(self) -> None:
        """Another connection under the cursor."""
        self._verdict()

    def on_lines_chosen(self) -> None:
        """Open it."""
        entry = self.query_one(ConnectionLines).current
        if entry is not None:
            self.tui.open_ladder(entry)

    def _verdict(self) -> None:
        """What is known of the connection under the cursor."""
        panel = self.query_one("#verdict", Static)
        entry = self.query_one(ConnectionLines).current
        capture = self.tui.capture
        self.last = entry.key if entry is not None else self.last
        if entry is None or capture is None:
            panel.update(text_of([Piece(self._nothing(), "dim")]))
            return
        style = STATE_STYLES.get(entry.state, "plain")
        lines: list[Line] = [
            [Piece(f"{entry.key}  ", "dim"), Piece(entry.client, "client"), Piece(f" {self.signs.right} ", "line"),
             Piece(entry.server, "server"), Piece(f"  {entry.path}", "bold")],
            [Piece(entry.verdict, style)],
        ]  # fmt: skip
        if entry.connection >= 0:
            telling = tell(capture.snapshot, entry.connection)
            lines.append([Piece("  likely: ", "dim"), Piece(printable(mask_text(telling.likely)), "odd")])
            for item in telling.evidence[: 3 if self.size.height < 30 else 6]:
                where = f"packet {item.packet + 1}: " if item.packet >= 0 else ""
                lines.append([Piece(f"  {where}", "dim"), Piece(printable(mask_text(item.text)))])
        else:
            started = clock(entry.first, self.tui.zone, True)
            lines.append([Piece(f"  plain HTTP, {count(entry.messages[0], 'exchange')}, from {started}", "dim")])
        panel.update(text_of(*lines))

    def _nothing(self) -> str:
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

    def action_sort(self, step: int) -> None:
        """By the next or the previous column."""
        names = list(ORDERS)
        self.by = names[(names.index(self.by) + step) % len(names)]
        self._choose(keep=True)
        self.notify(f"sorted by {self.by}", timeout=1)

    def action_reverse(self) -> None:
        """The other way round."""
        self.reversed = not self.reversed
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
