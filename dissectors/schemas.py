"""Declarations of the tables that dissectors fill: EXCHANGES, HANDSHAKES, FRAMES, MESSAGES, NOTES.

Offsets are in octets from the start of their channel's direction. Directions are physical: 0 is the side that sent
the first captured packet of the stream.
"""

from __future__ import annotations

from dissectors.notes import Layer, Note, Severity, code_name
from dissectors.tables import Column, Schema

NO_TIME = -(2**63)
"""The time of a packet whose capture gives none."""

DIRECTIONS = {0: "first", 1: "second"}
OPCODES = {
    0: "continuation", 1: "text", 2: "binary", 3: "data3", 4: "data4", 5: "data5", 6: "data6", 7: "data7",
    8: "close", 9: "ping", 10: "pong", 11: "control11", 12: "control12", 13: "control13", 14: "control14",
    15: "control15",
}  # fmt: skip
STYLES = {0: "plain", 1: "upgrade", 2: "connect", 3: "long-poll", 4: "webhook"}
UNANSWERED, ACCEPTED, REFUSED, OTHER = range(4)
RESULTS = {UNANSWERED: "unanswered", ACCEPTED: "accepted", REFUSED: "refused", OTHER: "other-protocol"}
ACCEPTS = {0: "unknown", 1: "right", 2: "wrong", 3: "missing"}
VERDICTS = {0: "not-text", 1: "valid", 2: "invalid", 3: "unknown"}
INFLATES = {0: "plain", 1: "inflated", 2: "failed", 3: "context-lost", 4: "over-limit", 5: "unfinished"}

RECOVERED = {0: "no", 1: "low", 2: "medium", 3: "high"}

CHANNEL = Column("channel", "i4", "the octet channel that it crossed", "row of CHANNELS")
DIRECTION = Column("direction", "u1", "physical direction", values=DIRECTIONS)


def time(name: str, doc: str) -> Column:
    """A column of capture time: nanoseconds since 1970-01-01 UTC."""
    return Column(name, "i8", doc, "ns since 1970", null=NO_TIME)


def packet(name: str, doc: str) -> Column:
    """A column of packet rows."""
    return Column(name, "i8", doc, "row of PACKETS", null=-1)


def text(name: str, doc: str, source: str = "") -> Column:
    """A column of interned text."""
    return Column(name, "i4", doc, null=0, source=source, text=True)


EXCHANGES = Schema(
    "exchanges",
    "an HTTP request with its response",
    (
        CHANNEL,
        Column("direction", "u1", "physical direction of the request", values=DIRECTIONS),
        Column("style", "u1", "what kind of exchange; long-poll and webhook are guesses", values=STYLES),
        text("method", "request method", "RFC 9110 §9"),
        text("target", "request target as sent", "RFC 9112 §3.2"),
        text("http_host", "Host of the request", "RFC 9110 §7.2"),
        text("user_agent", "User-Agent of the request", "RFC 9110 §10.1.5"),
        Column("status", "u2", "status code of the final response", null=0, source="RFC 9110 §15"),
        text("reason", "reason phrase of the final response", "RFC 9112 §4"),
        text("server_software", "Server of the response", "RFC 9110 §10.2.4"),
        text("protocol", "what the Upgrade of a 101 names", "RFC 9110 §7.8"),
        Column("interim", "u1", "number of 1xx responses before the final one", source="RFC 9110 §15.2"),
        Column("request_offset", "i8", "where the request head starts", "offset", null=-1),
        Column("request_head", "u4", "length of the request head", "octets"),
        Column("request_body", "i8", "length of the request's content", "octets", null=-1),
        Column("response_offset", "i8", "where the final response head starts", "offset", null=-1),
        Column("response_head", "u4", "length of the final response head", "octets"),
        Column("response_body", "i8", "length of the response's content", "octets", null=-1),
        Column("complete", "u1", "both sides were seen to their end", flag=True),
        packet("request_packet", "packet with the first octet of the request"),
        packet("response_packet", "packet with the first octet of the final response"),
        packet("last_packet", "packet that completed the exchange"),
        time("request_time", "time of the first octet of the request"),
        time("response_time", "time of the first octet of the final response"),
        time("last_time", "time of the octet that completed the exchange"),
    ),
)

HANDSHAKES = Schema(
    "handshakes",
    "a WebSocket opening handshake",
    (
        CHANNEL,
        Column("direction", "u1", "physical direction of the client", values=DIRECTIONS),
        Column("exchange", "i8", "its HTTP exchange", "row of EXCHANGES", null=-1),
        Column("result", "u1", "how it ended", values=RESULTS),
        Column("status", "u2", "status code of the response", null=0, source="RFC 9110 §15"),
        text("refusal", "why it was refused, as far as the response says"),
        text("http_host", "Host of the request"),
        text("target", "request target as sent"),
        text("origin", "Origin of the request", "RFC 6454 §7"),
        text("user_agent", "User-Agent of the request"),
        text("server_software", "Server of the response"),
        text(
            "intermediaries", "what the response's header names of proxies: Via, and headers that only one of them adds"
        ),
        text("key", "Sec-WebSocket-Key", "RFC 6455 §11.3.1"),
        text("accept", "Sec-WebSocket-Accept", "RFC 6455 §11.3.3"),
        Column("accept_verdict", "u1", "the accept value, recomputed", source="RFC 6455 §4.2.2", values=ACCEPTS),
        Column("version", "i2", "Sec-WebSocket-Version", null=-1, source="RFC 6455 §11.3.5"),
        text("protocol", "what the Upgrade of a 101 names"),
        text("subprotocols", "subprotocols offered", "RFC 6455 §11.3.4"),
        text("subprotocol", "subprotocol chosen", "RFC 6455 §11.3.4"),
        text("extensions_offered", "extensions offered, with parameters", "RFC 6455 §11.3.2"),
        text("extensions", "extensions agreed, with parameters", "RFC 6455 §11.3.2"),
        Column("deflate", "u1", "permessage-deflate was agreed", source="RFC 7692", flag=True),
        Column("client_takeover", "u1", "the client keeps its context", source="RFC 7692 §7.1.1.2", flag=True),
        Column("server_takeover", "u1", "the server keeps its context", source="RFC 7692 §7.1.1.1", flag=True),
        Column("client_window_bits", "u1", "base-2 logarithm of the client's window", source="RFC 7692 §7.1.2.2"),
        Column("server_window_bits", "u1", "base-2 logarithm of the server's window", source="RFC 7692 §7.1.2.1"),
        Column("client_start", "i8", "where the client's frames start", "offset", null=-1),
        Column("server_start", "i8", "where the server's frames start", "offset", null=-1),
        packet("first_packet", "packet with the first octet of the request"),
        packet("last_packet", "packet that completed the response head"),
        time("first_time", "time of the first octet of the request"),
        time("last_time", "time of the octet that completed the response head"),
    ),
)

FRAMES = Schema(
    "frames",
    "a WebSocket frame",
    (
        CHANNEL,
        DIRECTION,
        Column("opcode", "u1", "what the frame is", source="RFC 6455 §5.2", values=OPCODES),
        Column("fin", "u1", "last fragment of its message", source="RFC 6455 §5.2", flag=True),
        Column("rsv", "u1", "reserved bits: 4 is RSV1, 2 is RSV2, 1 is RSV3", source="RFC 6455 §5.2"),
        Column("masked", "u1", "the payload is masked", source="RFC 6455 §5.2", flag=True),
        Column("mask_key", "u4", "masking key, first octet highest", source="RFC 6455 §5.3"),
        Column("header_length", "u1", "length of the header with its masking key", "octets", source="RFC 6455 §5.2"),
        Column("payload_length", "u8", "length of the payload as the header says it", "octets", source="RFC 6455 §5.2"),
        Column("missing", "u8", "payload octets that the capture does not hold", "octets"),
        Column("complete", "u1", "seen to its last octet", flag=True),
        Column(
            "recovered",
            "u1",
            "found by evidence where frames could not be told from the start: how sure it is one",
            values=RECOVERED,
        ),
        Column("offset", "i8", "where its header starts", "offset"),
        packet("first_packet", "packet with its first octet"),
        packet("last_packet", "packet with its last octet"),
        time("first_time", "time of its first octet"),
        time("time", "time of its last octet"),
    ),
)

MESSAGES = Schema(
    "messages",
    "a WebSocket message or control frame",
    (
        CHANNEL,
        DIRECTION,
        Column("opcode", "u1", "what the message is", source="RFC 6455 §5.6", values=OPCODES),
        Column("first_frame", "i8", "its first frame", "row of FRAMES", null=-1),
        Column("last_frame", "i8", "its last frame", "row of FRAMES", null=-1),
        Column("frames", "u4", "how many frames it has"),
        Column("length", "u8", "payload on the wire, all fragments", "octets"),
        Column("inflated", "i8", "payload after inflation; equal to length where not compressed", "octets", null=-1),
        Column("compressed", "u1", "RSV1 with permessage-deflate agreed", source="RFC 7692 §6", flag=True),
        Column("inflate", "u1", "how inflation went", source="RFC 7692 §7.2.2", values=INFLATES),
        Column("utf8", "u1", "whether the text is UTF-8", source="RFC 6455 §8.1", values=VERDICTS),
        Column("complete", "u1", "all of it was seen", flag=True),
        Column("recovered", "u1", "how sure its first frame is, where that was found by evidence", values=RECOVERED),
        Column("close_code", "i4", "status code of a Close, as on the wire", null=-1, source="RFC 6455 §7.4"),
        text("close_reason", "reason of a Close", "RFC 6455 §7.1.6"),
        Column("answers", "i8", "the Ping or Close that it answers", "row of MESSAGES", null=-1),
        time("first_time", "time of its first octet"),
        time("time", "time of its last octet"),
    ),
)

NOTES = Schema(
    "notes",
    "one observation",
    (
        Column("code", "u2", "what was observed", values={int(n): code_name(n) for n in Note}),
        Column("severity", "u1", "how wrong it is", values={int(s): s.name.lower() for s in Severity}),
        Column("layer", "u1", "where it was seen", values={int(x): x.name.lower() for x in Layer}),
        Column("channel", "i4", "the octet channel", "row of CHANNELS", null=-1),
        DIRECTION,
        Column("offset", "i8", "where in the channel's direction it starts", "offset", null=-1),
        Column("length", "i8", "how many octets it covers", "octets"),
        packet("packet", "packet in which it was seen"),
        time("time", "when it was seen"),
        text("detail", "what in particular"),
    ),
)
