"""Why a capture shows no WebSocket: told from what it does hold."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.analysis.snapshot import Snapshot
from analyzer.times import count

TLS = (
    "TLS: WebSocket may be inside (wss), but cannot be read without keys. Have the client write them while you capture"
    " (SSLKEYLOGFILE=keys.log for browsers, curl, node --tls-keylog) and keep them with the capture; reading them is"
    " not built yet. A capture behind the TLS proxy, on the plain side, works today."
)


def reasons(snapshot: Snapshot) -> Iterator[str]:
    """One paragraph a reason, the likeliest first."""
    traffic = snapshot.traffic
    yield "no WebSocket connection found. What the capture holds:"
    if not traffic.packets:
        yield "- no packets at all. Was the filter too narrow, or the interface the wrong one?"
        return
    protocols, kinds = traffic.protocols, traffic.kinds
    if protocols.get("tls"):
        yield f"- {count(protocols['tls'], 'connection')} of {TLS}"
    if protocols.get("http2"):
        yield (
            f"- {count(protocols['http2'], 'connection')} of HTTP/2 in the clear: WebSocket inside it"
            " (RFC 8441) is not read yet."
        )
    if kinds.get("quic"):
        yield (
            f"- {count(kinds['quic'], 'packet')} of QUIC (HTTP/3): encrypted, and not read. Browsers open WebSockets"
            " over TCP: capture port 443 over TCP too."
        )
    if protocols.get("websocket-middle"):
        yield (
            f"- {count(protocols['websocket-middle'], 'connection')} already under way that may be WebSocket: the"
            " capture holds too little to tell. Start it before the client connects."
        )
    if traffic.cut_packets:
        yield (
            f"- {traffic.cut_packets} packets that the capture cut short (snaplen): capture whole packets, with"
            " tcpdump -s 0."
        )
    for link, number in traffic.links.items():
        yield (
            f"- {count(number, 'packet')} of link type {link}, which has no decoder here: capture on another"
            " interface, such as any."
        )
    if protocols.get("http"):
        yield (
            f"- {count(protocols['http'], 'connection')} of HTTP in which no WebSocket was asked for: framescope"
            " exchanges FILE lists them."
        )
    if protocols.get("ssh") or protocols.get("other"):
        other = protocols.get("ssh", 0) + protocols.get("other", 0)
        perhaps = ", or of which the packets that the capture cut short hold too little to tell"
        yield f"- {count(other, 'TCP connection')} of other protocols{perhaps if traffic.cut_packets else ''}."
    if protocols.get("nothing"):
        yield f"- {count(protocols['nothing'], 'TCP connection')} that carried no data."
    if traffic.fragments_lost:
        yield f"- {count(traffic.fragments_lost, 'IP fragment')} whose datagram is not complete: capture all of them."
    for kind in (
        "udp", "icmp", "arp", "other-ip", "not-ip", "malformed", "tunnel-control", "tunnel-other", "tunnel-deep",
    ):  # fmt: skip
        if kinds.get(kind):
            yield f"- {count(kinds[kind], 'packet')}: {kind}."
