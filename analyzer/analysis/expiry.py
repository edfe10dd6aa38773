"""What leaves the tables when a ring drops the front of a capture.

Theory of operation. PACKETS, SPANS, FRAMES and MESSAGES grow with traffic, so their rows go when the octets do that
they lead to; numbers of the others stay as they are. What lives beside the tables (handshakes, the state of reassembly,
of parsers and of inflaters, counts, closes) does not look back at them. Kept are the rows that others name for ever:
SYNs and the first packets of handshakes, after which connections are called; Close frames, which verdicts are made of;
and the first frames of messages that are not complete.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analyzer.analysis.frames import Framing
from analyzer.packets.layouts import SYN
from dissectors.tables import Array, Table
from dissectors.websocket.message_walk import CHECKPOINTS
from dissectors.websocket.opcodes import CLOSE


def expire(tables: Mapping[str, Table], framing: Framing, offset: int) -> None:
    """Let go of rows of packets that stood before a virtual offset."""
    packets, frames = tables["packets"], tables["frames"]
    first = _first_kept(packets, offset)
    named = tables["handshakes"]["first_packet"]
    for index, block in enumerate(packets.blocks):
        if block.start >= first:
            break
        keep = (block.rows() >= first) | (block.columns["flags"] & SYN > 0) | np.isin(block.rows(), named)
        packets.thin(index, keep)
    for index, block in enumerate(tables["spans"].blocks):
        tables["spans"].thin(index, block.columns["packet"] >= first)
    messages = tables["messages"]
    for index, block in enumerate(messages.blocks):
        last = block.columns["last_frame"]
        messages.thin(index, _kept(frames.take("last_packet", last), block.columns["opcode"], first))
    _keep_windows(messages, framing)
    state = framing.folds.whole
    unfinished: Array = state["first_frame"][state["open"] > 0] if len(state["open"]) else np.empty(0, np.int64)
    for index, block in enumerate(frames.blocks):
        keep = _kept(block.columns["last_packet"], block.columns["opcode"], first)
        frames.thin(index, keep | np.isin(block.rows(), unfinished))


def _kept(packet: Array, opcode: Array, first: int) -> Array:
    kept: Array = (packet < 0) | (packet >= first) | (opcode == CLOSE)
    return kept


def _first_kept(packets: Table, offset: int) -> int:
    """The number of the first packet that stands at the offset or behind; they stand in order."""
    for block in packets.blocks:
        at = int(np.searchsorted(block.columns["offset"], offset))
        if at < len(block):
            return int(block.rows()[at])
    return len(packets)


def _keep_windows(messages: Table, framing: Framing) -> None:
    """A message that is compressed with what went before it can be looked at from a kept window only: drop those behind
    messages that left, and keep one behind the last message of each direction, for those that will come."""
    folds, rows = framing.folds, messages.rows()
    first = int(rows[0]) if len(rows) else len(messages)
    folds.windows = [window for window in folds.windows if window[1] >= first]
    compressed = np.flatnonzero(messages["compressed"])
    last = np.full(2 * (max(framing.channels, default=0) + 1), -1, np.int64)
    last[2 * messages["channel"][compressed].astype(np.int64) + messages["direction"][compressed]] = rows[compressed]
    known = {(slot, row) for slot, row, _ in folds.windows}
    state = folds.whole
    amid = ((state["open"] > 0) & (state["compressed"] > 0)) | (state["lost"] > 0)
    for slot, inflater in enumerate(folds.inflaters[: 2 * len(framing.channels)]):
        row = int(last[2 * framing.channels[slot >> 1] + (slot & 1)])
        if (
            inflater is not None
            and row >= 0
            and not amid[slot]
            and not state["lost"][slot]
            and (slot, row) not in known
        ):
            folds.windows.append((slot, row, inflater.window()))
    folds.windows.sort(key=lambda window: window[1])
    if len(folds.windows) > CHECKPOINTS:
        del folds.windows[::2]
