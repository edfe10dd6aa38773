"""Writes pcapng (draft-ietf-opsawg-pcapng): what the recorder puts round packets that come without it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from struct import Struct, pack

import numpy as np

from analyzer.capture.pcap import PcapReader
from analyzer.capture.walk import RecordRows, walk_pcapng
from dissectors.tables import Array

SECTION, INTERFACE, STATISTICS, ENHANCED = 0x0A0D0D0A, 1, 5, 6
PACKETS = (2, 3, 6)
"""Types of the blocks that hold packets."""
USERAPPL, IF_NAME, IF_TSRESOL, IF_FILTER, IF_RECEIVED, IF_DROPPED, OS_DROPPED = 4, 2, 9, 11, 4, 5, 7
NANOSECONDS = 9
BLOCK_HEADER = Struct("=II")
PACKET_HEAD = Struct("=IIIIIII")
"""Type, length, interface, time high and low, octets captured, octets on the wire."""
LENGTH = Struct("=I")
PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")
"""By length modulo 4."""


def block(kind: int, body: bytes) -> bytes:
    """A block in the byte order of this machine."""
    length = 12 + len(body)
    return pack("=II", kind, length) + body + pack("=I", length)


def options(pairs: Iterable[tuple[int, bytes]]) -> bytes:
    """An option list with its end."""
    parts = [pack("=HH", code, len(value)) + value + PADDING[len(value) & 3] for code, value in pairs]
    return b"".join(parts) + pack("=HH", 0, 0) if parts else b""


def section(writer: str) -> bytes:
    """A section header of unknown length."""
    return block(SECTION, pack("=IHHq", 0x1A2B3C4D, 1, 0, -1) + options([(USERAPPL, writer.encode())]))


def interface(link: int, snaplen: int, name: str, expression: str = "") -> bytes:
    """An interface whose times are in nanoseconds."""
    pairs = [(IF_NAME, os.fsencode(name)), (IF_TSRESOL, bytes([NANOSECONDS]))]
    if expression:
        pairs.append((IF_FILTER, b"\0" + expression.encode()))  # 0: a libpcap filter string
    return block(INTERFACE, pack("=HHI", link, 0, snaplen) + options(pairs))


def statistics(number: int, received: int, dropped: int, dropped_by_interface: int = 0, stamp: int = 0) -> bytes:
    """Statistics of an interface since its file began, as of a time in ns since 1970, or now."""
    now = stamp or time.time_ns()
    counts = [(IF_RECEIVED, received), (IF_DROPPED, dropped_by_interface), (OS_DROPPED, dropped)]
    return block(
        STATISTICS,
        pack("=III", number, now >> 32, now & 0xFFFFFFFF)
        + options((code, pack("=Q", count)) for code, count in counts),
    )


def packet(number: int, stamp: int, octets: bytes, wire: int) -> bytes:
    """One packet."""
    captured = len(octets)
    padding = PADDING[captured & 3]
    length = 32 + captured + len(padding)
    head = PACKET_HEAD.pack(ENHANCED, length, number, stamp >> 32, stamp & 0xFFFFFFFF, captured, wire)
    return b"".join((head, octets, padding, LENGTH.pack(length)))


def expanded(octets: memoryview, rows: dict[str, Array], number: int) -> bytes:
    """Records of a pcap file as packet blocks. Heads are made on whole columns: that halves the cost of a packet,
    which is 0.5 µs here."""
    captured, stamp = rows["captured"], rows["time"].astype(np.uint64)
    lengths = 32 + (captured + 3 & ~3)
    heads = np.empty((len(captured), 7), np.uint32)
    heads[:, 0], heads[:, 1], heads[:, 2] = ENHANCED, lengths, number
    heads[:, 3], heads[:, 4] = stamp >> np.uint64(32), stamp & np.uint64(0xFFFFFFFF)
    heads[:, 5], heads[:, 6] = captured, rows["wire"]
    head, tail = memoryview(heads.tobytes()), memoryview(lengths.astype(np.uint32).tobytes())
    parts: list[bytes | memoryview] = []
    for row, (start, size) in enumerate(zip(rows["at"].tolist(), captured.tolist(), strict=True)):
        parts += (
            head[28 * row : 28 * row + 28], octets[start : start + size], PADDING[size & 3], tail[4 * row : 4 * row + 4]
        )  # fmt: skip
    return b"".join(parts)


def whole(octets: bytes, stop: int) -> int:
    """Where the last block ends that is whole in `octets[:stop]`."""
    at = 0
    while at + 12 <= stop and at + (length := LENGTH.unpack_from(octets, at + 4)[0]) <= stop and length >= 12:
        at += length
    return at


class Expander:
    """A pcap stream as pcapng blocks, as it comes."""

    def __init__(self, number: int, name: str, expression: str) -> None:
        self.number = number
        self.name = name
        self.expression = expression
        self.description = b""
        """The interface's block, once the stream has begun."""
        self.packets = 0
        self._reader: PcapReader | None = None
        self._rest = b""

    def feed(self, octets: bytes) -> bytes:
        """The blocks of the packets that are whole."""
        data = self._rest + octets
        if self._reader is None:
            if len(data) < 24:
                self._rest = data
                return b""
            self._reader = PcapReader(data[:64])
            snaplen = int.from_bytes(data[16:20], "big" if self._reader.big else "little")
            self.description = interface(self._reader.link, snaplen, self.name, self.expression)
            data = data[24:]
        view = memoryview(data)
        found = self._reader.take(view, 0, len(data), 0)
        self._rest = data[found.stopped :]
        self.packets += len(found.rows["at"])
        return expanded(view, found.rows, self.number) if len(found.rows["at"]) else b""


class Cutter:
    """A pcapng stream cut where blocks end, and its head told apart: everything before the first packet."""

    def __init__(self) -> None:
        self.head = b""
        self.complete = False
        """The head is complete."""
        self.packets = 0
        self._rest = b""

    def feed(self, octets: bytes) -> bytes:
        """The whole blocks, without the head's."""
        data = self._rest + octets
        view = memoryview(data)
        at = start = 0
        while at + 12 <= len(data):
            kind, length = BLOCK_HEADER.unpack_from(data, at)
            if kind in PACKETS:
                self.complete = True
                rows = RecordRows()
                stopped = walk_pcapng(view, at, len(data), 0, rows)
                self.packets += rows.count
                if stopped < 0:
                    raise ValueError("a block of impossible length")
                if stopped == at:
                    break
                at = stopped
                continue
            if length < 12 or length % 4:
                raise ValueError("a block of impossible length")
            if at + length > len(data):
                break
            if kind not in (SECTION, INTERFACE):
                self.complete = True
            at += length
            if not self.complete:
                self.head += data[start:at]
                start = at
        self._rest = data[at:]
        return data[start:at]


__all__ = ["Cutter", "Expander", "block", "interface", "packet", "section", "statistics"]
