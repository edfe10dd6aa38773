"""Payloads of many rows. Most lie in the capture in one piece: those are looked up as whole columns, which takes a
tenth of the time; the others go through `contents` one by one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from analyzer.analysis.contents import LOOK, Contents
from dissectors.tables import Array
from dissectors.websocket.masking import unmask

STEP = 8192
"""Rows looked up at a time."""
Rows = npt.NDArray[np.int64]


def message_payloads(contents: Contents, rows: Rows) -> Iterator[bytes]:
    """Payloads of rows of MESSAGES, unmasked and inflated, as `Contents.message_payload` has them."""
    messages = contents.snapshot["messages"]
    for start in range(0, len(rows), STEP):
        part = rows[start : start + STEP]
        simple = (messages.take("frames", part) == 1) & (messages.take("compressed", part) == 0)
        frames = np.where(simple, messages.take("first_frame", part), -1)
        for row, octets in zip(part.tolist(), _simple(contents, frames), strict=True):
            yield contents.message_payload(row).octets if octets is None else octets


def frame_payloads(contents: Contents, rows: Rows) -> Iterator[bytes]:
    """Payloads of rows of FRAMES, unmasked."""
    for start in range(0, len(rows), STEP):
        part = rows[start : start + STEP]
        for row, octets in zip(part.tolist(), _simple(contents, part), strict=True):
            yield contents.frame_payload(row) if octets is None else octets


def _simple(contents: Contents, frames: Rows) -> Iterator[bytes | None]:
    """Payloads of frames that lie in one piece, None for others."""
    for at, length, key in zip(*(cells.tolist() for cells in _pieces(contents, frames)), strict=True):
        if at < 0:
            yield None
            continue
        octets = contents.read(at, length)
        yield bytes(unmask(memoryview(octets), 0, len(octets), key, 0, False)) if key else octets


def _pieces(contents: Contents, frames: Rows) -> tuple[Array, Array, Array]:
    """Where in the capture each payload lies, its length and masking key; -1 where it is not in one piece."""
    table, spans = contents.snapshot["frames"], contents.snapshot["spans"]
    names = ("channel", "direction", "offset", "header_length", "payload_length", "mask_key")
    channel, direction, offset, header, length, key = (table.take(name, frames).astype(np.int64) for name in names)
    # a length of 2^63 and more, which RFC 6455 §5.2 forbids, is negative here
    known = (frames >= 0) & (length >= 0) & (length <= LOOK)
    streams = np.append(contents.snapshot["channels"]["stream"], np.int32(-1)).astype(np.int64)
    slot, start = np.where(known, 2 * streams[channel] + direction, -1), offset + header
    at = np.full(len(frames), -1, np.int64)
    slots, offsets, order = contents._spans
    by_slot = np.argsort(slot, kind="stable")
    for mine in np.split(by_slot, np.flatnonzero(np.diff(slot[by_slot])) + 1):
        if not len(mine) or slot[mine[0]] < 0:
            continue
        low, high = np.searchsorted(slots, [slot[mine[0]], slot[mine[0]] + 1])
        place = low + np.searchsorted(offsets[low:high], start[mine], side="right") - 1
        mine, place = mine[place >= low], place[place >= low]
        into = start[mine] - offsets[place]
        whole = into + length[mine] <= spans["length"][order[place]]
        at[mine[whole]] = (spans["at"][order[place]] + into)[whole]
    return at, length, key
