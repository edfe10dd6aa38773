"""Octets of an input at any offset: a plain file as it is, anything else through a spool.

What cannot be sought (compressed, standard input) is expanded, as far as it has been asked for, into a temporary file
that has no name: it goes when the process goes. The spool is bounded; reaching the bound is told, not raised. Files
are read with `pread`, never mapped: a mapped file that somebody truncates kills the process.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO, Any, Protocol

SPOOL_LIMIT = 64 << 30
"""Octets that an expanded input may have."""
STEP = 1 << 20


class Supply(Protocol):
    """Octets at any offset."""

    def read_into(self, view: memoryview, at: int) -> int:
        """Fill a view from offset `at`; returns how many octets there were."""

    def read(self, at: int, length: int) -> bytes:
        """Octets at an offset; fewer at the end."""

    def size(self) -> int:
        """Octets known so far."""

    def progress(self, at: int) -> tuple[int, int]:
        """Octets of the input read when the reader stands at `at`, and in all."""

    def problem(self) -> str:
        """Why the input could not be expanded to its end, if so."""

    def close(self) -> None:
        """Let go."""


class PlainFile:
    """A file that is read where it lies."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def read_into(self, view: memoryview, at: int) -> int:
        """Fill a view."""
        done = 0
        while done < len(view):
            count = os.preadv(self.descriptor, [view[done:]], at + done)
            if not count:
                break
            done += count
        return done

    def read(self, at: int, length: int) -> bytes:
        """Octets at an offset."""
        return os.pread(self.descriptor, length, at)

    def size(self) -> int:
        """Octets in the file."""
        return os.fstat(self.descriptor).st_size

    def progress(self, at: int) -> tuple[int, int]:
        """How far the reader is."""
        return at, self.size()

    def problem(self) -> str:
        """None: what the file holds is all there is."""
        return ""

    def close(self) -> None:
        """Close the file. Its number may soon be another file's, so it is forgotten."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class Expanded:
    """An input that is expanded into a spool as far as it is asked for."""

    def __init__(self, source: IO[bytes], pieces: Iterator[bytes], limit: int = SPOOL_LIMIT) -> None:
        from tempfile import TemporaryFile  # many modules, which a plain file does not need

        self.source = source
        self.pieces = pieces
        self.limit = limit
        self.spool = TemporaryFile(prefix="framescope-")  # noqa: SIM115 - lives as long as this does
        self.plain = PlainFile(self.spool.fileno())
        self.expanded = 0
        self.ended = False
        self.trouble = ""

    def _expand(self, until: int) -> None:
        while not self.ended and self.expanded < until:
            try:
                piece = next(self.pieces, None)
            except (OSError, EOFError, zlib.error, ValueError) as error:
                piece, self.trouble = None, f"cannot be expanded further: {error}"
            if piece is None:
                self.ended = True
            elif self.expanded + len(piece) > self.limit:
                self.ended, self.trouble = True, f"expands to more than {self.limit} octets: the rest is not read"
            else:
                try:
                    self.spool.write(piece)
                    self.spool.flush()
                except OSError as error:
                    self.ended, self.trouble = True, f"does not fit into the temporary folder: {error.strerror}"
                    return
                self.expanded += len(piece)

    def read_into(self, view: memoryview, at: int) -> int:
        """Fill a view."""
        self._expand(at + len(view))
        return self.plain.read_into(view, at)

    def read(self, at: int, length: int) -> bytes:
        """Octets at an offset."""
        self._expand(at + length)
        return self.plain.read(at, length)

    def size(self) -> int:
        """Octets expanded so far."""
        return self.expanded

    def progress(self, at: int) -> tuple[int, int]:
        """How far the input is expanded; its size is 0 where nobody knows it."""
        try:
            return self.source.tell(), os.fstat(self.source.fileno()).st_size
        except (OSError, ValueError):
            return self.expanded, 0

    def problem(self) -> str:
        """Why expansion stopped early, if so."""
        return self.trouble

    def close(self) -> None:
        """Drop the spool."""
        with suppress(OSError):  # what did not fit is written once more
            self.spool.close()
        if self.source is not sys.stdin.buffer:
            self.source.close()


def plain_pieces(source: IO[bytes]) -> Iterator[bytes]:
    """An input as it comes."""
    while piece := source.read(STEP):
        yield piece


def gzip_pieces(source: IO[bytes]) -> Iterator[bytes]:
    """An expanded gzip input, several members included; what stands before the damage of a damaged one."""
    inflater = zlib.decompressobj(31)
    data = b""
    while True:
        data = data or source.read(STEP)
        if not data:
            if not inflater.eof:
                raise EOFError("the gzip data ends early")
            return
        if inflater.eof:
            data = data.lstrip(b"\0")  # padding between members is allowed
            if not data:
                continue
            inflater = zlib.decompressobj(31)
        before = inflater.copy()
        try:
            piece = inflater.decompress(data, 4 * STEP)
        except zlib.error:
            yield from _up_to_damage(before, data)
            raise
        data = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        if piece:
            yield piece


def _up_to_damage(inflater: Any, data: bytes) -> Iterator[bytes]:
    """What a call would have given that failed: such a call gives nothing, however late in its input the damage."""
    for at in range(len(data)):
        try:
            piece = inflater.decompress(data[at : at + 1])
        except zlib.error:
            return
        if piece:
            yield piece


ZSTD_STEP = 1 << 10
"""Octets of input expanded at once. A call that meets damage gives nothing, so that much before it is lost; and runs
of one octet expand 32,000 times (RFC 8878 §3.1.1.2.2), so a call gives 32 MiB at most."""


def zstd_pieces(source: IO[bytes]) -> Iterator[bytes]:
    """An expanded zstd input, several frames included; what stands before the damage of a damaged one."""
    import zstandard

    context = zstandard.ZstdDecompressor()
    frame = context.decompressobj()
    begun = False
    try:
        while data := source.read(ZSTD_STEP):
            while data:
                if frame.eof:
                    frame = context.decompressobj()
                begun = True
                piece = frame.decompress(data)
                data = frame.unused_data if frame.eof else b""
                if piece:
                    yield piece
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None
    if begun and not frame.eof:
        raise EOFError("the zstd data ends early")


COMPRESSIONS: tuple[tuple[bytes, str, Callable[[IO[bytes]], Iterator[bytes]]], ...] = (
    (b"\x1f\x8b", "gzip", gzip_pieces),
    (b"\x28\xb5\x2f\xfd", "zstd", zstd_pieces),
    *((bytes([low]) + b"\x2a\x4d\x18", "zstd", zstd_pieces) for low in range(0x50, 0x60)),
)
"""First octets (RFC 1952 §2.3.1, RFC 8878 §3.1.1, §3.1.2: skippable frames), name, and how to expand."""


def is_compressed(head: bytes) -> bool:
    """Whether an input that begins so is compressed."""
    return any(head.startswith(magic) for magic, *_ in COMPRESSIONS)
