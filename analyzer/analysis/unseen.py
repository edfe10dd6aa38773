"""Octets of each direction that the capture does not hold, with those that nothing captured stands behind."""

from __future__ import annotations

import numpy as np

from analyzer.streams.assembly import Assembly
from analyzer.streams.sequence import distances
from dissectors.tables import Array


def unseen_ends(assembly: Assembly) -> Array:
    """By slot: octets missing at a direction's end, as its FIN's sequence number or the peer's acknowledgments say. A
    Close frame may be among them."""
    column = assembly.segments.column
    reach, fin = column("next"), column("fin")
    behind = distances(fin - column("base") - reach)
    # an acknowledgment may count a FIN that was not captured
    acked = column("acked") - reach - 1
    found: Array = np.maximum(np.maximum(np.where(fin >= 0, behind, 0), acked), 0)
    return np.where(column("settled") > 0, found, 0)


def unseen_octets(assembly: Assembly) -> Array:
    """By slot: all octets that are known to be missing."""
    missing: Array = assembly.segments.column("missing") + unseen_ends(assembly)
    return missing
