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


class Observations:
    """Fills NOTES. Beyond the limit a row is only counted: `left_out` says how many, by code."""

    def __init__(self, table: Table, strings: Strings, limits: Limits) -> None:
        self.table = table
        self.strings = strings
        self.limit = limits.notes_per_code
        self.left_out: Counter[Note] = Counter()
        self._seen: Counter[tuple[int, int, int]] = Counter()

    def append(self, code: Array, channel: Array, direction: Array, offset: Array, length: Array, packet: Array,
               time: Array, detail: Array | None = None) -> None:  # fmt: skip
        """Append rows of one layer, in the order of observation."""
        keep = self._within(code, channel, direction)
        columns = {
            "code": code, "severity": _SEVERITY[code], "layer": _LAYER[code], "channel": channel,
            "direction": direction, "offset": offset, "length": length, "packet": packet, "time": time,
            "detail": np.zeros(len(code), np.int32) if detail is None else detail,
        }  # fmt: skip
        self.table.append(columns if keep is None else {name: column[keep] for name, column in columns.items()})

    def one(self, note: Note, channel: int, direction: int, offset: int, length: int, packet: int = -1,
            time: int = NO_TIME, detail: str = "") -> None:  # fmt: skip
        """Append one row."""
        cells = (int(note), channel, direction, offset, length, packet, time, self.strings.intern(detail))
        self.append(*(np.array([cell]) for cell in cells))

    def _within(self, code: Array, channel: Array, direction: Array) -> Array | None:
        keys = list(zip(channel.tolist(), direction.tolist(), code.tolist(), strict=True))
        keep = np.ones(len(keys), np.bool_)
        for row, key in enumerate(keys):
            self._seen[key] += 1
            if self._seen[key] > self.limit:
                keep[row] = False
                self.left_out[Note(key[2])] += 1
        return None if keep.all() else keep
