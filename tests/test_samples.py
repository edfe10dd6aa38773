"""Golden results: what each bundled capture tells. `python -m tests.test_samples` writes them anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import analyzer
from analyzer.bundled import folder, names, stories

GOLDEN = Path(__file__).parent / "golden"


def told(name: str) -> dict[str, Any]:
    """Everything of a sample that a change of the code must not change unseen."""
    with analyzer.open(f"sample:{name}") as capture:
        return {
            "connections": [
                {
                    "key": connection.key, "state": connection.state, "verdict": connection.close.verdict,
                    "cause": [connection.cause, connection.confidence, connection.close.incident],
                    "handshake": connection.handshake.record(),
                    "reported": [connection.close.reported_by_client, connection.close.reported_by_server],
                    "messages": [
                        [message.sender, message.opcode, message.frames, message.length, message.inflated,
                         message.utf8, message.close_code, message.payload[:64].hex()]
                        for message in connection.messages
                    ],
                    "frames": [
                        [frame.packet, frame.sender, frame.opcode, frame.fin, frame.rsv, frame.payload_length]
                        for frame in connection.frames
                    ],
                }
                for connection in capture.connections
            ],
            "encrypted": [capture.view("encrypted").record(row) for row in range(len(capture.table("encrypted")))],
            "incidents": [capture.view("incidents").record(row) for row in range(len(capture.table("incidents")))],
            "exchanges": [exchange.record() for exchange in capture.exchanges],
            "notes": [note.record() for note in capture.notes],
            "problems": list(capture.problems),
        }  # fmt: skip


@pytest.mark.parametrize("name", names())
def test_a_sample_tells_what_it_told(name: str) -> None:
    assert told(name) == json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))


def test_every_sample_has_a_story_and_a_golden_result() -> None:
    assert sorted(stories()) == names()
    assert sorted(path.stem for path in GOLDEN.glob("*.json")) == names()
    assert len(names()) >= 10


def test_the_tour_shows_all_that_it_promises() -> None:
    with analyzer.open(folder() / "tour.pcapng") as capture:
        styles = {exchange.style for exchange in capture.exchanges}
        assert {"plain", "long-poll", "webhook", "upgrade"} <= styles
        refused, chat, died = capture.connections
        assert (refused.state, refused.handshake.status) == ("refused", 403)
        assert (chat.state, chat.close.code, chat.close.reason) == ("closed", 1000, "done for today")
        kinds = {message.opcode for message in chat.messages}
        assert {"text", "binary", "ping", "pong", "close"} <= kinds
        assert max(message.frames for message in chat.messages) == 4
        assert any(message.compressed for message in chat.messages)
        assert (died.close.code, died.close.reported_by_client) == (None, 1006)
        assert "without a Close frame after 3.0 s of silence" in died.close.verdict


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for sample in names():
        (GOLDEN / f"{sample}.json").write_text(json.dumps(told(sample), indent=1, ensure_ascii=False) + "\n", "utf-8")
