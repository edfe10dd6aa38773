"""A capture that still grows: one file, or files of which the last is still written to.

Theory of operation. Files have an order in which they were begun; a later one means that the writer has left the
earlier ones. `take` returns the records that are whole by now, or None; it never waits, so whoever follows decides how
long. Virtual offsets are those of all files laid end to end, which is also what a copy of them all holds: a capture
followed while it grew and the file saved from it tell the same. Octets of files that a ring has dropped are *expired*:
their offsets stay theirs, and read as nothing. What they told of the capture is summed up and kept, so that hours of a
ring cost no more than what it holds. Views read in other threads while the ring drops files: a file is closed when
nobody is at it any more, for its descriptor may be another file's the moment after.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from analyzer.capture.files import CaptureFile, Reader, reader_of
from analyzer.capture.records import Comment, InterfaceStatistics, Loss, Records
from analyzer.capture.supply import PlainFile
from analyzer.errors import CaptureError

HEADER = 24
"""Octets that tell the format: a pcap file header; the shortest pcapng section header has 28."""
PATIENCE = 0.05
"""Seconds between two looks of `chunks` at a file that has nothing new."""


COUNTS = ("received", "dropped_by_interface", "accepted", "dropped_by_system", "delivered")
"""What an interface counts."""


class Shared(PlainFile):
    """A file that is closed when its last reader lets go of it."""

    def __del__(self) -> None:
        self.close()


@dataclass(slots=True)
class Part:
    """One of the files, and how far it has been read."""

    path: str
    supply: Shared | None
    """None: it has left."""
    base: int
    file: CaptureFile | None = None
    """Once its first octets told the format, until it leaves."""
    reader: Reader | None = None
    """Also afterwards: what it told of the capture."""
    at: int = 0
    packets: int = 0
    broken: bool = False

    def extent(self) -> int:
        """Octets that it has, or had when it left."""
        supply = self.supply  # another thread may let it go
        return supply.size() if supply is not None else self.at

    def leave(self) -> None:
        """Let go of the octets."""
        self.supply = self.file = None


class Gone:
    """What files that have left told of the capture, summed up by interface. Their comments went with their packets."""

    def __init__(self) -> None:
        self.dropped: int | None = None
        self.statistics: dict[str, InterfaceStatistics] = {}

    def add(self, reader: Reader) -> None:
        """One more has left."""
        self.dropped = total(self.dropped, reader.dropped)
        for more in reader.statistics:
            known = self.statistics.get(more.name)
            counts = {name: total(getattr(known, name, None), getattr(more, name)) for name in COUNTS}
            self.statistics[more.name] = InterfaceStatistics(more.interface, more.name, **counts)


def total(*counts: int | None) -> int | None:
    """The sum of what is known, None where nothing is."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


class GrowingCapture:
    """Follows files. `listing` returns the paths there are, oldest first; paths that it returned before are known, and
    those that it no longer returns have been dropped."""

    def __init__(self, name: str, listing: Callable[[], Sequence[str]]) -> None:
        self.names: tuple[str, ...] = (name,)
        self.problems: list[str] = []
        self.expired = 0
        """Virtual offset before which the octets have left."""
        self.ended = False
        """The writer is done: what is there now is all there will be."""
        self._listing = listing
        self._parts: list[Part] = []
        self._gone = Gone()
        self._current = 0
        self._position = 0
        self._known: dict[str, int] = {}
        self._buffer = bytearray()

    # -- a Source -----------------------------------------------------------------------------------------------------

    @property
    def starts(self) -> tuple[int, ...]:
        """One capture: the files of a ring follow one another."""
        return (0,)

    @property
    def size(self) -> int:
        """Octets written so far, expired ones included."""
        return self._parts[-1].base + self._parts[-1].extent() if self._parts else 0

    @property
    def comments(self) -> list[Comment]:
        """Comments met so far."""
        return [comment for told in self._told() for comment in told.comments]

    @property
    def dropped(self) -> int | None:
        """Packets that the files report as dropped."""
        return total(self._gone.dropped, *(told.dropped for told in self._told()))

    @property
    def statistics(self) -> tuple[InterfaceStatistics, ...]:
        """What the files say of their interfaces."""
        return (*self._gone.statistics.values(), *(item for told in self._told() for item in told.statistics))

    @property
    def losses(self) -> list[Loss]:
        """Spells in which packets were dropped: those before what is left opened gaps that have left as well."""
        return [loss for told in self._told() for loss in told.losses]

    def parts(self) -> list[tuple[str, int]]:
        """The files that are still there, with the virtual offset that each begins at."""
        return [(part.path, part.base) for part in self._parts if part.supply is not None]

    def paths(self) -> list[str]:
        """The files that are still there, oldest first."""
        return [path for path, _ in self.parts()]

    def reached(self) -> int:
        """Octets of the last file that are read, which ends where a record does."""
        return self._parts[-1].at if self._parts else 0

    def position(self) -> int:
        """Octets read so far."""
        return self._position

    def read(self, offset: int, length: int) -> bytes:
        """Octets by virtual offset; nothing of those that expired."""
        for part in reversed(self._parts):
            if part.base <= offset:
                supply = part.supply
                return supply.read(offset - part.base, length) if supply is not None else b""
        return b""

    def close(self) -> None:
        """Let go of the files."""
        for part in self._parts:
            part.leave()

    def chunks(self, size: int) -> Iterator[Records]:
        """Records as they come, until the writer is done."""
        while True:
            ended = self.ended
            records = self.take(size)
            if records is not None:
                yield records
            elif ended:
                self.finish()
                return
            else:
                time.sleep(PATIENCE)

    def again(self) -> bool:
        """What follows a writer reads once."""
        return False

    # -- following ----------------------------------------------------------------------------------------------------

    def take(self, size: int) -> Records | None:
        """Records that are whole by now, of about `size` octets; None where there are none."""
        while True:
            if self._current >= len(self._parts) and not self._discover():
                return None
            part = self._parts[self._current]
            records = self._take(part, size)
            if records is not None:
                return records
            if self._current + 1 == len(self._parts) and not self._discover():
                return None
            # a later file exists, so this one is complete: look once more, what was written meanwhile is its last
            records = self._take(part, size)
            if records is not None:
                return records
            self._end(part)
            self._current += 1

    def finish(self) -> None:
        """The writer is done, and all has been taken: say what is not whole."""
        if self._parts:
            self._end(self._parts[self._current])

    def lag(self) -> int:
        """Octets that are written and not yet taken."""
        return max(self.size - self.position(), 0)

    def expire(self) -> None:
        """Let go of the files that the ring has dropped and that have been read."""
        there = set(self._listing())
        for part in self._parts[: self._current]:
            if part.path not in there:
                part.leave()
        left = 0
        for part, later in pairwise(self._parts[: self._current + 1]):
            if part.supply is not None:
                break
            self.expired = later.base
            left += 1
        self._forget(left - 1)

    def _forget(self, count: int) -> None:
        """Sum the first files up, which have left. The last one that did stays: a loss at its end opens a gap behind
        it."""
        if count <= 0:
            return
        for part in self._parts[:count]:
            if part.reader is not None:
                self._gone.add(part.reader)
        self._parts = self._parts[count:]  # other threads go through the old list
        self._current -= count
        there = {part.path for part in self._parts}
        self._known = {path: identity for path, identity in self._known.items() if path in there}

    def _told(self) -> Iterator[Reader]:
        return (part.reader for part in self._parts if part.reader is not None)

    def _discover(self) -> bool:
        """Whether there are files that were not known. All are opened at once: a ring may drop them before they are
        read, but not what an open file holds."""
        found = False
        for path in self._listing():
            try:
                status = os.stat(path)
                identity = status.st_ino
                if self._known.get(path) == identity and not self._begun_anew(path, status.st_size):
                    continue
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                if not self._parts and not isinstance(error, FileNotFoundError):
                    raise CaptureError(f"{path} cannot be read: {error.strerror}") from None
                continue
            self._known[path] = identity
            self._parts.append(Part(path, Shared(descriptor), self.size))
            found = True
        return found

    def _begun_anew(self, path: str, size: int) -> bool:
        """Whether a file is shorter than what was read of it: tcpdump -W writes over its oldest. What was read of it
        has left."""
        part = next(part for part in reversed(self._parts) if part.path == path)
        if size >= part.at or part.supply is None:
            return False
        part.leave()
        part.broken = True
        return True

    def _take(self, part: Part, size: int) -> Records | None:
        supply = part.supply
        if part.broken or supply is None or not self._open(part, supply):
            return None
        assert part.file is not None
        while True:
            there = supply.size() - part.at
            if there <= 0:
                return None
            if len(self._buffer) < size:
                self._buffer = bytearray(size)
            view = memoryview(self._buffer)
            count = supply.read_into(view[: min(there, len(view))], part.at)
            found = part.file.reader.take(view, 0, count, part.packets)
            rows, at = len(found.rows["at"]), part.at
            part.at += found.stopped
            self._position = part.base + part.at
            part.packets += rows
            if found.problem:
                part.broken = True
                self.problems.append(f"{part.path}: {found.problem} at octet {part.at}: nothing after it is read")
            if rows:
                return part.file.records(view, at, found)
            if part.broken or count < len(view):
                return None
            if not found.stopped:
                self._buffer = bytearray(2 * len(view))  # a record larger than the buffer

    def _open(self, part: Part, supply: Shared) -> bool:
        """Whether the file has begun: its first octets tell the format.

        Raises: CaptureError where they are not a capture's.
        """
        if part.file is None and supply.size() >= HEADER:
            part.reader = reader_of(supply.read(0, 64), part.path)
            part.file = CaptureFile(part.path, supply, part.reader)
            part.file.base = part.base
            part.at = part.reader.start
        return part.file is not None

    def _end(self, part: Part) -> None:
        left = part.extent() - part.at
        if left > 0 and not part.broken:
            self.problems.append(
                f"{part.path}: cut off in the middle of a record at octet {part.at} ({left} octets not read)"
            )
