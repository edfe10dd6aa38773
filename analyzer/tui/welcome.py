"""What `framescope` without a capture offers."""

from __future__ import annotations

from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Static

from analyzer.bundled import PREFIX, names, stories
from analyzer.escape import printable
from analyzer.tui.lines import Line, Lines, Piece
from analyzer.tui.looks import THEME
from analyzer.tui.page import text_of
from analyzer.tui.state import recent

TITLE = """\
 framescope
 why did that WebSocket close? Open a capture:  framescope FILE...   or choose one below."""


class Choices(Lines):
    """Recent captures, then the bundled ones."""

    def __init__(self) -> None:
        super().__init__(id="choices")
        told = stories()
        self.choices = [(path, "opened before") for path in recent()]
        order = sorted(names(), key=lambda name: name != "tour")
        self.choices += [(PREFIX + name, told.get(name, "")) for name in order]

    def length(self) -> int:
        """Lines."""
        return len(self.choices)

    def line(self, number: int, width: int) -> Line:
        """A capture and what it shows."""
        path, story = self.choices[number]
        return [Piece(f" {printable(path):<30} ", "client"), Piece(printable(story))]


class Welcome(App[str]):
    """Returns the path chosen."""

    CSS_PATH = "screens.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,escape", "quit", "quit")]

    def compose(self) -> ComposeResult:
        """The parts."""
        yield Static(text_of(*([Piece(line, "bold")] for line in TITLE.split("\n"))), id="welcome", markup=False)
        yield Choices()
        yield Footer()

    def on_mount(self) -> None:
        """Begin."""
        self.register_theme(THEME)
        self.theme = THEME.name
        self.query_one(Choices).focus()

    def on_lines_chosen(self) -> None:
        """Open it."""
        choices = self.query_one(Choices)
        self.exit(choices.choices[choices.cursor][0])
