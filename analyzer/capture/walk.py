# cython: wraparound=False, boundscheck=False, initializedcheck=False, annotation_typing=False
"""The scalar walks over capture files: where each record's octets stand. Everything else is done on whole columns.

Both walks stop at the first record that is not whole in `octets`, and return the offset at which they stopped. Bounds
are checked once a record, not at each octet.
"""

from __future__ import annotations

from analyzer.capture import records
from dissectors.columns import Growing
from dissectors.tables import Array

RECORD_LIMIT, BLOCK_LIMIT = records.RECORD_LIMIT, records.BLOCK_LIMIT
"""Typed copies: objects are compared slowly."""


class RecordRows(Growing):
    """Records as they are found. `high` and `low` are the two halves of the time stamp as the file has them, `options`
    where a pcapng block's first comment stands (0: it has none)."""

    NAMES = ("at", "captured", "wire", "interface", "high", "low", "options", "end")


def inside(at: int, stop: int, length: int) -> None:
    """The range to walk is one of the octets."""
    if at < 0 or stop > length:
        raise IndexError("not inside the octets")


def word(octets: memoryview, at: int, big: int) -> int:
    """A 32-bit number."""
    value = octets[at] if big else octets[at + 3]
    if big:
        return value << 24 | octets[at + 1] << 16 | octets[at + 2] << 8 | octets[at + 3]
    return value << 24 | octets[at + 2] << 16 | octets[at + 1] << 8 | octets[at]


def comment_of(octets: memoryview, at: int, end: int, big: int) -> int:
    """Where the first comment of an option list starts, 0 for none (option code 1)."""
    while at + 4 <= end:
        code = octets[at] << 8 | octets[at + 1] if big else octets[at + 1] << 8 | octets[at]
        length = octets[at + 2] << 8 | octets[at + 3] if big else octets[at + 3] << 8 | octets[at + 2]
        if code == 0:
            return 0
        if code == 1:
            return at
        at += 4 + ((length + 3) & 0xFFFC)
    return 0


def record(rows: RecordRows, at: int, captured: int, wire: int, interface: int, high: int, low: int, options: int,
           end: int) -> None:  # fmt: skip
    """Append a row."""
    row = rows.count
    if row == rows.room:
        rows.grow()
    rows.cells[0, row] = at
    rows.cells[1, row] = captured
    rows.cells[2, row] = wire
    rows.cells[3, row] = interface
    rows.cells[4, row] = high
    rows.cells[5, row] = low
    rows.cells[6, row] = options
    rows.cells[7, row] = end
    rows.count = row + 1


def walk_pcap(octets: memoryview, at: int, stop: int, big: int, header: int, rows: RecordRows) -> int:
    """Walk classic records (header of 16 octets, 24 in the modified format) from `at` to `stop`. Returns where it
    stopped, or -1 - offset at a record whose length is impossible."""
    inside(at, stop, len(octets))
    while at + header <= stop:
        captured = word(octets, at + 8, big)
        if captured > RECORD_LIMIT:
            return -1 - at
        start = at + header
        if start + captured > stop:
            break
        record(rows, start, captured, word(octets, at + 12, big), 0, word(octets, at, big), word(octets, at + 4, big),
               0, start + captured)  # fmt: skip
        at = start + captured
    return at


def walk_pcapng(octets: memoryview, at: int, stop: int, big: int, rows: RecordRows) -> int:
    """Walk enhanced (6), simple (3) and old (2) packet blocks. Returns where it stopped: at a block of another type,
    at one that is not whole, or, as -1 - offset, at one whose lengths are impossible."""
    inside(at, stop, len(octets))
    while at + 12 <= stop:
        kind = word(octets, at, big)
        if kind != 6 and kind != 3 and kind != 2:
            return at
        length = word(octets, at + 4, big)
        if length < 16 or length > BLOCK_LIMIT or length & 3:
            return -1 - at
        end = at + length
        if end > stop:
            return at
        if kind == 3:
            wire = word(octets, at + 8, big)
            record(rows, at + 12, min(wire, length - 16), wire, 0, -1, -1, 0, end)
        else:
            if length < 32:
                return -1 - at
            captured = word(octets, at + 20, big)
            padded = captured + (-captured & 3)
            if padded > length - 32:
                return -1 - at
            interface = word(octets, at + 8, big)
            if kind == 2:
                interface = interface >> 16 if big else interface & 0xFFFF
            options = at + 28 + padded
            record(rows, at + 28, captured, word(octets, at + 24, big), interface, word(octets, at + 12, big),
                   word(octets, at + 16, big), comment_of(octets, options, end - 4, big), end)  # fmt: skip
        at = end
    return at


def columns(rows: RecordRows, *names: str) -> dict[str, Array]:
    """Columns of the rows so far, as arrays of their own."""
    return {name: rows.column(name).copy() for name in names}
