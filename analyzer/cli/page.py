"""What a page of text can do: its width, its colours, its characters."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from dataclasses import dataclass
from typing import TextIO

COLOURS = {"bold": "1", "dim": "2", "good": "32", "bad": "31", "odd": "33", "key": "36"}
"""SGR numbers. A colour only repeats what a word says."""
FALLBACK = str.maketrans({"→": ">", "←": "<", "·": "-", "…": "~", "✓": "+", "✗": "x", "○": "o", "µ": "u", "─": "-",
                          "\u201c": '"', "\u201d": '"', "§": "s."})  # fmt: skip
AMOUNT = re.compile(r"(?<=\d) (?=(?:ns|µs|ms|s|min|h|B|[kMGT]B)\b)")
"""The space between a number and its unit, where no line may end (SI brochure §5.4.3)."""
KEPT = "\0"
"""Stands for that space while lines are made; `printable` lets none through."""


@dataclass(frozen=True, slots=True)
class Page:
    """Where text goes."""

    stream: TextIO
    width: int
    colour: bool
    unicode: bool

    @classmethod
    def of(cls, stream: TextIO) -> Page:
        """The page that a stream is."""
        terminal = stream.isatty()
        encoding = (getattr(stream, "encoding", "") or "ascii").lower().replace("-", "")
        return cls(
            stream,
            max(shutil.get_terminal_size((100, 24)).columns if terminal or "COLUMNS" in os.environ else 100, 60),
            terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb",
            encoding.startswith("utf"),
        )

    def style(self, text: str, colour: str) -> str:
        """A text in a colour, where there are colours."""
        return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m" if self.colour else text

    def line(self, text: str = "") -> None:
        """Write a line. It holds nothing of a peer that did not go through `printable`."""
        if not self.unicode:
            text = text.translate(FALLBACK).encode("ascii", "backslashreplace").decode()
        self.stream.write(text + "\n")

    def wrapped(self, text: str, indent: int, whole: bool = True) -> list[str]:
        """A text without styles in lines of the page's width, all but the first indented. What has no space to break
        at stays `whole`, so that it can be copied."""
        if len(text) <= self.width:
            return [text]
        lines = textwrap.wrap(
            AMOUNT.sub(KEPT, text), self.width, subsequent_indent=" " * indent, break_long_words=not whole,
            break_on_hyphens=False,
        )  # fmt: skip
        return [line.replace(KEPT, " ") for line in lines]


def standard_output() -> TextIO:
    """Standard output, which never fails on a character."""
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    return sys.stdout
