"""Every action, by its key."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path
from typing import Any

from textual.widgets import Input

from analyzer.tui.app import FramescopeApp
from analyzer.tui.connections import ConnectionLines
from analyzer.tui.detail import DetailPage
from analyzer.tui.entries import ORDERS
from analyzer.tui.ladder import LadderLines, LadderPage
from analyzer.tui.octets import HexLines
from analyzer.tui.rungs import Kind
from tests.analyzer.tui.stage import play, text_of_screen, typed, watch
from tests.wire.captures import pcap
from tests.wire.frames import CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload
from tests.wire.talks import Talk


def keys(app: FramescopeApp) -> list[str]:
    lines = app.screen.query_one(ConnectionLines)
    return [lines.entry(number).key for number in range(lines.length())]


def test_moving() -> None:
    def cursor(*pressed: str) -> int:
        return play("sample:tour", ("j", "enter", *pressed), look=lambda app: app.screen.query_one(LadderLines).cursor)

    assert cursor("j", "down", "k") == 1
    assert cursor("G") == 21
    assert cursor("end", "g", "g") == 0
    assert cursor("G", "g", "z", "g") == 21
    assert cursor("pagedown") == 21
    assert cursor("ctrl+d") == 17
    assert cursor("G", "home") == 0


def test_steps_in_and_out() -> None:
    assert play("sample:tour", ("enter",), look=lambda app: type(app.screen)) is LadderPage
    assert play("sample:tour", ("j", "enter", "enter"), look=lambda app: type(app.screen)) is DetailPage
    names = play("sample:tour", ("j", "enter", "enter", "escape", "escape"), look=lambda app: type(app.screen).__name__)
    assert names == "ConnectionsPage"


def test_sorting_keeps_the_connection_under_the_cursor() -> None:
    def state(app: FramescopeApp) -> tuple[str, list[str]]:
        current = app.screen.query_one(ConnectionLines).current
        assert current is not None
        return current.key, keys(app)

    before, order = play("sample:tour", ("j",), look=state)
    after, other = play("sample:tour", ("j", "r"), look=state)
    assert before == after
    assert other == order[::-1]
    for step in range(len(ORDERS)):
        _, found = play("sample:socketio", ("greater_than_sign",) * step, look=state)
        assert len(found) == len(set(found))


def test_plain_http_can_be_hidden() -> None:
    assert len(play("sample:tour", look=keys)) == 4
    assert len(play("sample:tour", ("t",), look=keys)) == 3
    assert "GET 200, 2 more" in play("sample:tour")
    assert "POST /hooks" in play("sample:tour", ("G", "enter")) or "POST" in play("sample:tour", ("G", "enter"))


def test_a_filter_holds_while_it_is_typed() -> None:
    pressed = ("slash", *typed("state == died"))
    assert "ok: 1 of 4" in play("sample:tour", pressed)
    assert play("sample:tour", pressed, look=keys) == play("sample:tour", (*pressed, "enter"), look=keys)
    assert len(play("sample:tour", (*pressed, "enter", "escape"), look=keys)) == 4


def test_the_last_filter_that_held_stays_while_one_does_not() -> None:
    good = ("slash", *typed("state == died"))
    shown = play("sample:tour", (*good, *typed(" and nonsense")))
    assert "not yet: " in shown
    assert len(play("sample:tour", (*good, *typed(" and nonsense")), look=keys)) == 1


def test_letters_typed_into_the_filter_are_no_commands() -> None:
    value = play("sample:tour", ("slash", *typed("qojkgG?:")), look=lambda app: app.screen.query_one(Input).value)
    assert value == "qojkgG?:"


def test_tab_completes_and_up_brings_the_last_filter_back() -> None:
    def value(app: FramescopeApp) -> str:
        return app.screen.query_one(Input).value

    assert play("sample:tour", ("slash", *typed("verd"), "tab"), look=value) == "verdict"
    pressed = ("slash", *typed("idle > 1s"), "enter", "escape", "slash", "up")
    assert play("sample:tour", pressed, look=value) == "idle > 1s"


def test_a_ladder_can_be_filtered_by_message_and_by_frame() -> None:
    def rungs(app: FramescopeApp) -> int:
        kinds = app.screen.query_one(LadderLines).rungs.kind
        return int(((kinds == Kind.MESSAGE) | (kinds == Kind.FRAME)).sum())

    walk = ("j", "enter")
    assert play("sample:tour", walk, look=rungs) == 17
    assert play("sample:tour", (*walk, "slash", *typed("opcode == ping"), "enter"), look=rungs) == 1
    assert play("sample:tour", (*walk, "f"), look=rungs) == 20
    assert play("sample:tour", (*walk, "f", "slash", *typed("fin == 0"), "enter"), look=rungs) == 3
    assert play("sample:tour", (*walk, "d"), look=rungs) == 13
    assert play("sample:tour", (*walk, "d", "d"), look=rungs) == 4


def test_times_of_three_kinds() -> None:
    walk = ("j", "enter")
    shown = [play("sample:tour", (*walk, *("w",) * presses)) for presses in range(4)]
    assert shown[0] == shown[3]
    assert len(set(shown[:3])) == 3
    assert "08:59:32" in shown[2]


def test_the_detail_keeps_its_tab_when_the_row_changes() -> None:
    def where(app: FramescopeApp) -> tuple[str, int]:
        assert isinstance(app.screen, DetailPage)
        return app.tab, app.screen.ladder.cursor

    walk = ("j", "enter", "j", "j", "j", "enter", "2")
    assert play("sample:tour", walk, look=where) == ("bits", 3)
    assert play("sample:tour", (*walk, "right_square_bracket", "right_square_bracket"), look=where) == ("bits", 5)
    assert play("sample:tour", (*walk, "left_square_bracket", "escape", "j", "enter"), look=where) == ("bits", 3)


def test_an_octet_on_the_wire_lights_its_field_its_unmasked_octet_and_its_packet() -> None:
    def panes(app: FramescopeApp) -> dict[str | None, int]:
        return {pane.id: pane.at for pane in app.screen.query(HexLines)}

    walk = ("j", "enter", "j", "j", "j", "j", "enter", "3")
    shown = play("sample:tour", (*walk, "right", "right"))
    assert "masking key" in shown
    assert "packet 36" in shown
    assert play("sample:tour", (*walk, *("right",) * 8), look=panes) == {"wire": 8, "unmasked": 2, "inflated": 0}


def test_the_close_tab_tells_the_verdict_and_what_apis_report() -> None:
    shown = play("sample:tour", ("j", "j", "enter", "c"))
    assert "server closed TCP without a Close frame" in shown
    assert "1006 abnormal closure" in shown


def test_notes_lead_to_their_place(tmp_path: Path) -> None:
    talk = Talk().open().upgrade().frame("C", TEXT, "hello")
    talk.send("C", b"\x81\x02hi").frame("S", PING, b"p").frame("C", PONG, b"p").frame("C", CLOSE, close_payload(1000))
    path = tmp_path / "notes.pcap"
    path.write_bytes(pcap(talk.packets()))
    shown = play(path, ("v",))
    assert "client-not-masked" in shown or "mask" in shown

    def kind(app: FramescopeApp) -> int:
        lines = app.screen.query_one(LadderLines)
        return int(lines.rungs.kind[lines.cursor])

    assert play(path, ("v", "enter", "j", "enter"), look=kind) == Kind.NOTE


def test_the_overview_zooms_and_tells_what_fell_together(tmp_path: Path) -> None:
    talks = [Talk(client=(f"10.0.0.{number}", 4000), start=Talk().time).open().upgrade() for number in range(1, 6)]
    for number, talk in enumerate(talks):
        talk.frame("C", TEXT, f"I am {number}").wait(30).fin("S")
    packets = sorted(itertools.chain.from_iterable(talk.packets() for talk in talks))
    path = tmp_path / "restart.pcap"
    path.write_bytes(pcap(packets))
    shown = play(path, ("o",))
    assert "5 connections ended within" in shown
    assert play(path, ("o", "plus", "plus", "right")) != shown
    assert play(path, ("o", "plus", "minus", "0")) == shown


def test_help_is_searched() -> None:
    shown = play("sample:tour", ("question_mark", *typed("reverse")))
    assert "reverse" in shown
    assert "overview" not in shown.split("search")[-1].split("┘")[0] or "overview" in play("sample:tour")
    assert "no key does that" in play("sample:tour", ("question_mark", *typed("zzz")))


def test_hostile_octets_reach_the_screen_as_text(tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J[bold red]x[/]\u202egnp.exe\r\n\x9b31m"
    talk = Talk().open().send("C", b"GET /\x1b[31m[red]%s HTTP/1.1\r\nHost: [link]\x1b]0;x\x07\r\nUpgrade: websocket\r\n"
                              b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                              b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")  # fmt: skip
    talk.send("S", b"HTTP/1.1 101 [blink]\x1b[5m\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")  # fmt: skip
    talk.frame("S", TEXT, evil).frame("C", TEXT, evil, fin=False).frame("C", CONTINUATION, evil)
    talk.frame("S", TEXT, '{"a": "\x1b[2J[/red]"}').frame("S", CLOSE, close_payload(1000, evil[:40]))
    path = tmp_path / "evil.pcap"
    path.write_bytes(pcap(talk.packets()))
    walk = ["o", "escape", "v", "escape", "enter", "f", "f"]
    for _ in range(9):
        walk += ["enter", *"123456", "escape", "j"]
    for shown in watch(path, walk, (100, 30)):
        assert not [character for character in shown if ord(character) < 32 and character != "\n"]
        assert "\u202e" not in shown
        assert "\x9b" not in shown
    assert "[bold red]x[/]" in play(path, ("enter",), (200, 30))


def test_what_is_readable_of_a_damaged_capture_is_shown(tmp_path: Path) -> None:
    octets = pcap(Talk().open().upgrade().frame("C", TEXT, "hello").frame("S", TEXT, "there").packets())
    path = tmp_path / "cut.pcap.gz"
    path.write_bytes(gzip.compress(octets)[:-30])
    shown = play(path)
    assert "/chat" in shown


def test_a_capture_without_websocket_says_why() -> None:
    shown = play("sample:http-only", ("t",))
    assert "no WebSocket connection found" in shown


def test_lines_are_made_only_for_what_is_seen() -> None:
    made: list[int] = []

    def look(app: FramescopeApp) -> Any:
        lines = app.screen.query_one(LadderLines)
        real = lines.line
        lines.length = lambda: 1_000_000  # type: ignore[method-assign]

        def line(number: int, width: int) -> Any:
            made.append(number)
            return real(number % 20, width)

        lines.line = line  # type: ignore[method-assign]
        lines.renew()
        lines.action_last()
        return text_of_screen(app)

    play("sample:tour", ("j", "enter"), look=look)
    assert len(made) < 200
