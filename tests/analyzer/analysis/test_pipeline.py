"""The whole arrow: results do not depend on chunks, nor on how TCP cut, reordered or repeated the octets."""

from __future__ import annotations

import zlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissectors.websocket.modes import MANY
from tests.outcome import everything, snapshot_of, story
from tests.wire.captures import pcap
from tests.wire.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Deflater, close_payload, frame
from tests.wire.handshakes import request, response
from tests.wire.packets import SYN
from tests.wire.talks import KEY, Talk, duplicate, resegment, shuffle_within

DEFLATE = (("Sec-WebSocket-Extensions", "permessage-deflate"),)


def chat(seq: tuple[int, int] = (1000, 5000)) -> Talk:
    """Both sides, all kinds of frames, compression, a clean close."""
    client, server = Deflater(), Deflater()
    talk = Talk(seq=seq).open().upgrade(DEFLATE, DEFLATE)
    talk.frame("C", TEXT, client.piece(b"hello hello hello"), rsv=4)
    talk.frame("S", TEXT, server.piece("grüße €".encode()), rsv=4)
    talk.frame("C", TEXT, b"frag", fin=False).frame("C", PING, b"p1").frame("S", PONG, b"p1")
    talk.frame("C", CONTINUATION, b"mented", fin=True)
    whole = client.piece(b"hello again " * 30)
    talk.frame("C", BINARY, whole[:5], fin=False, rsv=4).frame("C", CONTINUATION, whole[5:])
    talk.frame("S", BINARY, bytes(range(256)) * 20).frame("S", TEXT, b"")
    talk.frame("C", CLOSE, close_payload(1000, "bye")).frame("S", CLOSE, close_payload(1000, "bye"))
    return talk.fin("S").fin("C")


def test_a_clean_conversation_is_told_whole() -> None:
    told = story(pcap(chat().packets()))
    texts = [cells[-1] for cells in told["messages"] if cells[1] in ("text", "binary")]
    assert texts == [
        b"hello hello hello", b"fragmented", b"hello again " * 30,
        "grüße €".encode(), bytes(range(256)) * 20, b"",
    ]  # fmt: skip
    assert told["close"] == [(1000, 1000, 1000)]
    assert len(told["frames"]) == 12


@given(st.integers(0, 2**32), st.sampled_from([(1000, 5000), (2**32 - 700, 2**32 - 10), (2**31 - 300, 0)]))
def test_cutting_reordering_and_repeating_change_nothing(seed: int, seq: tuple[int, int]) -> None:
    random = Random(seed)
    talk = chat(seq)
    expected = story(pcap(talk.packets()))
    segments = duplicate(resegment(talk.segments, random), random)
    head, tail = segments[:3], segments[3:]
    shuffled = shuffle_within(tail, random, 6)
    assert story(pcap(talk.packets([*head, *shuffled]))) == expected


@pytest.mark.parametrize("chunk", [200, 1000, 5000])
def test_results_do_not_depend_on_chunks(chunk: int) -> None:
    talks = [chat(), Talk(client=("10.0.0.9", 1234)).open().send("C", b"SSH-2.0-x\r\n").fin("C")]
    wrong = Talk(client=("10.0.0.8", 77), step=1_700_000).open().send("C", request(headers={"Host": None}))
    wrong.send("S", response()).send("C", frame(TEXT, b"not masked")).send("S", frame(TEXT, b"\xff", rsv=2)).fin("S")
    talks += [
        wrong,
        Talk(client=("10.0.0.7", 78), step=900_000).open().send("C", b"GET /\r\nbad line\r\n\r\n").rst("S"),
    ]
    packets = sorted((packet for talk in talks for packet in talk.packets()), key=lambda item: item[0])
    assert everything(pcap(packets), chunk) == everything(pcap(packets))


@given(st.integers(0, 2**32))
def test_chunks_and_disorder_together(seed: int) -> None:
    random = Random(seed)
    talk = chat()
    segments = shuffle_within(resegment(talk.segments, random), random, 5)
    capture = pcap(talk.packets(segments))
    assert everything(capture, random.randrange(150, 3000)) == everything(capture)


@pytest.mark.parametrize("chunk", [2000, 4 << 20])
def test_many_connections_that_deliver_nothing(chunk: int) -> None:
    ports = range(1000, 3000)
    syns = [packet for port in ports for packet in Talk(("10.0.0.9", port)).segment(0, SYN).packets()]
    found = snapshot_of(pcap([*syns, *chat().packets()]), chunk)
    assert found.traffic.packets == len(ports) + len(chat().segments)
    assert (len(found["streams"]), len(found["connections"])) == (2001, 1)


@pytest.mark.parametrize("chunk", [500, 3000, 4 << 20])
def test_what_shows_late_to_be_of_no_interest_is_let_go_all_the_same(chunk: int) -> None:
    talks = [Talk(("10.0.0.9", 1000 + port)) for port in range(100)]
    rounds = 20
    packets = [packet for number in range(rounds) for talk in talks
               for packet in talk.send("CS"[number % 2], b"\5\5\5\5").packets()[-1:]]  # fmt: skip
    found = snapshot_of(pcap([*packets, *chat().packets()]), chunk)
    assert found.traffic.let_go == rounds * len(talks)
    assert set(found["spans"]["stream"].tolist()) == set(found["packets"]["stream"].tolist()) == {len(talks)}


def test_port_reuse_makes_two_connections() -> None:
    first = Talk(seq=(1000, 5000)).open().upgrade().frame("C", TEXT, b"one").fin("C").fin("S")
    second = Talk(seq=(900_000, 700_000), start=first.time).open().upgrade().frame("C", TEXT, b"two").fin("C").fin("S")
    told = story(pcap([*first.packets(), *second.packets()]))
    assert [cells[-1] for cells in told["messages"]] == [b"one", b"two"]
    assert len(told["close"]) == 2


def test_the_upgrade_may_follow_other_requests() -> None:
    talk = Talk().open().send("C", request("/a", upgrade=False)).send("S", response(status=200, body=b"x" * 5000))
    talk.upgrade().frame("S", TEXT, b"late but fine")
    snapshot = snapshot_of(pcap(talk.packets()))
    assert [row["status"] for row in snapshot["exchanges"]] == [200, 101]
    assert len(snapshot["messages"]) == 1


def test_frames_may_share_the_segment_of_the_101_and_come_before_it() -> None:
    talk = Talk().open()
    talk.send("C", request() + frame(TEXT, b"early", mask=KEY)).frame("C", TEXT, b"earlier still than the 101")
    talk.send("S", response() + frame(TEXT, b"with the 101"))
    for chunk in (4 << 20, 300):
        tables = everything(pcap(talk.packets()), chunk)["tables"]
        assert [row["length"] for row in tables["messages"]] == [5, 26, 12]
        assert 65 in [row["code"] for row in tables["notes"]]


def test_a_lost_segment_inside_a_payload_costs_one_message() -> None:
    talk = Talk().open().upgrade().frame("S", BINARY, bytes(5000)).frame("S", TEXT, b"after").ack("C").fin("S").fin("C")
    index = next(i for i, segment in enumerate(talk.segments) if len(segment.payload) == 1448)
    kept = [segment for i, segment in enumerate(talk.segments) if i != index + 1]
    told = story(pcap(talk.packets(kept)))
    kinds = [(cells[1], cells[8], cells[-1]) for cells in told["messages"]]
    assert kinds[0][:2] == ("binary", False)
    assert kinds[1] == ("text", True, b"after")


def test_a_lost_header_is_said_and_nothing_is_made_up() -> None:
    talk = Talk().open().upgrade()
    for number in range(5):
        talk.frame("S", TEXT, b"message %d" % number)
    talk.ack("C")
    kept = [segment for segment in talk.segments if not segment.payload.endswith(b"message 1")]
    snapshot = snapshot_of(pcap(talk.packets(kept)))
    assert [(row["length"], row["recovered"] > 0) for row in snapshot["messages"]] == [(9, False), *[(9, True)] * 3]
    assert 90 in [row["code"] for row in snapshot["notes"]]


def test_a_bomb_takes_no_memory_and_the_window_stays_in_step() -> None:
    deflater = Deflater()
    talk = Talk().open().upgrade(DEFLATE, DEFLATE)
    talk.frame("C", BINARY, deflater.piece(bytes(20 << 20)), rsv=4).frame("C", TEXT, deflater.piece(b"in step"), rsv=4)
    snapshot = snapshot_of(pcap(talk.packets()))
    assert [row["inflated"] for row in snapshot["messages"]] == [20 << 20, 7]


def test_final_blocks_do_not_silence_what_follows() -> None:
    deflater = Deflater()
    talk = Talk().open().upgrade(DEFLATE, DEFLATE)
    for text in (b"one one one", b"two two two"):
        talk.frame("C", TEXT, deflater.final(text), rsv=4)
    talk.frame("C", TEXT, Deflater().piece(b"three"), rsv=4)
    told = story(pcap(talk.packets()))
    assert [cells[-1] for cells in told["messages"]] == [b"one one one", b"two two two", b"three"]


def test_a_window_after_a_final_block_is_kept() -> None:
    text = b"the quick brown fox jumps over the lazy dog " * 3
    first = zlib.compressobj(wbits=-15)
    one = first.compress(text) + first.flush(zlib.Z_FINISH) + b"\0"
    second = zlib.compressobj(wbits=-15, zdict=text)
    two = (second.compress(text) + second.flush(zlib.Z_SYNC_FLUSH))[:-4]
    talk = Talk().open().upgrade(DEFLATE, DEFLATE).frame("C", TEXT, one, rsv=4).frame("C", TEXT, two, rsv=4)
    assert [cells[-1] for cells in story(pcap(talk.packets()))["messages"]] == [text, text]


def test_context_lost_is_said_and_not_guessed() -> None:
    deflater = Deflater()
    pieces = [deflater.piece(b"tick %d tick tick" % number * 60) for number in range(4)]
    talk = Talk().open().upgrade(DEFLATE, DEFLATE)
    for piece in pieces:
        talk.send("C", frame(TEXT, piece, rsv=4, mask=KEY)[:6])
        talk.send("C", frame(TEXT, piece, rsv=4, mask=KEY)[6:])
    talk.ack("S")
    payloads = [i for i, segment in enumerate(talk.segments) if segment.side == 0 and segment.payload]
    kept = [segment for i, segment in enumerate(talk.segments) if i != payloads[4]]
    snapshot = snapshot_of(pcap(talk.packets(kept)))
    assert [row["inflate"] for row in snapshot["messages"]] == [1, 3, 3, 3]


@given(st.binary(max_size=400), st.booleans())
def test_no_octets_raise(octets: bytes, client: bool) -> None:
    talk = Talk().open().upgrade(DEFLATE, DEFLATE).send("C" if client else "S", octets).fin("C").fin("S")
    snapshot_of(pcap(talk.packets()))


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_no_http_raises(client: bytes, server: bytes) -> None:
    talk = Talk().open().send("C", b"GET " + client).send("S", b"HTTP/1.1 " + server).fin("C").fin("S")
    snapshot_of(pcap(talk.packets()))


@given(st.data())
def test_no_damage_to_a_capture_raises(data: st.DataObject) -> None:
    octets = bytearray(pcap(chat().packets()))
    for _ in range(data.draw(st.integers(1, 20))):
        at = data.draw(st.integers(24, len(octets) - 1))
        octets[at] = data.draw(st.integers(0, 255))
    snapshot_of(bytes(octets[: data.draw(st.integers(24, len(octets)))]))


@pytest.mark.parametrize("chunk", [150, 700])
def test_early_frames_behind_a_gap_are_read_whatever_the_chunk(chunk: int) -> None:
    talk = Talk().open().send("C", request()).frame("C", BINARY, bytes(1000)).frame("C", TEXT, b"before the 101")
    talk.ack("S").ack("S").ack("S").ack("S").ack("S").ack("S").ack("S").ack("S").ack("S").ack("S").ack("S")
    octets = pcap(talk.send("S", response()).frame("C", TEXT, b"behind").fin("C").fin("S").packets(), snaplen=300)
    told = everything(octets, chunk)
    assert [row["length"] for row in told["tables"]["messages"]] == [1000, 14, 6]
    assert told == everything(octets)


@pytest.mark.parametrize("chunk", [150, 700])
def test_octets_behind_a_response_that_was_cut_do_not_end_its_exchange(chunk: int) -> None:
    talk = Talk().open().send("C", request(upgrade=False))
    talk.send("S", b"HTTP/1.1 200 OK\r\nServer: " + bytes(1000)).send("S", bytes(100)).send("S", bytes(100))
    octets = pcap(talk.packets(), snaplen=200)
    assert everything(octets, chunk) == everything(octets)


def test_a_walk_that_stops_amid_a_chunk_of_tiny_frames_shows_nothing_of_it() -> None:
    """More events than one walk makes, in both directions, with notes on payload behind them."""
    talk = Talk().open().upgrade()
    for side in "CS":
        empty = frame(TEXT, b"", mask=b"abcd" if side == "C" else None)
        talk.send(side, empty * (MANY // 2), mss=9000).frame(side, CLOSE, b"x")
    octets = pcap(talk.packets())
    whole, parts = snapshot_of(octets, 64 << 20), snapshot_of(octets, 100_000)
    assert len(whole["frames"]) == MANY + 2
    for name in ("frames", "messages", "notes"):
        for column in whole[name].schema.by_name:
            assert whole[name][column].tolist() == parts[name][column].tolist(), (name, column)
