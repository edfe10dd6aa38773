"""Growing columns of integers: what the scalar walks append their rows to."""

from __future__ import annotations

from typing import Any

import numpy as np

from dissectors.tables import Array


def wider(values: Array, room: int, fill: int = 0) -> Array:
    """Values, or rows of them, with room for more. What is zero is not touched before it is used."""
    shape = (room, *values.shape[1:])
    wide = np.full(shape, fill, values.dtype) if fill else np.zeros(shape, values.dtype)
    wide[: len(values)] = values
    return wide


def widened(view: Any, room: int, fill: int = 0) -> Any:
    """The same for a view of an array, which a compiled walk hands over as one of Cython's."""
    return wider(np.asarray(view), room, fill).data


class Growing:
    """Rows of `NAMES`, 64-bit integers: `cells[c, r]` is column c of row r. `base` is the number that row 0 has in its
    table. The room is kept from chunk to chunk, so that it need not be asked of the system again."""

    NAMES: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.base = 0
        self.count = 0
        self.room = 1024
        self.matrix = np.empty((len(self.NAMES), 1024), np.int64)
        self.cells = self.matrix.data

    def grow(self) -> None:
        """Double the room."""
        self.matrix = np.concatenate([self.matrix, np.empty_like(self.matrix)], axis=1)
        self.room *= 2
        self.cells = self.matrix.data

    def column(self, name: str) -> Array:
        """One column of the rows so far: a view, which the rows after `clear` overwrite."""
        found: Array = self.matrix[self.NAMES.index(name), : self.count]
        return found

    def clear(self) -> None:
        """Forget the rows, keep the room; the next row follows them in its table."""
        self.base += self.count
        self.count = 0
