"""The mouse in the overview, inflated octets, the welcome without box drawing, times, what cannot be copied."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from textual import events
from textual.app import App
from textual.pilot import Pilot
from textual.scrollbar import ScrollBar

from analyzer import open as open_capture
from analyzer.bundled import resolve
from analyzer.tui.app import FramescopeApp
from analyzer.tui.copies import forms
from analyzer.tui.entries import Entries
from analyzer.tui.octets import HexLines
from analyzer.tui.overview import LABEL, OverviewLines
from analyzer.tui.rungs import Kind
from analyzer.tui.subject import Subject
from analyzer.tui.welcome import Welcome
from tests.analyzer.tui.stage import play

BOXES = re.compile("[\u2500-\u259f]")
"""Box drawing and blocks."""


def window(app: FramescopeApp) -> tuple[int, int]:
    return app.screen.query_one(OverviewLines).window


async def wheel(pilot: Pilot[Any], kind: type[events.MouseEvent], x: int, ctrl: bool) -> None:
    lines = pilot.app.screen.query_one(OverviewLines)
    region = lines.region
    lines._forward_event(kind(lines, x, 2, 0, 0, 0, False, False, ctrl, screen_x=region.x + x, screen_y=region.y + 2))
    await pilot.pause()


def test_the_wheel_with_ctrl_zooms_around_the_mouse() -> None:
    x = LABEL + 40

    def at(app: FramescopeApp) -> tuple[int, int, int]:
        return *window(app), app.screen.query_one(OverviewLines).time_at(x)

    async def nearer(pilot: Pilot[Any]) -> None:
        await wheel(pilot, events.MouseScrollUp, x, True)

    async def there_and_back(pilot: Pilot[Any]) -> None:
        await nearer(pilot)
        await wheel(pilot, events.MouseScrollDown, x, True)

    async def scrolled(pilot: Pilot[Any]) -> None:
        await wheel(pilot, events.MouseScrollUp, x, False)

    whole, near, back, plain = (play("sample:restart", ("o",), look=at, act=act)
                                for act in (None, nearer, there_and_back, scrolled))  # fmt: skip
    assert near[1] - near[0] == pytest.approx((whole[1] - whole[0]) / 2, abs=2)
    assert near[2] == pytest.approx(whole[2], abs=(whole[1] - whole[0]) / 80), "what is under the mouse stays there"
    assert back[1] - back[0] == pytest.approx(whole[1] - whole[0], abs=4)
    assert plain == whole


def test_a_stretch_of_time_is_dragged_over() -> None:
    asked = []

    async def drag(pilot: Pilot[Any], to: int) -> None:
        lines = pilot.app.screen.query_one(OverviewLines)
        asked.append((lines.time_at(LABEL + 10), lines.time_at(to)))
        await pilot.mouse_down(OverviewLines, offset=(LABEL + 10, 2))
        await pilot.mouse_up(OverviewLines, offset=(to, 2))
        await pilot.pause()

    async def far(pilot: Pilot[Any]) -> None:
        await drag(pilot, LABEL + 30)

    async def click(pilot: Pilot[Any]) -> None:
        await drag(pilot, LABEL + 10)

    whole = play("sample:restart", ("o",), look=window)
    assert play("sample:restart", ("o",), look=window, act=far) == asked[0]
    assert asked[0] != whole
    assert play("sample:restart", ("o",), look=window, act=click) == whole


def test_w_on_the_overview_tells_the_time_of_day_and_back() -> None:
    def axis(keys: tuple[str, ...]) -> str:
        (line,) = [line for line in play("sample:restart", ("o", *keys)).split("\n") if line.count("╷") > 2
                   or line.count("+") > 3 or len(re.findall(r"\d\d:\d\d:\d\d", line)) > 2][:1]  # fmt: skip
        return str(line)

    assert "+" in axis(())
    assert re.search(r"\d\d:\d\d:\d\d\.\d", axis(("w",)))
    assert axis(("w", "w")) == axis(())


def test_an_inflated_octet_lights_the_payload_and_names_no_octet_of_the_wire() -> None:
    async def act(pilot: Pilot[Any]) -> None:
        pilot.app.screen.query_one("#inflated", HexLines).focus()
        await pilot.press("right")

    walk = ("j", "enter", *("j",) * 4, "enter", "3")
    shown = play("sample:tour", walk, (80, 24), act=act)
    assert re.search(r"inflated octet 1 is 0x65; packet 36; of all 7 compressed, none alone", shown)
    shown = play("sample:tour", ("j", "enter", *("j",) * 14, "enter", "3"), (80, 24), act=act)
    assert re.search(r"inflated octet 1 is 0x20; packets \d+ to \d+; of all 47 compressed, none alone", shown)


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
def test_the_welcome_is_without_box_drawing(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    monkeypatch.setattr(ScrollBar, "renderer", ScrollBar.renderer)

    async def run(app: App[Any]) -> str:
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            lines = app.screen._compositor.render_strips()
            return "\n".join("".join(segment.text for segment in line) for line in lines)

    shown = asyncio.run(run(Welcome(ascii_only=True)))
    assert "sample:tour" in shown
    assert not BOXES.search(shown)
    assert "enter open" in shown


def test_a_head_whose_octets_are_not_kept_is_told_by_its_columns() -> None:
    capture = open_capture(resolve("sample:tunnels"))
    (row,) = [number for number in range(len(capture.snapshot["exchanges"]))
              if not capture.exchanges.numbered(number).request]  # type: ignore[union-attr]  # fmt: skip
    entry = Entries(capture).entry(0)
    asked, answered = (forms(capture, Subject(entry, kind, row)) for kind in (Kind.REQUEST, Kind.RESPONSE))
    assert [form.key for form in asked if form.key == "h"] == []
    assert asked[0].make() == "CONNECT localhost:8312 (its octets are not kept)"
    assert answered[0].make().startswith("200 Connection established")


def test_screens_that_are_imported_late_open() -> None:
    for keys, word in (
        (("o",), "ends, at most"),
        (("v",), "nothing to note"),
        (("apostrophe",), "mark"),
        (("ctrl+f",), "search"),
    ):
        assert word in play("sample:tour", keys).lower()
