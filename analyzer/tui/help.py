"""Help, generated from the bindings: what the keys of the screen below do, searched as one types."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from analyzer.escape import printable
from analyzer.tui import keymap
from analyzer.tui.lines import Line, Piece, text_of

WORDS = """\
A frame is a WebSocket frame (RFC 6455 §5.2). What Wireshark calls a frame is a packet here, with the same number.
Blue is the client, orange the server; arrows point the way that octets went, brackets join the fragments of a message.
A time with + counts from the first octet of the connection. 1005, 1006 and 1015 never cross a wire: they are what an
API reports. Most things can be clicked: a line, a second time to open it, a column's name to sort by it, a tab."""
LEFT_OUT = ("scroll_", "page_", "app.focus_", "screen.", "help_quit", "copy_text", "quit_", "app.help")
"""Actions that every Textual program has, and nobody asks for here."""


def told(action: str) -> bool:
    """Whether help tells of an action."""
    return not action.startswith(LEFT_OUT)


class HelpScreen(ModalScreen[None]):
    """The keys of a screen."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,f1", "dismiss", "close")]

    def __init__(self, keys: list[tuple[str, str, str]], problems: list[str]) -> None:
        super().__init__()
        self.keys, self.problems = keys, problems

    def compose(self) -> ComposeResult:
        """The parts."""
        with VerticalScroll(id="help"):
            yield Input(placeholder="search keys and what they do; Esc closes", id="search")
            yield Static("", id="keys", markup=False)

    def on_mount(self) -> None:
        """Begin."""
        self.query_one("#help").border_title = "help"
        self.set_class(any(screen.has_class("ascii") for screen in self.app.screen_stack), "ascii")
        self._tell("")
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search."""
        self._tell(event.value.lower())

    def _tell(self, text: str) -> None:
        lines: list[Line] = [[]] if self.problems else []
        lines += [[Piece(printable(problem), "bad")] for problem in self.problems]
        group = ""
        for where, key, what in self.keys:
            if text not in key.lower() and text not in what.lower():
                continue
            if where != group:
                lines += [[], [Piece(where, "bold")]]
                group = where
            lines.append([Piece(f"  {key:<18}", "odd"), Piece(what)])
        if not text:
            lines += [[], [Piece("words", "bold")], *([Piece(f"  {line}")] for line in WORDS.split("\n"))]
            lines += [[], [Piece("other keys", "bold")], [Piece(f"  framescope keys > {keymap.path()}", "plain")],
                      [Piece("  writes a file of all of them, to be changed", "plain")]]  # fmt: skip
        self.query_one("#keys", Static).update(text_of(*lines[1:] if lines else [[Piece("no key does that", "dim")]]))
