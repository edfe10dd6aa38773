"""What the screens show, and that it stays where it is."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from analyzer.tui.app import FramescopeApp
from analyzer.tui.body import Body, json_rows, json_values, wrapped
from analyzer.tui.columns import COLUMNS, GAP, widths_for
from analyzer.tui.connections import ConnectionLines, ConnectionsPage
from analyzer.tui.detail import DetailPage
from analyzer.tui.entries import ORDERS
from analyzer.tui.ladder import LadderLines
from analyzer.tui.lines import Lines, Piece
from analyzer.tui.looks import ASCII, DARK, LIGHT, STYLES, wear
from analyzer.tui.overview import OverviewLines
from analyzer.tui.plots import beside, plot
from analyzer.tui.rungs import Kind
from analyzer.tui.welcome import LIVE, Choices, Welcome
from tests.analyzer.tui.stage import play
from tests.wire.captures import pcap
from tests.wire.frames import CONTINUATION, PING, PONG, TEXT
from tests.wire.talks import Talk

CHAT = ("j", "enter")


def lines_with(shown: str, word: str) -> list[str]:
    return [line for line in shown.split("\n") if word in line]


# -- connections ------------------------------------------------------------------------------------------------------


def test_encrypted_connections_are_rows_with_what_shows_of_them() -> None:
    shown = play("sample:tls-endings")
    assert len(lines_with(shown, "■ encrypted")) == 10
    assert "chat.example" in shown
    assert "close code: encrypted, unknown" in shown
    ladder = play("sample:tls-endings", ("j", "enter"))
    assert re.search(r"TLS: [\d.]+ k?B →, .* back", ladder)
    assert "server closes TCP" in ladder
    assert "evidence" in play("sample:tls-endings", ("j", "enter", "c"))


def test_a_filter_finds_encrypted_connections_by_the_columns_that_they_have() -> None:
    def keys(app: FramescopeApp) -> int:
        return app.screen.query_one(ConnectionLines).length()

    def filtered(expression: str) -> int:
        async def act(pilot: Pilot[Any]) -> None:
            page = pilot.app.screen
            assert isinstance(page, ConnectionsPage)
            page.expression = expression
            page._choose()

        return int(play("sample:tls-endings", look=keys, act=act))

    assert filtered("server_port == 8290") == 8
    assert filtered("state == died") == 0


def test_rows_are_grouped_and_groups_fold() -> None:
    def groups(app: FramescopeApp) -> list[tuple[str, int]]:
        lines = app.screen.query_one(ConnectionLines)
        return [(name, len(places)) for name, places in lines.groups]

    assert play("sample:tour", look=groups) == []
    assert play("sample:tour", ("b",), look=groups) == [("127.0.0.1:8080", 3), ("127.0.0.1:8081", 1)]
    assert play("sample:tour", ("b", "b", "b"), look=groups) == [
        ("refused", 1),
        ("clean 1000", 1),
        ("fin without close", 1),
        ("plain HTTP", 1),
    ]
    folded = play("sample:tour", ("b", "home", "enter"))
    assert "▸ server 127.0.0.1:8080  3 connections" in folded
    assert "/private" not in folded.split("────")[0]
    assert "/feed" in folded


def test_a_click_on_a_title_sorts_and_another_turns_it_round() -> None:
    def by(app: FramescopeApp) -> tuple[str, bool]:
        assert isinstance(app.screen, ConnectionsPage)
        return app.screen.by, app.screen.reversed

    widths = widths_for(120)
    at = sum(widths[name] + GAP for name in list(widths)[: list(widths).index("lasted")]) + 1

    async def once(pilot: Pilot[Any]) -> None:
        await pilot.click("#titles", offset=(at, 0))

    async def twice(pilot: Pilot[Any]) -> None:
        await once(pilot)
        await pilot.pause()
        await once(pilot)

    assert play("sample:tour", look=by, act=once) == ("lasted", False)
    assert play("sample:tour", look=by, act=twice) == ("lasted", True)


def test_every_column_can_be_sorted_by() -> None:
    assert set(COLUMNS) <= set(ORDERS)


@pytest.mark.parametrize("width", range(80, 240, 8))
def test_columns_fill_a_screen_and_no_more(width: int) -> None:
    widths = widths_for(width)
    assert sum(widths.values()) + GAP * (len(widths) - 1) == width
    assert {"state", "path", "messages", "lasted", "verdict"} <= set(widths)
    assert (set(widths) == set(COLUMNS)) == (width > 210) or width in range(200, 211)


def test_legs_of_a_session_and_tunnels_are_named() -> None:
    shown = play("sample:proxy-chain", size=(200, 60))
    assert "[leg 1/3]" in shown
    assert "leg 1 of 3 through 2 proxies" in shown
    assert "inside a CONNECT tunnel to" in play("sample:tunnels")


# -- the ladder -------------------------------------------------------------------------------------------------------


def test_fragments_are_joined_on_the_side_that_sends_them(tmp_path: Path) -> None:
    talk = Talk().open().upgrade().frame("C", TEXT, "one", fin=False).frame("S", TEXT, "two", fin=False)
    talk.frame("C", PING, b"p").frame("S", PONG, b"p").frame("C", CONTINUATION, "three").frame("S", CONTINUATION, "4")
    talk.frame("S", TEXT, "alone")
    path = tmp_path / "joined.pcap"
    path.write_bytes(pcap(talk.packets()))
    shown = play(path, ("enter", "f"))
    assert [line[12] for line in lines_with(shown, " B ")][:6] == ["┌", "│", "│", "│", "└", " "]
    right = [found[1] for line in lines_with(shown, " B ") if (found := re.search(r"[─▶]│([┌│└ ]) ", line))]
    assert right == [" ", "┌", "│", "│", "│", "└", " "]
    assert "answered after" in lines_with(shown, "ping")[0]
    assert "round trip" in lines_with(shown, "pong")[0]


def test_a_ping_that_nobody_answered_says_so(tmp_path: Path) -> None:
    path = tmp_path / "ping.pcap"
    path.write_bytes(pcap(Talk().open().upgrade().frame("C", PING, b"p").frame("S", TEXT, "x").packets()))
    assert "not answered" in lines_with(play(path, ("enter",)), "ping 1 B")[0]


def test_a_gap_and_what_was_found_behind_it_are_marked(tmp_path: Path) -> None:
    talk = Talk().open().upgrade()
    for number in range(40):
        talk.frame("C", TEXT, f"message {number} of many, all of them text")
    segments = list(talk.segments)
    del segments[15]
    path = tmp_path / "gap.pcap"
    path.write_bytes(pcap(talk.packets(segments)))
    shown = play(path, ("enter",), size=(160, 60))
    assert "▲" in lines_with(shown, "not captured")[0]
    assert "found again, confidence" in shown


def test_the_place_is_kept_between_messages_and_frames() -> None:
    def here(app: FramescopeApp) -> tuple[Kind, int]:
        lines = app.screen.query_one(LadderLines)
        return Kind(lines.rungs.kind[lines.cursor]), int(lines.rungs.ref[lines.cursor])

    walk = (*CHAT, *("j",) * 18)
    kind, ref = play("sample:tour", walk, look=here)
    assert kind is Kind.MESSAGE
    assert play("sample:tour", (*walk, "f"), look=here)[0] is Kind.FRAME
    assert play("sample:tour", (*walk, "f", "f"), look=here) == (kind, ref)
    assert play("sample:tour", (*walk, "d", "d", "d"), look=here)[0] in (Kind.MESSAGE, Kind.END)


def test_what_one_reads_stays_where_it_is_when_lines_come_before_it() -> None:
    class Numbers(Lines):
        shown: ClassVar[list[int]] = list(range(100))

        def length(self) -> int:
            return len(self.shown)

        def line(self, number: int, width: int) -> list[Piece]:
            return [Piece(str(self.shown[number]))]

    def look(lines: Numbers) -> tuple[int, int, int]:
        return lines.shown[lines.cursor], lines.cursor - lines.scroll_offset.y, lines.cursor

    class Host(App[None]):
        def compose(self) -> ComposeResult:
            yield Numbers()

    async def run() -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        app = Host()
        async with app.run_test(size=(40, 20)) as pilot:
            lines = app.query_one(Numbers)
            lines.go(60)
            await pilot.pause()
            before = look(lines)
            lines.shown = [-3, -2, -1, *lines.shown]
            lines.renew(at=63)
            await pilot.pause()
            return before, look(lines)

    before, after = asyncio.run(run())
    assert after == (60, before[1], before[2] + 3)


# -- the detail -------------------------------------------------------------------------------------------------------


def test_json_is_a_tree_whose_folds_stay_for_the_next_message(tmp_path: Path) -> None:
    talk = Talk().open().upgrade()
    for number in (1, 2):
        talk.frame("C", TEXT, f'{{"user": {{"name": "ada", "age": {number}}}, "list": [1, 2]}}\n{{"second": true}}')
    path = tmp_path / "json.pcap"
    path.write_bytes(pcap(talk.packets()))
    walk = ("enter", "j", "j", "j", "enter", "j", "j", "j", "j")
    shown = play(path, walk)
    assert "2 JSON values" in shown
    assert re.search('^ +"age": 1$', shown, re.MULTILINE)
    folded = play(path, (*walk, "enter"))
    assert not re.search('^ +"age"', folded, re.MULTILINE)
    assert '▸ "user": { … 2 lines }' in folded
    after = play(path, (*walk, "enter", "right_square_bracket"))
    assert '▸ "user": { … 2 lines }' in after
    assert '"second": true' in after


def test_json_is_laid_out_whole_and_wrapped() -> None:
    values = json_values('{"a": [1, {"b": null}], "c": "x"} [] {"d": {}}')
    rows = json_rows(values)
    assert json_values(" ".join("".join(piece.text for piece in row.line) for row in rows if row.line[0].text[:5] != "value")) == values  # fmt: skip
    assert rows[1].span == len(json_rows(values[:1])) - 1
    parts = list(wrapped([Piece("word " * 30, "bad"), Piece("end")], 20, 4))
    assert all(sum(len(piece.text) for piece in part) <= 20 for part in parts)
    assert "".join(piece.text for part in parts for piece in part).split() == ["word"] * 30 + ["end"]


def test_evidence_leads_to_its_rung() -> None:
    def where(app: FramescopeApp) -> tuple[str, Kind]:
        assert isinstance(app.screen, DetailPage)
        ladder = app.screen.ladder
        return app.tab, Kind(ladder.rungs.kind[ladder.cursor])

    async def act(pilot: Pilot[Any]) -> None:
        body = pilot.app.screen.query_one("#why", Body)
        for number, (at, _) in enumerate(body._laid):
            if body.rows[at].target is not None:
                body.go(number)
                break
        await pilot.press("enter")

    assert play("sample:tour", ("j", "j", "enter", "c"), look=where, act=act) == ("message", Kind.END)
    assert play("sample:tour", (*CHAT, "c"), look=where, act=act) == ("message", Kind.MESSAGE)


def test_the_bits_stand_below_the_octets_where_there_is_room() -> None:
    walk = (*CHAT, "j", "j", "j", "j", "enter", "3", "right")
    assert "masking key" in play("sample:tour", walk, (120, 40)).split("octet 1 is")[1]
    assert "opcode" not in play("sample:tour", walk, (80, 24))


def test_the_close_tab_tells_the_legs_through_proxies() -> None:
    assert "across the proxies" in play("sample:proxy-chain", ("enter", "c"))


# -- the overview -----------------------------------------------------------------------------------------------------


def test_the_overview_has_encrypted_connections_and_goes_through_time() -> None:
    shown = play("sample:tls-endings", ("o",))
    assert len([line for line in shown.split("\n") if re.search(r"─[fr]\s*$", line)]) >= 9

    def window(app: FramescopeApp) -> tuple[int, int]:
        return app.screen.query_one(OverviewLines).window

    whole, near = (play("sample:restart", ("o", *keys), look=window) for keys in ((), ("plus", "plus")))
    later = play("sample:restart", ("o", "plus", "plus", "l"), look=window)
    assert near[1] - near[0] < (whole[1] - whole[0]) / 3
    assert later[0] > near[0]
    assert later[1] - later[0] == near[1] - near[0]
    assert "ends, at most 12 at once" in play("sample:restart", ("o",))


def test_a_plot_shows_every_value_that_is_not_zero() -> None:
    lines = plot("title", np.array([0, 1, 1000, 500]), 4, ("", ""), "good", ASCII)
    columns = list(zip(*("".join(piece.text for piece in line) for line in lines[1:5]), strict=True))
    assert [sum(character != " " for character in column) for column in columns] == [0, 1, 4, 2]
    assert len(beside([lines, lines], 2)) == len(lines)


# -- everywhere -------------------------------------------------------------------------------------------------------


def test_a_light_theme_has_colours_for_light_backgrounds() -> None:
    async def act(pilot: Pilot[Any]) -> None:
        pilot.app.theme = "framescope-light"

    try:
        assert play("sample:tour", look=lambda app: dict(STYLES), act=act) == LIGHT
    finally:
        wear(dark=True)
    assert STYLES == DARK


def test_no_color_leaves_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    svg = play("sample:tour", CHAT, look=lambda app: app.export_screenshot())
    styles = svg[svg.index("-r1 {") : svg.index("</style>")]
    colours = set(re.findall(r"fill: #([0-9a-f]{6})", styles)) | set(re.findall(r'<rect fill="#([0-9a-f]{6})" x', svg))
    colours -= {"c5c8c6"}  # text without a colour of its own, in the palette of the picture
    assert len(colours) > 4
    assert all(colour[:2] == colour[2:4] == colour[4:] for colour in colours), colours


def test_what_is_typed_holds_the_reading_for_a_moment() -> None:
    def look(app: FramescopeApp) -> float:
        return app._reader._typed

    assert play("sample:tour", look=look) == 0
    assert play("sample:tour", ("j",), look=look) > 0


def test_the_welcome_offers_what_was_opened_samples_and_interfaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMESCOPE_STATE", str(tmp_path / "state"))

    async def run() -> tuple[list[str], str]:
        app = Welcome()
        async with app.run_test(size=(100, 40)) as pilot:
            await pilot.pause()
            offered = [path for path, _ in app.query_one(Choices).choices]
            await pilot.press("enter")
        return offered, str(app.return_value)

    offered, chosen = asyncio.run(run())
    assert chosen == "sample:tour"
    assert f"{LIVE}lo" in offered
