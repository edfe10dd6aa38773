"""Tables: named numpy columns, declared once, kept as append-only lists of blocks.

Theory of operation. A `Schema` is a literal: each `Column` has a dtype, a unit, the value that means "absent", the
section of the standard that it comes from and one sentence. Filters, the command line, exports and the documentation
loop over that literal. A `Table` is a list of `Block`s; a block is a dict of equally long read-only arrays. Rows are
only ever appended, and keep their number for ever: a block may be *thinned* (rows that turned out to be of no interest
are left out), and then carries the numbers of the rows that it kept. `Table.freeze` is a snapshot that later appends
do not change.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def distinct(values: Array) -> list[int]:
    """The different values, ascending. Columns of a capture often hold one only; and `np.unique` by itself imports
    numpy.ma, which takes as long as reading a small capture."""
    if not len(values):
        return []
    if (values == values[0]).all():
        return [int(values[0])]
    found: list[int] = np.unique(values, return_counts=True)[0].tolist()
    return found


@dataclass(frozen=True, slots=True)
class Column:
    """One declared column.

    `unit` is "octets", "ns", "row of TABLE", "offset" or "" for a plain number. `null` is the value that means
    absent (None: never absent). `values` names the codes of a closed set. `text` says that the integer is a code of
    the capture's string pool. `flag` says that it is a boolean.
    """

    name: str
    dtype: str
    doc: str
    unit: str = ""
    null: int | None = None
    source: str = ""
    values: Mapping[int, str] | None = None
    text: bool = False
    flag: bool = False


@dataclass(frozen=True, slots=True)
class Schema:
    """The declaration of a table: what one row is, and its columns."""

    name: str
    row: str
    columns: tuple[Column, ...]
    by_name: Mapping[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {column.name: column for column in self.columns})

    def __getitem__(self, name: str) -> Column:
        column = self.by_name.get(name)
        if column is None:
            from difflib import get_close_matches

            near = get_close_matches(name.lower(), self.by_name, 1, 0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"columns: {', '.join(self.by_name)}"
            raise KeyError(f"{self.name} have no column {name!r}; {hint}")
        return column

    def empty(self) -> dict[str, Array]:
        """Columns of no rows."""
        return {column.name: np.empty(0, column.dtype) for column in self.columns}

    def pack(self, rows: Sequence[Sequence[int | str]], strings: Strings | None = None) -> dict[str, Array]:
        """Columns from row tuples whose items stand in the order of the declaration. With `strings`, text columns hold
        texts, which are interned."""
        if not rows:
            return self.empty()
        gathered = zip(*rows, strict=True)
        return {
            column.name: np.array(strings.codes_of(values) if strings and column.text else values, column.dtype)
            for column, values in zip(self.columns, gathered, strict=True)
        }


@dataclass(frozen=True, slots=True)
class Block:
    """A run of rows. `start` is the number of its first row, `span` how many numbers it covers; `numbers` is None
    while every row of it is kept, else the ascending numbers of those that are."""

    start: int
    span: int
    columns: Mapping[str, Array]
    numbers: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return self.span if self.numbers is None else len(self.numbers)

    def rows(self) -> npt.NDArray[np.int64]:
        """The row numbers, ascending."""
        if self.numbers is None:
            return np.arange(self.start, self.start + self.span, dtype=np.int64)
        return self.numbers

    def thin(self, keep: npt.NDArray[np.bool_]) -> Block:
        """The same block without the rows where `keep` is false."""
        if keep.all():
            return self
        return Block(
            self.start, self.span, {name: column[keep] for name, column in self.columns.items()}, self.rows()[keep]
        )


class Grown:
    """Columns over all blocks of a table that still grows: a table and its snapshots share it. Each block is copied
    once, in whichever thread asks first; what was handed out is never written again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._columns: dict[str, tuple[Array, int, int]] = {}

    def column(self, column: Column, blocks: Sequence[Block]) -> Array:
        """One column over `blocks`, which begin with all those that were asked for before, or are some of them."""
        if len(blocks) == 1:
            return blocks[0].columns[column.name]
        with self._lock:
            whole, done, rows = self._columns.get(column.name, (np.empty(0, column.dtype), 0, 0))
            if done < len(blocks):
                parts = [block.columns[column.name] for block in blocks[done:]]
                need = rows + sum(map(len, parts))
                if need > len(whole):
                    # a table that is asked for once gets what it needs, one that grows under its readers gets more
                    wider = np.empty(max(need, 2 * rows), column.dtype)
                    wider[:rows] = whole[:rows]
                    whole = wider
                np.concatenate(parts, out=whole[rows:need])
                self._columns[column.name] = whole, len(blocks), need
                return whole[:need]
        return whole[: sum(map(len, blocks))] if done > len(blocks) else whole[:rows]


class Table:
    """Rows of one schema. Append-only; `len` counts every row ever appended, kept or thinned."""

    def __init__(self, schema: Schema, blocks: Sequence[Block] = (), count: int = 0,
                 grown: Grown | None = None) -> None:  # fmt: skip
        self.schema = schema
        self.blocks: list[Block] = list(blocks)
        self.count = count
        self._grown = grown or Grown()

    def __len__(self) -> int:
        return self.count

    def append(self, columns: Mapping[str, Array]) -> int:
        """Append rows, and return the number of the first. Columns are cast to the declared dtypes; views are copied,
        as what they look at may change."""
        first = self.count
        cast: dict[str, Array] = {}
        length = -1
        for column in self.schema.columns:
            values = np.ascontiguousarray(columns[column.name], column.dtype)
            if values.base is not None:
                values = values.copy()
            assert length in (-1, len(values)), f"{self.schema.name}.{column.name} has another length"
            length = len(values)
            cast[column.name] = values
        if length > 0:
            self.blocks.append(Block(first, length, cast))
            self.count += length
        return first

    def thin(self, index: int, keep: npt.NDArray[np.bool_]) -> None:
        """Leave rows out of block `index`."""
        thinned = self.blocks[index].thin(keep)
        if thinned is not self.blocks[index]:
            self.blocks[index] = thinned
            self._grown = Grown()

    def freeze(self) -> Table:
        """A snapshot: what is appended later does not show in it."""
        return Table(self.schema, self.blocks, self.count, self._grown)

    def column(self, name: str) -> Array:
        """One column over all kept rows."""
        return self._grown.column(self.schema[name], self.blocks)

    def __getitem__(self, name: str) -> Array:
        return self.column(name)

    def __repr__(self) -> str:
        return f"<Table {self.schema.name}: {self.count} rows, {len(self.schema.columns)} columns>"

    def rows(self) -> npt.NDArray[np.int64]:
        """The numbers of all kept rows, ascending; `column(c)[i]` belongs to `rows()[i]`."""
        parts = [block.rows() for block in self.blocks]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def take(self, name: str, numbers: npt.NDArray[np.int64]) -> Array:
        """Cells of one column by row number. Numbers that are negative or thinned give the column's null, or 0."""
        column = self.schema[name]
        fill = 0 if column.null is None else column.null
        whole = self.column(name)
        if len(whole) == self.count:
            if not len(whole):
                return np.full(len(numbers), fill, column.dtype)
            inside = (numbers >= 0) & (numbers < self.count)
            return np.where(inside, whole[np.where(inside, numbers, 0)], np.array(fill, column.dtype))
        kept = self.rows()
        if not len(kept):
            return np.full(len(numbers), fill, column.dtype)
        at = np.minimum(np.searchsorted(kept, numbers), len(kept) - 1)
        return np.where(kept[at] == numbers, whole[at], np.array(fill, column.dtype))

    def row(self, number: int) -> dict[str, int]:
        """One row by number.

        Raises: IndexError where there is no such row, or it was left out.
        """
        at = bisect_right(self.blocks, number, key=lambda block: block.start) - 1
        if at < 0 or number >= self.count:
            raise IndexError(f"{self.schema.name} has no row {number}")
        block = self.blocks[at]
        inside = number - block.start
        if block.numbers is not None:
            inside = int(np.searchsorted(block.numbers, number))
            if inside == len(block.numbers) or block.numbers[inside] != number:
                raise IndexError(f"row {number} of {self.schema.name} was left out")
        return {name: int(column[inside]) for name, column in block.columns.items()}

    def __iter__(self) -> Iterator[dict[str, int]]:
        """Rows as dicts, in order. For people and tests: loops over many rows belong on columns."""
        for block in self.blocks:
            lists = [column.tolist() for column in block.columns.values()]
            for cells in zip(*lists, strict=True):
                yield dict(zip(block.columns, cells, strict=True))


TEXT_COST = 120
"""Octets. The measured cost of a short str with its entries in a dict and a list."""


class Strings:
    """A pool of texts that columns refer to by code. Code 0 is the empty text; once `limit` octets are held, every
    further new text becomes code 1, whose text says so."""

    FULL = 1

    def __init__(self, limit: int = 256 << 20) -> None:
        self.limit = limit
        self.held = 0
        self.texts: list[str] = ["", "(not kept: the string pool is full)"]
        self._codes: dict[str, int] = {"": 0}

    def intern(self, text: str) -> int:
        """The code of a text."""
        code = self._codes.get(text)
        if code is None:
            self.held += len(text) + TEXT_COST
            if self.held > self.limit:
                return self.FULL
            code = len(self.texts)
            self._codes[text] = code
            self.texts.append(text)
        return code

    def codes_of(self, texts: Iterable[Any]) -> list[int]:
        """The codes of a column of texts."""
        texts = list(texts)
        codes, kept, held = self._codes, self.texts, self.held
        count = len(texts)
        more = sum(map(len, texts)) + count * TEXT_COST
        if count > 1 and held + more <= self.limit and codes.keys().isdisjoint(texts) and len(set(texts)) == count:
            # keys are all different and new: a step for each text would cost several times as much
            new = range(len(kept), len(kept) + count)
            codes.update(zip(texts, new, strict=True))
            kept += texts
            self.held += more
            return list(new)
        found = []
        for text in texts:
            code = codes.get(text)
            if code is None:  # `intern` at its place: a call costs as much as the rest, and keys are all different
                held += len(text) + TEXT_COST
                code = self.FULL
                if held <= self.limit:
                    code = codes[text] = len(kept)
                    kept.append(text)
            found.append(code)
        self.held = held
        return found

    def __getitem__(self, code: int) -> str:
        return self.texts[code]

    def __len__(self) -> int:
        return len(self.texts)
