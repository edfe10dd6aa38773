"""What all screens have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rich.text import Text
from textual.screen import Screen

from analyzer.api import Capture
from analyzer.tui.lines import Line
from analyzer.tui.looks import ASCII, STYLES, UNICODE, Signs

if TYPE_CHECKING:
    from analyzer.tui.app import FramescopeApp


TALL = 36
"""Lines of a screen that has room for the bits of a frame below its octets."""


def text_of(*lines: Line) -> Text:
    """Lines as one text. Never markup: what peers sent would be read as it."""
    text = Text(no_wrap=False, end="")
    for number, line in enumerate(lines):
        if number:
            text.append("\n")
        for piece in line:
            text.append(piece.text, STYLES[piece.style])
    return text


class Page(Screen[None]):
    """A screen that shows a snapshot and is told when there is another one."""

    @property
    def tui(self) -> FramescopeApp:
        """The program."""
        return cast("FramescopeApp", self.app)

    @property
    def app_ascii(self) -> bool:
        """Without box drawing."""
        return self.tui.ascii

    @property
    def signs(self) -> Signs:
        """What lines are drawn with."""
        return ASCII if self.tui.ascii else UNICODE

    def on_resize(self) -> None:
        """A tall screen shows more."""
        self.set_class(self.size.height >= TALL, "tall")

    def on_mount(self) -> None:
        """Show what there is."""
        self.set_class(self.tui.ascii, "ascii")
        self.tui.dress(self)
        if self.tui.capture is not None:
            self.show(self.tui.capture)

    def prepare(self, capture: Capture) -> None:
        """Compute what takes long of a snapshot that `show` is about to be given. Called in the reading thread, so that
        keys need not wait for it; it touches no widget."""

    def show(self, capture: Capture) -> None:
        """Show a snapshot."""
        raise NotImplementedError
