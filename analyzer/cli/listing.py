"""Tables as text: one line a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo

import numpy as np
import numpy.typing as npt

from analyzer.analysis.verdicts import duration, incident_sentence, tell
from analyzer.cli.page import Page
from analyzer.escape import cut, preview, printable
from analyzer.times import clock, size
from analyzer.views import View
from dissectors.http.secrets import mask_target, mask_text
from dissectors.notes import MEANINGS, Note
from dissectors.websocket.opcodes import CLOSE

STEP = 4096
"""Rows turned into text at a time."""
ROOM = 36
"""Columns on a terminal that the last cell gets, where it needs them and there is something to leave out for it."""
WAYS = {0: "C → S", 1: "C ← S", -1: "-"}
"""By sender; -1: none."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How rows are shown."""

    zone: tzinfo
    secrets: bool
    payload: Callable[[bytes], str] | None
    closes: bool = True
    """A Close is shown by its code and reason, not by its octets."""

    def target(self, text: str) -> str:
        """A request target."""
        return printable(text if self.secrets else mask_target(text))

    def text(self, text: str) -> str:
        """Any other text of a peer."""
        return printable(text if self.secrets else mask_text(text))


Cells = Callable[[View, npt.NDArray[np.int64], Manner], list[str]]


def _own(name: str) -> Cells:
    """A sentence of framescope's own: it holds no text of a peer, and its `close code: …` is no secret."""
    return lambda view, places, manner: [printable(value or "-") for value in view.values(name, places)]


def _plain(name: str) -> Cells:
    return lambda view, places, manner: [
        "-" if value is None or value == "" else manner.text(str(value)) for value in view.values(name, places)
    ]


def _time(name: str) -> Cells:
    return lambda view, places, manner: [clock(time, manner.zone) for time in view.column(name)[places].tolist()]


def _size(name: str) -> Cells:
    return lambda view, places, manner: ["-" if value is None else size(value) for value in view.values(name, places)]


def _span(name: str) -> Cells:
    return lambda view, places, manner: [
        "-" if value is None else duration(value) for value in view.values(name, places)
    ]


def _target(name: str) -> Cells:
    return lambda view, places, manner: [manner.target(text or "-") for text in view.values(name, places)]


def _arrow(view: View, places: npt.NDArray[np.int64], manner: Manner) -> list[str]:
    return [WAYS[sender] for sender in view.column("sender")[places].tolist()]


def _end(side: str) -> Cells:
    def cells(view: View, places: npt.NDArray[np.int64], manner: Manner) -> list[str]:
        addresses, ports = view.values(side, places), view.values(f"{side}_port", places)
        return [endpoint(address, port) for address, port in zip(addresses, ports, strict=True)]

    return cells


def endpoint(address: str | None, port: int | None) -> str:
    """An address with its port."""
    if address is None:
        return "-"
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _side(side: str) -> Cells:
    """An end by columns of the table's own."""

    def cells(view: View, places: npt.NDArray[np.int64], manner: Manner) -> list[str]:
        addresses, ports = view.values(f"{side}_address", places), view.values(f"{side}_port", places)
        return [endpoint(address, port) for address, port in zip(addresses, ports, strict=True)]

    return cells


def _server(view: View, places: npt.NDArray[np.int64], manner: Manner) -> list[str]:
    """The server, and the tunnel that the connection runs in."""
    ends, tunnels = _side("server")(view, places, manner), view.values("tunnel", places)
    return [f"{end} in {tunnel}" if tunnel else end for end, tunnel in zip(ends, tunnels, strict=True)]


def _incident(view: View, places: npt.NDArray[np.int64], manner: Manner) -> list[str]:
    return [incident_sentence(view.snapshot, row) for row in view.rows[places].tolist()]


def _frame_bits(view: View, places: npt.NDArray[np.int64], manner: Manner) -> list[str]:
    """FIN, RSV1 to RSV3 and MASK, as letters."""
    cells = [view.column(name)[places].tolist() for name in ("fin", "rsv", "masked")]
    return [
        f"{'F' if fin else '-'}{'1' if rsv & 4 else '-'}{'2' if rsv & 2 else '-'}{'3' if rsv & 1 else '-'}"
        f"{'M' if masked else '-'}"
        for fin, rsv, masked in zip(*cells, strict=True)
    ]


def _frame_state(view: View, places: npt.NDArray[np.int64], manner: Manner) -> list[str]:
    """What is special about a frame: how much of it is not in the capture, how sure it is one."""
    columns = (view.values(name, places) for name in ("complete", "missing", "recovered"))
    told = []
    for complete, missing, recovered in zip(*columns, strict=True):
        parts = [f"{size(missing)} missing"] if missing else [] if complete else ["not complete"]
        told.append(", ".join([*parts, *found_by_evidence(recovered)]))
    return told


def found_by_evidence(recovered: str) -> list[str]:
    """How sure a frame is one that was found where the framing had been lost, in words; of others nothing."""
    return [] if recovered == "no" else [f"recovered (confidence {recovered})"]


def _message_state(view: View, places: npt.NDArray[np.int64], manner: Manner) -> list[str]:
    """What is special about a message."""
    names = ("frames", "inflate", "utf8", "complete", "inflated", "close_code", "recovered")
    told = []
    for frames, inflate, utf8, complete, inflated, code, recovered in zip(
        *(view.values(name, places) for name in names), strict=True
    ):
        parts = [f"{frames} frames"] if frames > 1 else []
        parts += [f"inflates to {size(inflated)}"] if inflate == "inflated" else []
        parts += [inflate] if inflate not in ("plain", "inflated") else []
        parts += ["not UTF-8"] if utf8 == "invalid" else []
        parts += ["not complete"] if not complete else []
        parts += [str(code)] if code is not None and not manner.closes else []
        parts += found_by_evidence(recovered)
        told.append(", ".join(parts))
    return told


def _preview(view: View, places: npt.NDArray[np.int64], manner: Manner) -> list[str]:
    """Payload as it was asked for, and what a Close says."""
    shown = np.full(len(places), "", object)
    closing = (view.column("opcode")[places] == CLOSE) & manner.closes
    shown[closing] = _close(view, places[closing], manner)
    if manner.payload is not None:
        shown[~closing] = list(map(manner.payload, view.payloads(places[~closing])))
    return list(shown)


def _close(view: View, places: npt.NDArray[np.int64], manner: Manner) -> list[str]:
    """Code and reason of Closes."""
    columns = (view.values(name, places) for name in ("close_code", "close_reason", "length"))
    return [close_words(code, manner.text(reason or ""), length) for code, reason, length in zip(*columns, strict=True)]


def close_words(code: int | None, reason: str, length: int) -> str:
    """`1000 "bye"`: what a Close says, in few words."""
    if code is None:
        return {0: "no code", 1: "one octet, no code"}.get(length, "code not captured")
    return f'{code} "{reason}"' if reason else str(code)


def _verdict(view: View, places: npt.NDArray[np.int64], manner: Manner) -> list[str]:
    return [manner.text(tell(view.snapshot, row).sentence) for row in view.rows[places].tolist()]


def _note(view: View, places: npt.NDArray[np.int64], manner: Manner) -> list[str]:
    told = []
    for code, detail in zip(view.column("code")[places].tolist(), view.values("detail", places), strict=True):
        meaning = MEANINGS[Note(code)]
        told.append(f"{meaning.sentence} ({meaning.source}){': ' + manner.text(detail) if detail else ''}")
    return told


def _offset(view: View, places: npt.NDArray[np.int64], manner: Manner) -> list[str]:
    cells = zip(view.column("offset")[places].tolist(), view.column("length")[places].tolist(), strict=True)
    return ["-" if offset < 0 else f"{offset}+{length}" for offset, length in cells]


LISTINGS: dict[str, tuple[tuple[str, Cells], ...]] = {
    "connections": (
        ("connection", _plain("connection")), ("began", _time("first_time")), ("client", _end("client")),
        ("server", _server), ("path", _target("path")), ("state", _plain("state")),
        ("sent", _size("client_octets")), ("received", _size("server_octets")), ("lasted", _span("duration")),
        ("verdict", _verdict),
    ),
    "exchanges": (
        ("connection", _plain("connection")), ("time", _time("request_time")), ("client", _end("client")),
        ("server", _end("server")), ("method", _plain("method")), ("target", _target("target")),
        ("status", _plain("status")), ("took", _span("duration")), ("content", _size("length")),
        ("style", _plain("style")),
    ),
    "handshakes": (
        ("connection", _plain("connection")), ("time", _time("first_time")), ("result", _plain("result")),
        ("status", _plain("status")), ("target", _target("target")), ("accept", _plain("accept_verdict")),
        ("version", _plain("version")), ("subprotocol", _plain("subprotocol")),
        ("extensions", _plain("extensions")), ("refusal", _plain("refusal")),
    ),
    "frames": (
        ("connection", _plain("connection")), ("time", _time("time")), ("packet", _plain("packet")),
        ("way", _arrow), ("opcode", _plain("opcode")), ("bits", _frame_bits), ("length", _size("payload_length")),
        ("state", _frame_state), ("payload", _preview),
    ),
    "messages": (
        ("connection", _plain("connection")), ("time", _time("time")), ("packet", _plain("packet")),
        ("way", _arrow), ("opcode", _plain("opcode")), ("length", _size("length")), ("state", _message_state),
        ("payload", _preview),
    ),
    "notes": (
        ("connection", _plain("connection")), ("time", _time("time")), ("packet", _plain("packet")),
        ("severity", _plain("severity")), ("by", _plain("by")), ("code", _plain("code")), ("way", _arrow),
        ("octets", _offset), ("what", _note),
    ),
    "encrypted": (
        ("connection", _plain("connection")), ("began", _time("first_time")),
        ("client", _side("client")), ("server", _server), ("server name", _plain("server_name")),
        ("offers", _plain("protocols")), ("sent", _size("client_seen")), ("received", _size("server_seen")),
        ("cause", _plain("cause")), ("confidence", _plain("confidence")), ("verdict", _own("sentence")),
    ),
    "incidents": (
        ("from", _time("first_time")), ("to", _time("last_time")), ("kind", _plain("kind")),
        ("server", _side("server")),
        ("connections", _plain("count")), ("cause", _plain("cause")), ("what", _incident),
    ),
}  # fmt: skip
"""The columns of each table's lines; the last one takes what is left of the line."""
SPARE: dict[str, tuple[str, ...]] = {
    "connections": ("received", "sent", "lasted", "client", "server", "began"),
    "exchanges": ("client", "content", "server", "took"),
    "handshakes": ("extensions", "version", "subprotocol", "time", "status"),
    "frames": ("bits", "packet", "state"),
    "messages": ("length", "packet", "state"),
    "notes": ("octets", "time", "way"),
    "encrypted": ("offers", "received", "sent", "confidence", "client", "cause", "began"),
    "incidents": ("to", "cause", "kind"),
}
"""What a terminal too narrow for a line does without, the first one first: a verdict or a payload that stands outside
the window helps nobody. Files and pipes get every column."""


def write(view: View, places: npt.NDArray[np.int64], page: Page, manner: Manner, without: Sequence[str] = ()) -> None:
    """Write rows. Columns are as wide as the first rows need, and wrap nothing; only a terminal cuts lines off."""
    columns = [
        ("close" if made is _preview and not manner.payload else title, made)
        for title, made in LISTINGS[view.name]
        if title not in without
    ]
    widths: list[int] = []
    for start in range(0, len(places), STEP):
        part = places[start : start + STEP]
        cells = [made(view, part, manner) for _, made in columns]
        if not widths:
            widths = [max(len(title), *map(len, cell)) for (title, _), cell in zip(columns, cells, strict=True)]
            kept = _fitting(view.name, [title for title, _ in columns], widths, page)
            columns, widths = [columns[index] for index in kept], [widths[index] for index in kept]
            cells = [cells[index] for index in kept]
            page.line(page.style(_row([title for title, _ in columns], widths, page), "bold"))
        for row in zip(*cells, strict=True):
            page.line(_row(row, widths, page))


def _fitting(table: str, titles: Sequence[str], widths: Sequence[int], page: Page) -> list[int]:
    """The columns that are shown."""
    kept = list(range(len(titles)))
    if page.stream.isatty():
        needed = sum(width + 2 for width in widths[:-1]) + min(widths[-1], ROOM)
        for title in SPARE[table]:
            if needed > page.width and title in titles[:-1]:
                kept.remove(titles.index(title))
                needed -= widths[titles.index(title)] + 2
    return kept


def _row(cells: Sequence[str], widths: Sequence[int], page: Page) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells[:-1], widths, strict=False)]
    line = "  ".join([*padded, cells[-1]]).rstrip()
    return cut(line, page.width) if page.stream.isatty() else line


def payload_writer(manner: str, secrets: bool, width: int) -> Callable[[bytes], str] | None:
    """How payload is written into lines: text (cut to a preview), hex, base64, or not at all."""
    if manner == "none":
        return None
    if manner == "hex":
        return lambda octets: octets.hex()
    if manner == "base64":
        from base64 import b64encode

        return lambda octets: b64encode(octets).decode()

    def text(octets: bytes) -> str:
        shown = preview(octets, width)
        return shown if secrets else mask_text(shown)

    return text
