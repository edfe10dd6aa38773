"""What TCP did beside delivering octets: columns of CONNECTIONS, and notes on what is strange about it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analyzer.analysis.channels import innermost
from analyzer.analysis.observations import Observations
from analyzer.streams.assembly import Assembly
from dissectors.notes import Note
from dissectors.schemas import NO_TIME
from dissectors.tables import Array, Table

PER_SIDE = ("retransmitted", "out_of_order", "duplicates", "keepalives", "probes")
"""Figures of the walk that are columns of both sides, under the same name."""
PLACED = {
    "resets": Note.TCP_RESET_OUT_OF_WINDOW, "beyond": Note.TCP_DATA_AFTER_FIN, "urgent": Note.TCP_URGENT,
}  # fmt: skip
"""Figures that are a note a direction, with their first packet. Those counted in octets give the note its length."""
OCTETS = ("beyond",)
STEM = {"resets": "reset"}


def transport_columns(assembly: Assembly, stream: Array, client: Array) -> dict[str, Array]:
    """Of connections that run on these streams, whose clients are of these directions."""
    segments = assembly.segments
    last = segments.column("last_time")[stream]
    trips = segments.column("trip")
    columns = {"handshake_round_trip": segments.column("opening_trip")[stream]}
    for name, side in (("client", client), ("server", 1 - client)):
        slot = 2 * stream.astype(np.int64) + side
        for figure in PER_SIDE:
            columns[f"{name}_{figure}"] = segments.tally(figure)[slot]
        # a window that is still shut has been so until the last packet
        since = np.where(segments.tally("stalls") > 0, segments.tally("shut_since"), NO_TIME)[slot]
        shut = (since != NO_TIME) & (last != NO_TIME)
        still = np.where(shut, np.maximum(np.where(shut, last, 0) - np.where(shut, since, 0), 0), 0)
        columns[f"{name}_stalls"] = segments.tally("stalls")[slot]
        columns[f"{name}_stalled"] = segments.tally("stalled")[slot] + still
        columns[f"{name}_longest_stall"] = np.maximum(segments.tally("longest_stall")[slot], still)
        columns[f"{name}_acknowledged_after"] = trips[slot]
    return columns


def note_transport(tables: Mapping[str, Table], assembly: Assembly, notes: Observations) -> None:
    """One note for each kind of thing in each direction of a channel."""
    segments, packets = assembly.segments, tables["packets"]
    channel_of = innermost(tables)
    for name, note in PLACED.items():
        counts = segments.tally(name)
        stem = STEM.get(name, name)
        at, place = segments.tally(f"{stem}_packet"), segments.tally(f"{stem}_offset")
        for slot in np.flatnonzero(counts).tolist():
            count, packet = int(counts[slot]), int(at[slot])
            if channel_of[slot >> 1] < 0:
                continue
            length = count if name in OCTETS else 0
            detail = f"{count} packets" if count > 1 and not length else ""
            notes.one(note, int(channel_of[slot >> 1]), slot & 1, int(place[slot]), length, packet,
                      time_of(packets, packet), detail)  # fmt: skip
    _stray(segments.column("stray"), channel_of, notes)
    early, at = segments.tally("early"), segments.tally("early_packet")
    for slot in np.flatnonzero(early).tolist():
        if channel_of[slot >> 1] >= 0:
            packet = int(at[slot])
            notes.one(Note.TCP_DATA_WITH_SYN, int(channel_of[slot >> 1]), slot & 1, 0, int(early[slot]), packet,
                      time_of(packets, packet))  # fmt: skip


def time_of(packets: Table, packet: int) -> int:
    """The time of a packet; none where it was left out, as those of connections that are no WebSocket are."""
    try:
        return int(packets.row(packet)["time"])
    except IndexError:
        return NO_TIME


def _stray(stray: Array, channel_of: Array, notes: Observations) -> None:
    for slot in np.flatnonzero(stray).tolist():
        if channel_of[slot >> 1] >= 0:
            notes.one(Note.TCP_STRAY, int(channel_of[slot >> 1]), slot & 1, -1, int(stray[slot]))
