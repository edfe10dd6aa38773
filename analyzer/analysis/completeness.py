"""How much of the truth a capture holds: octets seen and missing, packets ignored and why, drops that it reports."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analyzer.analysis.losses import lost_octets
from analyzer.analysis.snapshot import OPENED, Snapshot
from analyzer.capture.records import InterfaceStatistics

IGNORED: dict[str, str] = {
    "udp": "UDP", "quic": "QUIC, which is encrypted", "icmp": "ICMP", "arp": "ARP",
    "other-ip": "other protocols over IP",
    "fragment": "IP fragments whose datagram is not complete", "not-ip": "not IP", "malformed": "malformed headers",
    "link-type": "a link type without a decoder", "tunnel-control": "messages of a tunnel itself",
    "tunnel-other": "in a tunnel, of a kind without a decoder",
    "tunnel-deep": "too many tunnels inside each other",
}  # fmt: skip
"""Why packets are not read, by kind of `schemas.KINDS`."""


@dataclass(frozen=True, slots=True)
class Completeness:
    """What was seen of a capture, and what was not."""

    packets: int
    """Records of any kind."""
    octets_seen: int
    """Of TCP streams, each once."""
    octets_missing: int
    """Of TCP streams: known by sequence numbers, or cut off by the capture."""
    one_sided: int
    """TCP connections of which one direction was captured. Their missing octets are not among those counted."""
    unopened: int
    """WebSocket connections whose opening handshake, or half of it, is not in the capture."""
    octets_lost: int
    """Of the missing ones, capture loss: they fall into spells in which the capture dropped packets."""
    octets_repeated: int
    """Sent or captured again."""
    octets_stray: int
    """Too far from their stream to belong to it."""
    packets_cut: int
    """Whose data the capture cut short (snaplen)."""
    checksums: tuple[int, int, int]
    """Of a sample of data packets: checksums judged, left by the sender to its network card, wrong."""
    ignored: dict[str, int]
    """Packets that were not read, by reason."""
    dropped: int | None
    """Packets that the file itself reports as dropped; None where it says nothing."""
    interfaces: tuple[InterfaceStatistics, ...]
    """What the file itself says of its interfaces (pcapng statistics blocks)."""
    problems: tuple[str, ...]
    """What of the file could not be read."""

    @property
    def whole(self) -> bool:
        """Nothing is known to be missing."""
        lacking = (
            self.octets_missing or self.one_sided or self.unopened or self.packets_cut or self.dropped or self.problems
        )
        return not lacking and not self.ignored.keys() & BLIND


BLIND = {IGNORED[kind] for kind in ("fragment", "malformed", "link-type", "tunnel-other", "tunnel-deep")}
"""Reasons that may hide what would have been read."""


def completeness(snapshot: Snapshot) -> Completeness:
    """The statement on a whole capture."""
    traffic = snapshot.traffic
    # a fragment that was put together with others is read, and counts as what the datagram is
    kinds = {**traffic.kinds, "fragment": traffic.fragments_lost}
    lost = lost_octets(snapshot.tables, snapshot.source.losses)
    return Completeness(
        traffic.packets, traffic.seen, traffic.unseen, traffic.one_sided, _unopened(snapshot), sum(lost.values()),
        traffic.repeated,
        traffic.stray, traffic.cut_packets, traffic.checksums,
        {why: kinds[kind] for kind, why in IGNORED.items() if kinds.get(kind)},
        snapshot.source.dropped, snapshot.source.statistics, snapshot.problems,
    )  # fmt: skip


def _unopened(snapshot: Snapshot) -> int:
    connections, shakes = snapshot["connections"], snapshot["handshakes"]
    number = connections["handshake"]
    whole = (number >= 0) & (shakes.take("first_packet", number) >= 0) & (shakes.take("status", number) > 0)
    return int(np.count_nonzero(np.isin(connections["state"], OPENED) & ~whole))
