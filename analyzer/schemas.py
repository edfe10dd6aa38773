"""Declarations of the tables that the analyzer fills, and the list of all tables."""

from __future__ import annotations

from dissectors.schemas import (
    DIRECTION,
    DIRECTIONS,
    EXCHANGES,
    FRAMES,
    HANDSHAKES,
    MESSAGES,
    NO_TIME,
    NOTES,
    packet,
    text,
    time,
)
from dissectors.tables import Column, Schema

# Codes are plain integers: NumPy takes a member of an IntEnum for a 64-bit one, and widens each column it meets.
TCP, UDP, ICMP, ARP, OTHER_IP, FRAGMENT, NOT_IP, MALFORMED, LINK_TYPE, QUIC = range(10)
TUNNEL_CONTROL, TUNNEL_OTHER, TUNNEL_DEEP = 10, 11, 12
KINDS = {
    TCP: "tcp", UDP: "udp", ICMP: "icmp", ARP: "arp", OTHER_IP: "other-ip", FRAGMENT: "fragment", NOT_IP: "not-ip",
    MALFORMED: "malformed", LINK_TYPE: "link-type", QUIC: "quic", TUNNEL_CONTROL: "tunnel-control",
    TUNNEL_OTHER: "tunnel-other", TUNNEL_DEEP: "tunnel-deep",
}  # fmt: skip
"""What a captured record is, at its innermost. fragment: one that completes no datagram. link-type: its link type has
no decoder here. tunnel-control: a message of a tunnel itself; tunnel-other: what it carries has no decoder here;
tunnel-deep: too many tunnels inside each other."""
DATA, GAP, OVERLAP, LATE, END, RESET = range(6)
SPAN_KINDS = {DATA: "data", GAP: "gap", OVERLAP: "overlap", LATE: "late", END: "end", RESET: "reset"}
"""end: the FIN, in order; reset: a RST."""
TCP_CHANNEL, CONNECT_CHANNEL = 0, 1
CHANNEL_KINDS = {TCP_CHANNEL: "tcp", CONNECT_CHANNEL: "connect"}
FIN, RST = 1, 2
ENDING_KINDS = {0: "none", FIN: "FIN", RST: "RST"}
MIDDLE, SYN, SYN_ACK = range(3)
OPENINGS = {MIDDLE: "middle", SYN: "SYN", SYN_ACK: "SYN-ACK"}
BY_NOTHING, BY_REQUEST, BY_RESPONSE, BY_SYN, BY_MASK = range(5)
KNOWN_BY = {BY_NOTHING: "unknown", BY_REQUEST: "request", BY_RESPONSE: "response", BY_SYN: "SYN", BY_MASK: "mask"}
STATES = {0: "connecting", 1: "open", 2: "closed", 3: "died", 4: "refused", 5: "other-protocol"}
VERDICTS = {
    0: "open-at-end", 1: "clean", 2: "unanswered-close", 3: "fin-without-close", 4: "rst-without-close",
    5: "refused", 6: "unanswered-handshake", 7: "other-protocol", 8: "packets-lost",
}  # fmt: skip

CAUSES = {
    0: "none", 1: "nginx-read-timeout", 2: "proxy-reload", 3: "load-balancer-idle", 4: "ping-races-timeout",
    5: "heroku-idle", 6: "cloudflare-idle", 7: "cloudflare-restart", 8: "google-lifetime", 9: "flow-forgotten",
    10: "front-door-limit", 11: "api-gateway-limit", 12: "cloudfront-idle", 13: "haproxy-tunnel-timeout",
    14: "envoy-idle", 15: "jetty-idle-timeout", 16: "cowboy-idle-timeout", 17: "keepalive-ping-timeout",
    18: "heartbeat-timeout", 19: "socketio-ping-timeout", 20: "signalr-timeout", 21: "chromium-navigation",
    22: "firefox-navigation", 23: "http2-cancel", 24: "page-cached", 25: "http2-goaway", 26: "message-too-big",
    27: "protocol-error", 28: "authentication", 29: "graphql-transport-ws", 30: "server-restart",
    31: "upgrade-refused", 32: "handler-returned", 33: "unread-data", 34: "half-closed", 35: "close-ignored",
    36: "dead-path", 37: "slow-consumer", 38: "tls-alert", 39: "tls-truncated", 41: "server-exception",
    42: "proxy-idle-timeout", 43: "server-gone", 44: "common-idle-timeout", 45: "server-dropped", 46: "client-dropped",
    47: "proxy-drops-upgrade", 48: "version-refused", 49: "credentials-refused", 50: "origin-refused",
    51: "forbidden", 52: "path-unknown", 53: "backend-unreached", 54: "not-ready", 55: "redirected",
    56: "request-faulty", 57: "accept-wrong",
}  # fmt: skip
"""Likely causes: the patterns of `analysis/patterns.py`, by number."""
CONFIDENCES = {0: "none", 1: "low", 2: "medium", 3: "high"}
INCIDENT_KINDS = {1: "ended-together", 2: "same-idle"}
SIDES = {0: "client", 1: "server"}
BOTH, CLIENT_ALONE, SERVER_ALONE = range(3)
CAPTURED = {BOTH: "both", CLIENT_ALONE: "client", SERVER_ALONE: "server"}

PACKETS = Schema(
    "packets",
    "a captured record of any kind; numbered as Wireshark's frame.number, less one",
    (
        time("time", "capture time"),
        Column("offset", "i8", "where its octets stand in the capture", "virtual offset"),
        Column("captured", "u4", "octets captured", "octets"),
        Column("wire", "u4", "octets on the wire", "octets"),
        Column("kind", "u1", "what it is", values=KINDS),
        Column("stream", "i4", "its TCP connection", "row of STREAMS", null=-1),
        DIRECTION,
        Column("seq", "u4", "TCP sequence number", source="RFC 9293 §3.1"),
        Column("ack", "u4", "TCP acknowledgment number", source="RFC 9293 §3.1"),
        Column("flags", "u1", "TCP control bits, CWR highest and FIN lowest", source="RFC 9293 §3.1"),
        Column("window", "u2", "TCP window, not scaled", source="RFC 9293 §3.1"),
        Column("payload_at", "u4", "where TCP's data starts in the record", "octets"),
        Column("payload_length", "u4", "octets of TCP data captured, in all fragments of the segment", "octets"),
        Column("segment_length", "u4", "octets of TCP data, as the IP header says", "octets"),
    ),
)

STREAMS = Schema(
    "streams",
    "a TCP connection; numbered as Wireshark's tcp.stream",
    (
        Column("address_0", "i8", "address of the side that sent the first packet", "address"),
        Column("port_0", "u2", "its port"),
        Column("address_1", "i8", "address of the other side", "address"),
        Column("port_1", "u2", "its port"),
        text("tunnel", "tunnels around its first captured packet, outermost first"),
        Column("opening", "u1", "what its first captured packet was", values=OPENINGS),
        packet("first_packet", "its first captured packet"),
        Column("first_offset", "i8", "where that packet stands in the capture", "virtual offset"),
        time("first_time", "when that was"),
    ),
)

ENDINGS = Schema(
    "endings",
    "a side's end of a TCP connection: its first FIN, or a RST",
    (
        Column("stream", "i4", "the TCP connection", "row of STREAMS"),
        DIRECTION,
        Column("kind", "u1", "FIN or RST", values=ENDING_KINDS),
        packet("packet", "the packet"),
        time("time", "when"),
    ),
)

SPANS = Schema(
    "spans",
    "a delivered piece of one direction of a TCP connection, in the order of delivery",
    (
        Column("stream", "i4", "the TCP connection", "row of STREAMS"),
        DIRECTION,
        Column("kind", "u1", "what it is", values=SPAN_KINDS),
        Column("offset", "i8", "where it stands in the stream", "offset"),
        Column("length", "u4", "its length", "octets"),
        packet("packet", "the packet that carried it"),
        Column("at", "i8", "where its octets stand in the capture", "virtual offset", null=-1),
    ),
)

_PASSED = (
    text("connect_target", "what the CONNECT around it asked for, host and port", "RFC 9110 §9.3.6"),
    text("proxied_source", "the real client's address and port, as a PROXY header says", "PROXY protocol §2"),
)

CHANNELS = Schema(
    "channels",
    "a pair of octet sequences that dissectors read; offsets in it are those of its TCP connection",
    (
        Column("kind", "u1", "what it is made of", values=CHANNEL_KINDS),
        Column("stream", "i4", "the TCP connection that carries it", "row of STREAMS"),
        Column("client", "u1", "physical direction of the client", values=DIRECTIONS),
        Column("known_by", "u1", "how the client is known", values=KNOWN_BY),
        Column("parent", "i4", "the channel whose tunnel it is inside of", "row of CHANNELS", null=-1),
        Column("start_0", "i8", "where it begins in the first side's octets", "offset"),
        Column("start_1", "i8", "where it begins in the other side's octets", "offset"),
        *_PASSED,
        Column("proxied_version", "u1", "version of the PROXY header before it", null=0, source="PROXY protocol §2"),
        text("proxied_destination", "address and port that its client asked for, as a PROXY header says"),
        text("proxied_details", "what else a PROXY header says: authority, ALPN, TLS, unique ID"),
    ),
)


def _both(name: str, doc: str, unit: str = "", receives: bool = False) -> tuple[Column, Column]:
    """A column for what each side sent, or has as a receiver."""
    how = "of" if receives else "sent by"
    return (
        Column(f"client_{name}", "i8", f"{doc}, {how} the client", unit),
        Column(f"server_{name}", "i8", f"{doc}, {how} the server", unit),
    )


def _least(name: str, doc: str) -> tuple[Column, Column]:
    return (
        Column(f"client_{name}", "i8", f"{doc}, sent by the client", "ns", null=-1, source="RFC 6298 §3"),
        Column(f"server_{name}", "i8", f"{doc}, sent by the server", "ns", null=-1, source="RFC 6298 §3"),
    )


CONNECTIONS = Schema(
    "connections",
    "a WebSocket session, opened, refused or left unanswered",
    (
        Column("key", "i8", "its stable name: where its first packet stands in the capture", "virtual offset"),
        Column("channel", "i4", "its channel", "row of CHANNELS"),
        Column("stream", "i4", "its TCP connection, Wireshark's tcp.stream", "row of STREAMS"),
        Column("handshake", "i8", "its opening handshake", "row of HANDSHAKES", null=-1),
        Column("state", "u1", "how it stands at the end", values=STATES),
        Column("client_direction", "u1", "physical direction of the client", values=DIRECTIONS),
        Column("known_by", "u1", "how the client is known", values=KNOWN_BY),
        Column("client_address", "i8", "address of the client", "address"),
        Column("client_port", "u2", "port of the client"),
        Column("server_address", "i8", "address of the server", "address"),
        Column("server_port", "u2", "port of the server"),
        text("tunnel", "network tunnels (VXLAN, GRE and so on) that it runs in, outermost first"),
        *_PASSED,
        *_both("frames", "frames"),
        *_both("messages", "data messages"),
        *_both("octets", "payload of data frames on the wire", "octets"),
        *_both("inflated", "payload of data messages after inflation, where known", "octets"),
        *_both("pings", "pings"),
        *_both("unanswered", "pings that were not answered"),
        *_both("seen", "octets of the stream that the capture holds", "octets"),
        *_both("unseen", "octets that the capture does not hold", "octets"),
        Column("captured", "u1", "of which side the capture holds packets", values=CAPTURED),
        Column("round_trip", "i8", "median of the ping round trips", "ns", null=-1),
        Column(
            "client_leg", "i8", "the same session before the proxy, nearer to the client", "row of CONNECTIONS", null=-1
        ),
        Column(
            "server_leg", "i8", "the same session behind the proxy, nearer to the server", "row of CONNECTIONS", null=-1
        ),
        Column("other_view", "i8", "the same TCP connection, captured elsewhere", "row of CONNECTIONS", null=-1),
        Column("places", "u1", "in how many files its packets were captured: 2 where they were at two places"),
        Column(
            "clock_offset",
            "i8",
            "by how much the other view's clock is ahead",
            "ns",
            null=NO_TIME,
            source="RFC 5905 §8",
        ),
        Column("clock_error", "i8", "how wrong that may be", "ns", null=-1, source="RFC 5905 §8"),
        Column(
            "handshake_round_trip",
            "i8",
            "from the SYN to the acknowledgment of the SYN that answers it, each sent once",
            "ns",
            null=-1,
            source="RFC 9293 §3.5",
        ),
        *_least("acknowledged_after", "shortest time from a segment to its acknowledgment, none of those sent again"),
        *_both("retransmitted", "packets of data sent again"),
        *_both("out_of_order", "packets of data captured after later ones"),
        *_both("duplicates", "packets of data that the capture holds twice"),
        *_both("keepalives", "keep-alive probes"),
        *_both("probes", "zero-window probes"),
        *_both("stalls", "how often the window shut", receives=True),
        *_both("stalled", "how long the window was shut in all", "ns", receives=True),
        *_both("longest_stall", "longest time that the window was shut", "ns", receives=True),
        Column("notes", "i8", "observations of severity should or must"),
        time("opened", "when the handshake was complete"),
        time("first_time", "time of its first octet"),
        time("last_time", "time of its last packet"),
    ),
)

CLOSES = Schema(
    "closes",
    "the verdict on a connection; row n belongs to row n of CONNECTIONS",
    (
        Column("verdict", "u1", "what happened", values=VERDICTS),
        Column("close_code", "i4", "status code of the first Close, as on the wire", null=-1, source="RFC 6455 §7.4"),
        text("close_reason", "reason of the first Close"),
        Column("close_by", "i1", "who sent the first Close", null=-1, values={0: "client", 1: "server"}),
        Column("close_message", "i8", "the first Close", "row of MESSAGES", null=-1),
        Column("answer_message", "i8", "the Close that answered it", "row of MESSAGES", null=-1),
        Column("answered_after", "i8", "time from the first Close to its answer", "ns", null=-1),
        Column("end", "u1", "how TCP ended first", values=ENDING_KINDS),
        Column("end_by", "i1", "who ended TCP first", null=-1, values={0: "client", 1: "server"}),
        packet("end_packet", "the packet that did it"),
        time("end_time", "when"),
        Column("other_end", "u1", "how the other side ended TCP", values=ENDING_KINDS),
        packet("other_end_packet", "the packet that did it"),
        Column("end_unseen", "u1", "the other side ended TCP too, unseen: who was first is not known", flag=True),
        Column("client_reported", "i4", "code that the client's API reports; null: still open, or not known", null=-1),
        Column("server_reported", "i4", "code that the server's API reports; null: still open, or not known", null=-1),
        Column("client_idle", "i8", "from the client's last octet to the first sign of the end", "ns", null=-1),
        Column("server_idle", "i8", "from the server's last octet to the first sign of the end", "ns", null=-1),
        Column("unacknowledged", "i8", "what one side sent again, and no captured packet acknowledges", "octets"),
        Column("unacknowledged_by", "i1", "which side that is", null=-1, values=SIDES),
        Column("resent", "i8", "how often it sent the first of these octets again", source="RFC 6298 §5"),
        packet("unacknowledged_packet", "the packet that carried them first"),
        packet("resent_packet", "the packet that carried them last"),
        Column("heard_since", "i8", "packets of the other side captured after the first", "packets"),
        Column("cause", "u1", "likely cause; null: none is claimed", null=0, values=CAUSES),
        Column("confidence", "u1", "how sure the cause is; low is a guess", null=0, values=CONFIDENCES),
        Column("patterns", "u8", "all patterns that hold: bit n is number n of the causes"),
        Column("incident", "i4", "what it shares with others", "row of INCIDENTS", null=-1),
    ),
)

TAILS = {0: "data", 1: "alert", 2: "perhaps-alert"}
ENCRYPTED = Schema(
    "encrypted",
    "a TLS connection that cannot be read: whether it is a WebSocket is not known, nor any close code",
    (
        Column("key", "i8", "its stable name: where its first packet stands in the capture", "virtual offset"),
        Column("stream", "i4", "its TCP connection, Wireshark's tcp.stream", "row of STREAMS"),
        Column("client_direction", "u1", "physical direction of the client", values=DIRECTIONS),
        Column("known_by", "u1", "how the client is known; request: its ClientHello", values=KNOWN_BY),
        Column("client_address", "i8", "address of the client", "address"),
        Column("client_port", "u2", "port of the client"),
        Column("server_address", "i8", "address of the server", "address"),
        Column("server_port", "u2", "port of the server"),
        text("tunnel", "network tunnels (VXLAN, GRE and so on) that it runs in, outermost first"),
        text("server_name", "server name that the client asks for (SNI)", "RFC 6066 §3"),
        text("protocols", "protocols that the client offers (ALPN)", "RFC 7301 §3.1"),
        *_PASSED,
        *_both("seen", "octets of the stream that the capture holds", "octets"),
        *_both("unseen", "octets that the capture does not hold", "octets"),
        Column("captured", "u1", "of which side the capture holds packets", values=CAPTURED),
        Column("end", "u1", "how TCP ended first", values=ENDING_KINDS),
        Column("end_by", "i1", "who ended TCP first", null=-1, values=SIDES),
        packet("end_packet", "the packet that did it"),
        time("end_time", "when"),
        Column("other_end", "u1", "how the other side ended TCP", values=ENDING_KINDS),
        packet("other_end_packet", "the packet that did it"),
        Column("client_tail", "u1", "what the client's octets end in", values=TAILS, source="RFC 8446 §6"),
        Column("server_tail", "u1", "what the server's octets end in", values=TAILS, source="RFC 8446 §6"),
        Column("alert", "i2", "fatal alert in the clear", null=-1, source="RFC 8446 §6.2"),
        Column("client_idle", "i8", "from the client's last octet to the first sign of the end", "ns", null=-1),
        Column("server_idle", "i8", "from the server's last octet to the first sign of the end", "ns", null=-1),
        Column("cause", "u1", "likely cause; null: none is claimed", null=0, values=CAUSES),
        Column("confidence", "u1", "how sure the cause is; low is a guess", null=0, values=CONFIDENCES),
        Column("patterns", "u8", "all patterns that hold: bit n is number n of the causes"),
        Column("incident", "i4", "what it shares with others", "row of INCIDENTS", null=-1),
        time("first_time", "time of its first packet"),
        time("last_time", "time of its last packet"),
    ),
)

INCIDENTS = Schema(
    "incidents",
    "what happened to several connections of one server: told once for the capture",
    (
        Column("kind", "u1", "what they share", values=INCIDENT_KINDS),
        Column("server_address", "i8", "address of their server", "address"),
        Column("server_port", "u2", "port of their server"),
        Column("count", "i8", "how many connections"),
        Column("stood", "i8", "of how many: that stood when it began, or that ended without a Close"),
        Column("ended_by", "i1", "who ended TCP first", null=-1, values=SIDES),
        Column("end", "u1", "how", values=ENDING_KINDS),
        Column("code", "i4", "code of the Close; 1005: an empty one; null: no Close, or encrypted", null=-1),
        Column("idle", "i8", "median silence before", "ns", null=-1),
        Column("spread", "i8", "between the shortest and the longest silence", "ns"),
        Column("cause", "u1", "likely cause of most of them", null=0, values=CAUSES),
        Column("confidence", "u1", "how sure that is; low is a guess", null=0, values=CONFIDENCES),
        time("first_time", "first sign of the first one's end"),
        time("last_time", "first sign of the last one's end"),
    ),
)

TABLES: tuple[Schema, ...] = (
    PACKETS, STREAMS, ENDINGS, SPANS, CHANNELS, EXCHANGES, HANDSHAKES, FRAMES, MESSAGES, NOTES, CONNECTIONS, CLOSES,
    ENCRYPTED, INCIDENTS,
)  # fmt: skip
"""Every table, in the order of the arrow."""

__all__ = [
    "CHANNELS",
    "CLOSES",
    "CONNECTIONS",
    "ENDINGS",
    "INCIDENTS",
    "NO_TIME",
    "PACKETS",
    "SPANS",
    "STREAMS",
    "TABLES",
]
