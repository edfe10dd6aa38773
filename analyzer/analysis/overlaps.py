"""Compares the copies of octets that came more than once, and judges checksums where that decides something.

Theory of operation. SPANS holds the copy that was delivered as data, and every other as overlap. Of channels both are
read and compared, so many a direction at most. Where they differ, a copy that passes its checksum is better than one
that fails it, since the receiver never took that one; else the copy captured first is, or last if that is asked for.
Where the better copy was not the one delivered, the range is a `Correction`: the capture is read again with them
(`analysis/pipeline.py`). What follows a writer is read once only, and keeps what was delivered.

Where the capture cut a segment short, and a later copy has octets that are then missing, they are delivered in the same
way. Octets that come for a hole that was given up stay late.

Checksums are not verified for every packet, which would cost more than all the rest. A sample over the whole capture
tells whether a sending host left them to its network card.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from analyzer.analysis.channels import innermost
from analyzer.analysis.observations import Observations
from analyzer.analysis.transport import time_of
from analyzer.capture.records import Source
from analyzer.limits import Limits
from analyzer.packets.checksum import Checksum, judge
from analyzer.schemas import DATA, GAP, LATE, OVERLAP
from dissectors.notes import Note
from dissectors.tables import Array, Table, distinct

FAILED = (Checksum.WRONG, Checksum.IP_WRONG)
PIECES = 16
"""Pieces that a copy may span on average: a copy of 64 KiB that a network card put together has 45 segments in it, most
copies are of one."""
NOTES = {Checksum.WRONG: Note.TCP_CHECKSUM_WRONG, Checksum.IP_WRONG: Note.IP_CHECKSUM_WRONG}


class Correction(NamedTuple):
    """A range of a slot (2 * stream + direction) that another copy than the first is delivered for."""

    slot: int
    start: int
    stop: int
    packet: int
    at: int
    """Where its octet at `start` stands in the capture."""
    time: int


@dataclass(frozen=True, slots=True)
class Sample:
    """What the checksums of some data packets, spread over the capture, say."""

    judged: int = 0
    partial: int = 0
    """Left to the sender's network card."""
    wrong: int = 0


class Copies:
    """The comparison for one capture that was read to its end."""

    def __init__(self, tables: Mapping[str, Table], source: Source, limits: Limits) -> None:
        self.packets = tables["packets"]
        self.spans = tables["spans"]
        self.source = source
        self.limits = limits
        self.corrections: list[Correction] = []
        self.channel_of = innermost(tables)
        self._judged: dict[int, Checksum] = {}
        self._told: set[int] = set()
        """Packets whose wrong checksum has a note."""

    def compare(self, notes: Observations) -> None:
        """Note where copies differ, and gather corrections."""
        spans = self.spans
        rows = np.flatnonzero(spans["kind"] == OVERLAP)
        rows = rows[self.channel_of[spans["stream"][rows]] >= 0]
        if not len(rows):
            return
        slot = 2 * spans["stream"].astype(np.int64) + spans["direction"]
        rows = rows[np.argsort(slot[rows], kind="stable")]
        mine = np.zeros(int(slot.max()) + 1, np.bool_)
        mine[slot[rows]] = True
        data = np.flatnonzero((spans["kind"] == DATA) & mine[slot])
        data = data[np.lexsort((spans["offset"][data], slot[data]))]
        starts, counts = np.unique(slot[rows], return_index=True, return_counts=True)[1:]
        for start, count in zip(starts.tolist(), counts.tolist(), strict=True):
            of = int(slot[rows[start]])
            low, high = np.searchsorted(slot[data], [of, of + 1])
            picked = rows[start : start + min(count, self.limits.overlaps)]
            compared = self._slot(of, picked.tolist(), data[low:high], notes)
            if compared < count:
                self._not_compared(of, rows[start + compared : start + count], notes)
        # of several corrections of one octet the walk takes the one named last
        self.corrections.sort(key=lambda found: found.packet, reverse=self.limits.overlap == "first")

    def fill(self) -> None:
        """Gather corrections for octets that the capture cut off a segment, and that a later copy has."""
        spans = self.spans
        rows = np.flatnonzero(spans["kind"] == LATE)
        rows = rows[self.channel_of[spans["stream"][rows]] >= 0]
        if not len(rows):
            return
        slot = 2 * spans["stream"].astype(np.int64) + spans["direction"]
        gaps = np.flatnonzero((spans["kind"] == GAP) & np.isin(slot, slot[rows]))
        cut = [self._cut(int(packet)) for packet in spans["packet"][gaps]]
        gaps = gaps[np.array(cut, np.bool_)]
        gaps = gaps[np.lexsort((spans["offset"][gaps], slot[gaps]))]
        places = {of: np.searchsorted(slot[gaps], [of, of + 1]).tolist() for of in distinct(slot[rows])}
        for row in rows.tolist():
            low, high = places[int(slot[row])]
            self._fill(int(slot[row]), row, gaps[low:high])

    def _cut(self, packet: int) -> bool:
        """Whether a packet was cut short; of connections that are no WebSocket packets are left out."""
        try:
            cells = self.packets.row(packet)
        except IndexError:
            return False
        return bool(cells["payload_length"] < cells["segment_length"])

    def _fill(self, slot: int, row: int, gaps: Array) -> None:
        spans = self.spans
        start, length, packet = (int(spans[name][row]) for name in ("offset", "length", "packet"))
        place = max(int(np.searchsorted(spans["offset"][gaps], start, "right")) - 1, 0)
        for gap in gaps[place:].tolist():
            low = max(start, int(spans["offset"][gap]))
            high = min(start + length, int(spans["offset"][gap] + spans["length"][gap]))
            if low >= start + length:
                break
            if low < high:
                at = int(spans["at"][row]) + low - start
                self.corrections.append(Correction(slot, low, high, packet, at, time_of(self.packets, packet)))

    def _not_compared(self, slot: int, rows: Array, notes: Observations) -> None:
        """Say once that copies beyond the limit were left alone, at the first of them."""
        length = int(self.spans["length"][rows].sum())
        first = int(rows[0])
        packet = int(self.spans["packet"][first])
        notes.one(Note.TCP_NOT_COMPARED, int(self.channel_of[slot >> 1]), slot & 1, int(self.spans["offset"][first]),
                  length, packet, int(self.packets.row(packet)["time"]), f"copies: {len(rows)}")  # fmt: skip

    def _slot(self, slot: int, rows: list[int], data: Array, notes: Observations) -> int:
        """Compare copies with the pieces delivered; returns how many of them."""
        spans = self.spans
        offsets, lengths = spans["offset"][data], spans["length"][data]
        left = PIECES * self.limits.overlaps
        for done, row in enumerate(rows):
            if left <= 0:
                return done
            start, length = int(spans["offset"][row]), int(spans["length"][row])
            octets = self.source.read(int(spans["at"][row]), length)
            at = max(int(np.searchsorted(offsets, start, "right")) - 1, 0)
            while at < len(data) and offsets[at] < start + length:
                low = max(start, int(offsets[at]))
                high = min(start + len(octets), int(offsets[at] + lengths[at]))
                if low < high:
                    first = self.source.read(int(spans["at"][data[at]]) + low - int(offsets[at]), high - low)
                    if first != octets[low - start : high - start]:
                        self._differ(slot, low, octets[low - start : high - start], first, row, int(data[at]), notes)
                at += 1
                left -= 1
        return len(rows)

    def _differ(self, slot: int, low: int, octets: bytes, first: bytes, row: int, other: int,
                notes: Observations) -> None:  # fmt: skip
        size = min(len(octets), len(first))
        unlike = np.flatnonzero(np.frombuffer(octets[:size], "u1") != np.frombuffer(first[:size], "u1"))
        if not len(unlike):
            return  # the capture has been truncated since
        begin, end = low + int(unlike[0]), low + int(unlike[-1]) + 1
        packet, delivered = int(self.spans["packet"][row]), int(self.spans["packet"][other])
        mine, its = self.checksum(packet), self.checksum(delivered)
        channel, time = int(self.channel_of[slot >> 1]), int(self.packets.row(packet)["time"])
        said = {**dict.fromkeys(FAILED, ", which fails its checksum"), Checksum.RIGHT: ", whose checksum is right"}
        detail = f"packet {packet + 1}{said.get(mine, '')}; delivered: packet {delivered + 1}{said.get(its, '')}"
        notes.one(Note.TCP_OVERLAP_DIFFERS, channel, slot & 1, begin, end - begin, packet, time, detail)
        for number, verdict in ((delivered, its), (packet, mine)):
            if verdict in NOTES and number not in self._told:
                self._told.add(number)
                notes.one(NOTES[verdict], channel, slot & 1, begin, end - begin, number,
                          int(self.packets.row(number)["time"]))  # fmt: skip
        better = mine is Checksum.RIGHT and its in FAILED
        worse = its is Checksum.RIGHT and mine in FAILED
        preferred = packet > delivered if self.limits.overlap == "last" else packet < delivered
        if better or (preferred and not worse):
            offset = int(self.spans["offset"][row])
            at = int(self.spans["at"][row]) + low - offset
            self.corrections.append(Correction(slot, low, low + size, packet, at, time))

    def checksum(self, number: int) -> Checksum:
        """What the checksums of a packet say."""
        found = self._judged.get(number)
        if found is None:
            cells = self.packets.row(number)
            whole = cells["payload_length"] == cells["segment_length"]
            octets = self.source.read(cells["offset"], cells["captured"]) if whole else b""
            numbers = cells["seq"].to_bytes(4, "big") + cells["ack"].to_bytes(4, "big")
            found = self._judged[number] = judge(octets, cells["payload_at"], cells["payload_length"], numbers)
        return found

    def sample(self, notes: Observations) -> Sample:
        """Judge some packets. A sender that gets most of them wrong leaves them to its network card."""
        numbers = self._spread()
        found = [self.checksum(number) for number in numbers]
        wrong = [number for number, verdict in zip(numbers, found, strict=True) if verdict in FAILED]
        judged = sum(verdict is not Checksum.UNKNOWN for verdict in found)
        if 2 * len(wrong) <= judged:
            for number in sorted(set(wrong) - self._told):
                cells = self.packets.row(number)
                notes.one(NOTES[self.checksum(number)], int(self.channel_of[cells["stream"]]), cells["direction"], -1,
                          cells["payload_length"], number, cells["time"])  # fmt: skip
        return Sample(judged, found.count(Checksum.PARTIAL), len(wrong))

    def _spread(self) -> list[int]:
        """Data packets of channels, looked for at numbers all over the capture: where blocks begin depends on chunks,
        and whole columns would cost more than the rest."""
        count = len(self.packets)
        if not count:
            return []
        numbers: list[int] = []
        starts = [block.start for block in self.packets.blocks]
        for number in distinct(np.linspace(0, count - 1, 2 * self.limits.checksums).astype(np.int64)):
            block = self.packets.blocks[bisect_right(starts, number) - 1]
            at = number - block.start
            if block.numbers is not None:
                at = int(np.searchsorted(block.numbers, number))
                if at == len(block.numbers) or block.numbers[at] != number:
                    continue
            stream = int(block.columns["stream"][at])
            if stream >= 0 and block.columns["payload_length"][at] and self.channel_of[stream] >= 0:
                numbers.append(number)
        return numbers
