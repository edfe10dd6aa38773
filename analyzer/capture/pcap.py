"""Classic pcap files: micro and nanosecond, both byte orders, and the format with the longer record header."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analyzer.capture.records import Comment, InterfaceStatistics, Loss
from analyzer.capture.walk import RecordRows, columns, walk_pcap
from dissectors.tables import Array

MAGICS: dict[bytes, tuple[bool, int, int]] = {
    b"\xd4\xc3\xb2\xa1": (False, 1_000, 16),
    b"\xa1\xb2\xc3\xd4": (True, 1_000, 16),
    b"\x4d\x3c\xb2\xa1": (False, 1, 16),
    b"\xa1\xb2\x3c\x4d": (True, 1, 16),
    b"\x34\xcd\xb2\xa1": (False, 1_000, 24),
    b"\xa1\xb2\xcd\x34": (True, 1_000, 24),
}
"""First octets: big-endian or not, ns per unit of the fraction, octets of a record header."""
HEADER = 24


@dataclass(slots=True)
class Found:
    """What a reader made of a piece of a file: columns `at`, `captured`, `wire`, `time` and `link`, how far it came,
    and why it cannot go on, if so."""

    rows: dict[str, Array]
    stopped: int
    problem: str = ""


class PcapReader:
    """Reads records of one file. `head` is the file's first octets."""

    name = "pcap"

    def __init__(self, head: bytes) -> None:
        self.big, self.unit, self.record_header = MAGICS[head[:4]]
        order = "big" if self.big else "little"
        # the upper bits carry the length of a frame check sequence
        self.link = int.from_bytes(head[20:24], order) & 0xFFFF  # type: ignore[arg-type]
        self.start = HEADER
        self.comments: list[Comment] = []
        self.dropped: int | None = None
        self.statistics: tuple[InterfaceStatistics, ...] = ()
        self.losses: list[Loss] = []
        self._rows = RecordRows()

    def take(self, octets: memoryview, at: int, stop: int, packets: int) -> Found:
        """Records that are whole in `octets[at:stop]`."""
        rows = self._rows
        rows.clear()
        stopped = walk_pcap(octets, at, stop, self.big, self.record_header, rows)
        problem = ""
        if stopped < 0:
            stopped = -1 - stopped
            problem = "a record of impossible length"
        found = columns(rows, "at", "captured", "wire")
        found["time"] = rows.column("high") * 1_000_000_000 + rows.column("low") * self.unit
        found["link"] = np.full(rows.count, self.link, np.int32)
        return Found(found, stopped, problem)
