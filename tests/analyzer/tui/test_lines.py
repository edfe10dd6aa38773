"""A list while it grows: what is new is told and can be followed; another choice of rows is nothing new."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from textual.app import App, ComposeResult
from textual.pilot import Pilot

from analyzer.tui.lines import Line, Lines, Piece

HEIGHT = 10


class Numbers(Lines):
    def __init__(self) -> None:
        super().__init__()
        self.count = 50

    def length(self) -> int:
        return self.count

    def line(self, number: int, width: int) -> Line:
        return [Piece(f"line {number}")]

    def become(self, count: int, grown: bool) -> None:
        self.count = count
        self.renew(grown=grown)


class One(App[None]):
    def compose(self) -> ComposeResult:
        yield Numbers()

    def on_mount(self) -> None:
        self.query_one(Numbers).focus()
        self.query_one(Numbers).renew()


Act = Callable[[Pilot[None], Numbers], Awaitable[None]]


def play(act: Act) -> None:
    async def run() -> None:
        app = One()
        async with app.run_test(size=(40, HEIGHT)) as pilot:
            await pilot.pause()
            await act(pilot, app.query_one(Numbers))

    asyncio.run(run())


def last(lines: Numbers) -> str:
    return lines.render_line(HEIGHT - 1).text.rstrip()


def test_new_lines_are_told_until_the_end_is_seen() -> None:
    async def act(pilot: Pilot[None], lines: Numbers) -> None:
        lines.become(53, grown=True)
        lines.become(55, grown=True)
        assert last(lines).endswith("5 new: G")
        assert (lines.cursor, lines.scroll_offset.y) == (0, 0)
        await pilot.press("G")
        await pilot.pause()
        assert last(lines) == "line 54"
        await pilot.press("home")
        await pilot.pause()
        assert last(lines) == "line 9"

    play(act)


def test_another_choice_of_rows_is_nothing_new() -> None:
    async def act(pilot: Pilot[None], lines: Numbers) -> None:
        lines.become(53, grown=False)
        assert last(lines) == "line 9"
        lines.become(55, grown=True)
        assert last(lines).endswith("2 new: G")
        lines.become(55, grown=False)  # marks, times: the same rows
        assert last(lines).endswith("2 new: G")
        lines.become(30, grown=False)
        assert last(lines) == "line 9"

    play(act)


def test_following_stays_at_the_end_until_somebody_goes_back() -> None:
    async def act(pilot: Pilot[None], lines: Numbers) -> None:
        await pilot.press("F")
        assert lines.cursor == 49
        lines.become(60, grown=True)
        await pilot.pause()
        assert (lines.cursor, last(lines)) == (59, "line 59")
        await pilot.press("up")
        lines.become(70, grown=True)
        await pilot.pause()
        assert lines.cursor == 58
        assert last(lines).endswith("10 new: G")
        await pilot.press("G")
        lines.become(80, grown=True)
        assert lines.cursor == 79
        await pilot.press("F", "up", "G")
        lines.become(90, grown=True)
        assert lines.cursor == 79

    play(act)
