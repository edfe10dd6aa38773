"""Every observation that can be made, once: code, severity, layer, section of the standard, one sentence.

A dissector never raises on octets. What is wrong or strange becomes a row of the NOTES table with one of these codes.
The numbers are part of the exported schema: they are never reused.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How wrong it is: `SHOULD` breaks a SHOULD, `MUST` breaks a MUST of the standard; `ODD` breaks none that an
    observer can hold against a side.

    So what the path, an injector, the capture or a limit did is odd, however grave: copies of octets that differ
    (RFC 9293 §3.4 keeps the first and accuses nobody), checksums that are wrong where they were captured (the sender
    set them right, or its card did later), fragments that overlap (RFC 791 allows it; RFC 5722 §3 has receivers drop
    them, and who made them does not show). RFC 6455 §5.3 asks for masking keys from a source that nobody sees: a key
    that is zero, or that of the frame before, is one that a good source gives too, once in 2^32, and odd. Three at
    equal steps come as rarely, but show a rule that tells the next: `SHOULD`, as it is judged by evidence.
    """

    ODD = 1
    SHOULD = 2
    MUST = 3


class Layer(IntEnum):
    """Where it was seen."""

    CAPTURE = 0
    TCP = 1
    HTTP = 2
    HANDSHAKE = 3
    FRAME = 4
    MESSAGE = 5
    CLOSE = 6


class Note(IntEnum):
    """The codes."""

    # capture and TCP
    TCP_GAP = 10
    TCP_OVERLAP_DIFFERS = 11
    TCP_LATE = 12
    TCP_CHECKSUM_WRONG = 13
    IP_CHECKSUM_WRONG = 14
    TCP_RESET_OUT_OF_WINDOW = 15
    TCP_DATA_AFTER_FIN = 16
    TCP_URGENT = 17
    TCP_DATA_WITH_SYN = 18
    TCP_STRAY = 19
    TCP_NOT_COMPARED = 20
    IP_OVERLAP = 25
    # HTTP
    HTTP_MALFORMED = 30
    HTTP_LIMIT = 31
    HTTP_UNANSWERED = 32
    HTTP_UNASKED = 33
    PROXY_HEADER_BAD = 34
    TUNNEL_LIMIT = 35
    # opening handshake
    ACCEPT_WRONG = 50
    ACCEPT_MISSING = 51
    KEY_MISSING = 52
    KEY_BAD = 53
    VERSION_MISSING = 54
    VERSION_OTHER = 55
    UPGRADE_HEADER_BAD = 56
    CONNECTION_HEADER_BAD = 57
    HOST_MISSING = 58
    METHOD_NOT_GET = 59
    SUBPROTOCOL_NOT_OFFERED = 60
    SUBPROTOCOL_SEVERAL = 61
    EXTENSION_NOT_OFFERED = 62
    EXTENSION_PARAMETER_BAD = 63
    EXTENSION_UNKNOWN = 64
    CLIENT_EARLY = 65
    HTTP_VERSION_LOW = 66
    REQUEST_WRONGLY_ACCEPTED = 67
    VERSIONS_NOT_TOLD = 68
    SUBPROTOCOL_OFFER_BAD = 69
    EXTENSION_UNFIT = 70
    # frames
    CLIENT_UNMASKED = 80
    SERVER_MASKED = 81
    RSV_NOT_NEGOTIATED = 82
    RSV1_ON_CONTINUATION = 83
    RSV1_ON_CONTROL = 84
    OPCODE_RESERVED = 85
    CONTROL_TOO_LONG = 86
    CONTROL_FRAGMENTED = 87
    LENGTH_NOT_MINIMAL = 88
    LENGTH_TOP_BIT = 89
    FRAMING_LOST = 90
    AFTER_CLOSE = 91
    MASK_KEY_ZERO = 92
    FRAME_CUT = 93
    MASK_KEY_REPEATED = 94
    MASK_KEY_PREDICTABLE = 95
    CONTROL_AFTER_CLOSE = 96
    FRAMING_FOUND = 97
    # messages
    CONTINUATION_WITHOUT_START = 110
    MESSAGE_INSIDE_MESSAGE = 111
    TEXT_NOT_UTF8 = 112
    INFLATE_FAILED = 113
    INFLATE_LIMIT = 114
    CONTEXT_LOST = 115
    DEFLATE_FINAL_BLOCK = 116
    MESSAGE_UNFINISHED = 117
    # closing handshake
    CLOSE_ONE_OCTET = 130
    CLOSE_CODE_FORBIDDEN = 131
    CLOSE_REASON_NOT_UTF8 = 132
    CLOSE_NOT_ANSWERED = 133
    PING_NOT_ANSWERED = 134
    PONG_UNASKED = 135


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code says."""

    severity: Severity
    layer: Layer
    source: str
    sentence: str


_O, _S, _M = Severity.ODD, Severity.SHOULD, Severity.MUST
_TCP, _HTTP, _HS = Layer.TCP, Layer.HTTP, Layer.HANDSHAKE
_FR, _MS, _CL = Layer.FRAME, Layer.MESSAGE, Layer.CLOSE

MEANINGS: dict[Note, Meaning] = {
    Note.TCP_GAP: Meaning(_O, _TCP, "RFC 9293 §3.4", "octets of the stream are not in the capture"),
    Note.TCP_LATE: Meaning(_O, _TCP, "RFC 9293 §3.4", "octets arrived after they had been given up"),
    Note.IP_OVERLAP: Meaning(
        _O, Layer.CAPTURE, "RFC 5722 §3", "IP fragments overlap; of each octet the first copy is taken"
    ),
    Note.TCP_OVERLAP_DIFFERS: Meaning(
        _O, _TCP, "RFC 9293 §3.4", "two packets carry other octets for the same place: corrupted, or injected"
    ),
    Note.TCP_NOT_COMPARED: Meaning(
        _O, _TCP, "RFC 9293 §3.4", "further copies of octets were not compared with the first: a limit"
    ),
    Note.TCP_CHECKSUM_WRONG: Meaning(
        _O, _TCP, "RFC 9293 §3.1", "the TCP checksum is wrong: damaged on the way, or while capturing"
    ),
    Note.IP_CHECKSUM_WRONG: Meaning(
        _O, _TCP, "RFC 791 §3.1", "the checksum of the IPv4 header is wrong: damaged on the way, or while capturing"
    ),
    Note.TCP_RESET_OUT_OF_WINDOW: Meaning(
        _O, _TCP, "RFC 9293 §3.10.7.4", "a RST that the receiver does not accept: the connection goes on"
    ),
    Note.TCP_DATA_AFTER_FIN: Meaning(_O, _TCP, "RFC 9293 §3.10.7.4", "octets behind the sender's own FIN"),
    Note.TCP_URGENT: Meaning(_O, _TCP, "RFC 9293 §3.8.5", "urgent data"),
    Note.TCP_DATA_WITH_SYN: Meaning(_O, _TCP, "RFC 7413 §2", "octets with the SYN"),
    Note.TCP_STRAY: Meaning(_O, _TCP, "RFC 7323 §2.3", "octets so far ahead that no window allows them, left out"),
    Note.HTTP_MALFORMED: Meaning(_M, _HTTP, "RFC 9112 §2.2", "not a well-formed HTTP/1.1 message"),
    Note.HTTP_LIMIT: Meaning(_O, _HTTP, "RFC 9110 §5.4", "an HTTP header section above the limit was not read"),
    Note.HTTP_UNANSWERED: Meaning(_O, _HTTP, "RFC 9112 §9.3", "no response to a request is in the capture"),
    Note.HTTP_UNASKED: Meaning(_O, _HTTP, "RFC 9112 §9.2", "a response without a request"),
    Note.PROXY_HEADER_BAD: Meaning(_M, _HTTP, "PROXY protocol §2", "a PROXY header is not valid"),
    Note.TUNNEL_LIMIT: Meaning(_O, _HTTP, "RFC 9110 §9.3.6", "a CONNECT tunnel was not read: a limit"),
    Note.ACCEPT_WRONG: Meaning(_M, _HS, "RFC 6455 §4.2.2", "Sec-WebSocket-Accept does not match the key"),
    Note.ACCEPT_MISSING: Meaning(_M, _HS, "RFC 6455 §4.2.2", "the 101 has no Sec-WebSocket-Accept"),
    Note.KEY_MISSING: Meaning(_M, _HS, "RFC 6455 §4.1", "the request has no Sec-WebSocket-Key"),
    Note.KEY_BAD: Meaning(_M, _HS, "RFC 6455 §4.1", "Sec-WebSocket-Key is not 16 octets in base64"),
    Note.VERSION_MISSING: Meaning(_M, _HS, "RFC 6455 §4.1", "the request has no Sec-WebSocket-Version"),
    Note.VERSION_OTHER: Meaning(_M, _HS, "RFC 6455 §4.1", "Sec-WebSocket-Version is not 13"),
    Note.UPGRADE_HEADER_BAD: Meaning(_M, _HS, "RFC 6455 §4.1", "Upgrade does not say websocket"),
    Note.CONNECTION_HEADER_BAD: Meaning(_M, _HS, "RFC 6455 §4.1", "Connection does not say Upgrade"),
    Note.HOST_MISSING: Meaning(_M, _HS, "RFC 6455 §4.1", "the request has no Host"),
    Note.METHOD_NOT_GET: Meaning(_M, _HS, "RFC 6455 §4.1", "the request's method is not GET"),
    Note.SUBPROTOCOL_NOT_OFFERED: Meaning(_M, _HS, "RFC 6455 §4.1", "the server chose a subprotocol not offered"),
    Note.SUBPROTOCOL_SEVERAL: Meaning(_M, _HS, "RFC 6455 §4.2.2", "the server chose more than one subprotocol"),
    Note.EXTENSION_NOT_OFFERED: Meaning(_M, _HS, "RFC 6455 §9.1", "the server agreed an extension not offered"),
    Note.EXTENSION_PARAMETER_BAD: Meaning(_M, _HS, "RFC 7692 §7.1", "an extension parameter is not valid"),
    Note.EXTENSION_UNKNOWN: Meaning(_O, _HS, "RFC 6455 §9.1", "an agreed extension that is not known here"),
    Note.HTTP_VERSION_LOW: Meaning(_M, _HS, "RFC 6455 §4.1", "the HTTP version of an opening is below 1.1"),
    Note.REQUEST_WRONGLY_ACCEPTED: Meaning(_M, _HS, "RFC 6455 §4.2.1", "the server accepted what it must refuse"),
    Note.VERSIONS_NOT_TOLD: Meaning(_M, _HS, "RFC 6455 §4.4", "a refusal of the version does not tell those supported"),
    Note.SUBPROTOCOL_OFFER_BAD: Meaning(_M, _HS, "RFC 6455 §4.1", "the subprotocols offered are not distinct tokens"),
    Note.EXTENSION_UNFIT: Meaning(_M, _HS, "RFC 7692 §7.1", "the extension agreed does not fit any that was offered"),
    Note.CLIENT_EARLY: Meaning(_M, _HS, "RFC 6455 §4.1", "the client sent frames before the 101"),
    Note.CLIENT_UNMASKED: Meaning(_M, _FR, "RFC 6455 §5.1", "a frame from the client is not masked"),
    Note.SERVER_MASKED: Meaning(_M, _FR, "RFC 6455 §5.1", "a frame from the server is masked"),
    Note.RSV_NOT_NEGOTIATED: Meaning(_M, _FR, "RFC 6455 §5.2", "a reserved bit is set that no extension defines"),
    Note.RSV1_ON_CONTINUATION: Meaning(_M, _FR, "RFC 7692 §6.1", "RSV1 is set on a continuation frame"),
    Note.RSV1_ON_CONTROL: Meaning(_M, _FR, "RFC 7692 §6.1", "RSV1 is set on a control frame"),
    Note.OPCODE_RESERVED: Meaning(_M, _FR, "RFC 6455 §5.2", "the opcode is reserved"),
    Note.CONTROL_TOO_LONG: Meaning(_M, _FR, "RFC 6455 §5.5", "a control frame carries more than 125 octets"),
    Note.CONTROL_FRAGMENTED: Meaning(_M, _FR, "RFC 6455 §5.5", "a control frame is fragmented"),
    Note.LENGTH_NOT_MINIMAL: Meaning(_M, _FR, "RFC 6455 §5.2", "the length is not in its shortest form"),
    Note.LENGTH_TOP_BIT: Meaning(_M, _FR, "RFC 6455 §5.2", "the top bit of the 64-bit length is set"),
    Note.FRAMING_LOST: Meaning(_O, _FR, "RFC 6455 §5.2", "a frame header is missing: frames cannot be told from here"),
    Note.AFTER_CLOSE: Meaning(_M, _FR, "RFC 6455 §5.5.1", "a data frame follows the sender's own Close"),
    Note.CONTROL_AFTER_CLOSE: Meaning(_O, _FR, "RFC 6455 §5.5.1", "a control frame follows the sender's own Close"),
    Note.MASK_KEY_ZERO: Meaning(_O, _FR, "RFC 6455 §5.3", "the masking key is zero"),
    Note.MASK_KEY_REPEATED: Meaning(_O, _FR, "RFC 6455 §5.3", "a masking key is that of the frame before; told once"),
    Note.MASK_KEY_PREDICTABLE: Meaning(
        _S, _FR, "RFC 6455 §5.3", "masking keys go up by equal steps, so that the next can be told; told once"
    ),
    Note.FRAME_CUT: Meaning(_O, _FR, "RFC 6455 §5.2", "the stream ended inside a frame"),
    Note.FRAMING_FOUND: Meaning(_O, _FR, "RFC 6455 §5.2", "frames go on here, found by evidence: a guess"),
    Note.CONTINUATION_WITHOUT_START: Meaning(_M, _MS, "RFC 6455 §5.4", "a continuation without a message to continue"),
    Note.MESSAGE_INSIDE_MESSAGE: Meaning(_M, _MS, "RFC 6455 §5.4", "a new message inside a fragmented one"),
    Note.TEXT_NOT_UTF8: Meaning(_M, _MS, "RFC 6455 §8.1", "a text message is not valid UTF-8"),
    Note.INFLATE_FAILED: Meaning(_M, _MS, "RFC 7692 §7.2.2", "the compressed message does not inflate"),
    Note.INFLATE_LIMIT: Meaning(_O, _MS, "RFC 7692 §8", "the message inflates above the limit, and was not read on"),
    Note.CONTEXT_LOST: Meaning(_O, _MS, "RFC 7692 §7.2.2", "not inflated: an earlier part of the context is missing"),
    Note.DEFLATE_FINAL_BLOCK: Meaning(_O, _MS, "RFC 7692 §7.2.3.4", "the message ends in a final DEFLATE block"),
    Note.MESSAGE_UNFINISHED: Meaning(_O, _MS, "RFC 6455 §5.4", "the message never got its last fragment"),
    Note.CLOSE_ONE_OCTET: Meaning(_M, _CL, "RFC 6455 §5.5.1", "a Close carries one octet, not a code"),
    Note.CLOSE_CODE_FORBIDDEN: Meaning(_M, _CL, "RFC 6455 §7.4", "a Close carries a code that must not be sent"),
    Note.CLOSE_REASON_NOT_UTF8: Meaning(_M, _CL, "RFC 6455 §5.5.1", "the reason of a Close is not valid UTF-8"),
    Note.CLOSE_NOT_ANSWERED: Meaning(_M, _CL, "RFC 6455 §5.5.1", "a Close was not answered with a Close"),
    Note.PING_NOT_ANSWERED: Meaning(_M, _CL, "RFC 6455 §5.5.2", "a Ping was not answered"),
    Note.PONG_UNASKED: Meaning(_O, _CL, "RFC 6455 §5.5.3", "a Pong that answers no Ping"),
}


OF_PEER = frozenset((Note.HTTP_UNANSWERED, Note.CLOSE_NOT_ANSWERED, Note.PING_NOT_ANSWERED))
"""Codes that point at what one side sent and tell what the other side did not do about it."""
OF_NEITHER = frozenset(
    (Note.TCP_GAP, Note.TCP_LATE, Note.TCP_OVERLAP_DIFFERS, Note.TCP_CHECKSUM_WRONG, Note.IP_CHECKSUM_WRONG,
     Note.TCP_RESET_OUT_OF_WINDOW, Note.TCP_STRAY, Note.TCP_NOT_COMPARED, Note.IP_OVERLAP, Note.HTTP_LIMIT,
     Note.TUNNEL_LIMIT, Note.EXTENSION_UNKNOWN, Note.FRAMING_LOST, Note.FRAMING_FOUND, Note.INFLATE_LIMIT,
     Note.CONTEXT_LOST)
)  # fmt: skip
"""Codes that blame no side, and so are odd: what the path, an injector, the capture or a limit did to octets of one."""


def code_name(note: Note) -> str:
    """The code as users write it: `text-not-utf8`."""
    return note.name.lower().replace("_", "-")
