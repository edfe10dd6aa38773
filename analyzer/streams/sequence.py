"""TCP sequence arithmetic (RFC 9293 §3.4) on whole columns; `segment_walk.distance` is the same for one number."""

from __future__ import annotations

import numpy as np

from dissectors.tables import Array


def distances(differences: Array) -> Array:
    """Differences of 32-bit sequence numbers as signed numbers, -2^31 to 2^31 - 1."""
    return ((differences.astype(np.int64) + 0x80000000) & 0xFFFFFFFF) - 0x80000000
