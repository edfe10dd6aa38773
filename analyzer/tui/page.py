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

    def on_mount(self) -> None:
        """Show what there is."""
        self.tui.dress(self)
        if self.tui.capture is not None:
            self.show(self.tui.capture)

    def show(self, capture: Capture) -> None:
        """Show a snapshot."""
        raise NotImplementedError
