"""What is searched for in payloads: a text, a regular expression or octets, and where they stand in a payload."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from analyzer.errors import FilterError

MODES = ("text", "regex", "hex")
Find = Callable[[bytes], tuple[int, int]]
"""Offset and length of the first match in some octets; offset -1 for none."""


class Needle(NamedTuple):
    """What to search for, and how that is said in words."""

    find: Find
    words: str


def needle(text: str, mode: str) -> Needle:
    """What a text stands for.

    Raises: FilterError where it stands for nothing.
    """
    if not text:
        raise FilterError("nothing to search for", text, 0)
    return {"text": _text, "regex": _regex, "hex": _hex}[mode](text)


def _text(text: str) -> Needle:
    """Without capitals any case is meant, as in vim's smartcase. ASCII letters alone have another case here: payloads
    are octets."""
    octets = text.encode("utf-8", "surrogateescape")
    if octets == octets.lower():
        return Needle(lambda payload: (payload.lower().find(octets), len(octets)), "text in any case")
    return Needle(lambda payload: (payload.find(octets), len(octets)), "text, case as typed")


def _regex(text: str) -> Needle:
    try:
        re.compile(text)
        pattern = re.compile(text.encode("utf-8", "surrogateescape"))
    except re.error as error:
        raise FilterError(f"{error.msg}", text, min(error.pos or 0, len(text))) from None
    except (OverflowError, RecursionError) as error:
        raise FilterError(f"too much: {error}", text, 0) from None

    def find(payload: bytes) -> tuple[int, int]:
        found = pattern.search(payload)
        return (found.start(), found.end() - found.start()) if found else (-1, 0)

    return Needle(find, "regular expression on octets")


def _hex(text: str) -> Needle:
    """Octets as `de ad be ef`, `de:ad`, `0xdead`, `\\xde\\xad`."""
    plain = re.sub(r"0x|\\x|[\s:,-]", "", text)
    wrong = re.search(r"[^0-9a-fA-F]", plain)
    if wrong:
        raise FilterError(f"{wrong[0]!r} is no hexadecimal digit", text, max(text.find(wrong[0]), 0))
    if not plain or len(plain) % 2:
        raise FilterError("an octet has two digits", text, len(text))
    octets = bytes.fromhex(plain)
    return Needle(lambda payload: (payload.find(octets), len(octets)), f"{len(octets)} octets")
