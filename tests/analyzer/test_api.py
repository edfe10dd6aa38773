"""The Python API."""

from __future__ import annotations

import subprocess
import sys

import pytest

import analyzer
from tests.conftest import SAMPLES


def test_a_capture_is_walked() -> None:
    with analyzer.open(SAMPLES / "tour.pcapng") as capture:
        _, chat, died = capture.connections
        assert chat.key.startswith("c")
        assert chat.subprotocol == "chat.v1"
        assert chat.handshake.accept_verdict == "right"
        assert (chat.close.code, chat.close.by, chat.close.reported_by_server) == (1000, "client", 1000)
        assert chat.close.evidence[0].frame >= 0
        assert died.close.reported_by_client == 1006
        texts = [message.text for message in chat.messages.where("opcode == text and sender == client")]
        assert texts[:2] == ["hello", "grüße an alle"]
        assert "a message in three fragments" in texts
        assert texts[-1] == "compressible " * 150
        for frame in chat.frames:
            assert len(frame.wire) == frame.header_length + frame.payload_length
            assert len(frame.payload) == frame.payload_length
        whole = capture.table("frames")["payload_length"]
        assert int(whole.sum()) == sum(frame.payload_length for frame in capture.frames)
        assert len(capture.frames[2:5]) == 3
        assert "opcode" in dir(capture.frames[0])
        with pytest.raises(AttributeError):
            _ = capture.frames[0].nonsense


def test_errors_are_one_family() -> None:
    with pytest.raises(analyzer.CaptureError):
        analyzer.open("/nowhere")
    with analyzer.open("sample:tour") as capture, pytest.raises(analyzer.FramescopeError):
        capture.frames.where("nonsense == 1")


def test_importing_costs_nothing() -> None:
    code = "import sys, analyzer; print('numpy' in sys.modules); print(sorted(analyzer.__all__) == sorted(set(analyzer.__all__)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert out.split() == ["False", "True"]


def test_every_public_name_is_there() -> None:
    for name in analyzer.__all__:
        assert getattr(analyzer, name) is not None
