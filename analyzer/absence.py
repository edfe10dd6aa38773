"""Why a capture shows no WebSocket: told from what it does hold."""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.analysis.snapshot import Snapshot

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
        yield f"- {protocols['tls']} connections of {TLS}"
    if protocols.get("http2"):
        yield (
            f"- {protocols['http2']} connections of HTTP/2 in the clear: WebSocket inside it (RFC 8441) is not read"
            " yet."
        )
    if kinds.get("quic"):
        yield (
            f"- {kinds['quic']} packets of QUIC (HTTP/3): encrypted, and not read. Browsers open WebSockets over TCP:"
            " capture port 443 over TCP too."
        )
    if protocols.get("websocket-middle"):
        yield (
            f"- {protocols['websocket-middle']} connections that look like WebSocket already under way: the capture"
            " started after the handshake. Start it before the client connects."
        )
    if traffic.cut_packets:
        yield (
            f"- {traffic.cut_packets} packets that the capture cut short (snaplen): capture whole packets, with"
            " tcpdump -s 0."
        )
    for link, number in traffic.links.items():
        yield f"- {number} packets of link type {link}, which has no decoder here."
    if protocols.get("http"):
        yield f"- {protocols['http']} connections of HTTP without an upgrade: framescope exchanges FILE lists them."
    if protocols.get("ssh") or protocols.get("other"):
        other = protocols.get("ssh", 0) + protocols.get("other", 0)
        yield f"- {other} TCP connections of other protocols."
    if protocols.get("nothing"):
        yield f"- {protocols['nothing']} TCP connections that carried no data."
    if traffic.fragments_lost:
        yield f"- {traffic.fragments_lost} IP fragments whose datagram is not complete: capture all of them."
    for kind in (
        "udp", "icmp", "arp", "other-ip", "not-ip", "malformed", "tunnel-control", "tunnel-other", "tunnel-deep",
    ):  # fmt: skip
        if kinds.get(kind):
            yield f"- {kinds[kind]} packets: {kind}."
