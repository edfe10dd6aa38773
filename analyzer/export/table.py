"""CSV (RFC 4180): the same fields as JSON Lines, for spreadsheets. Texts pass the escaping door: a spreadsheet runs a
cell that begins like a formula."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

from analyzer.escape import cell
from analyzer.views import View

STEP = 16384
"""Rows turned into text at a time."""


def write(view: View, places: npt.NDArray[np.int64], stream: TextIO, payload: Callable[[bytes], str] | None) -> None:
    """Write rows below a line of names, with their payload where `payload` says how to write it. Absent values are
    empty."""
    names = view.output()
    lines = csv.writer(stream, lineterminator="\r\n")
    lines.writerow([*names, "payload"] if payload else names)
    for start in range(0, len(places), STEP):
        part = places[start : start + STEP]
        columns: list[Iterable[Any]] = [map(_told, view.values(name, part)) for name in names]
        if payload:
            columns.append(cell(payload(octets)) for octets in view.payloads(part))
        lines.writerows(zip(*columns, strict=True))


def _told(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return cell("; ".join(map(str, value)))
    return cell(value) if isinstance(value, str) else value
