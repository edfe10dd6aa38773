"""Observations of the whole capture, grouped by what they are; Enter goes to the place."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Static

from analyzer.api import Capture
from analyzer.escape import printable
from analyzer.tui.entries import Entries
from analyzer.tui.headline import Headline
from analyzer.tui.lines import Line, Lines, Piece, text_of
from analyzer.tui.page import Page
from analyzer.tui.rungs import Kind
from analyzer.tui.subject import Shown, Subject
from dissectors.http.secrets import mask_text
from dissectors.notes import MEANINGS, Note, Severity, code_name
from dissectors.tables import Array

SENDER_STYLES = {"client": "client", "server": "server", "-": "dim"}
SEVERITY_STYLES = {Severity.MUST: "bad", Severity.SHOULD: "odd"}


class NoteLines(Lines):
    """A line for each kind of observation, and below an open one a line for each."""

    def __init__(self) -> None:
        super().__init__(id="notes")
        self.capture: Capture = None  # type: ignore[assignment]  # before the first snapshot
        self.open: set[int] = set()
        self.groups: list[tuple[int, Array]] = []
        self._starts: list[int] = []

    def show(self, capture: Capture) -> None:
        """Another snapshot."""
        self.capture = capture
        codes = capture.snapshot["notes"]["code"]
        found = [(int(code), np.flatnonzero(codes == code)) for code in np.unique(codes)]
        grown = bool(self.groups)
        self.groups = sorted(found, key=lambda group: (-MEANINGS[Note(group[0])].severity, -len(group[1])))
        self._place(grown)

    def _place(self, grown: bool = False) -> None:
        self._starts, at = [], 0
        for code, rows in self.groups:
            self._starts.append(at)
            at += 1 + (len(rows) if code in self.open else 0)
        self._count = at
        self.renew(grown=grown)

    def length(self) -> int:
        """Lines."""
        return self._count if self.groups else 0

    def at(self, number: int) -> tuple[int, int]:
        """Group and row of NOTES of a line; row -1 for the group's own."""
        group = int(np.searchsorted(self._starts, number, side="right")) - 1
        inside = number - self._starts[group]
        return group, int(self.groups[group][1][inside - 1]) if inside else -1

    def line(self, number: int, width: int) -> Line:
        """A group, or one observation."""
        group, row = self.at(number)
        code, rows = self.groups[group]
        meaning = MEANINGS[Note(code)]
        style = SEVERITY_STYLES.get(meaning.severity, "note")
        if row < 0:
            sign = "-" if code in self.open else "+"
            return [Piece(f"{sign} {meaning.severity.name.lower():<7}", style), Piece(f"{len(rows):>7}  ", "bold"),
                    Piece(f"{code_name(Note(code))}: ", style), Piece(meaning.sentence),
                    Piece(f" ({meaning.source})", "dim")]  # fmt: skip
        cells = self.capture.snapshot["notes"].row(row)
        connection = self.capture.notes[row].connection or "-"
        sender = self.capture.notes[row].sender or "-"
        where = f"packet {cells['packet'] + 1}" if cells["packet"] >= 0 else "-"
        detail = printable(mask_text(self.capture.snapshot.text(cells["detail"])))
        offset = f"octet {cells['offset']}" if cells["offset"] >= 0 else ""
        return [Piece(f"      {connection:<12}", "bold"), Piece(f"{where:<16}"),
                Piece(f"{sender:<8}", SENDER_STYLES[sender]),
                Piece(f"{offset:<16}", "dim"), Piece(detail)]  # fmt: skip


class NotesPage(Page):
    """The screen."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,v", "app.pop_screen", "back")]

    def compose(self) -> ComposeResult:
        """The parts."""
        yield Headline()
        yield Static("", id="titles", markup=False)
        yield NoteLines()
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Begin."""
        self.query_one(NoteLines).focus()

    def show(self, capture: Capture) -> None:
        """Another snapshot."""
        self.query_one(Headline).show(capture)
        lines = self.query_one(NoteLines)
        lines.show(capture)
        told = (
            "Enter opens a group, and goes to the place of an observation"
            if lines.groups
            else "nothing to note: all keeps to the standards"
        )
        self.query_one("#titles", Static).update(text_of([Piece(f" {told}", "dim")]))

    def subject(self) -> Subject | None:
        """The observation under the cursor, where it is one of a connection."""
        lines = self.query_one(NoteLines)
        row = lines.at(lines.cursor)[1] if lines.length() else -1
        connection = int(lines.capture.view("notes").connection_rows[row]) if row >= 0 else -1
        if connection < 0:
            return None
        entry = Entries(lines.capture, plain=False).entry(connection)
        return Subject(entry, Kind.NOTE, int(lines.capture.view("notes").rows[row]))

    def shown(self) -> Shown | None:
        """All observations."""
        lines = self.query_one(NoteLines)
        return Shown("notes", np.arange(len(lines.capture.view("notes")))) if lines.groups else None

    def on_lines_chosen(self) -> None:
        """Open or close a group; go to an observation."""
        lines = self.query_one(NoteLines)
        group, row = lines.at(lines.cursor)
        code = lines.groups[group][0]
        if row < 0:
            lines.open ^= {code}
            lines._place()
            return
        view, entries = lines.capture.view("notes"), Entries(lines.capture)
        connection, channel = int(view.connection_rows[row]), int(view.table["channel"][row])
        place = connection if connection >= 0 else entries.place((2, channel))
        if place < 0:
            self.notify("this observation belongs to no connection of the list", timeout=3)
            return
        page = self.tui.open_ladder(entries.entry(place))
        page.call_after_refresh(page.go_to, Kind.NOTE, row)
