# cython: wraparound=False, boundscheck=False, initializedcheck=False, annotation_typing=False, auto_pickle=False
"""One direction's inflater as the message walk drives it: payload in, piece by piece; of what comes out only its
length, its UTF-8 state and the window remain (RFC 7692 §7.2.2).

Theory of operation. A message of a chat inflates in 0.15 µs, but a call of Python's zlib takes four times as long: it
hands a lock around and makes two objects. So where this module is compiled, and the shared library of zlib is found,
its functions are called directly (`NATIVE`; the C in the .pxd beside this file, which uses the part of zlib's interface
that has not changed since 1.2.8). Otherwise Python's zlib does the same. Both use a window of 2^15 octets, which fits
every smaller one that may have been negotiated, and drain output in pieces, so that a small message that inflates to
gigabytes costs time but no memory, and the window stays in step.

A sender may end a message in a final block (§7.2.3.4): zlib then returns nothing for all that follows, so the inflater
is started anew with the last 32 KiB of output as its dictionary.
"""

from __future__ import annotations

import ctypes
import zlib
from typing import Any

from dissectors.websocket import outcomes
from dissectors.websocket.deflate import PIECE, TAIL, WINDOW, raw_inflater
from dissectors.websocket.masking import unmask, unmask_into, utf8

INFLATED, FAILED, OVER_LIMIT, FINAL_BLOCK = (
    outcomes.INFLATED, outcomes.FAILED, outcomes.OVER_LIMIT, outcomes.FINAL_BLOCK,
)  # fmt: skip
NO_TEXT = outcomes.NO_TEXT
IN = bytearray(1 << 12)
"""Where the library takes all input from, for nobody else has a turn before it has; no longer than the longest piece
of payload."""
OUT = bytearray(1 << 16)
"""Where all inflaters put their output; nobody reads it later."""
FUNCTIONS = ("inflateInit2_", "inflate", "inflateEnd", "inflateReset", "inflateSetDictionary", "inflateGetDictionary")
LIBRARIES = ("libz.so.1", "libz.1.dylib")
KEPT = 1024
"""Pieces of output that are kept apart until they are joined."""


def bind() -> bool:
    """Find zlib's functions. False where they are not there, or nobody could call them."""
    if __file__.endswith(".py"):
        return False
    for name in LIBRARIES:
        try:
            library = ctypes.CDLL(name)
            found = [ctypes.cast(getattr(library, function), ctypes.c_void_p).value for function in FUNCTIONS]
        except (OSError, AttributeError):
            continue
        return bool(z_bind(found))
    return False


class Inflating:
    """An inflater. `produced` and `text` tell of the last piece: octets that came out, and the UTF-8 state behind.
    `native` is False where Python's zlib is wanted in any case."""

    def __init__(self, native: bool = True) -> None:
        self.produced = 0
        self.text = 0
        self.fresh = False
        self.native = NATIVE and native
        self.inflater: Any = None
        self.recent: list[bytes] = []
        self.kept = 0
        self.out = OUT
        if self.native:
            self.native = z_open(self.stream)
        if not self.native:
            self.inflater = raw_inflater()

    def __dealloc__(self) -> None:
        if self.native:
            z_close(self.stream)

    def feed(self, octets: memoryview, start: int, stop: int, key: int, phase: int, tail: int, text: int,
             room: int) -> int:  # fmt: skip
        """Inflate the octets `start:stop`, masked with `key` (`masking`), with `tail` at the end of a message. `room`:
        octets that may come out. Returns a code of `inflate`; where it failed or was too much, what came out before
        is not to be relied on."""
        self.produced = 0
        self.text = text
        data = IN
        if self.native:
            size = unmask_into(IN, octets, start, stop, key, phase, tail)
        else:
            data = unmask(octets, start, stop, key, phase, tail)
            size = len(data)
        if self.fresh:
            self.fresh = False
            # a final block needs no tail; RFC 7692 §7.2.3.4 has senders add an empty block for it
            if size == 4 and data[:4] == TAIL:
                return INFLATED
        return self.natively(size, room) if self.native else self.by_zlib(data, room)

    def take(self, out: Any, length: int) -> None:
        """Octets came out."""
        self.produced += length
        if self.text > NO_TEXT:
            self.text = utf8(out, 0, length, 0, 0, self.text)

    def natively(self, size: int, room: int) -> int:
        """Inflate the first octets of `IN` with the library."""
        outcome = INFLATED
        z_give(self.stream, IN, size)
        while True:
            length = z_inflate(self.stream, OUT)
            status = z_status(self.stream)
            if status < 0:
                return FAILED
            if length > 0:
                self.take(self.out, length)
                if self.produced > room:
                    return OVER_LIMIT
            if status == 1:
                outcome = FINAL_BLOCK
                if z_again(self.stream) < 0:
                    return FAILED
                left = z_left(self.stream)
                if left == 0 or (left == 4 and IN[size - 4 : size] == TAIL):
                    self.fresh = left == 0
                    return outcome
            elif length < len(OUT):
                return outcome

    def by_zlib(self, data: Any, room: int) -> int:
        """Inflate with Python's zlib."""
        outcome = INFLATED
        while True:
            try:
                out = self.inflater.decompress(data, PIECE)
            except zlib.error:
                return FAILED
            if out:
                if self.text == 0 and out.isascii():
                    self.produced += len(out)
                else:
                    self.take(memoryview(out), len(out))
                self.keep(out)
                if self.produced > room:
                    return OVER_LIMIT
            if self.inflater.eof:
                outcome = FINAL_BLOCK
                data = self.inflater.unused_data
                self.inflater = raw_inflater(self.window())
                if not data or data == TAIL:
                    # fresh only while nothing was fed: behind part of a block the tail is that block's
                    self.fresh = not data
                    return outcome
                continue
            if len(out) < PIECE:
                return outcome
            # a match may still be pending inside zlib even where it has taken all input
            data = self.inflater.unconsumed_tail

    def keep(self, out: bytes) -> None:
        """Remember inflated octets until they have left the window: a restart needs them."""
        self.recent.append(out)
        self.kept += len(out)
        if self.kept > 2 * WINDOW or len(self.recent) > KEPT:
            self.recent = [b"".join(self.recent)[-WINDOW:]]
            self.kept = len(self.recent[0])

    def window(self) -> bytes:
        """The last octets inflated, at most a window of them."""
        if self.native:
            found = bytearray(WINDOW)
            return bytes(found[: z_window(self.stream, found)])
        return b"".join(self.recent)[-WINDOW:]


NATIVE = bind()
