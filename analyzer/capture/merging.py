"""Merges the records of several files by time.

Theory of operation. In each file a record counts as late as the latest before it (clocks step back, simple packet
blocks have no time), so that every file is in order, and the merge is well defined: by that time, then by file, then
by place. It does not depend on how files are cut into chunks. Of the chunks at hand, all rows are passed on that come
before the earliest end of a chunk. While the next file has not begun, chunks pass through untouched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from analyzer.capture.records import Records
from dissectors.schemas import NO_TIME
from dissectors.tables import Array


@dataclass(slots=True)
class _Strand:
    """A file under way: the rows of its chunk that were not passed on, from `at` on."""

    order: int
    chunks: Iterator[Records]
    records: Records | None = None
    time: Array | None = None
    at: int = 0
    latest: int = NO_TIME

    def advance(self) -> bool:
        """Get the next chunk; false at the end."""
        self.records = next(self.chunks, None)
        if self.records is None:
            return False
        self.time = np.maximum.accumulate(np.maximum(self.records.time, self.latest))
        self.latest = int(self.time[-1])
        self.at = 0
        return True


def merge(files: Sequence[Iterator[Records]], first: Sequence[int]) -> Iterator[Records]:
    """Records of all files in one order. `first` holds the time of each file's first record, ascending."""
    waiting = [_Strand(order, chunks) for order, chunks in enumerate(files)]
    active: list[_Strand] = []
    while waiting or active:
        if not active:
            strand = waiting.pop(0)
            if strand.advance():
                active.append(strand)
            continue
        bound = min((strand.latest, strand.order) for strand in active)
        if waiting and first[waiting[0].order] <= bound[0]:
            strand = waiting.pop(0)
            if strand.advance():
                active.append(strand)
            continue
        taken = [(strand, _ready(strand, bound)) for strand in active]
        parts = [(strand, stop) for strand, stop in taken if stop > strand.at]
        if len(parts) == 1:
            strand, stop = parts[0]
            assert strand.records is not None
            yield strand.records if (strand.at, stop) == (0, len(strand.records)) else _slice(strand, stop)
        elif parts:
            yield _join(parts)
        for strand, stop in taken:
            strand.at = stop
        for strand in [strand for strand in active if strand.records and strand.at == len(strand.records)]:
            if not strand.advance():
                active.remove(strand)


def _ready(strand: _Strand, bound: tuple[int, int]) -> int:
    """Up to where a strand's rows come before the bound or at it."""
    assert strand.time is not None
    side = "right" if strand.order <= bound[1] else "left"
    return max(int(np.searchsorted(strand.time, bound[0], side=side)), strand.at)  # type: ignore[call-overload]


def _slice(strand: _Strand, stop: int) -> Records:
    records = strand.records
    assert records is not None
    rows = slice(strand.at, stop)
    return Records(
        records.octets, records.at[rows], records.offset[rows], records.captured[rows], records.wire[rows],
        records.time[rows], records.link[rows],
    )  # fmt: skip


def _join(parts: Sequence[tuple[_Strand, int]]) -> Records:
    slices = [_slice(strand, stop) for strand, stop in parts]
    times = np.concatenate([strand.time[strand.at : stop] for strand, stop in parts if strand.time is not None])
    order = np.argsort(times, kind="stable")
    bases = np.cumsum([0, *(len(part.octets) for part in slices[:-1])])
    at = np.concatenate([part.at + base for part, base in zip(slices, bases.tolist(), strict=True)])

    def whole(name: str) -> Array:
        return np.concatenate([getattr(part, name) for part in slices])[order]

    return Records(
        memoryview(b"".join(part.octets for part in slices)), at[order], whole("offset"), whole("captured"),
        whole("wire"), whole("time"), whole("link"),
    )  # fmt: skip
