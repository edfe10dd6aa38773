"""A payload for reading: JSON as a tree, text, else a dump; and the heads of a handshake."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha1

from analyzer.escape import printable
from analyzer.times import size
from analyzer.tui.body import Row, json_rows, json_values
from analyzer.tui.lines import Line, Piece
from dissectors.http.secrets import mask_text
from dissectors.http.upgrade import GUID

SHOWN = 256 << 10
"""Octets of a payload that are laid out; the rest is said to be there."""
DUMPED = 64 << 10
"""Octets of one that is no text."""
ACROSS = 16


def laid_out(octets: bytes, why: str) -> list[Row]:
    """The rows of a payload; `why` says what is wrong with it."""
    shown = octets[:SHOWN]
    try:
        text = shown.decode()
    except UnicodeDecodeError as error:
        text = shown[: error.start].decode() if len(octets) > SHOWN and error.start > len(shown) - 4 else ""
    values = _values(text)
    what = f"{len(values)} JSON values" if len(values) > 1 else "JSON" if values else "text" if text else "binary"
    what = what if octets else "empty"
    rows = [Row([Piece(f"{size(len(octets))}, {what}", "dim"), Piece(f"  {why}", "bad")]), Row([])]
    if values:
        rows += json_rows(values)
    elif text:
        rows += [Row([Piece(printable(line))]) for line in mask_text(text).split("\n")]
    else:
        rows += dump(shown[:DUMPED])
    left = len(octets) - (SHOWN if text else DUMPED)
    return [*rows, Row([Piece(f"{size(left)} more are not shown", "odd")])] if left > 0 else rows


def _values(text: str) -> list[object]:
    """JSON values, secrets in them masked as in any text; none where a mask breaks them."""
    values = json_values(text)
    return json_values(mask_text("\n".join(json.dumps(value, ensure_ascii=False) for value in values)))


def dump(octets: bytes) -> list[Row]:
    """Offset, octets and characters."""
    rows = []
    for at in range(0, len(octets), ACROSS):
        part = octets[at : at + ACROSS]
        letters = "".join(chr(octet) if 32 <= octet < 127 else "." for octet in part)
        rows.append(Row([Piece(f"{at:06x}  ", "dim"), Piece(f"{part.hex(' '):<49}"), Piece(letters, "client")]))
    return rows


def head_lines(head: bytes) -> list[Line]:
    """A head as it crossed the wire; what WebSocket needs stands out."""
    lines: list[Line] = []
    for number, line in enumerate(head.decode("latin-1").split("\r\n")):
        name, colon, value = line.partition(":")
        if number == 0 or not colon:
            lines.append([Piece(printable(mask_text(line)), "bold" if number == 0 else "plain")])
            continue
        marked = name.lower().startswith("sec-websocket") or name.lower() in ("upgrade", "connection")
        shown = printable(mask_text(line))[len(name) + 1 :] if not marked else printable(value)
        lines.append([Piece(printable(name), "odd" if marked else "dim"), Piece(":", "dim"), Piece(shown)])
    return lines


def accept_steps(key: str, accept: str) -> list[Line]:
    """How a server makes the accept value (RFC 6455 §4.2.2), step by step."""
    joined = key + GUID.decode()
    digest = sha1(joined.encode("utf-8", "replace"), usedforsecurity=False).digest()
    expected = b64encode(digest).decode()
    verdict = (
        ("= what the server sent", "good")
        if expected == accept
        else (f"but the server sent {printable(accept) or 'none'}", "bad")
    )
    return [
        [], [Piece("the accept value, recomputed (RFC 6455 §4.2.2)", "bold")],
        [Piece("  key               ", "dim"), Piece(printable(key), "client")],
        [Piece("  + the fixed GUID  ", "dim"), Piece(printable(joined))],
        [Piece("  SHA-1             ", "dim"), Piece(digest.hex(" "))],
        [Piece("  base64            ", "dim"), Piece(expected, "server"), Piece(f"  {verdict[0]}", verdict[1])],
    ]  # fmt: skip
