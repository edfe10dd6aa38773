"""Every bound of the analysis, its unit and its precedent. All are parameters; none changes what is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from analyzer.packets.fragments import HELD_DATAGRAMS, HELD_OCTETS


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one analysis."""

    chunk: int = 4 << 20
    """Octets of capture handled at a time. Results do not depend on it; 4 MiB stay in the caches of today's cores."""
    inflated: int = 256 << 20
    """Octets that one message may inflate to before it is given up. Servers accept 1 MiB (websockets) to 100 MiB (ws)
    by default, so nothing that was delivered to an application is lost."""
    strings: int = 256 << 20
    """Octets of text (paths, host names, close reasons) kept for all connections together."""
    early_spans: int = 4096
    """Spans kept of a client that sends on while its Upgrade waits for the response: an initial window (RFC 6928) is
    10 segments, the largest unscaled window 45."""
    undecided_spans: int = 64
    """Spans kept of a connection whose first octets do not yet tell HTTP from anything else; a method name of one octet
    a segment is decided long before."""
    fragment_octets: int = HELD_OCTETS
    """Octets of IP fragments held until their datagrams are complete."""
    fragment_datagrams: int = HELD_DATAGRAMS
    """Datagrams in progress."""
    tunnels: int = 8
    """CONNECT tunnels inside one another that are read: chains of proxies have two or three, onion routes three."""
    look_ahead: int = 128 << 10
    """Octets of a direction that are looked at together when its framing is lost; half of them are looked ahead from
    any place. Twice the largest frame whose length has 16 bits, the common size of a library's write buffer."""
    overlap: Literal["first", "last"] = "first"
    """Which of two copies of an octet is delivered where they differ and no checksum decides: that captured first, as
    receivers keep what they have (Zeek, gopacket), or last."""
    overlaps: int = 4096
    """Copies compared with what was delivered, for one direction; a note says how many were not. Each costs two reads
    of the file, or more where it spans several of the segments delivered, 16 each on average: in segments of 1448
    octets these are 6 MB of copies."""
    checksums: int = 128
    """Packets of which the checksum is verified to find out whether the sender left it to its network card, spread over
    the capture: were one in twenty another's, 128 would miss it once in 700 captures."""
    notes_per_code: int = 1000
    """Rows of NOTES for one code in one direction; further ones are counted."""
