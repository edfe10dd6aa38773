"""The rules of reassembly as numbers: how long it waits and how much it holds, and codes of a slot's states. They stand
here because what a compiled walk declares for itself is seen neither from Python nor from another walk."""

from __future__ import annotations

INFERRED = 2
"""A value of `settled`: by the other side's acknowledgment, which a SYN that is captured late may still correct."""
FIN_DELIVERED = 4
"""A bit of `ended`, beside 1 for a FIN seen and 2 for a RST seen."""

START_PACKETS = 16
"""As many packets as a SYN may be late by; an initial window has ten segments (RFC 6928)."""
LOST_PACKETS = 64
LOST_BLIND = 1024
LOST_TIME = 1_000_000_000
"""ns. The initial retransmission timeout (RFC 6298 §2.1): what was acknowledged is not sent again anyway."""
HELD_LIMIT = 65536
HELD_TOTAL = 1 << 18
"""At some 300 octets each they take 80 MB."""
FAR = 1 << 30
"""Octets. The largest window (RFC 7323 §2.3): what stands further ahead is stray."""
RESET_AHEAD = 1 << 20
"""Octets that the capture may have lost before a RST, or before what is acknowledged. Forged numbers are nearly always
further off."""
LOST_RANGES = 1024
"""Gaps of a direction, the latest, that are remembered for octets that come late: a retransmission comes within a few
round trips."""
REORDERED = 3_000_000
"""ns that a hole stays open by reordering where no round trip is known; Wireshark has the same number."""
COPY_TIME = 50_000
"""ns. Two copies of a packet that has no IP identification; the shortest retransmission timeouts are 1000 times it."""
RECENT = 1024
"""Segments remembered for telling duplicates; must be a power of two."""
LAST = 0xFFFFFFFF
"""The largest sequence number. Copies of it are typed: Cython makes objects of literals that 32 bits do not hold."""
FOREVER = 1 << 62
"""Further than any stream offset."""
