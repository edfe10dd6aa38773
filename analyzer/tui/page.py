"""What all screens have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.screen import Screen

from analyzer.api import Capture
from analyzer.tui.keymap import Named
from analyzer.tui.lines import Lines
from analyzer.tui.looks import ASCII, UNICODE, Signs

if TYPE_CHECKING:
    from analyzer.tui.app import FramescopeApp
    from analyzer.tui.subject import Shown, Subject

TIMES = ("since start", "since last", "time of day")
"""How times are told."""

TALL = 36
"""Lines of a screen that has room for the bits of a frame below its octets."""


class Page(Named, Screen[None]):
    """A screen that shows a snapshot and is told when there is another one. A subclass says which row its cursor stands
    on (`subject`) and which rows it shows (`shown`); what can be done with rows is in `actions`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+f", "search", "search payloads", show=False),
        Binding("n", "hit(1)", "next hit of the search", show=False),
        Binding("N", "hit(-1)", "previous hit of the search", show=False),
        Binding("m", "mark", "mark the row", show=False),
        Binding("apostrophe", "marks", "marks and notes", show=False),
        Binding("semicolon", "note", "write a note on the row", show=False),
        Binding("y", "copy", "copy the row as", show=False),
        Binding("x", "export", "export", show=False),
        Binding("backslash", "zoom_pane", "zoom a pane", show=False),
        Binding("w", "times", "times", show=False),
    ]

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

    # -- what a subclass says ----------------------------------------------------------------------------------------

    def prepare(self, capture: Capture) -> None:
        """Compute what takes long of a snapshot that `show` is about to be given. Called in the reading thread, so that
        keys need not wait for it; it touches no widget."""

    def show(self, capture: Capture) -> None:
        """Show a snapshot."""
        raise NotImplementedError

    def subject(self) -> Subject | None:
        """The row under the cursor."""
        return None

    def label(self) -> str:
        """That row as it looks."""
        return next((lines.label() for lines in self.query(Lines) if lines.length()), "")

    def shown(self) -> Shown | None:
        """The rows that the screen shows."""
        return None

    def look_apart(self) -> None:
        """Take what was done apart, now and then."""

    def retime(self) -> None:
        """Times are told in another way."""

    def remark(self) -> None:
        """Marks or notes changed."""
        for lines in self.query(Lines):
            lines.renew()

    # -- actions -----------------------------------------------------------------------------------------------------

    def action_search(self) -> None:
        """Look for something in all payloads."""
        from analyzer.tui.search_page import SearchPage

        self.app.push_screen(SearchPage())

    def action_hit(self, step: int) -> None:
        """To the next hit, or the one before."""
        self.tui.step_hit(step)

    def action_mark(self) -> None:
        """Give the row a letter."""
        from analyzer.tui.actions import mark

        mark(self)

    def action_marks(self) -> None:
        """The list of them."""
        from analyzer.tui.marks import MarksPage

        self.app.push_screen(MarksPage())

    def action_note(self) -> None:
        """Say something about the row."""
        from analyzer.tui.actions import annotate

        annotate(self)

    def action_copy(self) -> None:
        """Take the row to the clipboard."""
        from analyzer.tui.actions import copy

        copy(self)

    def action_export(self) -> None:
        """Write rows, a payload or packets to a file."""
        from analyzer.tui.actions import export

        export(self)

    def action_zoom_pane(self) -> None:
        """The list alone, or everything again."""
        self.toggle_class("zoomed")

    def action_times(self) -> None:
        """Since start, since the last row, time of day: everywhere."""
        self.tui.times = (self.tui.times + 1) % len(TIMES)
        self.retime_all()

    def retime_all(self) -> None:
        """Tell times on all screens as they are told now."""
        for screen in self.app.screen_stack:
            if isinstance(screen, Page):
                screen.retime()
