"""A list of any number of lines, each made when it is looked at.

Textual's DataTable makes every cell when it is filled: seconds for 100,000 rows. Here a list costs what its visible
lines cost, whatever its length.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from analyzer.tui.keymap import Named
from analyzer.tui.looks import STYLES

REMEMBERED = 512
"""Lines kept after they left the screen: several screens of 200x60."""


class Piece(NamedTuple):
    """A run of text in one style, a name of `looks.STYLES`. The text has passed the escaping door."""

    text: str
    style: str = "plain"


Line = Sequence[Piece]


def text_of(*lines: Line) -> Text:
    """Lines as one text. Never markup: what peers sent would be read as it."""
    text = Text(no_wrap=False, end="")
    for number, line in enumerate(lines):
        if number:
            text.append("\n")
        for piece in line:
            text.append(piece.text, STYLES[piece.style])
    return text


def strip_of(line: Line, width: int, over: Style | None = None) -> Strip:
    """A line cut or filled to a width."""
    segments, left = [], width
    for piece in line:
        if left <= 0:
            break
        text = piece.text
        size = cell_len(text)
        if size > left:
            text = set_cell_size(text, left - 1) + "…" if left > 1 else "…"[:left]
            size = left
        segments.append(Segment(text, STYLES[piece.style]))
        left -= size
    if left > 0:
        segments.append(Segment(" " * left, STYLES["plain"]))
    if over is not None:
        segments = [Segment(segment.text, (segment.style or STYLES["plain"]) + over) for segment in segments]
    return Strip(segments, width)


class Lines(Named, ScrollView, can_focus=True, inherit_bindings=False):
    """The list. A subclass says how many lines there are (`length`) and makes one (`line`); `renew` says that they
    changed. The cursor stays on its line when lines are added."""

    DEFAULT_CSS = """
    Lines { height: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown,space", "page(1)", "page down", show=False),
        Binding("ctrl+u", "page(-0.5)", "half a page up", show=False),
        Binding("ctrl+d", "page(0.5)", "half a page down", show=False),
        Binding("home", "first", "first", show=False),
        Binding("g", "double_g", "gg: first", show=False),
        Binding("end,G", "last", "last", show=False),
        Binding("enter,l,right", "choose", "open"),
        Binding("F", "follow", "follow: stay at the end while it grows", show=False),
    ]

    cursor = reactive(0, repaint=False)

    class Moved(Message):
        """The cursor stands on another line."""

        def __init__(self, lines: Lines) -> None:
            super().__init__()
            self.lines = lines

        @property
        def control(self) -> Lines:
            """The list."""
            return self.lines

    class Chosen(Message):
        """A line was opened."""

        def __init__(self, lines: Lines) -> None:
            super().__init__()
            self.lines = lines

        @property
        def control(self) -> Lines:
            """The list."""
            return self.lines

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._made: OrderedDict[tuple[int, int, Style | None], Strip] = OrderedDict()
        self._g = False
        self.follow = self._follows = False
        """Whether the cursor stays at the end while lines are added; and whether it should once it is there again."""
        self._known = 0
        self._news = 0
        """Lines that were added behind what is shown while nobody followed."""

    # -- what a subclass says ----------------------------------------------------------------------------------------

    def length(self) -> int:
        """How many lines there are."""
        raise NotImplementedError

    def line(self, number: int, width: int) -> Line:
        """A line."""
        raise NotImplementedError

    def label(self, width: int = 200) -> str:
        """The line under the cursor in one text."""
        return " ".join("".join(piece.text for piece in self.line(self.cursor, width)).split())

    # -- drawing -----------------------------------------------------------------------------------------------------

    def renew(self, keep: bool = True, at: int = -1, grown: bool = False) -> None:
        """The lines changed. `keep`: those that were there stand where they stood; `at` is the number that the line
        under the cursor has now, where that is known: it stays at its place on the screen. `grown`: they are the same
        choice of a capture that grew, so that one more is a new one."""
        self._made.clear()
        self.virtual_size = Size(self.size.width, self.length())
        if not keep:
            self.cursor = 0
            self.scroll_to(y=0, animate=False, immediate=True)
        elif at >= 0 and at != self.cursor:
            top = self.scroll_offset.y + at - self.cursor
            self.set_reactive(Lines.cursor, at)
            self.scroll_to(y=max(top, 0), animate=False, immediate=True)
        self._grow(keep and grown)
        self.cursor = min(self.cursor, max(self.length() - 1, 0))
        self.refresh()

    def _grow(self, grown: bool) -> None:
        """Follow what was added, or count it; among other lines than before nothing is new."""
        added = self.length() - self._known if self._known else 0
        self._known = self.length()
        if self.follow:
            self.set_reactive(Lines.cursor, max(self.length() - 1, 0))
            self._show()
        elif added and not grown:
            self._news = 0
        elif not self.at_end() and not getattr(self.app, "is_live", False):  # there the line on top tells it
            self._news += max(added, 0)

    def at_end(self) -> bool:
        """Whether the last line is shown."""
        return self.scroll_offset.y + self.size.height >= self.length()

    def on_resize(self) -> None:
        """Lines are made for a width."""
        self._made.clear()
        self.virtual_size = Size(self.size.width, self.length())
        self._show()

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        number, width = y + self.scroll_offset.y, self.scrollable_content_region.width
        if number >= self.length():
            return Strip.blank(width, self.rich_style)
        over = None
        if number == self.cursor:
            over = STYLES["cursor" if self.has_focus else "cursor-away"]
        if self._news and y == self.size.height - 1 and not self.at_end():
            return self._with_news(self.line(number, width), width, over)
        strip = self._made.get((number, width, over))
        if strip is None:
            strip = strip_of(self.line(number, width), width, over).apply_style(self.rich_style)
            self._made[number, width, over] = strip
            if len(self._made) > REMEMBERED:
                self._made.popitem(last=False)
        return strip

    def notify_style_update(self) -> None:
        """Lines are made with the colours of a theme."""
        self._made.clear()
        super().notify_style_update()

    def _with_news(self, line: Line, width: int, over: Style | None) -> Strip:
        told = f" {self._news} new: G "
        room = max(width - len(told), 0)
        tag = strip_of([Piece(told, "odd")], width - room, STYLES["cursor"])
        return Strip.join([strip_of(line, room, over), tag]).apply_style(self.rich_style)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Where the end is seen, nothing is new any more."""
        super().watch_scroll_y(old_value, new_value)
        if self.at_end():
            self._news = 0

    def watch_cursor(self, before: int, after: int) -> None:
        """Draw the two lines that changed, and say so."""
        for number in (before, after):
            self.refresh_line(number - self.scroll_offset.y)
        self._show()
        self.post_message(self.Moved(self))

    def _show(self) -> None:
        """Bring the cursor's line into view."""
        top, height = self.scroll_offset.y, max(self.size.height, 1)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, immediate=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, immediate=True)

    def refresh_line(self, y: int) -> None:
        """Draw one line of the screen again."""
        if 0 <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    # -- actions -----------------------------------------------------------------------------------------------------

    def go(self, number: int) -> None:
        """Put the cursor on a line. Who goes back reads, and is not taken to the end any more."""
        self.follow = self._follows and number >= self.length() - 1
        self.cursor = max(0, min(number, self.length() - 1))

    def action_move(self, lines: int) -> None:
        """Up or down."""
        self.go(self.cursor + lines)

    def action_page(self, pages: float) -> None:
        """A screen up or down."""
        self.go(self.cursor + int(pages * max(self.size.height - 1, 1)))

    def action_first(self) -> None:
        """To the first line."""
        self.go(0)

    def action_last(self) -> None:
        """To the last line."""
        self.go(self.length() - 1)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """On a live capture the program follows, in all lists at once."""
        return action != "follow" or not getattr(self.app, "is_live", False)

    def action_follow(self) -> None:
        """Stay at the end, or do not."""
        self._follows = not self._follows
        self.notify("following: up stops it, G goes on" if self._follows else "not following", timeout=2)
        if self._follows:
            self.go(self.length() - 1)
        self.follow = self._follows

    def action_double_g(self) -> None:
        """The second g goes to the first line."""
        if self._g:
            self.action_first()
        self._g = not self._g

    def action_choose(self) -> None:
        """Open the line."""
        if self.length():
            self.post_message(self.Chosen(self))

    def on_key(self, event: events.Key) -> None:
        """Any other key ends a first g."""
        if event.key != "g":
            self._g = False

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Who scrolls back reads."""
        self.follow = False

    def on_click(self, event: events.Click) -> None:
        """A click goes to a line, a second one opens it."""
        number = event.y + self.scroll_offset.y
        if number < self.length():
            self.cursor = number
            if event.chain > 1:
                self.action_choose()

    def on_focus(self) -> None:
        """The cursor looks different."""
        self.refresh()

    def on_blur(self) -> None:
        """The cursor looks different."""
        self.refresh()
