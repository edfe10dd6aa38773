"""Rows that a chunk adds to a table of the HTTP layer, in the order of the spans that completed them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analyzer.analysis.openings import Order, Rows
from dissectors.tables import Array, Strings, Table


class Gathered:
    """Rows of one table that a chunk adds: those that were read span by span, and those of a batch, both told by their
    places in the spans of the chunk."""

    def __init__(self, table: Table, strings: Strings) -> None:
        self.table = table
        self._strings = strings
        self._rows: list[tuple[int | str, ...]] = []
        self._places: list[int] = []
        self._order = Order(np.empty(0, np.int64))

    def expect(self, places: Rows) -> None:
        """A batch adds rows at these places."""
        self._order = Order(places)

    def add(self, place: int, row: tuple[int | str, ...]) -> int:
        """Add one; returns its number in the table."""
        number = len(self.table) + len(self._rows) + self._order.before(place)
        self._rows.append(row)
        self._places.append(place)
        return number

    def absent(self, count: int) -> dict[str, Array]:
        """Columns of rows that have nothing."""
        return {column.name: np.full(count, column.null or 0, column.dtype) for column in self.table.schema.columns}

    def append(self, batch: Mapping[str, Array] | None = None) -> Rows:
        """Append everything to the table, the rows of the batch among them, whose numbers are returned."""
        columns = self.table.schema.pack(self._rows, self._strings)
        stands = np.empty(0, np.int64)
        if batch is not None:
            order, stands = self._order.merge(np.array(self._places, np.int64))
            columns = {name: np.concatenate([column, batch[name]])[order] for name, column in columns.items()}
        first = self.table.append(columns)
        self._rows.clear()
        self._places.clear()
        self._order = Order(np.empty(0, np.int64))
        return stands + first
