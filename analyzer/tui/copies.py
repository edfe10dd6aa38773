"""A row in other forms, to be taken elsewhere: text, hexadecimal, JSON, a websocat command, a Python program.

What peers sent comes out as it crossed the wire, secrets included, but for what would act on a terminal that it is
pasted into: control characters are escaped, and commands quote everything.
"""

from __future__ import annotations

import json
import shlex
from base64 import b64encode
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from analyzer.api import Capture
from analyzer.escape import printable
from analyzer.tui.rungs import Kind
from analyzer.tui.subject import Subject, message_of
from dissectors.notes import MEANINGS, Note
from dissectors.websocket.opcodes import BINARY, CLOSE

MOST = 74_994
"""Octets that a terminal is handed: 100,000 in base64, where hterm's osc52 scripts stop for fear of breaking terminals.
"""
OWN_FIELDS = frozenset(
    ("host", "connection", "upgrade", "origin", "content-length", "sec-websocket-key", "sec-websocket-version",
     "sec-websocket-extensions", "sec-websocket-protocol", "accept-encoding", "proxy-connection", "keep-alive")
)  # fmt: skip
"""Header fields that a client makes itself, or is told by other means."""
BUFFER = 65_536
"""Octets of a message that websocat sends unless it is told otherwise."""


class Form(NamedTuple):
    """A form that a row can be copied in."""

    key: str
    name: str
    make: Callable[[], str]


def forms(capture: Capture, subject: Subject) -> list[Form]:
    """The forms that a row has."""
    octets = _octets(capture, subject)
    found = [Form("t", "text", lambda: _text(capture, subject, octets))]
    if octets is not None:
        found.append(Form("h", "hexadecimal", lambda: octets.hex(" ")))
    table, row = _record(subject)
    if table:
        found.append(Form("j", "JSON", lambda: _json(capture, table, row, octets)))
    if subject.entry.connection >= 0:
        found.append(Form("w", "websocat command", lambda: websocat(_call(capture, subject))))
        found.append(Form("p", "Python program", lambda: python(_call(capture, subject))))
    return found


def safe(text: str) -> str:
    """Lines of a text without what would act on a terminal."""
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.replace("\r\n", "\n").split("\n"))


# -- what a row holds --------------------------------------------------------------------------------------------------


def _octets(capture: Capture, subject: Subject) -> bytes | None:
    """What crossed the wire; of a frame all of it, of a message its payload. None for rows that are no octets."""
    if subject.kind is Kind.MESSAGE:
        return capture._contents.message_payload(subject.ref).octets
    if subject.kind is Kind.FRAME:
        return capture._contents.frame_wire(subject.ref)
    if subject.kind in (Kind.REQUEST, Kind.RESPONSE):
        exchange = capture.exchanges.numbered(subject.ref)
        if exchange is not None:
            return (exchange.request if subject.kind is Kind.REQUEST else exchange.response) or None
    return None


def _head(capture: Capture, subject: Subject) -> str:
    """What is known of a head whose octets are not: of a CONNECT around encryption only columns are kept."""
    cells, text = capture.snapshot["exchanges"].row(subject.ref), capture.snapshot.text
    words = (text(cells["method"]), text(cells["target"]))
    if subject.kind is Kind.RESPONSE:
        words = (str(cells["status"]), text(cells["reason"]))
    return f"{printable(' '.join(words))} (its octets are not kept)"


def _text(capture: Capture, subject: Subject, octets: bytes | None) -> str:
    entry = subject.entry
    if subject.kind is Kind.FRAME:
        return safe(capture._contents.frame_payload(subject.ref).decode("utf-8", "backslashreplace"))
    if octets is not None:
        return safe(octets.decode("utf-8", "backslashreplace"))
    if subject.kind is Kind.NOTE:
        cells = capture.snapshot["notes"].row(subject.ref)
        meaning = MEANINGS[Note(cells["code"])]
        detail = printable(capture.snapshot.text(cells["detail"]))
        return f"{entry.key}: {meaning.sentence}{': ' + detail if detail else ''} ({meaning.source})"
    if subject.kind in (Kind.REQUEST, Kind.RESPONSE):
        return _head(capture, subject)
    return f"{entry.key} {entry.client} -> {entry.server} {entry.path}: {entry.verdict}"


def _record(subject: Subject) -> tuple[str, int]:
    tables = {Kind.MESSAGE: "messages", Kind.FRAME: "frames", Kind.NOTE: "notes", Kind.REQUEST: "exchanges",
              Kind.RESPONSE: "exchanges"}  # fmt: skip
    if subject.kind in tables:
        return tables[subject.kind], subject.ref
    return ("connections", subject.entry.connection) if subject.entry.connection >= 0 else ("", -1)


def _json(capture: Capture, table: str, row: int, octets: bytes | None) -> str:
    """The record that JSON Lines has, with the payload as text, or as base64 where it is none."""
    view = capture.view(table)
    record = view.record(int(np.searchsorted(view.rows, row)))
    if table in ("messages", "frames"):
        payload = octets if table == "messages" else capture._contents.frame_payload(row)
        assert payload is not None
        try:
            record["payload"] = payload.decode()
        except UnicodeDecodeError:
            record["payload_base64"] = b64encode(payload).decode()
    return json.dumps(record, ensure_ascii=True, indent=2)


# -- the same once more ------------------------------------------------------------------------------------------------


class Call(NamedTuple):
    """What it takes to connect as the client did, and to send what it sent."""

    address: str
    origin: str
    protocols: tuple[str, ...]
    fields: tuple[tuple[str, str], ...]
    payload: bytes | None
    text: bool


def _call(capture: Capture, subject: Subject) -> Call:
    connection = capture.connections.numbered(subject.entry.connection)
    assert connection is not None
    handshake = connection.handshake
    head = handshake.request.decode("latin-1").split("\r\n") if handshake is not None else []
    fields = [(name.strip(), value.strip()) for name, colon, value in (line.partition(":") for line in head[1:])
              if colon]  # fmt: skip
    named = {name.lower(): value for name, value in fields}
    target = head[0].split(" ")[1] if head and head[0].count(" ") >= 2 else "/"
    host = named.get("host") or subject.entry.server.partition(" ")[0]
    kept = tuple(field for field in fields if field[0].lower() not in OWN_FIELDS)
    protocols = tuple(filter(None, (word.strip() for word in named.get("sec-websocket-protocol", "").split(","))))
    payload, text = _sent(capture, subject)
    return Call(_address(host, target), named.get("origin", ""), protocols, kept, payload, text)


def _address(host: str, target: str) -> str:
    return printable(target if "://" in target else f"ws://{host}{target}")


def _sent(capture: Capture, subject: Subject) -> tuple[bytes | None, bool]:
    """What the client sent, and whether it is text: of a data message of the client."""
    row = message_of(capture, subject.kind, subject.ref)
    if row < 0:
        return None, True
    cells = capture.snapshot["messages"].row(row)
    client = int(capture.snapshot["channels"]["client"][cells["channel"]])
    if cells["direction"] != client or cells["opcode"] >= CLOSE:
        return None, True
    return capture._contents.message_payload(row).octets, cells["opcode"] != BINARY


def websocat(call: Call) -> str:
    """A shell command. Text without line ends stands in it as it is, anything else in base64."""
    words = ["websocat"]
    if call.origin:
        words.append(f"--origin={printable(call.origin)}")
    if call.protocols:
        words.append(f"--protocol={printable(', '.join(call.protocols))}")
    words += [f"-H={printable(f'{name}: {value}')}" for name, value in call.fields]
    before = ""
    if call.payload is not None:
        words += ["--text" if call.text else "--binary", "--no-line", "--no-close"]
        if len(call.payload) > BUFFER:
            words.append(f"--buffer-size={len(call.payload)}")
        before = _piped(call.payload) + " | "
    return before + " ".join(map(shlex.quote, [*words, call.address]))


def _piped(payload: bytes) -> str:
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        text = "\n"
    if text and text.isprintable() and printable(text) == text:
        return f"printf %s {shlex.quote(text)}"
    return f"printf %s {b64encode(payload).decode()} | base64 -d"


def python(call: Call) -> str:
    """A program for the package websockets."""
    options: list[tuple[str, Any]] = []
    if call.origin:
        options.append(("origin", call.origin))
    if call.protocols:
        options.append(("subprotocols", list(call.protocols)))
    agent = {name.lower(): value for name, value in call.fields}.get("user-agent")
    if agent is not None:
        options.append(("user_agent_header", agent))
    others = [field for field in call.fields if field[0].lower() != "user-agent"]
    if others:
        options.append(("additional_headers", others))
    arguments = "".join(f"    {name}={value!a},\n" for name, value in options)
    lines = ["from websockets.sync.client import connect", "", f"with connect(\n    {call.address!a},\n{arguments})"
             " as websocket:"]  # fmt: skip
    if call.payload is not None:
        sent = call.payload.decode("utf-8", "surrogateescape") if call.text else call.payload
        lines.append(f"    websocket.send({sent!a})")
    return "\n".join([*lines, "    for message in websocket:", "        print(message)", ""])
