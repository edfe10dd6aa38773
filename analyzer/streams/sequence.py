# cython: annotation_typing=False
"""TCP sequence arithmetic (RFC 9293 §3.4): of one number, and of whole columns."""

from __future__ import annotations

import numpy as np

from analyzer.streams import rules
from dissectors.tables import Array

HALF, LAST = 0x80000000, rules.LAST


def distance(number: int) -> int:
    """A 32-bit difference as a signed number, -2^31 to 2^31 - 1."""
    return ((number + HALF) & LAST) - HALF


def distances(differences: Array) -> Array:
    """Differences of 32-bit sequence numbers as signed numbers, -2^31 to 2^31 - 1."""
    return ((differences.astype(np.int64) + 0x80000000) & rules.LAST) - 0x80000000
