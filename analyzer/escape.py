"""The one door through which octets of peers reach standard output as text."""

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
