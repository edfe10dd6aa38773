"""The two inflaters, the walk's and the one for a look, agree on whatever a sender makes of its messages."""

from __future__ import annotations

import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.analysis.contents import Contents
from dissectors.websocket.deflate import TAIL, WINDOW, Inflater
from tests.outcome import snapshot_of
from tests.wire.captures import pcap
from tests.wire.frames import BINARY
from tests.wire.talks import Talk

DEFLATE = (("Sec-WebSocket-Extensions", "permessage-deflate"),)
NOISE = random.Random(7692).randbytes(2500)
"""Longer than one call of the inflater is given, compressed or not."""
WORDS = st.lists(
    st.sampled_from([b"tick ", b"tock ", bytes(300), bytes(range(256)), NOISE, NOISE[:1013]]), max_size=6
).map(b"".join)


class Sender:
    """A sender that flushes in every way that RFC 7692 §7.2.3 allows."""

    def __init__(self) -> None:
        self.window = b""
        self.deflater = zlib.compressobj(wbits=-15)

    def message(self, text: bytes, style: str) -> bytes:
        """A compressed message: an ordinary one, one with an empty block more, or one that ends in a final block."""
        self.window = (self.window + text)[-WINDOW:]
        if style == "nothing":
            return b"" if not text else self.message_of(text)
        if style == "block":
            return self.message_of(text) + TAIL + b"\0"
        if style == "ordinary":
            return self.message_of(text)
        octets = self.deflater.compress(text) + self.deflater.flush(zlib.Z_FINISH)
        self.deflater = zlib.compressobj(wbits=-15, zdict=self.window) if self.window else zlib.compressobj(wbits=-15)
        return octets + b"\0" * (style == "final and empty")

    def message_of(self, text: bytes) -> bytes:
        """Flushed, without the tail (§7.2.1)."""
        return (self.deflater.compress(text) + self.deflater.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)


STYLES = ["ordinary", "nothing", "block", "final", "final and empty"]


@given(st.lists(st.tuples(WORDS, st.sampled_from(STYLES)), max_size=6))
def test_both_give_what_was_sent(messages: list[tuple[bytes, str]]) -> None:
    sender = Sender()
    talk = Talk().open().upgrade(DEFLATE, DEFLATE)
    for text, style in messages:
        talk.frame("C", BINARY, sender.message(text, style), rsv=4)
    snapshot = snapshot_of(pcap(talk.packets()))
    contents = Contents(snapshot)
    texts = [text for text, _ in messages]
    assert [row["inflated"] for row in snapshot["messages"]] == [len(text) for text in texts]
    payloads = [contents.message_payload(row) for row in range(len(texts))]
    assert [(payload.octets, payload.whole) for payload in payloads] == [(text, True) for text in texts]


@given(st.binary(max_size=60))
def test_no_octets_raise(octets: bytes) -> None:
    """What does not inflate for one of them does not for the other."""
    talk = Talk().open().upgrade(DEFLATE, DEFLATE).frame("C", BINARY, octets, rsv=4)
    snapshot = snapshot_of(pcap(talk.packets()))
    out, more, why = Inflater().message(octets, 1 << 20)
    assert not more
    assert [row["inflated"] for row in snapshot["messages"]] == [-1 if why else len(out)]


@pytest.mark.parametrize("blocks", [1, 2, 511, 512, 513, 5000])
def test_final_blocks_one_after_another(blocks: int) -> None:
    assert Inflater().message(b"\3\0" * blocks, 10) == (b"", False, "")


@pytest.mark.parametrize("limit", [0, 1, 99_999, 100_000, 100_001])
def test_a_limit_leaves_the_window_in_step(limit: int) -> None:
    sender = Sender()
    first, second = sender.message(bytes(100_000), "ordinary"), sender.message(bytes(50) + b"in step", "ordinary")
    inflater = Inflater()
    assert inflater.message(first, limit) == (bytes(min(limit, 100_000)), limit < 100_000, "")
    assert inflater.message(second, 1 << 20) == (bytes(50) + b"in step", False, "")
