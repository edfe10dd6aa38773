"""The way that everybody goes: from the list to the ladder, a frame and the verdict, and back."""

from __future__ import annotations

from tests.analyzer.tui.stage import watch

KEYS = ("j", "j", "enter", "c", "escape", "escape", "q")


def test_from_the_list_to_the_verdict_and_back() -> None:
    shown = watch("sample:tour", KEYS, (120, 40))
    assert "tour.pcapng" in shown[0]
    assert "server closed TCP without a Close frame" in shown[2]
    assert "GET /feed" in shown[3]
    assert "browsers report 1006" in shown[4]
    assert "GET /feed" in shown[5]
    assert "refused 403" in shown[6]
