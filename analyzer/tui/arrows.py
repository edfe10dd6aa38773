"""How a rung looks: an arrow between the lifelines, or words between them, and beside it what is to be said."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from analyzer.analysis.losses import WORD
from analyzer.analysis.verdicts import duration
from analyzer.api import Capture
from analyzer.escape import cut, preview, printable
from analyzer.schemas import RST
from analyzer.times import size
from analyzer.tui.entries import Entry
from analyzer.tui.lines import Line, Piece
from analyzer.tui.looks import Signs
from analyzer.tui.rungs import Kind, Rungs
from dissectors.http.secrets import mask_target, mask_text
from dissectors.notes import MEANINGS, Note, Severity
from dissectors.schemas import INFLATES, NO_TIME, OPCODES, RECOVERED
from dissectors.websocket.opcodes import CLOSE, PING, PONG

LOOKED_AT = 2048
"""Octets of a payload that a preview is made from."""
SHOWN = 160
"""Characters of a preview."""
INVALID = 2
"""Code of `schemas.VERDICTS`: the text is not UTF-8."""
SIDE_STYLES = ("client", "server")
NO_BLAME = (1000, 1001, -1)
"""Close codes of an ordinary end (RFC 6455 §7.4.1)."""


class Drawing(NamedTuple):
    """What rungs are drawn from, and with."""

    capture: Capture
    entry: Entry
    rungs: Rungs
    signs: Signs
    client: int
    """Physical direction of the client."""
    across: int
    """Characters from lifeline to lifeline."""

    # -- parts -------------------------------------------------------------------------------------------------------

    def arrow(self, direction: int, label: str, style: str = "", number: int = -1) -> list[Piece]:
        """An arrow from one lifeline to the other, with a label in its middle; outside the lifelines, where fragments
        of a message are joined."""
        signs, client = self.signs, direction == self.client
        style = style or SIDE_STYLES[0 if client else 1]
        label = f" {cut(label, self.across - 8)} "
        room = self.across - 2 - len(label) - 1
        before = room // 2
        shaft = signs.across * before, signs.across * (room - before)
        drawn = f"{shaft[0]}{label}{shaft[1]}{signs.right}" if client else f"{signs.left}{shaft[0]}{label}{shaft[1]}"
        left, right = self.joint(self.client, number, direction), self.joint(1 - self.client, number, direction)
        return [Piece(left, SIDE_STYLES[0]), Piece(signs.down, "line"), Piece(drawn, style), Piece(signs.down, "line"),
                Piece(f"{right} ", SIDE_STYLES[1])]  # fmt: skip

    def joint(self, side: int, number: int, direction: int) -> str:
        """The bracket around the fragments that a side sends, at a rung."""
        found = self.rungs.joined(side, number) if number >= 0 else None
        if found is None:
            return " "
        first, middle, last = self.signs.fragments
        return first if found[0] else last if found[1] else middle

    def between(self, text: str, style: str, dotted: bool = False) -> list[Piece]:
        """Words between the lifelines."""
        side = self.signs.dotted if dotted else self.signs.down
        room = self.across - 2
        return [Piece(" "), Piece(side, "line"), Piece(cut(text, room).center(room), style), Piece(side, "line"),
                Piece("  ")]  # fmt: skip

    def who(self, direction: int) -> str:
        """The side that sends in a physical direction."""
        return "client" if direction == self.client else "server"

    def text(self, code: int) -> str:
        """A text that peers sent."""
        return printable(self.capture.snapshot.text(code))

    # -- rungs -------------------------------------------------------------------------------------------------------

    def note(self, ref: int, number: int) -> Line:
        """A violation or an oddity."""
        cells = self.capture.snapshot["notes"].row(ref)
        meaning = MEANINGS[Note(cells["code"])]
        style = {Severity.MUST: "bad", Severity.SHOULD: "odd"}.get(meaning.severity, "note")
        detail = f": {printable(mask_text(self.capture.snapshot.text(cells['detail'])))}" if cells["detail"] else ""
        severity = f"{self.signs.warning} {meaning.severity.name.lower()}"
        return [*self.between(severity, style), Piece(f"{meaning.sentence}{detail} ({meaning.source})", style)]

    def silence(self, ref: int, number: int) -> Line:
        """Nothing crossed for a while."""
        return self.between(f"{duration(ref)} of silence", "dim", dotted=True)

    def gap(self, ref: int, number: int) -> Line:
        """Octets that the capture does not hold."""
        cells = self.capture.snapshot["spans"].row(ref)
        whose = WORD if ref in self.rungs.lost else "not captured"
        told = f"{self.signs.warning} {size(cells['length'])} {whose}"
        why = "the capture dropped packets then, " if ref in self.rungs.lost else ""
        return [*self.between(told, "bad", dotted=True),
                Piece(f"octets {cells['offset']} to {cells['offset'] + cells['length']} of the"
                      f" {self.who(cells['direction'])}: {why}what they held is not known", "bad")]  # fmt: skip

    def request(self, ref: int, number: int) -> Line:
        """A request."""
        cells = self.capture.snapshot["exchanges"].row(ref)
        target = printable(mask_target(self.capture.snapshot.text(cells["target"])))
        method = self.text(cells["method"])
        return [*self.arrow(cells["direction"], f"{method} {target}"), Piece(f"{method} {target}"),
                Piece(f"  {self.text(cells['http_host'])}", "dim")]  # fmt: skip

    def response(self, ref: int, number: int) -> Line:
        """A response."""
        cells = self.capture.snapshot["exchanges"].row(ref)
        style = "bad" if cells["status"] >= 400 else ""
        body = f"  {size(cells['response_body'])}" if cells["response_body"] > 0 else ""
        took = duration(max(cells["response_time"] - cells["request_time"], 0))
        after = f"after {took}" if NO_TIME not in (cells["response_time"], cells["request_time"]) else ""
        label = f"{cells['status']} {self.text(cells['reason'])}"
        return [*self.arrow(1 - cells["direction"], label, style), Piece(f"{after}{body}", "dim")]

    def border(self, ref: int, number: int) -> Line:
        """HTTP ends here."""
        shake = self.capture.snapshot.handshake(self.capture.snapshot["connections"].row(self.entry.connection))
        rule, room = self.signs.rule, self.across - 2
        drawn = f" {'HTTP ends, WebSocket begins' if room > 30 else 'WebSocket begins'} ".center(room, rule)
        where = f"at octet {shake['client_start']} of the client, {shake['server_start']} of the server"
        return [Piece(" "), Piece(self.signs.down, "line"), Piece(drawn, "good"), Piece(self.signs.down, "line"),
                Piece("  "), Piece(where, "dim")]  # fmt: skip

    def message(self, ref: int, number: int) -> Line:
        """A message or control frame."""
        cells = self.capture.snapshot["messages"].row(ref)
        opcode, code = cells["opcode"], cells["close_code"]
        words = [OPCODES[opcode]]
        if opcode == CLOSE:
            words.append(str(code) if code >= 0 else "no code")
        words.append(size(cells["length"]))
        told = self._doubt(cells)
        if cells["frames"] > 1:
            words.append(f"in {cells['frames']}")
            over = ""
            if NO_TIME not in (cells["first_time"], cells["time"]) and cells["time"] - cells["first_time"] >= 1_000_000:
                over = f" over {duration(cells['time'] - cells['first_time'])}"
            told.append(Piece(f"{cells['frames']} fragments{over}  ", "note"))
        if INFLATES[cells["inflate"]] == "inflated":
            told.append(Piece(f"deflate {self.signs.to} {size(cells['inflated'])}  ", "dim"))
        elif cells["inflate"]:
            told.append(Piece(f"deflate {INFLATES[cells['inflate']]}  ".replace("-", " "), "bad"))
        if cells["utf8"] == INVALID:
            told.append(Piece("not UTF-8  ", "bad"))
        told += self._trip(opcode, ref)
        if opcode == CLOSE:
            told.append(Piece(printable(mask_text(self.capture.snapshot.text(cells["close_reason"])))))
        else:
            told.append(Piece(mask_text(preview(self.capture._contents.message_payload(ref, LOOKED_AT).octets, SHOWN))))
        style = "bad" if opcode == CLOSE and code not in NO_BLAME else ""
        return [*self.arrow(cells["direction"], " ".join(words), style), *told]

    def frame(self, ref: int, number: int) -> Line:
        """A frame."""
        cells = self.capture.snapshot["frames"].row(ref)
        bits = "FIN " if cells["fin"] else ""
        bits += "".join(f"RSV{bit} " for bit, mask in ((1, 4), (2, 2), (3, 1)) if cells["rsv"] & mask)
        label = f"{OPCODES[cells['opcode']]} {size(cells['payload_length'])}"
        told = [Piece(f"{bits}{'MASK' if cells['masked'] else ''}  ".lstrip(), "dim"), *self._doubt(cells)]
        told += self._trip(cells["opcode"], ref)
        octets = self.capture._contents.frame_payload(ref, LOOKED_AT)
        plain = not (cells["rsv"] & 4 or (cells["opcode"] == 0 and self.entry.compressed))
        told.append(Piece(mask_text(preview(octets, SHOWN)) if plain else octets[:48].hex(" ")))
        return [*self.arrow(cells["direction"], label, number=number), *told]

    def _doubt(self, cells: dict[str, int]) -> list[Piece]:
        """What is not sure of a frame or message."""
        told = []
        if cells["recovered"]:
            told.append(Piece(f"{self.signs.warning} found again, confidence {RECOVERED[cells['recovered']]}  ", "odd"))
        if not cells["complete"]:
            told.append(Piece("not complete  ", "bad"))
        return told

    def _trip(self, opcode: int, ref: int) -> list[Piece]:
        """How a ping was answered (RFC 6455 §5.5.3)."""
        if opcode not in (PING, PONG):
            return []
        trip = self.rungs.trip(ref)
        if opcode == PONG:
            return [Piece(f"{self.signs.answer} round trip {duration(trip)}  ", "good")] if trip >= 0 else []
        if trip >= 0:
            return [Piece(f"answered after {duration(trip)}  ", "good")]
        over = self.capture.snapshot.finished
        return [Piece("not answered  " if over else "not answered yet  ", "odd")]

    def end(self, ref: int, number: int) -> Line:
        """A FIN or RST."""
        cells = self.capture.snapshot["endings"].row(ref)
        word, verb, style = ("RST", "resets", "bad") if cells["kind"] == RST else ("FIN", "closes", "odd")
        said = f"{self.who(cells['direction'])} {verb} TCP, packet {cells['packet'] + 1}"
        return [*self.arrow(cells["direction"], word, style), Piece(said, style)]

    def capture_end(self, ref: int, number: int) -> Line:
        """Nothing more is known."""
        word = "still being read" if not self.capture.snapshot.finished else "the capture ends here"
        return self.between(word, "odd", dotted=True)

    def encrypted(self, ref: int, number: int) -> Line:
        """All that crossed, none of which can be read."""
        cells = self.capture.snapshot["encrypted"].row(ref)
        crossed = f"{size(cells['client_seen'])} {self.signs.to}, {size(cells['server_seen'])} back"
        asked = f"for {self.text(cells['server_name'])}" if cells["server_name"] else "no server name"
        offers = f", offers {self.text(cells['protocols'])}" if cells["protocols"] else ""
        return [*self.between(f"TLS: {crossed}", "note"), Piece(f"{asked}{offers}; not readable without keys", "note")]


DRAWN: dict[Kind, Callable[[Drawing, int, int], Line]] = {
    Kind.REQUEST: Drawing.request, Kind.RESPONSE: Drawing.response, Kind.BORDER: Drawing.border,
    Kind.MESSAGE: Drawing.message, Kind.FRAME: Drawing.frame, Kind.NOTE: Drawing.note,
    Kind.SILENCE: Drawing.silence, Kind.GAP: Drawing.gap, Kind.END: Drawing.end,
    Kind.CAPTURE_END: Drawing.capture_end, Kind.ENCRYPTED: Drawing.encrypted,
}  # fmt: skip
