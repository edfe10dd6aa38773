"""Growing matrices of integers: what the scalar walks append their rows to."""

from __future__ import annotations

import numpy as np

from dissectors.tables import Array


class Growing:
    """Rows of `NAMES`, 64-bit integers. `base` is the number that row 0 has in its table."""

    NAMES: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.base = 0
        self.count = 0
        self.room = 1024
        self.matrix = np.empty((1024, len(self.NAMES)), np.int64)
        self.cells = self.matrix.data

    def grow(self) -> None:
        """Double the room."""
        self.matrix = np.concatenate([self.matrix, np.empty_like(self.matrix)])
        self.room = len(self.matrix)
        self.cells = self.matrix.data

    def column(self, name: str) -> Array:
        """One column of the rows so far, as a fresh array."""
        return self.matrix[: self.count, self.NAMES.index(name)].copy()

    def clear(self) -> None:
        """Forget the rows, keep the room; the next row follows them in its table."""
        self.base += self.count
        self.count = 0
