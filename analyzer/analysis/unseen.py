"""Octets of each direction that the capture does not hold, with those that nothing captured stands behind."""

from __future__ import annotations

import numpy as np

from analyzer.packets.layouts import ACK, RST
from analyzer.schemas import MIDDLE
from analyzer.streams.assembly import Assembly
from analyzer.streams.sequence import distances
from dissectors.tables import Array, Table


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


ANSWERED_BY = 1_000_000_000
"""ns. Data is acknowledged after half a second at most (RFC 9293 §3.8.6.3), and round trips are shorter than that."""


def unheard(assembly: Assembly, streams: Table) -> Array:
    """By slot: nothing of this direction was captured, and the other shows that there was something: it sent data
    behind a SYN, which needs the peer's, or for longer than an acknowledgment takes."""
    column = assembly.segments.column
    seen = column("next") - column("missing") > 0
    alone: Array = (column("heard") == 0) & seen[np.arange(len(seen)) ^ 1]
    lasted = column("last_time") - streams["first_time"]
    answered = (streams["opening"] != MIDDLE) | (lasted > ANSWERED_BY)
    found: Array = alone & np.repeat(answered, 2)
    return found


def acknowledged(packets: Table, slots: Array) -> Array:
    """Octets of directions of which nothing was captured, as the other side acknowledged them: at least so many."""
    found = np.zeros(len(slots), np.int64)
    if not len(slots):
        return found
    order = np.argsort(packets["stream"], kind="stable")
    stream = packets["stream"][order]
    edges = np.searchsorted(stream, slots >> 1), np.searchsorted(stream, slots >> 1, "right")
    for place, (slot, low, high) in enumerate(zip(slots.tolist(), *(edge.tolist() for edge in edges), strict=True)):
        mine = order[low:high]
        mine = mine[(packets["direction"][mine] != slot & 1) & (packets["flags"][mine] & (ACK | RST) == ACK)]
        if len(mine):
            # the last one may count a FIN
            reach = distances(packets["ack"][mine].astype(np.int64) - int(packets["ack"][mine[0]]))
            found[place] = max(int(reach.max()) - 1, 0)
    return found


def unseen_fins(assembly: Assembly) -> Array:
    """By slot: a FIN was acknowledged that was not captured. It may have been an octet of data, which is rare."""
    column = assembly.segments.column
    found: Array = (column("settled") > 0) & (column("fin") < 0) & (column("acked") - column("next") == 1)
    return found


def unseen_octets(assembly: Assembly) -> Array:
    """By slot: all octets that are known to be missing."""
    missing: Array = assembly.segments.column("missing") + unseen_ends(assembly)
    return missing
