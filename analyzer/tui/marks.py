"""Marks and notes that somebody put on rows, and the screen that lists them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Static

from analyzer.api import Capture
from analyzer.escape import cut, printable
from analyzer.tui.headline import Headline
from analyzer.tui.lines import Line, Lines, Piece, text_of
from analyzer.tui.page import Page
from analyzer.tui.subject import Key, Subject

LABEL = 160
"""Characters of a row that are kept with its mark."""


@dataclass(slots=True)
class Mark:
    """What somebody said of a row: a letter, a note, or both. `label` is the row as it looked."""

    key: Key
    label: str
    letter: str = ""
    note: str = ""


class Marks:
    """All of a capture's."""

    def __init__(self) -> None:
        self._marks: dict[Key, Mark] = {}
        self.changes = 0

    def __iter__(self) -> Iterator[Mark]:
        return iter(sorted(self._marks.values(), key=lambda mark: (mark.letter or "~", mark.key)))

    def __len__(self) -> int:
        return len(self._marks)

    def of(self, key: Key) -> Mark | None:
        """The mark on a row."""
        return self._marks.get(key)

    def lettered(self, letter: str) -> Mark | None:
        """The row that has a letter."""
        return next((mark for mark in self._marks.values() if mark.letter == letter), None)

    def free(self) -> str:
        """The first letter that no row has."""
        taken = {mark.letter for mark in self._marks.values()}
        return next((letter for letter in (*ascii_lowercase, *ascii_lowercase.upper()) if letter not in taken), "*")

    def letter(self, key: Key, label: str, letter: str) -> None:
        """Give a row a letter, which another one may have had; "" takes its letter away."""
        other = self.lettered(letter) if letter and letter != "*" else None
        if other is not None:
            other.letter = ""
            self._drop(other)
        self._put(key, label).letter = letter
        self._drop(self._marks[key])

    def annotate(self, key: Key, label: str, note: str) -> None:
        """Say something about a row; "" takes the note away."""
        self._put(key, label).note = note.strip()
        self._drop(self._marks[key])

    def remove(self, key: Key) -> None:
        """Forget a row's letter and note."""
        self.changes += 1
        self._marks.pop(key, None)

    def _put(self, key: Key, label: str) -> Mark:
        self.changes += 1
        return self._marks.setdefault(key, Mark(key, label[:LABEL]))

    def _drop(self, mark: Mark) -> None:
        if not mark.letter and not mark.note:
            self._marks.pop(mark.key, None)

    # -- kept ----------------------------------------------------------------------------------------------------------

    def kept(self) -> list[dict[str, Any]]:
        """As plain values."""
        return [{"connection": mark.key[0], "kind": mark.key[1], "row": mark.key[2], "letter": mark.letter,
                 "note": mark.note, "label": mark.label} for mark in self]  # fmt: skip

    def restore(self, values: object) -> None:
        """Take back what was kept; what is no mark is left out."""
        for value in values if isinstance(values, list) else []:
            try:
                key = (str(value["connection"]), int(value["kind"]), int(value["row"]))
                mark = Mark(key, str(value["label"])[:LABEL], str(value["letter"])[:1], str(value["note"]))
            except (KeyError, TypeError, ValueError):
                continue
            if mark.letter or mark.note:
                self._marks[key] = mark


def letter_of(mark: Mark | None) -> str:
    """What stands in the one column that rows have for it."""
    if mark is None:
        return " "
    return printable(mark.letter)[:1] or ";"


def note_of(mark: Mark | None) -> list[Piece]:
    """A row's note, to be put before what the row says."""
    return [Piece(f"; {printable(mark.note)}  ", "odd")] if mark is not None and mark.note else []


class MarkLines(Lines):
    """A line each."""

    def __init__(self) -> None:
        super().__init__(id="marks")
        self.marks: list[Mark] = []

    def show(self, marks: Marks) -> None:
        """Others."""
        self.marks = list(marks)
        self.renew()

    def length(self) -> int:
        """Rows with a mark or a note."""
        return len(self.marks)

    def line(self, number: int, width: int) -> Line:
        """Letter, connection, note, and the row."""
        mark = self.marks[number]
        return [Piece(f" {letter_of(mark)}  ", "odd"), Piece(f"{cut(printable(mark.key[0]), 12):<13}", "bold"),
                *note_of(mark), Piece(printable(mark.label), "dim")]  # fmt: skip


class MarksPage(Page):
    """The list: a letter goes to its row at once."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,apostrophe", "app.pop_screen", "back"),
        Binding("delete,backspace", "remove", "remove"),
        Binding("semicolon", "note", "note"),
        Binding("enter", "choose", "go there", show=False),
    ]

    def compose(self) -> ComposeResult:
        """The parts."""
        yield Headline()
        yield Static("", id="titles", markup=False)
        yield MarkLines()
        yield Footer()

    def on_mount(self) -> None:
        """Begin."""
        self.query_one(MarkLines).focus()
        super().on_mount()

    def show(self, capture: Capture) -> None:
        """Another snapshot, or other marks."""
        self.query_one(Headline).show(capture)
        self.query_one(MarkLines).show(self.tui.marks)
        told = "a letter, or Enter, goes to its row" if len(self.tui.marks) else "no marks: m sets one, ; writes a note"
        self.query_one("#titles", Static).update(text_of([Piece(f" {told}", "dim")]))

    def remark(self) -> None:
        """Marks changed."""
        if self.tui.capture is not None:
            self.show(self.tui.capture)

    @property
    def current(self) -> Mark | None:
        """The one under the cursor."""
        lines = self.query_one(MarkLines)
        return lines.marks[lines.cursor] if lines.cursor < len(lines.marks) else None

    def subject(self) -> Subject | None:
        """The row that is marked."""
        return self.tui.subject_of(self.current.key) if self.current is not None else None

    def label(self) -> str:
        """The row as it looked."""
        return self.current.label if self.current is not None else ""

    def on_key(self, event: events.Key) -> None:
        """A letter goes to its row."""
        mark = self.tui.marks.lettered(event.character) if event.character else None
        if mark is not None:
            event.stop()
            event.prevent_default()
            self._go(mark)

    def on_lines_chosen(self) -> None:
        """Go there."""
        if self.current is not None:
            self._go(self.current)

    def _go(self, mark: Mark) -> None:
        subject = self.tui.subject_of(mark.key)
        if subject is None:
            self.notify("this row is not in the capture, as far as it is read", severity="warning", timeout=3)
            return
        self.app.pop_screen()
        self.tui.go_to(subject)

    def action_remove(self) -> None:
        """Forget it."""
        if self.current is not None:
            self.tui.marks.remove(self.current.key)
            self.tui.remark()
