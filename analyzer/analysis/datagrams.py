"""Notes about IP fragments that overlap, once the connection is known that they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from analyzer.analysis.channels import innermost
from analyzer.analysis.observations import Observations
from dissectors.notes import Note
from dissectors.tables import Table


def note_overlaps(tables: Mapping[str, Table], overlaps: Iterable[tuple[int, str]], notes: Observations) -> None:
    """One note a segment. `overlaps`: the packet that completed it, and what its fragments disagree about."""
    found = list(overlaps)
    if not found:
        return
    packets, channel_of = tables["packets"], innermost(tables)
    numbers = np.array([packet for packet, _ in found], np.int64)
    cells = (packets.take(name, numbers).tolist() for name in ("stream", "direction", "time"))
    for (packet, how), stream, direction, time in zip(found, *cells, strict=True):
        if channel_of[stream] >= 0:
            notes.one(Note.IP_OVERLAP, int(channel_of[stream]), direction, -1, 0, packet, time, how)
