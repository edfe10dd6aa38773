"""Every bound of the analysis, its unit and its precedent. All are parameters; none changes what is counted."""

from __future__ import annotations

from dataclasses import dataclass

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
    notes_per_code: int = 1000
    """Rows of NOTES for one code in one direction; further ones are counted."""
