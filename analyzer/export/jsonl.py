"""JSON Lines: one object a row, by the schema that `framescope schema` prints.

Theory of operation. json.dumps for every row would cost ten times as much as the analysis. So lines are built column
by column, some rows at a time. A column of few values is made of codes and one text for each; neighbours of that kind
become one column, whose texts hold the names as well, as long as they have few values together. What remains is put
into a template. In a listing of frames, 10 of 23 columns are left of that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

from analyzer.query.fields import Kind
from analyzer.views import TOLD, View, iso_times

STEP = 16384
"""Rows turned into text at a time."""
FEW = 4096
"""Values of a column, or of several together, for which a text each is made."""
NUMBERS = (Kind.NUMBER, Kind.OCTETS, Kind.DURATION)

Places = npt.NDArray[np.int64]


@dataclass(slots=True)
class Coded:
    """Columns of few values, each with its name: of every row the place of its text."""

    codes: Places
    texts: list[str]


def write(view: View, places: Places, stream: TextIO, payload: Callable[[bytes], str] | None,
          table: str = "") -> None:  # fmt: skip
    """Write rows, with their payload where `payload` says how to write it, and with the name of their table where rows
    of several stand in one stream."""
    first = f'"table": "{table}", ' if table else ""
    for start in range(0, len(places), STEP):
        part = places[start : start + STEP]
        template, columns = _laid_out(view, part)
        template = "{" + first + template
        if payload:
            # line by line: a message may be large, and so many of them must not stand in memory at once
            template += ', "payload": %s}\n'
            columns.append(_payloads(view, part, payload))
            stream.writelines(template % cells for cells in zip(*columns, strict=True))
        else:
            template += "}\n"
            stream.write("".join([template % cells for cells in zip(*columns, strict=True)]))


def _payloads(view: View, places: Places, payload: Callable[[bytes], str]) -> Iterator[str]:
    for octets in view.payloads(places):
        yield json.dumps(payload(octets))


def _laid_out(view: View, places: Places) -> tuple[str, list[Iterable[str]]]:
    """A template for all columns of a record, and what goes into it."""
    template, columns = [], list[Iterable[str]]()
    coded: Coded | None = None
    seen: list[tuple[npt.NDArray[Any], list[str]]] = []

    def settle() -> None:
        nonlocal coded
        if coded is None:
            return
        if len(coded.texts) == 1:
            template.append(coded.texts[0].replace("%", "%%"))
        else:
            template.append("%s")
            texts = coded.texts
            columns.append([texts[code] for code in coded.codes.tolist()])
        coded = None

    for name in view.output():
        found = _cells(view, name, places, seen)
        if isinstance(found, Coded):
            found.texts = [f'"{name}": {text}' for text in found.texts]
            if coded is not None and len(coded.texts) * len(found.texts) <= FEW:
                coded = _joined(coded, found)
                continue
            settle()
            coded = found
            continue
        settle()
        template.append(f'"{name}": %s')
        columns.append(found)
    settle()
    if not columns:
        columns.append([""] * len(places))
        template[-1] += "%s"
    return ", ".join(template), columns


def _joined(left: Coded, right: Coded) -> Coded:
    """Two columns as one, with the pairs of values that are there."""
    width = len(right.texts)
    codes, used = _ranked(left.codes * width + right.codes, len(left.texts) * width)
    return Coded(codes, [f"{left.texts[code // width]}, {right.texts[code % width]}" for code in used.tolist()])


def _ranked(codes: Places, width: int) -> tuple[Places, Places]:
    """Codes below `width` as ranks of those that are there, and these."""
    there = np.zeros(width, np.bool_)
    there[codes] = True
    return (np.cumsum(there) - 1)[codes], np.flatnonzero(there)


def _cells(view: View, name: str, places: Places, seen: list[tuple[npt.NDArray[Any], list[str]]]) -> Coded | list[str]:
    """A column's values as JSON. `seen` are numbers and times that were turned into text before: where a frame is in
    one packet, several columns are the same."""
    field = view.field(name)
    assert field is not None
    if field.parts or field.kind is Kind.PAYLOAD or name in TOLD:
        return [json.dumps(value) for value in view.values(name, places)]
    column = view.column(name)[places]
    if field.kind is Kind.FLAG:
        column = column != 0
    low, high = int(column.min()), int(column.max())
    if high - low < FEW:
        # subtracted first where the numbers may have 64 bits
        codes, used = _ranked(
            (column - np.uint64(low)).astype(np.int64) if column.dtype == np.uint64 else column.astype(np.int64) - low,
            high - low + 1,
        )
    elif field.kind is Kind.TIME or field.kind in NUMBERS:
        for earlier, texts in seen:
            if earlier.dtype == column.dtype and (earlier == column).all():
                return texts
        if field.kind is Kind.TIME:
            texts = ["null" if text is None else f'"{text}"' for text in iso_times(column)]
        elif field.null is None or not (column == field.null).any():
            texts = list(map(str, column.tolist()))
        else:
            texts = ["null" if cell == field.null else str(cell) for cell in column.tolist()]
        seen.append((column, texts))
        return texts
    else:
        used, codes = np.unique(column, return_inverse=True)
    of_each = np.zeros(len(used), np.int64)
    of_each[codes] = np.arange(len(places))
    texts = [json.dumps(value) for value in view.values(name, places[of_each])]
    return Coded(codes, texts) if len(texts) <= FEW else [texts[code] for code in codes.tolist()]
