"""Notes about IP fragments that overlap, once the connection is known that they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from analyzer.analysis.observations import Observations
from dissectors.notes import Note
from dissectors.tables import Table


def note_overlaps(tables: Mapping[str, Table], overlaps: Iterable[tuple[int, str]], notes: Observations) -> None:
    """One note a segment. `overlaps`: the packet that completed it, and what its fragments disagree about."""
    found = list(overlaps)
    if not found:
        return
    packets, channels = tables["packets"], tables["channels"]
    channel_of = np.full(len(tables["streams"]) + 1, -1, np.int64)
    channel_of[channels["stream"]] = np.arange(len(channels))
    numbers = np.array([packet for packet, _ in found], np.int64)
    cells = (packets.take(name, numbers).tolist() for name in ("stream", "direction", "time"))
    for (packet, how), stream, direction, time in zip(found, *cells, strict=True):
        if channel_of[stream] >= 0:
            notes.one(Note.IP_OVERLAP, int(channel_of[stream]), direction, -1, 0, packet, time, how)
