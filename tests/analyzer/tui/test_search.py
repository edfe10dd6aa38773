"""Search in payloads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.widgets import Input

import analyzer
from analyzer.bundled import resolve
from analyzer.capture.files import open_source
from analyzer.errors import FilterError
from analyzer.tui.apart import Apart, Tell
from analyzer.tui.app import FramescopeApp
from analyzer.tui.detail import DetailPage
from analyzer.tui.ladder import LadderLines, LadderPage
from analyzer.tui.needles import needle
from analyzer.tui.octets import HexLines
from analyzer.tui.rungs import Kind
from analyzer.tui.search import Search
from analyzer.tui.search_page import HitLines, SearchPage
from tests.analyzer.tui.stage import WAIT, play, settled, text_of_screen, typed
from tests.wire.captures import pcap
from tests.wire.frames import BINARY, TEXT
from tests.wire.talks import Talk

FIND = ("ctrl+f",)


def searched(text: str, *before: str) -> tuple[str, ...]:
    return (*FIND, *before, *typed(text), "enter", WAIT)


def rows(app: FramescopeApp) -> list[int]:
    assert app.search is not None
    return [hit.row for hit in app.search.hits]


# -- what is looked for --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "mode", "payload", "found"),
    [
        ("hello", "text", b"say HeLLo", (4, 5)),
        ("Hello", "text", b"say hello, Hello", (11, 5)),
        ("grüße", "text", "x grüße".encode(), (2, 7)),
        ("id=\\d+", "regex", b"a id=421", (2, 6)),
        ("(?i)ABC", "regex", b"xabc", (1, 3)),
        ("de ad", "hex", b"\x00\xde\xad", (1, 2)),
        ("0xde,0xad", "hex", b"\xde\xad", (0, 2)),
        ("de:AD-be ef", "hex", b"\xde\xad\xbe\xef", (0, 4)),
        ("none", "text", b"nothing", (-1, 4)),
    ],
)
def test_needles(text: str, mode: str, payload: bytes, found: tuple[int, int]) -> None:
    assert needle(text, mode).find(payload) == found


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        ("", "text", "nothing"),
        ("(", "regex", "unterminated"),
        ("a{99999999999999999999}", "regex", "too much"),
        ("xyz", "hex", "'x' is no hexadecimal digit"),
        ("abc", "hex", "two digits"),
        ("  ", "hex", "two digits"),
    ],
)  # fmt: skip
def test_what_is_no_needle_says_why(text: str, mode: str, says: str) -> None:
    with pytest.raises(FilterError, match=says):
        needle(text, mode)


# -- work apart ----------------------------------------------------------------------------------------------------------


def waited(apart: Apart) -> list[object]:
    told: list[object] = []
    end = time.monotonic() + 20
    while apart.running and time.monotonic() < end:
        told += apart.told()
        time.sleep(0.01)
    assert not apart.running
    return told


@pytest.mark.parametrize("fork", [True, False])
def test_work_apart_tells_fails_and_is_stopped(fork: bool) -> None:
    def count(tell: Tell) -> None:
        for number in range(5):
            tell(number)

    def fail(tell: Tell) -> None:
        tell("begun")
        raise ValueError("no")

    def for_ever(tell: Tell) -> None:
        while True:
            tell(0)
            time.sleep(0.001)

    apart = Apart(count, fork)
    assert waited(apart) == [0, 1, 2, 3, 4]
    assert apart.failure == ""
    apart = Apart(fail, fork)
    assert waited(apart) == ["begun"]
    assert apart.failure == "ValueError: no"
    apart = Apart(for_ever, fork)
    time.sleep(0.05)
    apart.stop()
    assert not apart.running


@pytest.mark.parametrize("fork", [True, False])
def test_a_pipe_that_the_work_writes_to_and_nobody_reads_is_a_failure(fork: bool) -> None:
    def fail(tell: Tell) -> None:
        raise BrokenPipeError("nobody reads")

    apart = Apart(fail, fork)
    waited(apart)
    assert apart.failure == "BrokenPipeError: nobody reads"


def test_a_process_that_dies_is_told() -> None:
    import os

    apart = Apart(lambda tell: os._exit(3), fork=True)
    waited(apart)
    assert apart.failure == "its process died"


# -- the search ----------------------------------------------------------------------------------------------------------


def test_it_finds_what_is_inflated_and_in_fragments() -> None:
    assert len(play("sample:tour", searched("compressible"), look=rows)) == 2
    assert len(play("sample:tour", searched("message in three"), look=rows)) == 2
    assert play("sample:tour", searched("nothing of the kind"), look=rows) == []
    assert len(play("sample:tour", searched("^echo: .*a", "tab"), look=rows)) > 2
    assert len(play("sample:tour", searched("00 01 02 03", "tab", "tab"), look=rows)) == 1


def test_hits_are_listed_with_what_stands_around_them() -> None:
    shown = play("sample:tour", searched("typing"))
    assert "2 hits for typing" in shown
    assert "all searched" in shown
    assert '{"type": "typing", "user"' in shown


def test_what_cannot_be_searched_for_is_said_and_not_searched() -> None:
    shown = play("sample:tour", (*FIND, "tab", *typed("("), "enter"))
    assert "not yet: missing ), unterminated subpattern" in shown
    assert play("sample:tour", (*FIND, "tab", *typed("("), "enter"), look=lambda app: app.search) is None


def test_enter_goes_to_the_message_and_n_to_the_next() -> None:
    def where(app: FramescopeApp) -> tuple[type, int, int]:
        lines = app.screen.query_one(LadderLines)
        return type(app.screen), lines.rungs.kind[lines.cursor], lines.rungs.ref[lines.cursor]

    hits = play("sample:tour", searched("hello"), look=rows)
    assert len(hits) == 2
    walk = (*searched("hello"), "enter")
    assert play("sample:tour", walk, look=where) == (LadderPage, Kind.MESSAGE, hits[0])
    assert play("sample:tour", (*walk, "n"), look=where) == (LadderPage, Kind.MESSAGE, hits[1])
    assert play("sample:tour", (*walk, "n", "n"), look=where) == (LadderPage, Kind.MESSAGE, hits[0])
    assert play("sample:tour", (*walk, "N"), look=where) == (LadderPage, Kind.MESSAGE, hits[1])
    # from the list of connections, after the search was left
    assert play("sample:tour", (*searched("hello"), "escape", "n"), look=where)[2] == hits[0]


def test_n_goes_on_in_another_connection_and_out_of_a_filter(tmp_path: Path) -> None:
    talks = [Talk(client=("10.0.0.1", 4000 + number)).open().upgrade() for number in range(3)]
    for number, talk in enumerate(talks):
        talk.frame("C", TEXT, f"needle {number}").frame("S", TEXT, "hay")
    path = tmp_path / "three.pcap"
    path.write_bytes(pcap(sorted(packet for talk in talks for packet in talk.packets())))

    def where(app: FramescopeApp) -> tuple[str, int]:
        lines = app.screen.query_one(LadderLines)
        return lines.entry.client, int(lines.rungs.ref[lines.cursor])

    walk = (*searched("needle"), "enter")
    found = [play(path, (*walk, *("n",) * step), look=where)[0] for step in range(4)]
    assert found == ["10.0.0.1:4000", "10.0.0.1:4001", "10.0.0.1:4002", "10.0.0.1:4000"]
    hidden = (*walk, "slash", *typed("sender == server"), "enter", "n", "N")
    assert play(path, hidden, look=where) == play(path, walk, look=where)
    # in the detail, the ladder goes along
    detail = play(path, (*walk, "enter", "n"), look=lambda app: (type(app.screen), app.screen.entry.client))
    assert detail == (DetailPage, "10.0.0.1:4001")


def test_in_the_octets_the_cursor_goes_to_the_match() -> None:
    def at(app: FramescopeApp) -> int:
        return app.screen.query_one("#inflated", HexLines).at

    walk = (*searched("typing"), "enter", "enter", "3", "N", "n")
    assert play("sample:tour", walk, look=at) == len('{"type": "')


def test_without_a_search_n_says_so() -> None:
    assert "no search yet" in play("sample:tour", ("n",))
    assert "no hits" in play("sample:tour", (*searched("zzzzz"), "escape", "escape", "n"))


def test_letters_typed_into_the_search_are_no_commands() -> None:
    value = play("sample:tour", (*FIND, *typed("qnNmyx;'\\w?:/")), look=lambda app: app.screen.query_one(Input).value)
    assert value == "qnNmyx;'\\w?:/"


def test_it_goes_on_with_what_is_read_meanwhile(save: Callable[..., str]) -> None:
    talk = Talk().open().upgrade()
    for number in range(20):
        talk.frame("C", TEXT, f"needle {number}")
    with analyzer.open(save(pcap(talk.packets()[:12]))) as half, analyzer.open(save(pcap(talk.packets()))) as whole:
        search = Search(half.snapshot, needle("needle", "text"), "needle", "text")
        finish(search)
        before = len(search.hits)
        search.go_on(whole.snapshot)
        finish(search)
        assert (0 < before < 20, len(search.hits)) == (True, 20)
        assert [hit.row for hit in search.hits] == list(range(20))


def finish(search: Search) -> None:
    end = time.monotonic() + 20
    while search.running and time.monotonic() < end:
        search.take()
        time.sleep(0.01)
    assert not search.running


def test_it_ends_at_so_many_hits_and_says_so(save: Callable[..., str]) -> None:
    talk = Talk().open().upgrade()
    for number in range(50):
        talk.frame("C", TEXT, f"needle {number}")
    with analyzer.open(save(pcap(talk.packets()))) as capture:
        search = Search(capture.snapshot, needle("needle", "text"), "needle", "text", most=7)
        finish(search)
        assert (len(search.hits), search.full) == (7, True)


def test_keys_do_not_wait_for_a_search_and_it_can_be_stopped(tmp_path: Path) -> None:
    """A pattern that would take for ever: every key is still answered, and ^x ends it."""
    talk = Talk().open().upgrade()
    talk.frame("C", BINARY, b"a" * 40 + b"!").frame("C", TEXT, "behind it")
    path = tmp_path / "slow.pcap"
    path.write_bytes(pcap(talk.packets()))

    async def run() -> tuple[float, bool, bool, str]:
        source = open_source([resolve(str(path))])
        app = FramescopeApp(source)
        try:
            async with app.run_test(size=(100, 30)) as pilot:
                await settled(pilot)
                await pilot.press("ctrl+f", "tab", *typed("(a+)+$"), "enter")
                await pilot.pause(0.3)
                assert app.search is not None
                begun = app.search.running
                slowest = 0.0
                for key in ("tab", "slash", "escape", "down", "up") * 4:
                    before = time.monotonic()
                    await pilot.press(key)
                    slowest = max(slowest, time.monotonic() - before)
                    if not isinstance(app.screen, SearchPage):
                        await pilot.press("ctrl+f")
                during = app.search.running
                await pilot.press("escape", "ctrl+f", "escape", "ctrl+f")
                app.screen.query_one(HitLines).focus()
                await pilot.press("ctrl+x")
                await pilot.pause()
                return slowest, begun and during, app.search.running, text_of_screen(app)
        finally:
            source.close()

    slowest, running, still, shown = asyncio.run(run())
    assert running
    assert not still
    assert "stopped at" in shown
    assert slowest < 5  # seconds; the pattern takes hours
