"""What `framescope` without a capture offers."""

from __future__ import annotations

from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Static

from analyzer.bundled import PREFIX, names, stories
from analyzer.escape import printable
from analyzer.live.interfaces import busy
from analyzer.tui.lines import Line, Lines, Piece, text_of
from analyzer.tui.looks import dress, in_letters
from analyzer.tui.state import recent

TITLE = ("framescope", "Why did that WebSocket close? Open a capture with  framescope FILE...  or choose one here.")
LIVE = "live:"
"""Begins what is no capture yet but an interface."""


class Choices(Lines):
    """Recent captures, bundled ones, interfaces; each group below its title."""

    def __init__(self) -> None:
        super().__init__(id="choices")
        told = stories()
        order = sorted(names(), key=lambda name: name != "tour")
        groups = {
            "opened before": [(path, "") for path in recent()],
            "samples": [(PREFIX + name, told.get(name, "")) for name in order],
            "capture live": [(LIVE + name, story) for name, story in busy()],
        }
        self.choices = [choice for title, items in groups.items() if items for choice in [("", title), *items]]
        self.set_reactive(Lines.cursor, 1)

    def length(self) -> int:
        """Lines."""
        return len(self.choices)

    def line(self, number: int, width: int) -> Line:
        """A title; or a capture and what it shows."""
        path, story = self.choices[number]
        if not path:
            return [Piece(f" {story}", "title")]
        return [Piece(f"   {printable(path):<28} ", "client"), Piece(printable(story))]


class Welcome(App[str]):
    """Returns the path chosen, or `LIVE` and an interface."""

    CSS_PATH = "screens.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,escape", "quit", "quit")]

    def __init__(self, ascii_only: bool = False) -> None:
        super().__init__()
        self.ascii = ascii_only

    def get_key_display(self, binding: Binding) -> str:
        """A key's name; without box drawing in letters."""
        return in_letters(super().get_key_display(binding)) if self.ascii else super().get_key_display(binding)

    def compose(self) -> ComposeResult:
        """The parts."""
        yield Static(text_of([Piece(TITLE[0], "title")], [Piece(TITLE[1])]), id="welcome", markup=False)
        yield Choices()
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Begin."""
        dress(self, self.ascii)
        self.screen.set_class(self.ascii, "ascii")
        self.query_one(Choices).focus()

    def on_lines_chosen(self) -> None:
        """Open it."""
        choices = self.query_one(Choices)
        if path := choices.choices[choices.cursor][0]:
            self.exit(path)
