"""permessage-deflate (RFC 7692): what the walk needs, which only counts, and what a look at one payload needs."""

from __future__ import annotations

import zlib
from typing import Any

TAIL = b"\0\0\xff\xff"
"""What a sender takes off the end of each message, and its receiver puts back (RFC 7692 §7.2.1, §7.2.2)."""
WINDOW = 1 << 15
"""Octets; the largest window of RFC 7692 §7.1.2."""
STEP = 1 << 10
"""Octets that one call is given: behind a final block it gives back a copy of what it did not take."""
PIECE = 1 << 20
"""Octets that one call of the inflater may return."""


def raw_inflater(dictionary: bytes = b"") -> Any:
    """A zlib inflater of raw DEFLATE whose window holds `dictionary`. It fits every smaller window too."""
    return zlib.decompressobj(-15, zdict=dictionary) if dictionary else zlib.decompressobj(-15)


class Inflater:
    """One direction's inflater: message after message, restarted after final blocks (RFC 7692 §7.2.3.4)."""

    def __init__(self, window: bytes = b"") -> None:
        self._zlib = raw_inflater(window)
        self._recent = window

    def message(self, octets: bytes, limit: int) -> tuple[bytes, bool, str]:
        """What a message inflates to, at most `limit` octets of it; whether there was more; and what is wrong with it,
        empty for nothing. All of it goes through the window, kept or not."""
        if not octets:
            return b"", False, ""
        out = bytearray()
        more = False
        whole = octets + TAIL
        data, at = whole[:STEP], STEP
        try:
            while True:
                piece = self._zlib.decompress(data, PIECE)
                if piece:
                    self._recent = (self._recent + piece)[-WINDOW:]
                    more = more or len(out) + len(piece) > limit
                    out += piece[: max(limit - len(out), 0)]
                if self._zlib.eof:
                    data = self._zlib.unused_data
                    self._zlib = raw_inflater(self._recent)
                    if len(data) <= len(TAIL) and data + whole[at : at + len(TAIL) + 1] in (b"", TAIL):
                        break
                elif len(piece) == PIECE:
                    # a match may still be pending inside zlib even where it has taken all input
                    data = self._zlib.unconsumed_tail
                    continue
                else:
                    data = b""
                if not data:
                    if at >= len(whole):
                        break
                    data, at = whole[at : at + STEP], at + STEP
        except zlib.error as error:
            return bytes(out), more, f"does not inflate: {error}"
        return bytes(out), more, ""
