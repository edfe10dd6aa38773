"""pcapng files: sections of either byte order, interfaces of any link type and clock, three kinds of packet block.

The walk reads runs of packet blocks; every other block comes back here. An interface's number counts from the start of
its section. Unknown block types are passed over by their length, as the format wants it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analyzer.capture.pcap import Found
from analyzer.capture.records import BLOCK_LIMIT, Comment, InterfaceStatistics, Loss
from analyzer.capture.walk import RecordRows, columns, walk_pcapng
from dissectors.schemas import NO_TIME
from dissectors.tables import Array, distinct

MAGIC = b"\x0a\x0d\x0d\x0a"
INTERFACE, STATISTICS = 1, 5
"""Block types that are read here; others are passed over."""
PACKET_BLOCKS = (2, 3, 6)
COMMENT, NAME, RESOLUTION, OFFSET = 1, 2, 9, 14
RECEIVED, INTERFACE_DROPS, ACCEPTED, SYSTEM_DROPS, DELIVERED = 4, 5, 6, 7, 8
"""Options of an interface statistics block (draft-ietf-opsawg-pcapng §4.6)."""
NO_LINK = -1
TAKEN = ("at", "captured", "wire", "time", "link")
"""The columns of a `Found`."""


@dataclass(frozen=True, slots=True)
class Interface:
    """What an interface description block says. `resolution`: ticks are 2^-n s where bit 7 is set, else 10^-n s."""

    link: int
    snaplen: int
    resolution: int = 6
    offset: int = 0
    """Seconds to add (if_tsoffset)."""


LATEST = np.uint64(2**63 - 1)


def nanoseconds(ticks: Array, resolution: int, offset: int) -> Array:
    """Ticks (unsigned, 64 bit) as ns since 1970, exact where a tick is a whole number of ns or more; `NO_TIME` where
    64 bits cannot hold it (the year 2262)."""
    exponent = resolution & 127
    seconds = fraction = np.zeros_like(ticks)
    if resolution & 128:
        if exponent <= 63:
            seconds = ticks >> np.uint64(exponent)
            rest = ticks & np.uint64((1 << exponent) - 1)
            lost = max(exponent - 34, 0)  # 2^34 times 10^9 stays within 64 bits
            fraction = ((rest >> np.uint64(lost)) * np.uint64(1_000_000_000)) >> np.uint64(exponent - lost)
        unit = 1_000_000_000
    elif exponent <= 9:
        seconds, unit = ticks, 10 ** (9 - exponent)
    else:
        seconds, unit = ticks // np.uint64(10 ** min(exponent - 9, 19)), 1
    far = seconds > (LATEST - fraction) // np.uint64(unit)
    whole = (seconds * np.uint64(unit) + fraction).view(np.int64)
    added = offset * 1_000_000_000
    if added > 0:
        far |= whole > np.iinfo(np.int64).max - added
    return np.where(far, NO_TIME, whole + added)


class PcapngReader:
    """Reads the blocks of one file."""

    name = "pcapng"

    def __init__(self, head: bytes) -> None:
        self.start = 0
        self.order: Literal["big", "little"] = "little"
        self.interfaces: list[Interface] = []
        self.comments: list[Comment] = []
        self.dropped: int | None = None
        self._names: list[str] = []
        self._statistics: dict[tuple[int, int], InterfaceStatistics] = {}
        self.losses: list[Loss] = []
        self._told: dict[tuple[int, int], tuple[int, int]] = {}
        """Packets dropped and when that was told, by section and interface."""
        self._sections = 0
        self._rows = RecordRows()

    def take(self, octets: memoryview, at: int, stop: int, packets: int) -> Found:
        """Records that are whole in `octets[at:stop]`; `packets` were read before."""
        parts: list[dict[str, Array]] = []
        problem = ""
        while not problem:
            rows = self._rows
            rows.clear()
            stopped = walk_pcapng(octets, at, stop, self.order == "big", rows)
            if rows.count:
                parts.append(self._columns(rows, octets, packets))
                packets += rows.count
            if stopped < 0:
                at = -1 - stopped
                problem = "a block of impossible length"
                break
            at = stopped
            if at + 12 > stop:
                break
            length, problem = self._block_length(octets, at)
            if problem or at + length > stop:
                break
            if int.from_bytes(octets[at : at + 4], self.order) in PACKET_BLOCKS:
                break
            self._block(bytes(octets[at : at + length]))
            at += length
        if len(parts) == 1:
            return Found(parts[0], at, problem)
        empty = np.empty(0, np.int64)
        found = {name: np.concatenate([part[name] for part in parts]) if parts else empty for name in TAKEN}
        return Found(found, at, problem)

    def _block_length(self, octets: memoryview, at: int) -> tuple[int, str]:
        order = self.order
        if octets[at : at + 4] == MAGIC:
            magic = bytes(octets[at + 8 : at + 12])
            order = "big" if magic == b"\x1a\x2b\x3c\x4d" else "little"
            if order == "little" and magic != b"\x4d\x3c\x2b\x1a":
                return 0, "a section header with an unknown byte order"
        length = int.from_bytes(octets[at + 4 : at + 8], order)
        if length < 12 or length > BLOCK_LIMIT or length % 4:
            return 0, "a block of impossible length"
        return length, ""

    def _block(self, block: bytes) -> None:
        if block[:4] == MAGIC:
            self.order = "big" if block[8:12] == b"\x1a\x2b\x3c\x4d" else "little"
            self.interfaces = []
            self._names = []
            self._sections += 1
            self._keep_comments(block, 24)
            return
        kind = int.from_bytes(block[:4], self.order)
        if kind == INTERFACE and len(block) >= 20:
            self._interface(block)
        elif kind == STATISTICS and len(block) >= 24:
            self._count(block)

    @property
    def statistics(self) -> tuple[InterfaceStatistics, ...]:
        """What the file says of its interfaces, in the order in which it first does."""
        return tuple(self._statistics.values())

    def _count(self, block: bytes) -> None:
        interface = int.from_bytes(block[8:12], self.order)
        counts = {
            code: int.from_bytes(value, self.order)
            for code, value in self._options(block, 20)
            if RECEIVED <= code <= DELIVERED and len(value) == 8
        }
        if not counts:
            return
        name = self._names[interface] if interface < len(self._names) else ""
        # cumulative: the last block of an interface says it all
        self._statistics[self._sections, interface] = InterfaceStatistics(
            interface, name, *(counts.get(code) for code in range(RECEIVED, DELIVERED + 1))
        )
        told = self._statistics[self._sections, interface].dropped
        if told is None:
            return
        before, since = self._told.get((self._sections, interface), (0, NO_TIME))
        until = self._stamp(block, interface)
        self._told[self._sections, interface] = told, until
        self.dropped = (self.dropped or 0) + told - before
        if told > before:
            self.losses.append(Loss(since, until, told - before))

    def _stamp(self, block: bytes, number: int) -> int:
        """The time of a statistics block in ns."""
        if number >= len(self.interfaces):
            return NO_TIME
        interface = self.interfaces[number]
        high, low = (int.from_bytes(block[at : at + 4], self.order) for at in (12, 16))
        return int(nanoseconds(np.array([high << 32 | low], np.uint64), interface.resolution, interface.offset)[0])

    def _interface(self, block: bytes) -> None:
        resolution, offset, name = 6, 0, ""
        for code, value in self._options(block, 16):
            if code == RESOLUTION and value:
                resolution = value[0]
            elif code == NAME:
                name = value.decode("utf-8", "replace")
            elif code == OFFSET and len(value) == 8:
                offset = int.from_bytes(value, self.order, signed=True)
        link = int.from_bytes(block[8:10], self.order)
        snaplen = int.from_bytes(block[12:16], self.order)
        # an offset beyond the range of 64-bit ns is nonsense, and must not overflow
        self.interfaces.append(Interface(link, snaplen, resolution, offset if abs(offset) < 2**33 else 0))
        self._names.append(name)
        self._keep_comments(block, 16)

    def _options(self, block: bytes, at: int) -> Iterator[tuple[int, bytes]]:
        while at + 4 <= len(block) - 4:
            code = int.from_bytes(block[at : at + 2], self.order)
            length = int.from_bytes(block[at + 2 : at + 4], self.order)
            if code == 0:
                return
            yield code, block[at + 4 : min(at + 4 + length, len(block) - 4)]
            at += 4 + (length + 3 & ~3)

    def _keep_comments(self, block: bytes, at: int, packet: int = -1) -> None:
        self.comments += [
            Comment(packet, value.decode("utf-8", "replace"))
            for code, value in self._options(block, at)
            if code == COMMENT
        ]

    def _columns(self, rows: RecordRows, octets: memoryview, packets: int) -> dict[str, Array]:
        found = columns(rows, "at", "captured", "wire")
        options, end = rows.column("options"), rows.column("end")
        for row in np.flatnonzero(options).tolist():
            self._keep_comments(bytes(octets[options[row] : end[row]]), 0, packets + row)
        number, high = rows.column("interface"), rows.column("high")
        untimed = high < 0
        ticks = (high.view(np.uint64) << np.uint64(32)) | rows.column("low").view(np.uint64)
        time = np.full(len(number), NO_TIME, np.int64)
        link = np.full(len(number), NO_LINK, np.int32)
        for index in distinct(number):
            if index < len(self.interfaces):
                interface = self.interfaces[index]
                mine = number == index
                time[mine] = nanoseconds(ticks[mine], interface.resolution, interface.offset)
                link[mine] = interface.link
                if interface.snaplen:
                    simple = mine & untimed
                    found["captured"][simple] = np.minimum(found["captured"][simple], interface.snaplen)
        time[untimed] = NO_TIME
        found["time"], found["link"] = time, link
        return found
