"""The NOTES table: appends observations, bounded per code and direction, and counts all of them."""

from __future__ import annotations

from collections import Counter

import numpy as np

from analyzer.limits import Limits
from dissectors.notes import MEANINGS, Note
from dissectors.schemas import NO_TIME
from dissectors.tables import Array, Strings, Table

_SEVERITY = np.zeros(256, np.uint8)
_LAYER = np.zeros(256, np.uint8)
for _note, _meaning in MEANINGS.items():
    _SEVERITY[_note] = _meaning.severity
    _LAYER[_note] = _meaning.layer


LAST = 2**62
"""The release of what is observed when the capture has ended."""


class Observations:
    """Fills NOTES. Rows are gathered for a chunk, and stand in the order of the packets that released the octets they
    are about; of one packet, those of HTTP before those of its spans in turn. Beyond the limit a row is only counted:
    `left_out` says how many, by code."""

    def __init__(self, table: Table, strings: Strings, limits: Limits) -> None:
        self.table = table
        self.strings = strings
        self.limit = limits.notes_per_code
        self.left_out: Counter[Note] = Counter()
        self._seen: Counter[tuple[int, int, int]] = Counter()
        self._rows: list[tuple[int, ...]] = []

    def append(self, *columns: Array) -> None:
        """Gather rows of the frame layer: code, channel, direction, offset, length, packet, time, release, turn."""
        self._rows += [(*cells, 0) for cells in zip(*(column.tolist() for column in columns), strict=True)]

    def one(self, note: Note, channel: int, direction: int, offset: int, length: int, packet: int = -1,
            time: int = NO_TIME, detail: str = "", release: int = LAST) -> None:  # fmt: skip
        """Gather one row."""
        code = self.strings.intern(detail)
        turn = LAST if release == LAST else 0
        self._rows.append((int(note), channel, direction, offset, length, packet, time, release, turn, code))

    def flush(self) -> None:
        """Append what was gathered. A connection that is wrong in the same way over and over is told so often only."""
        if not self._rows:
            return
        self._rows.sort(key=lambda row: row[7:9])
        kept = []
        for row in self._rows:
            key = (row[1], row[2], row[0])
            self._seen[key] += 1
            if self._seen[key] > self.limit:
                self.left_out[Note(row[0])] += 1
            else:
                kept.append(row)
        self._rows = []
        columns = np.array(kept, np.int64).reshape(-1, 10).T
        names = ("code", "channel", "direction", "offset", "length", "packet", "time")
        found = dict(zip(names, columns, strict=False))
        code = columns[0]
        self.table.append(
            found | {"severity": _SEVERITY[code], "layer": _LAYER[code], "detail": columns[9].astype(np.int32)}
        )
