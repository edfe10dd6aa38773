"""The one door through which octets of peers reach a terminal, a spreadsheet or the name of a file as text."""

from __future__ import annotations

import re

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL, C1: cursor, colours, titles
    "\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # hidden, bidirectional, line ends
    "\u115f\u1160\u3164\uffa0"  # letters without a shape
    "\ud800-\udfff"  # lone surrogates cannot be encoded
    "\U000e0000-\U000e007f]"  # tags
)
SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x00": "\\0", "\x1b": "\\e"}


def printable(text: str) -> str:
    """A text without anything that could move a cursor, hide or reorder characters, or end a line."""
    return _UNSAFE.sub(_visible, text) if not text.isprintable() or _UNSAFE.search(text) else text


def _visible(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    return SHORT.get(character) or (f"\\x{code:02x}" if code < 256 else f"\\u{{{code:x}}}")


def preview(octets: bytes, width: int) -> str:
    """The start of a payload as text, or as hexadecimal where it is not text."""
    head = octets[: 4 * width]
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3 or (len(head) == len(octets)):
            return cut(octets[: width // 2].hex(" "), width)
        text = head[: error.start].decode()
    return cut(printable(text), width)


def cut(text: str, width: int) -> str:
    """A text of at most `width` characters."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


FORMULA = "=+-@\t\r"
"""First characters that make a spreadsheet run a cell (OWASP, CSV injection)."""


def cell(text: str) -> str:
    """A text as a cell of a spreadsheet: no formula, and nothing that acts on the terminal that shows it."""
    shown = printable(text)
    return f"'{shown}" if text[:1] in FORMULA and text else shown


NAME = 80
"""Characters of a file's name that come from a peer: file systems allow 255 octets."""


def file_name(text: str, otherwise: str = "capture") -> str:
    """A text as the name of a file in the folder at hand: it leaves no folder, is no option and no hidden file."""
    plain = re.sub(r"[^\w.]+", "-", text, flags=re.ASCII).strip("-.")[:NAME].rstrip("-.")
    return plain or otherwise
