"""The ladder: client and server as lifelines, every message or frame an arrow between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Static

from analyzer.analysis.verdicts import duration
from analyzer.api import Capture
from analyzer.errors import FilterError
from analyzer.escape import cut, preview, printable
from analyzer.times import clock, size
from analyzer.tui.entries import Entries, Entry
from analyzer.tui.filtering import FilterBar
from analyzer.tui.lines import Line, Lines, Piece
from analyzer.tui.looks import STATE_STYLES, Signs, state_sign
from analyzer.tui.marks import letter_of, note_of
from analyzer.tui.page import TIMES, Page, text_of
from analyzer.tui.rungs import Kind, Rungs, Show, rungs_of
from analyzer.tui.subject import Shown, Subject
from dissectors.http.secrets import mask_target, mask_text
from dissectors.notes import MEANINGS, Note, Severity
from dissectors.schemas import NO_TIME

LOOKED_AT = 2048
"""Octets of a payload that a preview is made from."""
SIDE_STYLES = ("client", "server")
LIFELINES = 3
"""Pieces of a line between and with the lifelines; words stand behind them."""


class LadderLines(Lines):
    """One line a rung."""

    def __init__(self, signs: Signs) -> None:
        super().__init__(id="ladder")
        self.signs = signs
        self.capture: Capture = None  # type: ignore[assignment]  # before the first snapshot
        self.entry: Entry = None  # type: ignore[assignment]
        self.rungs = Rungs(np.empty(0, np.uint8), np.empty(0, np.int64), np.empty(0, np.int64))
        self.times = 0

    def show(self, capture: Capture, entry: Entry, rungs: Rungs, keep: bool) -> None:
        """Other rungs."""
        self.capture, self.entry, self.rungs = capture, entry, rungs
        self.client = int(capture.snapshot["channels"]["client"][entry.channel])
        self.renew(keep)

    def length(self) -> int:
        """Rungs."""
        return len(self.rungs)

    def subject(self, number: int) -> Subject:
        """What a rung is."""
        return Subject(self.entry, Kind(self.rungs.kind[number]), int(self.rungs.ref[number]))

    # -- one rung ----------------------------------------------------------------------------------------------------

    def line(self, number: int, width: int) -> Line:
        """Time, the space between the lifelines, and what is to be said."""
        kind, ref = Kind(self.rungs.kind[number]), int(self.rungs.ref[number])
        time_width, across = 12, max(min(width * 2 // 5, 54), 26)
        mark = self.screen.tui.marks.of(Subject(self.entry, kind, ref).key)  # type: ignore[attr-defined]
        line = [Piece(cut(self._time(number), time_width).rjust(time_width), "dim"), Piece(letter_of(mark), "odd")]
        drawn = list(DRAWN[kind](self, ref, number, across))
        return [*line, *drawn[:LIFELINES], *note_of(mark), *drawn[LIFELINES:]]

    def _time(self, number: int) -> str:
        time = int(self.rungs.time[number])
        kind = self.rungs.kind[number]
        if time == NO_TIME or kind in (Kind.SILENCE, Kind.BORDER, Kind.NOTE, Kind.GAP):
            return ""
        if self.times == 2:
            return clock(time, self.capture_zone)[:12]
        if self.times == 1:
            earlier = self.rungs.time[:number][self.rungs.time[:number] != NO_TIME]
            return f"+{duration(max(time - int(earlier[-1]), 0))}" if len(earlier) else "+0"
        first = self.rungs.time[self.rungs.time != NO_TIME]
        return f"+{duration(max(time - int(first[0]), 0))}"

    @property
    def capture_zone(self):  # type: ignore[no-untyped-def]
        """The time zone of times of day."""
        return self.screen.tui.zone  # type: ignore[attr-defined]

    def arrow(self, direction: int, label: str, across: int, style: str = "") -> list[Piece]:
        """An arrow from one lifeline to the other, with a label in its middle."""
        signs, client = self.signs, direction == self.client
        style = style or SIDE_STYLES[0 if client else 1]
        label = f" {cut(label, across - 8)} "
        room = across - 2 - len(label) - 1
        before = room // 2
        shaft = signs.across * before, signs.across * (room - before)
        drawn = f"{shaft[0]}{label}{shaft[1]}{signs.right}" if client else f"{signs.left}{shaft[0]}{label}{shaft[1]}"
        return [Piece(signs.down, "line"), Piece(drawn, style), Piece(signs.down + " ", "line")]

    def between(self, text: str, across: int, style: str, side: str = "") -> list[Piece]:
        """Words between the lifelines."""
        side = side or self.signs.down
        return [Piece(side, "line"), Piece(cut(text, across - 2).center(across - 2), style), Piece(side + " ", "line")]

    def note(self, ref: int, number: int, across: int) -> Line:
        """A violation or an oddity."""
        cells = self.capture.snapshot["notes"].row(ref)
        meaning = MEANINGS[Note(cells["code"])]
        style = {Severity.MUST: "bad", Severity.SHOULD: "odd"}.get(meaning.severity, "note")
        detail = f": {printable(mask_text(self.capture.snapshot.text(cells['detail'])))}" if cells["detail"] else ""
        severity = f"{self.signs.warning} {meaning.severity.name.lower()}"
        return [*self.between(severity, across, style), Piece(f"{meaning.sentence}{detail} ({meaning.source})", style)]

    def silence(self, ref: int, number: int, across: int) -> Line:
        """Nothing crossed for a while."""
        return self.between(f"{duration(ref)} of silence", across, "dim", self.signs.dotted)

    def gap(self, ref: int, number: int, across: int) -> Line:
        """Octets that the capture does not hold."""
        cells = self.capture.snapshot["spans"].row(ref)
        who = "client" if cells["direction"] == self.client else "server"
        return self.between(f"{size(cells['length'])} of the {who} not captured", across, "bad", self.signs.dotted)

    def request(self, ref: int, number: int, across: int) -> Line:
        """A request."""
        snapshot = self.capture.snapshot
        cells = snapshot["exchanges"].row(ref)
        target = printable(mask_target(snapshot.text(cells["target"])))
        method = printable(snapshot.text(cells["method"]))
        return [*self.arrow(cells["direction"], f"{method} {target}", across),
                Piece(f"{method} {target}  {printable(snapshot.text(cells['http_host']))}", "plain")]  # fmt: skip

    def response(self, ref: int, number: int, across: int) -> Line:
        """A response."""
        snapshot = self.capture.snapshot
        cells = snapshot["exchanges"].row(ref)
        style = "bad" if cells["status"] >= 400 else ""
        body = f"  {size(cells['response_body'])}" if cells["response_body"] > 0 else ""
        reason = printable(snapshot.text(cells["reason"]))
        took = duration(max(cells["response_time"] - cells["request_time"], 0))
        after = f"after {took}" if NO_TIME not in (cells["response_time"], cells["request_time"]) else ""
        label = f"{cells['status']} {reason}"
        return [*self.arrow(1 - cells["direction"], label, across, style), Piece(f"{after}{body}", "dim")]

    def border(self, ref: int, number: int, across: int) -> Line:
        """HTTP ends here."""
        cells = self.capture.snapshot["connections"].row(self.entry.connection)
        shake = self.capture.snapshot.handshake(cells)
        rule = self.signs.rule
        text = f" HTTP ends, WebSocket begins {rule * across}"
        where = f"at octet {shake['client_start']} of the client, {shake['server_start']} of the server"
        drawn = f"{rule * 2}{text}"[: across - 2].ljust(across - 2, rule)
        return [Piece(self.signs.down, "line"), Piece(drawn, "good"), Piece(self.signs.down + " ", "line"),
                Piece(where, "dim")]  # fmt: skip

    def message(self, ref: int, number: int, across: int) -> Line:
        """A message or control frame."""
        view = self.capture.view("messages")
        place = int(np.searchsorted(view.rows, ref))
        names = ("opcode", "length", "inflated", "inflate", "frames", "utf8", "complete", "close_code", "close_reason",
                 "round_trip")  # fmt: skip
        cells = {name: view.values(name, np.array([place]))[0] for name in names}
        direction = int(view.table["direction"][place])
        words = [str(cells["opcode"])]
        if cells["opcode"] == "close":
            words.append(str(cells["close_code"]) if cells["close_code"] is not None else "no code")
        words.append(size(cells["length"]))
        told: list[Piece] = []
        if cells["frames"] > 1:
            words.append(f"in {cells['frames']}")
            told.append(Piece(f"{cells['frames']} fragments  ", "note"))
        if cells["inflate"] == "inflated":
            told.append(Piece(f"deflate {signs_right(self.signs)} {size(cells['inflated'])}  ", "dim"))
        elif cells["inflate"] != "plain":
            told.append(Piece(f"{cells['inflate']}  ", "bad"))
        if not cells["complete"]:
            told.append(Piece("not complete  ", "bad"))
        if cells["utf8"] == "invalid":
            told.append(Piece("not UTF-8  ", "bad"))
        if cells["round_trip"] is not None:
            told.append(Piece(f"round trip {duration(cells['round_trip'])}  ", "good"))
        if cells["opcode"] == "close":
            told.append(Piece(printable(mask_text(cells["close_reason"] or "")), "plain"))
        else:
            octets = self.capture._contents.message_payload(ref, LOOKED_AT).octets
            told.append(Piece(mask_text(preview(octets, 160)), "plain"))
        style = "bad" if cells["opcode"] == "close" and cells["close_code"] not in (1000, 1001, None) else ""
        return [*self.arrow(direction, " ".join(words), across, style), *told]

    def frame(self, ref: int, number: int, across: int) -> Line:
        """A frame."""
        cells = self.capture.snapshot["frames"].row(ref)
        view = self.capture.view("frames")
        place = int(np.searchsorted(view.rows, ref))
        opcode = view.values("opcode", np.array([place]))[0]
        bits = "FIN " if cells["fin"] else ""
        bits += "".join(f"RSV{bit} " for bit, mask in ((1, 4), (2, 2), (3, 1)) if cells["rsv"] & mask)
        label = f"{opcode} {size(cells['payload_length'])}"
        told = [Piece(f"{bits}{'MASK' if cells['masked'] else ''}  ".lstrip(), "dim")]
        if not cells["complete"]:
            told.append(Piece("not complete  ", "bad"))
        octets = self.capture._contents.frame_payload(ref, LOOKED_AT)
        compressed = cells["rsv"] & 4
        told.append(Piece(octets[:48].hex(" ") if compressed else mask_text(preview(octets, 160)), "plain"))
        return [*self.arrow(cells["direction"], label, across), *told]

    def end(self, ref: int, number: int, across: int) -> Line:
        """A FIN or RST."""
        cells = self.capture.snapshot["endings"].row(ref)
        who = "client" if cells["direction"] == self.client else "server"
        word, style = ("RST", "bad") if cells["kind"] == 2 else ("FIN", "odd")
        verb = "resets" if word == "RST" else "closes"
        said = f"{who} {verb} TCP, packet {cells['packet'] + 1}"
        return [*self.arrow(cells["direction"], word, across, style), Piece(said, style)]

    def capture_end(self, ref: int, number: int, across: int) -> Line:
        """Nothing more is known."""
        word = "still being read" if not self.capture.snapshot.finished else "the capture ends here"
        return self.between(word, across, "odd", self.signs.dotted)


def signs_right(signs: Signs) -> str:
    """From what, to what."""
    return "→" if signs.across == "─" else "->"


DRAWN: dict[Kind, Callable[[LadderLines, int, int, int], Line]] = {
    Kind.REQUEST: LadderLines.request, Kind.RESPONSE: LadderLines.response, Kind.BORDER: LadderLines.border,
    Kind.MESSAGE: LadderLines.message, Kind.FRAME: LadderLines.frame, Kind.NOTE: LadderLines.note,
    Kind.SILENCE: LadderLines.silence, Kind.GAP: LadderLines.gap, Kind.END: LadderLines.end,
    Kind.CAPTURE_END: LadderLines.capture_end,
}  # fmt: skip


class LadderPage(Page):
    """The screen of one connection."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter"),
        Binding("w", "times", "times"),
        Binding("f", "frames", "frames/messages"),
        Binding("d", "kinds", "data/control/all"),
        Binding("v", "next_note", "next note"),
        Binding("c", "close", "why it closed"),
        Binding("escape,q,h,left", "step_out", "back"),
    ]

    def __init__(self, entry: Entry) -> None:
        super().__init__()
        self.entry = entry
        self.frames, self.kinds, self.expression = False, Show.ALL, ""

    def compose(self) -> ComposeResult:
        """The parts."""
        yield Static("", id="headline", markup=False)
        yield Static("", id="ends", markup=False)
        yield LadderLines(self.signs)
        yield FilterBar("messages")
        yield Footer()

    def on_mount(self) -> None:
        """Begin."""
        self.query_one(LadderLines).focus()
        self.query_one(LadderLines).times = self.tui.times
        super().on_mount()

    def show(self, capture: Capture) -> None:
        """Another snapshot."""
        self._fill(capture, keep=True)

    def _fill(self, capture: Capture, keep: bool) -> None:
        entries = Entries(capture)
        if self.entry.connection >= 0:
            self.entry = entries.entry(self.entry.connection)
        try:
            rungs = rungs_of(capture, entries, self.entry, self.frames, self.kinds, self.expression)
        except FilterError:
            rungs = rungs_of(capture, entries, self.entry, self.frames, self.kinds)
        self.query_one(LadderLines).show(capture, self.entry, rungs, keep)
        self._titles()

    def on_resize(self) -> None:
        """The lifelines stand elsewhere."""
        self.call_after_refresh(self._titles)

    def _titles(self) -> None:
        entry, lines = self.entry, self.query_one(LadderLines)
        style = STATE_STYLES.get(entry.state, "plain")
        shown = "frames" if self.frames else "messages"
        kinds = {Show.ALL: "all", Show.DATA: "data only", Show.CONTROL: "control only"}[self.kinds]
        first = [
            Piece(f" {entry.key} ", "bold"), Piece(f" {state_sign(self.signs, entry.state)} {entry.state}", style),
            Piece(f"  {entry.path}", "bold"), Piece(f"  {shown}, {kinds}, {TIMES[lines.times]}", "dim"),
        ]  # fmt: skip
        self.query_one("#headline", Static).update(text_of(first, [Piece(f" {entry.verdict}", style)]))
        across = max(min(lines.size.width * 2 // 5, 54), 26)
        room = across // 2
        client, server = cut(f"client {entry.client}", room), cut(f"{entry.server} server", room)
        gap = max(across - len(client) - len(server), 1)
        self.query_one("#ends", Static).update(
            text_of([Piece(" " * 13), Piece(client, "client"), Piece(" " * gap), Piece(server, "server")])
        )

    # -- actions -----------------------------------------------------------------------------------------------------

    def on_lines_chosen(self) -> None:
        """Open the rung."""
        lines = self.query_one(LadderLines)
        self.tui.open_detail(self.entry, lines)

    def go_to(self, kind: Kind, ref: int) -> None:
        """Put the cursor on a rung; show all of them if it is hidden."""
        lines = self.query_one(LadderLines)
        at = lines.rungs.find(kind, ref)
        if at < 0 and self.tui.capture is not None:
            self.expression, self.kinds, self.frames = "", Show.ALL, kind is Kind.FRAME
            self._fill(self.tui.capture, keep=True)
            at = lines.rungs.find(kind, ref)
        if at >= 0:
            lines.go(at)

    def turn_to(self, subject: Subject) -> None:
        """Show a rung, of this connection or another one."""
        if subject.entry.key != self.entry.key and self.tui.capture is not None:
            self.entry, self.expression, self.kinds = subject.entry, "", Show.ALL
            self._fill(self.tui.capture, keep=False)
        if subject.kind is not None:
            self.go_to(subject.kind, subject.ref)

    def subject(self) -> Subject | None:
        """The rung under the cursor."""
        lines = self.query_one(LadderLines)
        return lines.subject(lines.cursor) if len(lines.rungs) else None

    def shown(self) -> Shown | None:
        """The messages or frames shown."""
        lines = self.query_one(LadderLines)
        name, kind = ("frames", Kind.FRAME) if self.frames else ("messages", Kind.MESSAGE)
        rows = lines.rungs.ref[lines.rungs.kind == kind]
        capture = self.tui.capture
        return Shown(name, np.searchsorted(capture.view(name).rows, rows)) if capture is not None else None

    def retime(self) -> None:
        """Since start, since the last rung, time of day."""
        lines = self.query_one(LadderLines)
        lines.times = self.tui.times
        lines.renew()
        self._titles()

    def action_frames(self) -> None:
        """Frames or messages."""
        self.frames = not self.frames
        self.expression = ""
        if self.tui.capture is not None:
            self._fill(self.tui.capture, keep=True)

    def action_kinds(self) -> None:
        """All, data frames, control frames."""
        self.kinds = Show((self.kinds + 1) % len(Show))
        if self.tui.capture is not None:
            self._fill(self.tui.capture, keep=True)

    def action_next_note(self) -> None:
        """To the next observation."""
        lines = self.query_one(LadderLines)
        notes = np.flatnonzero(lines.rungs.kind == Kind.NOTE)
        if not len(notes):
            self.notify("nothing to note on this connection", timeout=2)
            return
        later = notes[notes > lines.cursor]
        lines.go(int(later[0] if len(later) else notes[0]))

    def action_close(self) -> None:
        """The verdict in full."""
        self.tui.open_detail(self.entry, self.query_one(LadderLines), tab="close")

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one(FilterBar).open(self.expression)

    def filter_state(self, expression: str) -> tuple[int, int]:
        """Matches, and rows in all.

        Raises: FilterError where it does not compile.
        """
        capture = self.tui.capture
        assert capture is not None
        name = "frames" if self.frames else "messages"
        places = capture._places_of(name, self.entry.connection)
        return len(capture.view(name).choose(expression, places)), len(places)

    def on_filter_bar_changed(self, event: FilterBar.Changed) -> None:
        """A filter that holds while it is typed."""
        self.expression = event.expression
        if self.tui.capture is not None:
            self._fill(self.tui.capture, keep=False)

    def on_filter_bar_closed(self) -> None:
        """Back to the rungs."""
        self.query_one(LadderLines).focus()

    def action_step_out(self) -> None:
        """Clear the filter, else back to the list."""
        if self.expression and self.tui.capture is not None:
            self.expression = ""
            self._fill(self.tui.capture, keep=False)
            return
        self.app.pop_screen()
