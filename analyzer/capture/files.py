"""Opens captures: one file or several, told by content, plain or compressed, from a path or standard input."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from analyzer.capture.merging import merge
from analyzer.capture.pcap import MAGICS, Found, PcapReader
from analyzer.capture.pcapng import MAGIC, PcapngReader
from analyzer.capture.records import Comment, InterfaceStatistics, Loss, Records, Source
from analyzer.capture.supply import COMPRESSIONS, Expanded, PlainFile, Supply, plain_pieces
from analyzer.errors import CaptureError

CACHED, RECORDS = 1 << 20, 4096
"""A chunk is as many octets as stay in a core's cache, but more where so few hold fewer than 4096 records: each chunk
costs half a millisecond that does not depend on its size."""
PEEKED = 64
"""Octets that tell what a file is: the longest header, of pcapng, has 28 before its options."""
FORMATS = "pcap or pcapng, plain or compressed with gzip or zstd"
OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"snoop\0\0\0", "a snoop capture"),
    (b"\x52\x54\x53\x53", "a Network Monitor capture"),
    (b"GMBU", "a Network Monitor capture"),
    (b"\x50\x4b\x03\x04", "a ZIP archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\x04\x22\x4d\x18", "an lz4 archive"),
    (b"{", "JSON text, perhaps a HAR file"),
    (b"<", "HTML or XML text"),
    (b"CLIENT_", "a TLS key log"),
    (b"\x7fELF", "a program"),
)
"""First octets of files that people take for captures."""
STRIDE = 1 << 44
"""Virtual octets set aside for an input whose expanded size is not known beforehand."""


class Reader(Protocol):
    """Reads the records of one format."""

    name: str
    start: int
    comments: list[Comment]
    dropped: int | None
    losses: list[Loss]

    @property
    def statistics(self) -> tuple[InterfaceStatistics, ...]:
        """What the file says of its interfaces."""

    def take(self, octets: memoryview, at: int, stop: int, packets: int) -> Found:
        """Records that are whole in `octets[at:stop]`."""


class CaptureFile:
    """One capture file. Offsets are its own plus `base`."""

    def __init__(self, name: str, supply: Supply, reader: Reader) -> None:
        self.name = name
        self.names: tuple[str, ...] = (name,)
        self.supply = supply
        self.reader = reader
        self.base = 0
        self.problems: list[str] = []
        self._at = 0

    @property
    def comments(self) -> list[Comment]:
        """Comments met so far."""
        return self.reader.comments

    @property
    def dropped(self) -> int | None:
        """Packets that the file itself reports as dropped."""
        return self.reader.dropped

    @property
    def statistics(self) -> tuple[InterfaceStatistics, ...]:
        """What the file itself says of its interfaces."""
        return self.reader.statistics

    @property
    def losses(self) -> list[Loss]:
        """Spells in which packets were dropped."""
        return self.reader.losses

    @property
    def expired(self) -> int:
        """Nothing leaves a file."""
        return 0

    @property
    def starts(self) -> tuple[int, ...]:
        """One capture."""
        return (self.base,)

    @property
    def size(self) -> int:
        """Octets of the input, 0 where nobody knows."""
        return self.supply.progress(self._at)[1]

    def position(self) -> int:
        """Octets of the input read."""
        return self.supply.progress(self._at)[0]

    def read(self, offset: int, length: int) -> bytes:
        """Octets by virtual offset."""
        return self.supply.read(offset - self.base, length)

    def close(self) -> None:
        """Let go."""
        self.supply.close()

    def again(self) -> bool:
        """Forget what was met; a spool holds what cannot be read from its input again."""
        self.reader = reader_of(self.supply.read(0, 64), self.name)
        self.problems.clear()
        self._at = 0
        return True

    def chunks(self, size: int) -> Iterator[Records]:
        """All records, at most about `size` octets of file at a time: fewer where that holds many records."""
        buffer = bytearray(size)
        at, packets = self.reader.start, 0
        least = min(size, CACHED)
        take = least
        while True:
            view = memoryview(buffer)[:take]
            count = self.supply.read_into(view, at)
            found = self.reader.take(view, 0, count, packets)
            rows = len(found.rows["at"])
            if rows:
                packets += rows
                yield self.records(view, at, found)
            self._at = at + found.stopped
            if found.problem:
                self.problems.append(
                    f"{self.name}: {found.problem} at octet {at + found.stopped}: nothing after it is read"
                )
                return
            if count < take:
                if found.stopped < count:
                    left = count - found.stopped
                    self.problems.append(
                        f"{self.name}: cut off in the middle of a record at octet {at + found.stopped}"
                        f" ({left} octets not read)"
                    )
                if trouble := self.supply.problem():
                    self.problems.append(f"{self.name}: {trouble}")
                return
            at += found.stopped
            if rows:
                take = min(max(count * RECORDS // rows, least), size)
            elif not found.stopped:
                take *= 2  # a record larger than what was read
            if not take <= len(buffer) <= max(take, size):
                buffer = bytearray(max(take, size))

    def records(self, view: memoryview, at: int, found: Found) -> Records:
        """What the reader found in a view of the octets from `at` on."""
        rows = found.rows
        return Records(
            octets=view,
            at=rows["at"],
            offset=rows["at"] + (self.base + at),
            captured=rows["captured"].astype(np.uint32),
            wire=rows["wire"].astype(np.uint32),
            time=rows["time"],
            link=rows["link"].astype(np.int32),
        )


class CaptureFiles:
    """Several files as one capture."""

    def __init__(self, files: Sequence[CaptureFile], chunk: int = 1 << 16) -> None:
        base = 0
        self.files = sorted(files, key=lambda file: _first_time(file, chunk))
        for file in self.files:
            file.base = base
            base += file.supply.size() if isinstance(file.supply, PlainFile) else STRIDE
        self.names = tuple(file.name for file in self.files)

    @property
    def starts(self) -> tuple[int, ...]:
        """Where each file begins."""
        return tuple(file.base for file in self.files)

    @property
    def size(self) -> int:
        """Octets of all inputs."""
        return sum(file.size for file in self.files)

    @property
    def problems(self) -> list[str]:
        """What could not be read."""
        return [problem for file in self.files for problem in file.problems]

    @property
    def comments(self) -> list[Comment]:
        """Comments of all files. Only those about a file as a whole keep their place when files are merged."""
        return [comment for file in self.files for comment in file.comments]

    @property
    def dropped(self) -> int | None:
        """Packets that the files report as dropped."""
        known = [file.dropped for file in self.files if file.dropped is not None]
        return sum(known) if known else None

    @property
    def statistics(self) -> tuple[InterfaceStatistics, ...]:
        """What the files say of their interfaces."""
        return tuple(item for file in self.files for item in file.statistics)

    @property
    def losses(self) -> list[Loss]:
        """Spells in which packets were dropped."""
        return [loss for file in self.files for loss in file.losses]

    @property
    def expired(self) -> int:
        """Nothing leaves a file."""
        return 0

    def position(self) -> int:
        """Octets read of all inputs."""
        return sum(file.position() for file in self.files)

    def again(self) -> bool:
        """Every file once more."""
        for file in self.files:
            file.again()
        return True

    def chunks(self, size: int) -> Iterator[Records]:
        """Records of all files by time."""
        return merge([file.chunks(size) for file in self.files], [_first_time(file, 1 << 16) for file in self.files])

    def read(self, offset: int, length: int) -> bytes:
        """Octets by virtual offset."""
        mine = [file for file in self.files if file.base <= offset]
        return mine[-1].read(offset, length) if mine else b""

    def close(self) -> None:
        """Let go of all."""
        for file in self.files:
            file.close()


def _first_time(file: CaptureFile, chunk: int) -> int:
    """The time of the first record that has one; files without any come last."""
    reader = reader_of(file.supply.read(0, 64), file.name)
    probe = CaptureFile(file.name, file.supply, reader)
    for records in probe.chunks(chunk):
        timed = records.time[records.time > -(2**63)]
        if len(timed):
            return int(timed[0])
    return 2**62


def open_source(paths: Sequence[str | os.PathLike[str]]) -> Source:
    """Open captures; `-` is standard input.

    Raises: CaptureError where one is missing, unreadable, empty or not a capture.
    """
    if not paths:
        raise CaptureError("no capture was named", "give a file, or - for standard input")
    files: list[CaptureFile] = []
    try:
        files += (_open(os.fspath(path)) for path in paths)
    except CaptureError:
        for file in files:
            file.close()
        raise
    return files[0] if len(files) == 1 else CaptureFiles(files)


def _open(path: str) -> CaptureFile:
    name = "standard input" if path == "-" else path
    source = sys.stdin.buffer if path == "-" else _file(path)
    try:
        return _read_as(source, name)
    except CaptureError:
        if path != "-":
            source.close()
        raise


def _read_as(source: IO[bytes], name: str) -> CaptureFile:
    """A capture by what its first octets say."""
    source, head = _peek(source)
    if not head:
        raise CaptureError(f"{name} is empty", "was the capture stopped before the first packet was written?")
    for magic, compression, pieces in COMPRESSIONS:
        if head.startswith(magic):
            supply: Supply = Expanded(source, pieces(source))
            inner = supply.read(0, 64)
            if not inner:
                why = supply.problem() or "it is empty inside"
                supply.close()
                raise CaptureError(f"{name} cannot be expanded: {why}", f"try: {compression} -t {name}")
            return CaptureFile(name, supply, reader_of(inner, f"{name} ({compression})"))
    reader = reader_of(head, name)
    if source is not sys.stdin.buffer and source.seekable():
        descriptor = os.dup(source.fileno())
        source.close()
        return CaptureFile(name, PlainFile(descriptor), reader)
    return CaptureFile(name, Expanded(source, plain_pieces(source)), reader)


def _file(path: str) -> IO[bytes]:
    try:
        if Path(path).is_dir():
            raise CaptureError(f"{path} is a folder", "name the capture files in it: framescope FOLDER/*.pcapng")
        return open(path, "rb")
    except FileNotFoundError:
        raise CaptureError(f"{path} does not exist", "check the name; bundled samples open as sample:tour") from None
    except PermissionError:
        raise CaptureError(f"{path} cannot be read: no permission", f"try: sudo chmod a+r {path}") from None
    except (OSError, ValueError) as error:
        raise CaptureError(f"{path} cannot be opened: {error}") from None


class _Again(io.RawIOBase):
    """A stream whose first octets were read already."""

    def __init__(self, head: bytes, source: IO[bytes]) -> None:
        self._head, self._source = head, source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._head or self._source.read1(len(buffer))  # type: ignore[attr-defined]
        taken = piece[: len(buffer)]
        self._head = self._head[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


def _peek(source: IO[bytes]) -> tuple[IO[bytes], bytes]:
    """The first octets, and the input with them still in it."""
    assert isinstance(source, io.BufferedReader)
    try:
        head = source.peek(PEEKED)[:PEEKED]
        if len(head) == PEEKED or source.seekable():
            return source, head
        # a pipe: peek reads once, and the writer may have written less
        head = source.read(PEEKED)
        return io.BufferedReader(_Again(head, source)), head
    except OSError as error:
        raise CaptureError(f"{source.name} cannot be read: {error}") from None


def reader_of(head: bytes, name: str) -> Reader:
    """The reader for a file that begins so.

    Raises: CaptureError where that is no capture.
    """
    if head[:4] == MAGIC:
        return PcapngReader(head)
    if head[:4] in MAGICS:
        if len(head) < 24:
            raise CaptureError(f"{name} ends inside the file header", "capture again, or copy the file whole")
        return PcapReader(head)
    looks = next((what for magic, what in OTHERS if head.startswith(magic)), "")
    if not looks and head.isascii() and not set(head) & set(range(9)):
        looks = "text"
    raise CaptureError(
        f"{name} is not a capture" + (f": it looks like {looks}" if looks else ""), f"framescope reads {FORMATS}"
    )
