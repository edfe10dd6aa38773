"""Filters that look into payloads: apart from the interface, with the last filter kept meanwhile."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from analyzer import open as open_capture
from analyzer.tui import sieve
from analyzer.tui.ladder import LadderLines, LadderPage
from analyzer.tui.sieve import Sieve
from tests.analyzer.tui.stage import PATIENCE, play, text_of_screen, typed
from tests.wire.captures import pcap
from tests.wire.frames import TEXT
from tests.wire.talks import Talk

MESSAGES, SIZE = 40, 60_000
HITS = (3, 17, 39)


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A connection with more payload than a key may wait for."""
    talk = Talk().open().upgrade()
    for number in range(MESSAGES):
        talk.frame("S", TEXT, ("needle" if number in HITS else "straw").ljust(SIZE, "."))
    path = tmp_path_factory.mktemp("sieve") / "big.pcap"
    path.write_bytes(pcap(talk.packets()))
    return path


async def found(pilot: Pilot[Any], words: str) -> None:
    for _ in range(PATIENCE):
        await pilot.pause(0.02)
        if words in text_of_screen(pilot.app):  # type: ignore[arg-type]
            return
    raise AssertionError(text_of_screen(pilot.app))  # type: ignore[arg-type]


def test_a_filter_on_payload_is_applied_apart(big: Path) -> None:
    async def act(pilot: Pilot[Any]) -> None:
        await pilot.press("enter", "slash", *typed("payload contains needle"))
        await found(pilot, f"ok: {len(HITS)} of {MESSAGES}")
        page = pilot.app.screen
        assert isinstance(page, LadderPage)
        assert page._sieves.holding is not None, "it was applied by the key"
        assert page.expression == "payload contains needle"
        shown = page.shown()
        assert shown is not None
        assert shown.places.tolist() == list(HITS)
        await pilot.press("enter", "d")
        shown = page.shown()
        assert shown is not None
        assert shown.places.tolist() == list(HITS), "d shows data of what the filter holds for"
        await pilot.press("slash")
        await found(pilot, f"ok: {len(HITS)} of {MESSAGES}")
        await pilot.press("escape", "escape")
        assert page.expression == ""
        shown = page.shown()
        assert shown is not None
        assert len(shown.places) == MESSAGES

    play(big, act=act)


def test_what_is_wrong_with_it_is_told_at_once(big: Path) -> None:
    shown = play(big, ("enter", "slash", *typed("payload ~ /(/")))
    assert "not yet: the regular expression is wrong" in shown


def test_escape_ends_it_and_the_last_filter_stays(big: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*arguments: Any) -> None:
        time.sleep(60)

    monkeypatch.setattr(sieve, "_sift", never)

    async def act(pilot: Pilot[Any]) -> None:
        await pilot.press("enter", "slash", *typed("length > 5"), "enter")
        page = pilot.app.screen
        assert isinstance(page, LadderPage)
        lines = page.query_one(LadderLines)
        assert page.expression == "length > 5"
        await pilot.press("slash", *typed("length > 5 and payload contains n"))
        await found(pilot, "looking, 0%, 0 so far: Esc stops")
        assert page.expression.strip() == "length > 5"
        await pilot.press("escape")
        await found(pilot, "stopped")
        assert page._sieves.coming is None
        assert "looking, " not in text_of_screen(pilot.app)  # type: ignore[arg-type]
        assert page.expression.strip() == "length > 5"
        await pilot.press("escape")
        assert lines.has_focus

    play(big, act=act)


def test_it_goes_on_with_rows_that_come_later_and_looks_at_all_again_at_the_end(big: Path) -> None:
    capture = open_capture(big)
    places = capture.view("messages").rows
    mine = Sieve("payload contains needle", "messages")

    class Growing:
        """What is known of a capture before it is read."""

        finished = False

        def __getattr__(self, name: str) -> Any:
            return getattr(capture.snapshot, name)

        def __getitem__(self, name: str) -> Any:
            return capture.snapshot[name]

    class Early:
        snapshot = Growing()

    def through() -> list[int]:
        for _ in range(PATIENCE):
            mine.take()
            if not mine.running:
                return [int(row) for row in mine.rows]
            time.sleep(0.02)
        raise AssertionError("it does not end")

    mine.go_on(Early(), places[:10])  # type: ignore[arg-type]
    assert through() == [3]
    mine.go_on(Early(), places[:20])  # type: ignore[arg-type]
    assert mine.total < 20 * SIZE, "only what came since is looked at"
    assert through() == [3, 17]
    mine.go_on(capture, places)
    assert mine.total > MESSAGES * SIZE
    assert mine.rows.tolist() == [3, 17], "what was found holds meanwhile"
    assert through() == list(HITS)
    mine.go_on(capture, places)
    assert not mine.running
