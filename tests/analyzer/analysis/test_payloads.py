"""Payloads of many rows are those of one row each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import analyzer
from analyzer.analysis.payloads import frame_payloads, message_payloads
from tests.wire.captures import pcap
from tests.wire.frames import BINARY, CLOSE, CONTINUATION, PING, TEXT, close_payload
from tests.wire.talks import Talk


@pytest.mark.parametrize("name", ["tour", "socketio", "websockets-deflate", "tunnels", "killed"])
def test_many_rows_are_as_one_by_one(name: str) -> None:
    with analyzer.open(f"sample:{name}") as capture:
        contents = capture._contents
        for table, many, one in (
            ("messages", message_payloads, lambda row: contents.message_payload(row).octets),
            ("frames", frame_payloads, contents.frame_payload),
        ):
            rows = capture.snapshot[table].rows()
            assert list(many(contents, rows)) == [one(row) for row in rows.tolist()]


def test_cut_octets_gaps_and_interleaved_connections(save: Callable[..., str]) -> None:
    talks = [Talk(client=("10.0.0.1", 4000 + number)).open().upgrade() for number in range(3)]
    for number, talk in enumerate(talks):
        talk.frame("C", TEXT, f"hello {number}").frame("S", BINARY, bytes(range(256)) * 40)
        talk.frame("C", TEXT, "one ", fin=False).frame("C", PING, b"").frame("C", CONTINUATION, "two")
        talk.frame("S", TEXT, "").frame("S", CLOSE, close_payload(1000, "bye"))
    packets = sorted(packet for talk in talks for packet in talk.packets())
    del packets[24]  # octets of a payload are missing
    with analyzer.open(save(pcap(packets, snaplen=1200))) as capture:
        rows = capture.snapshot["messages"].rows()
        assert len(rows) > 12
        alone = [capture._contents.message_payload(row).octets for row in rows.tolist()]
        assert list(message_payloads(capture._contents, rows)) == alone
        assert list(message_payloads(capture._contents, rows[::-1])) == alone[::-1]
        assert list(message_payloads(capture._contents, np.empty(0, np.int64))) == []
