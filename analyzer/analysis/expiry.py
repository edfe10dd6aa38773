"""What leaves the tables when a ring drops the front of a capture.

Theory of operation. PACKETS, SPANS, FRAMES, MESSAGES and EXCHANGES grow with traffic, so their rows go when the octets
do that they lead to; numbers of the others stay as they are. What grows with connections stays: their rows, handshakes,
counts, closes, and the state of reassembly, of parsers and of inflaters, none of which looks back at what left. Kept
are the rows that others name for ever: SYNs and the first packets of handshakes, after which connections are called;
exchanges that are handshakes; the first Close of each direction, of which verdicts are made; and the first frames of
messages that are not complete.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analyzer.analysis.frames import Framing
from analyzer.packets.layouts import SYN
from dissectors.tables import Array, Table
from dissectors.websocket.message_walk import CHECKPOINTS


def expire(tables: Mapping[str, Table], framing: Framing, offset: int) -> None:
    """Let go of rows of packets that stood before a virtual offset."""
    packets, shakes = tables["packets"], tables["handshakes"]
    first = _first_kept(packets, offset)
    _expire_packets(packets, first, shakes["first_packet"])
    for index, block in enumerate(tables["spans"].blocks):
        tables["spans"].thin(index, block.columns["packet"] >= first)
    exchanges = tables["exchanges"]
    for index, block in enumerate(exchanges.blocks):
        last = block.columns["last_packet"]
        exchanges.thin(index, (last < 0) | (last >= first) | np.isin(block.rows(), shakes["exchange"]))
    _expire_messages(tables["messages"], tables["frames"], framing, first)


def _expire_packets(packets: Table, first: int, named: Array) -> None:
    for index, block in enumerate(packets.blocks):
        if block.start >= first:
            break
        packets.thin(index, (block.rows() >= first) | (block.columns["flags"] & SYN > 0) | np.isin(block.rows(), named))


def _expire_messages(messages: Table, frames: Table, framing: Framing, first: int) -> None:
    """Messages go with their last frame."""
    state = {name: column[: 2 * len(framing.channels)] for name, column in framing.folds.whole.items()}
    closes: Array = state["close_row"][state["close_row"] >= 0]
    named = np.concatenate([messages.take("last_frame", closes), state["first_frame"][state["open"] > 0]])
    _keep_windows(messages, framing)
    gone = np.full(2 * (max(framing.channels, default=0) + 1), -1, np.int64)
    # frames of other blocks are all there; a column over the whole ring would cost more than the rest
    old = Table(frames.schema, [block for block in frames.blocks if _before(block.columns, first).any()], len(frames))
    for index, block in enumerate(messages.blocks):
        last = old.take("last_packet", block.columns["last_frame"])
        keep = (last < 0) | (last >= first) | np.isin(block.rows(), closes)
        np.maximum.at(gone, _slots(block.columns)[~keep], block.rows()[~keep])
        messages.thin(index, keep)
    _drop_windows(framing, gone)
    for index, block in enumerate(frames.blocks):
        frames.thin(index, ~_before(block.columns, first) | np.isin(block.rows(), named))


def _before(columns: Mapping[str, Array], first: int) -> Array:
    """Frames that a packet before this one completed."""
    packet = columns["last_packet"]
    before: Array = (packet >= 0) & (packet < first)
    return before


def _first_kept(packets: Table, offset: int) -> int:
    """The number of the first packet that stands at the offset or behind; they stand in order."""
    for block in packets.blocks:
        at = int(np.searchsorted(block.columns["offset"], offset))
        if at < len(block):
            return int(block.rows()[at])
    return len(packets)


def _slots(columns: Mapping[str, Array]) -> Array:
    slots: Array = 2 * columns["channel"].astype(np.int64) + columns["direction"]
    return slots


def _keep_windows(messages: Table, framing: Framing) -> None:
    """A message that is compressed with what went before it can be looked at from a kept window only: before messages
    leave, one is kept behind the last of each direction, for those that will come."""
    folds, rows = framing.folds, messages.rows()
    compressed = np.flatnonzero(messages["compressed"])
    last = np.full(2 * (max(framing.channels, default=0) + 1), -1, np.int64)
    columns = {name: messages[name][compressed] for name in ("channel", "direction")}
    last[_slots(columns)] = rows[compressed]
    known = {(slot, row) for slot, row, _ in folds.windows}
    state = folds.whole
    amid = ((state["open"] > 0) & (state["compressed"] > 0)) | (state["lost"] > 0)
    for slot, inflater in enumerate(folds.inflaters[: 2 * len(framing.channels)]):
        row = int(last[2 * framing.channels[slot >> 1] + (slot & 1)])
        if inflater is not None and row >= 0 and not amid[slot] and (slot, row) not in known:
            folds.windows.append((slot, row, inflater.window()))
    folds.windows.sort(key=lambda window: window[1])
    if len(folds.windows) > CHECKPOINTS:
        del folds.windows[::2]


def _drop_windows(framing: Framing, gone: Array) -> None:
    """Windows before a message that left lead nowhere; `gone` has the last one by channel and direction."""
    channels = framing.channels
    framing.folds.windows = [
        window for window in framing.folds.windows if window[1] >= gone[2 * channels[window[0] >> 1] + (window[0] & 1)]
    ]
