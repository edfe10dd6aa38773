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

KINDS = {
    0: "tcp", 1: "udp", 2: "icmp", 3: "arp", 4: "other-ip", 5: "fragment", 6: "not-ip", 7: "malformed",
    8: "link-type", 9: "quic",
}  # fmt: skip
"""What a captured record is. link-type: its link type has no decoder here."""
SPAN_KINDS = {0: "data", 1: "gap", 2: "overlap", 3: "late", 4: "end", 5: "reset"}
"""end: the FIN, in order; reset: a RST."""
CHANNEL_KINDS = {0: "tcp"}
ENDING_KINDS = {0: "none", 1: "FIN", 2: "RST"}
OPENINGS = {0: "middle", 1: "SYN", 2: "SYN-ACK"}
KNOWN_BY = {0: "unknown", 1: "request", 2: "response", 3: "SYN", 4: "mask"}
STATES = {0: "connecting", 1: "open", 2: "closed", 3: "died", 4: "refused", 5: "other-protocol"}
VERDICTS = {
    0: "open-at-end", 1: "clean", 2: "unanswered-close", 3: "fin-without-close", 4: "rst-without-close",
    5: "refused", 6: "unanswered-handshake", 7: "other-protocol", 8: "packets-lost",
}  # fmt: skip

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
        Column("payload_length", "u4", "octets of TCP data captured", "octets"),
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

CHANNELS = Schema(
    "channels",
    "a pair of octet sequences that dissectors read",
    (
        Column("kind", "u1", "what it is made of", values=CHANNEL_KINDS),
        Column("stream", "i4", "the TCP connection that carries it", "row of STREAMS"),
        Column("client", "u1", "physical direction of the client", values=DIRECTIONS),
        Column("known_by", "u1", "how the client is known", values=KNOWN_BY),
    ),
)


def _both(name: str, doc: str, unit: str = "", dtype: str = "i8") -> tuple[Column, Column]:
    return (
        Column(f"client_{name}", dtype, f"{doc}, sent by the client", unit),
        Column(f"server_{name}", dtype, f"{doc}, sent by the server", unit),
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
        *_both("frames", "frames"),
        *_both("messages", "data messages"),
        *_both("octets", "payload of data frames on the wire", "octets"),
        *_both("inflated", "payload of data messages after inflation, where known", "octets"),
        *_both("pings", "pings"),
        *_both("unanswered", "pings that were not answered"),
        *_both("unseen", "octets that the capture does not hold", "octets"),
        Column("round_trip", "i8", "median of the ping round trips", "ns", null=-1),
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
        Column("client_reported", "i4", "code that the client's API reports; null: still open, or not known", null=-1),
        Column("server_reported", "i4", "code that the server's API reports; null: still open, or not known", null=-1),
        Column("client_idle", "i8", "from the client's last octet to the first sign of the end", "ns", null=-1),
        Column("server_idle", "i8", "from the server's last octet to the first sign of the end", "ns", null=-1),
    ),
)

TABLES: tuple[Schema, ...] = (
    PACKETS, STREAMS, ENDINGS, SPANS, CHANNELS, EXCHANGES, HANDSHAKES, FRAMES, MESSAGES, NOTES, CONNECTIONS, CLOSES,
)  # fmt: skip
"""Every table, in the order of the arrow."""

__all__ = ["CHANNELS", "CLOSES", "CONNECTIONS", "ENDINGS", "NO_TIME", "PACKETS", "SPANS", "STREAMS", "TABLES"]
