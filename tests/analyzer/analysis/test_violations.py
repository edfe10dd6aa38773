"""Every code of NOTES in a minimal capture: noted once, at its place, with its section and severity, and nothing else.

`here` marks the octets that a note is to point at. What cannot be wrong alone (a length of 2^63 octets ends no frame)
is named in `also`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from analyzer.analysis.pipeline import analyze
from analyzer.capture.files import open_source
from analyzer.limits import Limits
from analyzer.views import View
from dissectors.notes import MEANINGS, OF_NEITHER, Layer, Note, Severity
from tests.wire.captures import pcap
from tests.wire.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Deflater, close_payload, deflate, frame
from tests.wire.handshakes import request, response
from tests.wire.packets import ACK, PSH, RST, SYN, URG
from tests.wire.talks import KEY, Segment, Talk

DEFLATE = (("Sec-WebSocket-Extensions", "permessage-deflate"),)
KEYS = (b"\x9e\x01\x77\x30", b"\x9e\x01\x77\x37", b"\x9e\x01\x77\x3e")
Headers = dict[str, str | None]


@dataclass(frozen=True)
class Case:
    """A minimal capture, and what is to be said of it."""

    severity: str
    source: str
    talk: Callable[[], Talk]
    also: tuple[Note, ...] = ()
    lost: int = -1
    """The packet that the capture does not hold."""
    broken: tuple[int, int] = (-1, 0)
    """A packet, and the octet of it that arrived with other bits."""
    late: bool = False
    """Whether that packet comes last."""


def opened() -> Talk:
    return Talk().open().upgrade()


def deflated() -> Talk:
    return Talk().open().upgrade(DEFLATE, DEFLATE)


def asked(*replaced: tuple[str, str | None], method: str = "GET") -> Talk:
    """A request that is refused: what is wrong with it is all that is wrong."""
    octets = request(headers=replaced, method=method)
    return Talk().open().here("C").send("C", octets).send("S", response(status=400))


def answered(ours: Headers, theirs: Headers) -> Talk:
    """A good request with a response that may be wrong."""
    return Talk().open().send("C", request(headers=ours)).here("S").send("S", response(headers=theirs))


def masked(*keys: bytes) -> Talk:
    talk = opened()
    for at, key in enumerate(keys):
        talk = (talk.here("C") if at == len(keys) - 1 else talk).send("C", frame(TEXT, "x", mask=key))
    return talk


def server(octets: bytes, talk: Talk | None = None) -> Talk:
    return (talk or opened()).here("S").send("S", octets)


def closed(payload: bytes) -> Talk:
    return opened().here("S").frame("S", CLOSE, payload)


def holed() -> Talk:
    """Ten segments of a message, of which the capture may lose some."""
    return opened().frame("S", BINARY, bytes(5000)).frame("S", TEXT, "on").ack("C")


def agreed(offer: str | None, agreement: str) -> Talk:
    name = "Sec-WebSocket-Extensions"
    return answered({name: offer} if offer else {}, {name: agreement})


def extra(talk: Talk, side: int, ahead: int, flags: int, payload: bytes = b"") -> Talk:
    """A segment that stands so far from where the side is."""
    seq = (talk.next[side] + ahead) & 0xFFFFFFFF
    talk.segments.append(Segment(talk.time, side, seq, talk.next[1 - side], flags, payload))
    return talk


def tunnels(depth: int) -> Talk:
    talk = Talk().open()
    for level in range(depth):
        host = f"proxy{level}:80"
        talk.send("C", request(host, method="CONNECT", upgrade=False, host=host))
        talk.send("S", b"HTTP/1.1 200 Connected\r\n\r\n")
    return talk


M, S, O = "must", "should", "odd"  # noqa: E741 - a column of the table
R6455, R7692 = "RFC 6455 §", "RFC 7692 §"
CASES: dict[Note, Case] = {
    Note.HTTP_MALFORMED: Case(M, "RFC 9112 §2.2", lambda: asked(("X", None)).here("C").send("C", b"GET / HTTP/1.1\r\nHost: x\r\nbad\r\n\r\n").send("S", response(status=400))),
    Note.HTTP_LIMIT: Case(O, "RFC 9110 §5.4", lambda: Talk().open().here("C").send("C", b"GET / HTTP/1.1\r\nX: " + b"x" * 70000, 80000)),
    Note.HTTP_UNANSWERED: Case(O, "RFC 9112 §9.3", lambda: Talk().open().here("C").send("C", request(upgrade=False))),
    Note.HTTP_UNASKED: Case(O, "RFC 9112 §9.2", lambda: Talk().open().here("S").send("S", response(status=408)).fin("S").fin("C")),
    Note.ACCEPT_WRONG: Case(M, R6455 + "4.2.2", lambda: answered({}, {"Sec-WebSocket-Accept": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="})),
    Note.ACCEPT_MISSING: Case(M, R6455 + "4.2.2", lambda: answered({}, {"Sec-WebSocket-Accept": None})),
    Note.KEY_MISSING: Case(M, R6455 + "4.1", lambda: asked(("Sec-WebSocket-Key", None))),
    Note.KEY_BAD: Case(M, R6455 + "4.1", lambda: asked(("Sec-WebSocket-Key", "c2hvcnQ="))),
    Note.VERSION_MISSING: Case(M, R6455 + "4.1", lambda: asked(("Sec-WebSocket-Version", None))),
    Note.VERSION_OTHER: Case(M, R6455 + "4.1", lambda: asked(("Sec-WebSocket-Version", "8"))),
    Note.UPGRADE_HEADER_BAD: Case(M, R6455 + "4.1", lambda: asked(("Upgrade", "h2c"))),
    Note.CONNECTION_HEADER_BAD: Case(M, R6455 + "4.1", lambda: answered({}, {"Connection": "keep-alive"})),
    Note.HOST_MISSING: Case(M, R6455 + "4.1", lambda: asked(("Host", None))),
    Note.METHOD_NOT_GET: Case(M, R6455 + "4.1", lambda: asked(method="PUT")),
    Note.HTTP_VERSION_LOW: Case(M, R6455 + "4.1", lambda: Talk().open().here("C").send("C", request().replace(b"HTTP/1.1", b"HTTP/1.0")).send("S", response(status=400))),
    Note.REQUEST_WRONGLY_ACCEPTED: Case(M, R6455 + "4.2.1", lambda: answered({"Host": None}, {}), also=(Note.HOST_MISSING,)),
    Note.VERSIONS_NOT_TOLD: Case(M, R6455 + "4.4", lambda: Talk().open().send("C", request(headers={"Sec-WebSocket-Version": "8"})).here("S").send("S", response(status=426)), also=(Note.VERSION_OTHER,)),
    Note.SUBPROTOCOL_NOT_OFFERED: Case(M, R6455 + "4.1", lambda: answered({"Sec-WebSocket-Protocol": "a, b"}, {"Sec-WebSocket-Protocol": "c"})),
    Note.SUBPROTOCOL_SEVERAL: Case(M, R6455 + "4.2.2", lambda: answered({"Sec-WebSocket-Protocol": "a, b"}, {"Sec-WebSocket-Protocol": "a, b"})),
    Note.SUBPROTOCOL_OFFER_BAD: Case(M, R6455 + "4.1", lambda: asked(("Sec-WebSocket-Protocol", "a, a"))),
    Note.EXTENSION_NOT_OFFERED: Case(M, R6455 + "9.1", lambda: agreed(None, "permessage-deflate")),
    Note.EXTENSION_PARAMETER_BAD: Case(M, R7692 + "7.1", lambda: agreed("permessage-deflate", "permessage-deflate; server_max_window_bits=16")),
    Note.EXTENSION_UNFIT: Case(M, R7692 + "7.1", lambda: agreed("permessage-deflate", "permessage-deflate; client_max_window_bits=10")),
    Note.EXTENSION_UNKNOWN: Case(O, R6455 + "9.1", lambda: agreed("x-mine", "x-mine")),
    Note.CLIENT_EARLY: Case(M, R6455 + "4.1", lambda: Talk().open().send("C", request()).here("C").frame("C", TEXT, "x").send("S", response())),
    Note.CLIENT_UNMASKED: Case(M, R6455 + "5.1", lambda: opened().here("C").send("C", frame(TEXT, "x"))),
    Note.SERVER_MASKED: Case(M, R6455 + "5.1", lambda: server(frame(TEXT, "x", mask=KEY))),
    Note.RSV_NOT_NEGOTIATED: Case(M, R6455 + "5.2", lambda: server(frame(TEXT, "x", rsv=1))),
    Note.RSV1_ON_CONTINUATION: Case(M, R7692 + "6.1", lambda: server(frame(CONTINUATION, "y", rsv=4), deflated().frame("S", TEXT, "x", fin=False))),
    Note.RSV1_ON_CONTROL: Case(M, R7692 + "6.1", lambda: server(frame(PING, "x", rsv=4), deflated()).frame("C", PONG, "x")),
    Note.OPCODE_RESERVED: Case(M, R6455 + "5.2", lambda: server(frame(3, "x"))),
    Note.CONTROL_TOO_LONG: Case(M, R6455 + "5.5", lambda: server(frame(PING, bytes(126))).frame("C", PONG, bytes(125))),
    Note.CONTROL_FRAGMENTED: Case(M, R6455 + "5.5", lambda: server(frame(PING, "x", fin=False)).frame("C", PONG, "x")),
    Note.LENGTH_NOT_MINIMAL: Case(M, R6455 + "5.2", lambda: server(frame(TEXT, "x", length_form=16))),
    Note.LENGTH_TOP_BIT: Case(M, R6455 + "5.2", lambda: server(frame(TEXT, "x", length_form=64, length=2**63)), also=(Note.FRAME_CUT, Note.MESSAGE_UNFINISHED)),
    Note.AFTER_CLOSE: Case(M, R6455 + "5.5.1", lambda: server(frame(TEXT, "x"), opened().frame("S", CLOSE))),
    Note.CONTROL_AFTER_CLOSE: Case(O, R6455 + "5.5.1", lambda: server(frame(PING, "x"), opened().frame("S", CLOSE))),
    Note.MASK_KEY_ZERO: Case(O, R6455 + "5.3", lambda: masked(bytes(4))),
    Note.MASK_KEY_REPEATED: Case(O, R6455 + "5.3", lambda: masked(KEY, KEY)),
    Note.MASK_KEY_PREDICTABLE: Case(S, R6455 + "5.3", lambda: masked(*KEYS)),
    Note.FRAME_CUT: Case(O, R6455 + "5.2", lambda: server(frame(BINARY, "x", length=9)), also=(Note.MESSAGE_UNFINISHED,)),
    Note.CONTINUATION_WITHOUT_START: Case(M, R6455 + "5.4", lambda: server(frame(CONTINUATION, "x"))),
    Note.MESSAGE_INSIDE_MESSAGE: Case(M, R6455 + "5.4", lambda: server(frame(TEXT, "y"), opened().frame("S", TEXT, "x", fin=False))),
    Note.TEXT_NOT_UTF8: Case(M, R6455 + "8.1", lambda: server(frame(TEXT, b"\xff"))),
    Note.INFLATE_FAILED: Case(M, R7692 + "7.2.2", lambda: server(frame(TEXT, b"\xff\xff\xff\xff", rsv=4), deflated())),
    Note.INFLATE_LIMIT: Case(O, R7692 + "8", lambda: server(frame(TEXT, deflate("x" * 2000), rsv=4), deflated())),
    Note.DEFLATE_FINAL_BLOCK: Case(O, R7692 + "7.2.3.4", lambda: server(frame(TEXT, Deflater().final(b"x"), rsv=4), deflated())),
    Note.MESSAGE_UNFINISHED: Case(O, R6455 + "5.4", lambda: server(frame(TEXT, "x", fin=False))),
    Note.CLOSE_ONE_OCTET: Case(M, R6455 + "5.5.1", lambda: closed(b"\x03")),
    Note.CLOSE_CODE_FORBIDDEN: Case(M, R6455 + "7.4", lambda: closed(close_payload(1006))),
    Note.CLOSE_REASON_NOT_UTF8: Case(M, R6455 + "5.5.1", lambda: closed(b"\x03\xe8\xff")),
    Note.CLOSE_NOT_ANSWERED: Case(M, R6455 + "5.5.1", lambda: closed(close_payload(1000)).fin("C").fin("S")),
    Note.PING_NOT_ANSWERED: Case(M, R6455 + "5.5.2", lambda: server(frame(PING, "x")).wait(2).frame("C", TEXT, "y")),
    Note.PONG_UNASKED: Case(O, R6455 + "5.5.3", lambda: server(frame(PONG, "x"))),
    Note.TCP_OVERLAP_DIFFERS: Case(O, "RFC 9293 §3.4", lambda: extra(opened().frame("S", TEXT, "a"), 1, -3, PSH | ACK, frame(TEXT, "b"))),
    Note.TCP_NOT_COMPARED: Case(O, "RFC 9293 §3.4", lambda: extra(extra(opened().frame("S", TEXT, "a"), 1, -3, PSH | ACK, frame(TEXT, "a")), 1, -3, PSH | ACK, frame(TEXT, "a"))),
    Note.TCP_CHECKSUM_WRONG: Case(O, "RFC 9293 §3.1", lambda: opened().frame("S", TEXT, "a"), broken=(5, 50)),
    Note.IP_CHECKSUM_WRONG: Case(O, "RFC 791 §3.1", lambda: opened().frame("S", TEXT, "a"), broken=(5, 22)),
    Note.TCP_RESET_OUT_OF_WINDOW: Case(O, "RFC 9293 §3.10.7.4", lambda: extra(opened(), 1, 2**30, RST | ACK)),
    Note.TCP_DATA_AFTER_FIN: Case(O, "RFC 9293 §3.10.7.4", lambda: opened().fin("S").here("S").frame("S", TEXT, "a")),
    Note.TCP_URGENT: Case(O, "RFC 9293 §3.8.5", lambda: opened().segment(1, PSH | ACK | URG, frame(TEXT, "a"))),
    Note.TCP_DATA_WITH_SYN: Case(O, "RFC 7413 §2", lambda: Talk().here("C").segment(0, SYN, request()).segment(1, SYN | ACK).send("S", response())),
    Note.TCP_STRAY: Case(O, "RFC 7323 §2.3", lambda: extra(opened(), 1, 2**30 + 9, ACK, b"far")),
    Note.PROXY_HEADER_BAD: Case(M, "PROXY protocol §2", lambda: Talk().open().here("C").send("C", b"PROXY TCP4 nobody nowhere 1 2\r\n").upgrade()),
    Note.TUNNEL_LIMIT: Case(O, "RFC 9110 §9.3.6", lambda: tunnels(9)),
    Note.TCP_GAP: Case(O, "RFC 9293 §3.4", holed, lost=8),
    Note.TCP_LATE: Case(O, "RFC 9293 §3.4", lambda: holed().wait(60).ack("C"), also=(Note.TCP_GAP,), lost=8, late=True),
    Note.FRAMING_LOST: Case(O, R6455 + "5.2", lambda: opened().here("S").frame("S", TEXT, "a").send("S", b"\x70" * 9).ack("C"), also=(Note.TCP_GAP,), lost=5),
    Note.FRAMING_FOUND: Case(O, R6455 + "5.2", lambda: opened().frame("S", TEXT, "a").here("S").frame("S", TEXT, "b").ack("C"), also=(Note.TCP_GAP, Note.FRAMING_LOST), lost=5),
    Note.CONTEXT_LOST: Case(O, R7692 + "7.2.2", lambda: server(frame(BINARY, bytes(3000), rsv=4), deflated()).ack("C"), also=(Note.TCP_GAP,), lost=6),
}  # fmt: skip
INSIDE = {Note.CLOSE_ONE_OCTET: 2, Note.CLOSE_CODE_FORBIDDEN: 2, Note.CLOSE_REASON_NOT_UTF8: 4}
"""Octets into their frame, for what is in the payload of a Close."""
NO_PLACE = {note for note, meaning in MEANINGS.items() if meaning.layer is Layer.TCP} | {Note.TUNNEL_LIMIT}
"""About packets, or a direction as a whole: their places are tested with reassembly."""


def packets(case: Case, talk: Talk) -> list[tuple[int, bytes]]:
    kept: list[Segment] = [segment for at, segment in enumerate(talk.segments) if at != case.lost]
    made = talk.packets(kept)
    at, octet = case.broken
    if at >= 0:
        time, octets = made[at]
        made[at] = time, octets[:octet] + bytes([octets[octet] ^ 0x55]) + octets[octet + 1 :]
    if case.late:
        made.append((made[-1][0] + 1, talk.packet(talk.segments[case.lost])[1]))
    return made


@pytest.mark.parametrize("note", CASES, ids=lambda note: note.name)
def test_each_is_noted_once_at_its_place_and_nothing_else(note: Note, tmp_path: Path) -> None:
    case = CASES[note]
    talk = case.talk()
    path = tmp_path / "case.pcap"
    path.write_bytes(pcap(packets(case, talk)))
    view = View(analyze(open_source([path]), limits=Limits(inflated=1000, overlaps=1)), "notes")
    found = [Note(code) for code in view.table["code"].tolist()]
    assert sorted(found) == sorted((note, *case.also))
    record = view.record(found.index(note))
    assert record["severity"] == case.severity
    assert MEANINGS[note].source == case.source
    if note not in NO_PLACE:
        sender, offset, packet = talk.marks[-1]
        offset += INSIDE.get(note, 0)
        assert (record["sender"], record["offset"]) == (sender, offset)
        # heads are told by the packet that completed the exchange, lost octets by the packet before or behind them
        assert record["packet"] == packet or MEANINGS[note].layer in (2, 3) or case.lost >= 0


def test_every_code_has_a_case() -> None:
    assert (
        set(MEANINGS) == set(Note) == set(CASES) | {Note.IP_OVERLAP}
    )  # of fragments, which packets/test_tunnels makes


@pytest.mark.parametrize(
    ("offer", "agreement", "details"),
    [
        ("permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits=9", []),
        ("permessage-deflate; client_max_window_bits=9", "permessage-deflate; client_max_window_bits=12", []),
        ("permessage-deflate", "permessage-deflate; server_max_window_bits=9; client_no_context_takeover", []),
        ("permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=10", []),
        ("permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=11",
         ["server_max_window_bits was asked to be 10 at most"]),
        ("permessage-deflate; server_max_window_bits=10", "permessage-deflate",
         ["server_max_window_bits was asked to be 10 at most"]),
        ("permessage-deflate; server_no_context_takeover", "permessage-deflate",
         ["server_no_context_takeover was asked for"]),
        ("permessage-deflate; server_no_context_takeover, permessage-deflate", "permessage-deflate", []),
        ("permessage-deflate; server_max_window_bits", "permessage-deflate", ["server_max_window_bits without a value"]),
        ("permessage-deflate; client_max_window_bits=08", "permessage-deflate", ["client_max_window_bits=08"]),
        ("permessage-deflate; x=1", "permessage-deflate", ["x is not known"]),
        ("permessage-deflate; client_no_context_takeover; client_no_context_takeover", "permessage-deflate",
         ["client_no_context_takeover stands twice"]),
    ],
)  # fmt: skip
def test_parameters_are_held_against_the_offers(offer: str, agreement: str, details: list[str], tmp_path: Path) -> None:
    path = tmp_path / "case.pcap"
    path.write_bytes(pcap(agreed(offer, agreement).packets()))
    view = View(analyze(open_source([path])), "notes")
    assert [view.record(row)["detail"] for row in range(len(view))] == details


@pytest.mark.parametrize(
    "talk",
    [
        opened().frame("S", PING, "x"),  # the capture ends: the Pong may be on its way
        opened().frame("S", PING, "x").frame("C", TEXT, "y"),  # it may be even if something else came first
        opened().frame("S", PING, "x").rst("S"),  # who ends the connection at once does not wait for it
        opened().frame("C", CLOSE).frame("S", PING, "x").frame("S", CLOSE).fin("S").fin("C"),
        opened().send("C", frame(TEXT, "", mask=KEY)).send("C", frame(TEXT, "x", mask=KEY)),  # the first masked nothing
        opened().frame("C", CLOSE).frame("S", TEXT, "x").frame("S", CLOSE),  # only one's own Close ends one's data
        opened().frame("S", PING, "1").frame("S", PING, "2").frame("C", PONG, "2").fin("C"),
    ],
)
def test_what_is_allowed_is_not_noted(talk: Talk, tmp_path: Path) -> None:
    path = tmp_path / "case.pcap"
    path.write_bytes(pcap(talk.packets()))
    assert len(analyze(open_source([path]))["notes"]) == 0


def test_what_blames_no_side_fails_no_check() -> None:
    assert {MEANINGS[note].severity for note in OF_NEITHER} == {Severity.ODD}


def test_notes_of_many_frames_point_into_their_own(tmp_path: Path) -> None:
    first = Talk(("10.0.0.1", 40000)).open().upgrade()
    second = Talk(("10.0.0.3", 40001)).open().upgrade()
    wrong = {b"!": Note.CLOSE_ONE_OCTET, b"\x03\xed": Note.CLOSE_CODE_FORBIDDEN,
             b"\x03\xe8\xff": Note.CLOSE_REASON_NOT_UTF8}  # fmt: skip
    at, expected = {}, []
    for number, payload in enumerate([*wrong] * 4):
        for channel, talk in enumerate((first, second)):
            for direction, side in enumerate("CS"):
                key = (channel, direction)
                start = at.setdefault(key, sum(len(s.payload) for s in talk.segments if s.side == direction))
                octets = frame(CLOSE, payload, mask=KEYS[number % 3] if side == "C" else None)
                talk.send(side, octets)
                at[key] = start + len(octets)
                behind = 2 if len(payload) == 3 else 0
                expected.append((*key, int(wrong[payload]), at[key] - len(payload) + behind, len(payload) - behind))
    path = tmp_path / "many.pcap"
    path.write_bytes(pcap(sorted(first.packets() + second.packets())))
    notes = analyze(open_source([path]), limits=Limits())["notes"]
    found = [tuple(row[name] for name in ("channel", "direction", "code", "offset", "length")) for row in notes]
    assert sorted(row for row in found if row[2] in wrong.values()) == sorted(expected)
