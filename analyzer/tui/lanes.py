"""TCP segments, frames and messages of one direction in three lanes over the same octets: how they align."""

from __future__ import annotations

import numpy as np

from analyzer.api import Capture
from analyzer.times import size
from analyzer.tui.lines import Line, Piece
from analyzer.tui.looks import Signs
from dissectors.tables import Array

AROUND = 0.15
"""Of the frame's own length, shown before and after it."""
MOST = 200
"""Boxes of a lane."""


def lanes(capture: Capture, frame: int, width: int, signs: Signs) -> list[Line]:
    """The lanes around a frame, and below them the packets that carry it."""
    snapshot = capture.snapshot
    cells = snapshot["frames"].row(frame)
    length = cells["header_length"] + cells["payload_length"]
    margin = max(int(length * AROUND), 16)
    start, stop = max(cells["offset"] - margin, 0), cells["offset"] + min(length, 1 << 40) + margin
    channel, direction = cells["channel"], cells["direction"]
    spans, frames, messages = snapshot["spans"], snapshot["frames"], snapshot["messages"]
    stream = int(snapshot["channels"]["stream"][channel])
    mine = np.flatnonzero((spans["stream"] == stream) & (spans["direction"] == direction) & (spans["kind"] <= 1))
    mine = mine[(spans["offset"][mine] < stop) & (spans["offset"][mine] + spans["length"][mine] > start)]
    segments = [
        (int(offset), int(offset) + int(size_), f"#{packet + 1}" if kind == 0 else "not captured")
        for offset, size_, packet, kind in _rows(spans, mine, "offset", "length", "packet", "kind")
    ]
    near = np.flatnonzero((frames["channel"] == channel) & (frames["direction"] == direction))
    whole = frames["header_length"][near] + frames["payload_length"][near].astype(np.int64)
    near = near[(frames["offset"][near] < stop) & (frames["offset"][near] + whole > start)]
    drawn = [
        (int(offset), int(offset) + int(header) + int(payload), capture.frames.numbered(int(row)).opcode)  # type: ignore[union-attr]
        for row, (offset, header, payload) in zip(
            near[:MOST].tolist(), _rows(frames, near, "offset", "header_length", "payload_length"), strict=False
        )
    ]
    holds = np.flatnonzero((messages["channel"] == channel) & (messages["direction"] == direction))
    holds = holds[(messages["first_frame"][holds] >= 0) & (messages["last_frame"][holds] >= 0)]
    first, last = messages["first_frame"][holds], messages["last_frame"][holds]
    begins = frames.take("offset", first)
    ends = (
        frames.take("offset", last)
        + frames.take("header_length", last)
        + frames.take("payload_length", last).astype(np.int64)
    )
    inside = np.flatnonzero((begins < stop) & (ends > start))
    told = [(int(begins[index]), int(ends[index]), f"message {int(holds[index])}") for index in inside[:MOST].tolist()]
    room = max(width - 12, 20)
    lines: list[Line] = [[Piece(f"octets {start} to {stop} of this direction, {size(stop - start)}", "dim")], []]
    for name, boxes, style in (("segments", segments, "line"), ("frames", drawn, "server"), ("messages", told, "good")):
        lines += _lane(name, boxes[:MOST], start, stop, room, style, signs)
    lines += [[], [Piece("the packets that carry it", "bold")]]
    for offset, size_, packet, kind in _rows(spans, mine[:MOST], "offset", "length", "packet", "kind"):
        part = (max(offset, cells["offset"]), min(offset + size_, cells["offset"] + length))
        if part[0] < part[1]:
            what = f"octets {part[0] - cells['offset']} to {part[1] - cells['offset']} of the frame"
            told_packet = f"packet {packet + 1}" if kind == 0 else "not captured"
            lines.append(
                [Piece(f"  {told_packet:<14}", "plain"), Piece(f"{size(size_):>9} of TCP data, {what}", "dim")]
            )
    return lines


def _rows(table, rows: Array, *names: str):  # type: ignore[no-untyped-def]
    return zip(*(table[name][rows].tolist() for name in names), strict=True)


def _lane(name: str, boxes: list[tuple[int, int, str]], start: int, stop: int, room: int, style: str,
          signs: Signs) -> list[Line]:  # fmt: skip
    """Boxes as wide as their octets, in one line with a border above and below."""
    scale = room / max(stop - start, 1)
    top, middle, bottom = ([" "] * (room + 1) for _ in range(3))
    left_top, right_top, left_bottom, right_bottom, across, down = signs.box
    for low, high, label in boxes:
        left = max(int((low - start) * scale), 0)
        right = min(max(int((high - start) * scale), left + 1), room)
        if left >= room:
            continue
        for column in range(left, right + 1):
            top[column] = bottom[column] = across
        top[left], bottom[left] = left_top, left_bottom
        top[right], bottom[right] = right_top, right_bottom
        middle[left] = middle[right] = down
        inner = right - left - 1
        if inner >= 3:
            middle[left + 1 : right] = label[:inner].center(inner)
    return [
        [Piece(" " * 10), Piece("".join(top), style)],
        [Piece(f"{name:<10}", "bold"), Piece("".join(middle), style)],
        [Piece(" " * 10), Piece("".join(bottom), style)],
    ]
