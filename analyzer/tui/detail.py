"""One rung in full: the message, its bits, its octets, its packets, the handshake, and why the connection closed."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Footer, Static, TabbedContent, TabPane

from analyzer.api import Capture
from analyzer.tui.bits import diagram, legend
from analyzer.tui.body import Body, Row, Target
from analyzer.tui.entries import Entry
from analyzer.tui.ladder import LadderLines
from analyzer.tui.lanes import lanes
from analyzer.tui.lines import Line, Piece, text_of
from analyzer.tui.octets import HexLines, Octets
from analyzer.tui.page import Page
from analyzer.tui.panel import safe
from analyzer.tui.payloads import SHOWN, accept_steps, head_lines, laid_out
from analyzer.tui.rungs import Kind, frame_and_message
from analyzer.tui.subject import Subject
from analyzer.tui.why import why
from dissectors.websocket.header import Field, fields
from dissectors.websocket.opcodes import CLOSE, close_code_name

DRAWN = 64
"""Octets of a frame that the diagram draws: its header and the begin of its payload."""
TABS = {"message": "Message", "bits": "Bits", "octets": "Octets", "packets": "Packets", "handshake": "Handshake",
        "close": "Close"}  # fmt: skip


class DetailPage(Page):
    """The screen. The ladder's cursor goes along, so that its rungs can be walked from here."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "app.pop_screen", "back"),
        Binding("left_square_bracket,p", "walk(-1)", "previous", key_display="["),
        Binding("right_square_bracket", "walk(1)", "next", key_display="]"),
        *(
            Binding(str(number), f"tab('{name}')", title, show=False)
            for number, (name, title) in enumerate(TABS.items(), 1)
        ),
        Binding("tab", "next_tab(1)", "tabs", show=False),
        Binding("shift+tab", "next_tab(-1)", "tabs", show=False),
        *(
            Binding(keys, f"glide('{how}')", f"scroll {told}", show=False)
            for keys, how, told in (
                ("j", "down", "down"),
                ("k", "up", "up"),
                ("g", "home", "to the top"),
                ("G", "end", "to the end"),
                ("space,ctrl+d", "page_down", "a screen down"),
                ("ctrl+u", "page_up", "a screen up"),
            )
        ),
        Binding("1", "tab('message')", "1-6 tabs", key_display="1-6"),
    ]

    def __init__(self, entry: Entry, ladder: LadderLines, tab: str = "") -> None:
        super().__init__()
        self.entry, self.ladder = entry, ladder
        self._first_tab = tab
        self._fields: list[Field] = []
        self._wire = b""

    def compose(self) -> ComposeResult:
        """The parts."""
        yield Static("", id="headline", markup=False)
        with TabbedContent(initial=self._first_tab or self.tui.tab):
            with TabPane("1 Message", id="message"):
                yield Body(self.signs, "body")
            with TabPane("2 Bits", id="bits"), VerticalScroll():
                yield Static("", id="diagram", markup=False)
            with TabPane("3 Octets", id="octets"):
                yield Octets()
            with TabPane("4 Packets", id="packets"), VerticalScroll():
                yield Static("", id="lanes", markup=False)
            with TabPane("5 Handshake", id="handshake"), VerticalScroll():
                with Horizontal(id="heads"):
                    yield Static("", id="request", markup=False)
                    yield Static("", id="response", markup=False)
                yield Static("", id="accept", markup=False)
            with TabPane("6 Close", id="close"):
                yield Body(self.signs, "why")
        yield Footer(compact=True)

    def show(self, capture: Capture) -> None:
        """Another snapshot, or another rung."""
        if not len(self.ladder.rungs):
            return
        number = self.ladder.cursor
        kind, ref = Kind(self.ladder.rungs.kind[number]), int(self.ladder.rungs.ref[number])
        place = Piece(f" {number + 1} of {len(self.ladder.rungs)}  ", "dim")
        drawn = self.ladder.line(number, max(self.size.width - 14, 66))
        self.query_one("#headline", Static).update(text_of([place, *drawn]))
        frame, message = frame_and_message(capture, kind, ref)
        self._message(capture, kind, ref, message, frame)
        self._frame(capture, frame, message)
        self._handshake(capture, ref if kind in (Kind.REQUEST, Kind.RESPONSE) else -1)
        self._close(capture)

    # -- the tabs ----------------------------------------------------------------------------------------------------

    def _message(self, capture: Capture, kind: Kind, ref: int, message: int, frame: int) -> None:
        body = self.query_one("#body", Body)
        if message >= 0:
            payload = capture._contents.message_payload(message)
            cells = capture.snapshot["messages"].row(message)
            if cells["close_code"] >= 0 or cells["opcode"] == CLOSE:
                code = cells["close_code"]
                told = f"{code} {close_code_name(code)}" if code >= 0 else "no code"
                reason = safe(capture.snapshot.text(cells["close_reason"]))
                body.show([Row([Piece("Close ", "bold"), Piece(told)]), Row([Piece(reason)])])
                return
            body.show(laid_out(payload.octets, "" if payload.whole else payload.why))
        elif frame >= 0:
            body.show(laid_out(capture._contents.frame_payload(frame), ""))
        elif kind in (Kind.REQUEST, Kind.RESPONSE):
            found = capture.exchanges.numbered(ref)
            head = (found.request if kind is Kind.REQUEST else found.response) if found is not None else b""
            body.show([Row(line) for line in head_lines(head)])
        else:
            body.show([Row([Piece("no payload here: choose a message or a frame", "dim")])])

    def _frame(self, capture: Capture, frame: int, message: int) -> None:
        chart, packets = self.query_one("#diagram", Static), self.query_one("#lanes", Static)
        if frame < 0:
            nothing = text_of([Piece("no frame here: choose a message or a frame", "dim")])
            chart.update(nothing)
            packets.update(nothing)
            self.query_one(Octets).show(b"", 0, b"", None, "inflated")
            return
        cells = capture.snapshot["frames"].row(frame)
        self._wire = capture._contents.frame_wire(frame, SHOWN)
        self._fields = fields(self._wire, self.entry.compressed)
        self._chart()
        inflated, why = None, "not compressed"
        if message >= 0 and capture.snapshot["messages"].row(message)["compressed"]:
            payload = capture._contents.message_payload(message, SHOWN)
            inflated, why = payload.octets, payload.why
        header = min(cells["header_length"], len(self._wire))
        self.query_one(Octets).show(self._wire, header, capture._contents.frame_payload(frame, SHOWN), inflated, why)
        packets.update(text_of(*lanes(capture, frame, max(self.size.width - 4, 40), self.signs)))

    def _chart(self, chosen: str = "") -> None:
        header = sum(field.bits for field in self._fields) // 8
        octets = self._wire[: min(max(header + 8, 8), DRAWN)]
        lines = [*diagram(self._fields, octets, self.signs, chosen), [], *legend(self._fields, chosen)]
        rest = len(self._wire) - header
        lines.append([Piece(f"  {'payload':<24}"), Piece(f"{rest:>12}  "), Piece("octets follow the header", "dim")])
        self.query_one("#diagram", Static).update(text_of(*lines))
        self.query_one(Octets).light(diagram(self._fields, octets, self.signs, chosen))

    def _shake(self, capture: Capture) -> dict[str, int] | None:
        if self.entry.connection < 0:
            return None
        return capture.snapshot.handshake(capture.snapshot["connections"].row(self.entry.connection))

    def _handshake(self, capture: Capture, exchange: int) -> None:
        shake = self._shake(capture)
        row = shake["exchange"] if shake else exchange
        found = capture.exchanges.numbered(row) if row >= 0 else None
        request, response = (found.request, found.response) if found is not None else (b"", b"")
        absent: list[Line] = [[Piece("not captured", "dim")]] if shake is not None else []
        for name, side, head in (("#request", "client", request), ("#response", "server", response)):
            told = head_lines(head) if head else absent
            self.query_one(name, Static).update(text_of([Piece(side, side)], *told))
        lines: list[Line] = []
        if shake is not None and shake["key"]:
            lines = accept_steps(capture.snapshot.text(shake["key"]), capture.snapshot.text(shake["accept"]))
        self.query_one("#accept", Static).update(text_of(*lines))

    def _close(self, capture: Capture) -> None:
        self.query_one("#why", Body).show(why(capture, self.entry))

    # -- what actions are about --------------------------------------------------------------------------------------

    def subject(self) -> Subject | None:
        """The rung."""
        return self.ladder.subject(self.ladder.cursor) if len(self.ladder.rungs) else None

    def label(self) -> str:
        """The rung as it looks."""
        return self.ladder.label()

    def turn_to(self, entry: Entry) -> None:
        """The ladder went to another rung, perhaps of another connection."""
        self.entry = entry
        if self.tui.capture is not None:
            self.show(self.tui.capture)

    def point_at(self, at: int) -> None:
        """Put the cursors of the octets on one of the message."""
        self.query_one(Octets).point_at(at)

    def retime(self) -> None:
        """Times are told in another way."""
        self.remark()

    def remark(self) -> None:
        """Marks or notes changed: draw the rung again."""
        if self.tui.capture is not None:
            self.show(self.tui.capture)

    # -- actions -----------------------------------------------------------------------------------------------------

    def on_octets_looked(self, event: Octets.Looked) -> None:
        """The field that an octet belongs to."""
        if event.inflated:
            self._look_inflated(event.at)
            return
        inside = [field for field in self._fields if field.bit // 8 <= event.at < -(-(field.bit + field.bits) // 8)]
        header = sum(field.bits for field in self._fields) // 8
        names = ", ".join(field.name for field in inside) or f"payload, octet {event.at - header}"
        octet = f"octet {event.at} is {self._wire[event.at]:#04x}, {self._wire[event.at]:08b}" if self._wire else ""
        self.query_one(Octets).tell(f"{octet}: {names}{self._carried(event.at)}")
        self._chart(inside[0].name if inside else "")

    def _look_inflated(self, at: int) -> None:
        """All of the payload: DEFLATE's codes are bits, and copy from what came before (RFC 1951 §3.2.3)."""
        octets = self.query_one("#inflated", HexLines).octets
        told = f"inflated octet {at} is {octets[at]:#04x}" if at < len(octets) else "inflated"
        self.query_one(Octets).tell(f"{told}{self._compressed()}, none alone")
        self._chart("payload")

    def _compressed(self) -> str:
        """What the message that is shown crossed the wire as, which may be several frames."""
        capture, number = self.tui.capture, self.ladder.cursor
        kind, ref = Kind(self.ladder.rungs.kind[number]), int(self.ladder.rungs.ref[number])
        message = frame_and_message(capture, kind, ref)[1] if capture is not None else -1
        if capture is None or message < 0:
            return ""
        frames, cells = capture.snapshot["frames"], capture.snapshot["messages"].row(message)
        ends = [
            frames.row(cells["first_frame"])["first_packet"] + 1,
            frames.row(cells["last_frame"])["last_packet"] + 1,
        ]
        packets = f"packet {ends[0]}" if ends[0] == ends[1] else f"packets {ends[0]} to {ends[1]}"
        return f"; {packets}; of all {cells['length']} compressed"

    def _carried(self, at: int) -> str:
        """The packet of an octet of the frame."""
        capture, frame = self.tui.capture, self._frame_row()
        if capture is None or frame < 0:
            return ""
        cells = capture.snapshot["frames"].row(frame)
        packet = capture._contents.packet_of(cells["channel"], cells["direction"], cells["offset"] + at)
        return f"; packet {packet + 1}" if packet >= 0 else "; not in the capture"

    def _frame_row(self) -> int:
        """The frame that is shown, -1 for none."""
        capture, number = self.tui.capture, self.ladder.cursor
        kind, ref = Kind(self.ladder.rungs.kind[number]), int(self.ladder.rungs.ref[number])
        return frame_and_message(capture, kind, ref)[0] if capture is not None else -1

    def action_glide(self, how: str) -> None:
        """Scroll what has the focus."""
        if isinstance(self.focused, VerticalScroll):
            getattr(self.focused, f"scroll_{how}")(animate=False)

    def action_zoom_pane(self) -> None:
        """One pane of octets after the other alone, then all; elsewhere the tab alone."""
        if self.query_one(TabbedContent).active == "octets":
            self.query_one(Octets).zoom()
        else:
            super().action_zoom_pane()

    def on_body_followed(self, event: Body.Followed) -> None:
        """Go to the rung that a piece of evidence is about."""
        at = self._rung_of(event.target)
        if at < 0:
            self.notify("that packet is no rung of the ladder as it is shown", timeout=3)
            return
        self.ladder.go(at)
        self.action_tab("message")
        if self.tui.capture is not None:
            self.show(self.tui.capture)

    def _rung_of(self, target: Target) -> int:
        """The rung of a frame, of its message, or of a packet that ended TCP; -1 where none is shown."""
        rungs, capture = self.ladder.rungs, self.ladder.capture
        if target.frame >= 0:
            frame, message = frame_and_message(capture, Kind.FRAME, target.frame)
            return max(rungs.find(Kind.FRAME, frame), rungs.find(Kind.MESSAGE, message))
        for kind, table in ((Kind.END, "endings"), (Kind.NOTE, "notes")):
            places = np.flatnonzero(rungs.kind == kind)
            packets = capture.snapshot[table].take("packet", rungs.ref[places])
            found = places[packets == target.packet]
            if len(found):
                return int(found[0])
        return -1

    def action_walk(self, step: int) -> None:
        """To the next rung."""
        self.ladder.go(self.ladder.cursor + step)
        if self.tui.capture is not None:
            self.show(self.tui.capture)

    def action_tab(self, name: str) -> None:
        """To a tab."""
        self.query_one(TabbedContent).active = name

    def action_next_tab(self, step: int) -> None:
        """To the tab beside this one."""
        names = list(TABS)
        tabs = self.query_one(TabbedContent)
        tabs.active = names[(names.index(tabs.active) + step) % len(names)]

    def on_tabbed_content_tab_activated(self, event: TabbedContent.TabActivated) -> None:
        """Keep the tab for the next rung, and let keys reach it."""
        self.tui.tab = event.pane.id or "message"
        for widget in event.pane.query("Lines, VerticalScroll"):
            widget.focus()
            break
