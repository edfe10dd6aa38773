"""JSON Lines: one object a row, by the schema that `framescope schema` prints.

Lines are built column by column: values of a column are turned into JSON once for each distinct one, or by `map`, and
the columns are zipped into a template. json.dumps for every row costs several times as much.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import TextIO

import numpy as np
import numpy.typing as npt

from analyzer.query.fields import Kind
from analyzer.views import View, iso_times

STEP = 16384
"""Rows turned into text at a time."""


def write(view: View, places: npt.NDArray[np.int64], stream: TextIO, payload: Callable[[bytes], str] | None,
          table: str = "") -> None:  # fmt: skip
    """Write rows, with their payload where `payload` says how to write it, and with the name of their table where rows
    of several stand in one stream."""
    names = view.output()
    first = f'"table": "{table}", ' if table else ""
    template = (
        "{" + first + ", ".join(f'"{name}": %s' for name in names) + (', "payload": %s' if payload else "") + "}\n"
    )
    for start in range(0, len(places), STEP):
        part = places[start : start + STEP]
        columns: list[Iterable[str]] = [_cells(view, name, part) for name in names]
        if payload:
            # line by line: a message may be large, and so many of them must not stand in memory at once
            columns.append(_payloads(view, part, payload))
            stream.writelines(template % cells for cells in zip(*columns, strict=True))
        else:
            stream.write("".join([template % cells for cells in zip(*columns, strict=True)]))


def _payloads(view: View, places: npt.NDArray[np.int64], payload: Callable[[bytes], str]) -> Iterator[str]:
    for octets in view.payloads(places):
        yield json.dumps(payload(octets))


def _cells(view: View, name: str, places: npt.NDArray[np.int64]) -> Iterable[str]:
    """A column's values as JSON."""
    field = view.field(name)
    assert field is not None
    if field.kind is Kind.TIME:
        texts = iso_times(view.column(name)[places])
        return ["null" if text is None else f'"{text}"' for text in texts]
    if field.kind is Kind.FLAG:
        return ["true" if cell else "false" for cell in view.column(name)[places].tolist()]
    if field.kind in (Kind.NUMBER, Kind.OCTETS, Kind.DURATION):
        column = view.column(name)[places]
        cells = column.tolist()
        if field.null is None or not (column == field.null).any():
            return map(str, cells)
        return ["null" if cell == field.null else str(cell) for cell in cells]
    values = view.values(name, places)
    known = {value: json.dumps(value) for value in set(values)}
    return [known[value] for value in values]
