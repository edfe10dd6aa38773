"""Octets on the wire, unmasked and inflated: three panes side by side. The cursors of the first two stand on the same
octet; an inflated one comes of no octet of the wire alone."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Static

from analyzer.tui.lines import Line, Lines, Piece, text_of


class HexLines(Lines):
    """One pane. The cursor is an octet."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "step(-1)", "back", show=False),
        Binding("right,l", "step(1)", "on", show=False),
    ]

    class Stepped(Message):
        """The cursor stands on another octet."""

        def __init__(self, pane: HexLines) -> None:
            super().__init__()
            self.pane = pane

    def __init__(self, title: str, id: str) -> None:
        super().__init__(id=id, classes="hex")
        self.octets, self.header, self.at = b"", 0, 0
        self.border_title = title

    def show(self, octets: bytes, header: int, title: str) -> None:
        """Other octets, of which the first `header` are a frame's header."""
        self.octets, self.header = octets, header
        self.at = min(self.at, max(len(octets) - 1, 0))
        self.border_title = title
        self.renew()

    @property
    def across(self) -> int:
        """Octets in a line."""
        width = self.size.width
        for number in (32, 16, 8, 4):
            if 6 + 4 * number <= width:
                return number
        return 4

    def length(self) -> int:
        """Lines."""
        return -(-len(self.octets) // self.across)

    def line(self, number: int, width: int) -> Line:
        """Offset, octets, characters."""
        across = self.across
        start = number * across
        part = self.octets[start : start + across]
        dot = "." if self.screen.has_class("ascii") else "·"
        line = [Piece(f"{start:04x} ", "dim")]
        for index, octet in enumerate(part):
            at = start + index
            style = "here" if at == self.at else "server" if at < self.header else "plain"
            line += [Piece(f"{octet:02x}", style), Piece(" ")]
        line.append(Piece("   " * (across - len(part)) + " "))
        for index, octet in enumerate(part):
            at = start + index
            style = "here" if at == self.at else "dim" if at < self.header else "plain"
            line.append(Piece(chr(octet) if 32 <= octet < 127 else dot, style))
        return line

    def step_to(self, at: int) -> None:
        """Put the cursor on an octet."""
        at = max(0, min(at, len(self.octets) - 1)) if self.octets else 0
        if at != self.at:
            self.at = at
            self._made.clear()
            self.set_reactive(Lines.cursor, at // self.across)
            self._show()
            self.refresh()
            self.post_message(self.Stepped(self))

    def action_step(self, octets: int) -> None:
        """To the next octet, or the one before."""
        self.step_to(self.at + octets)

    def action_move(self, lines: int) -> None:
        """A line up or down."""
        self.step_to(self.at + lines * self.across)

    def action_page(self, pages: float) -> None:
        """A screen up or down."""
        self.step_to(self.at + int(pages * max(self.size.height - 1, 1)) * self.across)

    def go(self, number: int) -> None:
        """To a line."""
        self.step_to(number * self.across)

    def action_last(self) -> None:
        """To the last octet."""
        self.step_to(len(self.octets) - 1)

    def on_click(self, event: events.Click) -> None:
        """To the octet that was clicked, in hexadecimal or among the characters."""
        event.prevent_default()
        column = event.get_content_offset(self)
        if column is None:
            return
        x, y = column
        across = self.across
        inside = (x - 5) // 3 if x < 5 + 3 * across else x - 6 - 3 * across
        if x >= 5 and 0 <= inside < across:
            self.step_to((y + self.scroll_offset.y) * across + inside)


class Octets(Vertical):
    """The tab. `places` tells, for an octet of a pane, what it is."""

    class Looked(Message):
        """Another octet of the wire is looked at, or of what was inflated."""

        def __init__(self, at: int, inflated: bool = False) -> None:
            super().__init__()
            self.at, self.inflated = at, inflated

    def compose(self) -> ComposeResult:
        """The panes."""
        with Horizontal(id="panes"):
            yield HexLines("wire", "wire")
            yield HexLines("unmasked", "unmasked")
            yield HexLines("inflated", "inflated")
        yield Static("", id="octet", markup=False)
        yield Static("", id="lit", markup=False)

    def light(self, lines: list[Line]) -> None:
        """The bits of the header below the panes, with the field of the octet marked."""
        self.query_one("#lit", Static).update(text_of(*lines))

    def show(self, wire: bytes, header: int, unmasked: bytes, inflated: bytes | None, why: str) -> None:
        """Another frame or message."""
        self.header = header
        self.query_one("#wire", HexLines).show(wire, header, f"wire, {len(wire)} octets")
        self.query_one("#unmasked", HexLines).show(unmasked, 0, f"unmasked, {len(unmasked)} octets")
        pane = self.query_one("#inflated", HexLines)
        pane.show(inflated or b"", 0, f"inflated, {len(inflated)} octets" if inflated is not None else why)
        self.tell("")

    def tell(self, text: str) -> None:
        """What the octet under the cursor is."""
        self.query_one("#octet", Static).update(text_of([Piece(text or "arrows walk through the octets", "dim")]))

    def point_at(self, at: int) -> None:
        """Put the cursors on an octet of the message: of a compressed one in its inflated octets, else on the wire."""
        inflated = self.query_one("#inflated", HexLines)
        if inflated.octets:
            inflated.step_to(at)
        else:
            self.query_one("#unmasked", HexLines).step_to(at)

    def zoom(self) -> None:
        """The next pane alone, behind the last one all."""
        panes = list(self.query(HexLines))
        alone = [pane for pane in panes if pane.has_class("alone")]
        number = panes.index(alone[0]) + 1 if alone else 0
        for pane in panes:
            pane.remove_class("alone")
        self.set_class(number < len(panes), "zoomed")
        chosen = panes[number % len(panes)]
        chosen.set_class(number < len(panes), "alone")
        chosen.focus()

    def on_hex_lines_stepped(self, event: HexLines.Stepped) -> None:
        """The unmasked octet stands below its masked one."""
        event.stop()
        pane, header = event.pane, self.header
        if pane.id == "wire":
            wire = pane.at
            if wire >= header:
                self.query_one("#unmasked", HexLines).step_to(wire - header)
        elif pane.id == "unmasked":
            wire = pane.at + header
            self.query_one("#wire", HexLines).step_to(wire)
        else:
            self.post_message(self.Looked(pane.at, inflated=True))
            return
        self.post_message(self.Looked(wire))
