"""The interface on a capture that grows: what one reads stays, F goes along, p stops the screen and not the capture."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from analyzer.analysis.pipeline import analyze
from analyzer.capture.files import open_source
from analyzer.live.alerts import Alerts
from analyzer.live.session import Session
from analyzer.tui.connections import ConnectionLines
from analyzer.tui.ladder import LadderLines
from analyzer.tui.live import LiveApp
from tests.analyzer.tui.stage import text_of_screen
from tests.wire.captures import interface, packet_block, section
from tests.wire.frames import TEXT
from tests.wire.talks import START, Talk

Play = Callable[[LiveApp, Pilot[Any], "Writer"], Awaitable[None]]


class Writer:
    """Somebody who captures."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.write_bytes(section() + interface())
        self.time = START

    def write(self, talk: Talk, first: int = 0) -> None:
        with self.path.open("ab") as stream:
            for time, octets in talk.packets(talk.segments[first:]):
                stream.write(packet_block(octets, time // 1000))

    def connection(self, port: int, messages: int = 1) -> Talk:
        talk = Talk(("10.0.0.1", port), start=self.time).open().upgrade()
        for number in range(messages):
            talk.frame("S", TEXT, f"number {number}")
        self.time = talk.time
        self.write(talk)
        return talk


async def until(pilot: Pilot[Any], true: Callable[[], bool]) -> None:
    for _ in range(400):
        await pilot.pause(0.02)
        if true():
            return
    raise AssertionError(text_of_screen(pilot.app))  # type: ignore[arg-type]


def play(path: Path, act: Play, alerts: tuple[str, ...] = ()) -> None:
    async def run() -> None:
        writer = Writer(path)
        writer.connection(40001)
        session = Session.follow(str(path))
        watched = Alerts(list(alerts))
        watched.check(session.empty())
        session.start()
        app = LiveApp(session, watched, zone=UTC)
        try:
            async with app.run_test(size=(150, 24)) as pilot:
                await until(pilot, lambda: "1 WebSocket" in text_of_screen(app))
                await act(app, pilot, writer)
        finally:
            session.stop()
            session.source.close()

    asyncio.run(run())


def test_connections_appear_and_the_cursor_stays(tmp_path: Path) -> None:
    async def act(app: LiveApp, pilot: Pilot[Any], writer: Writer) -> None:
        lines = app.screen.query_one(ConnectionLines)
        for port in range(40002, 40012):
            writer.connection(port)
        await until(pilot, lambda: lines.length() == 11)
        assert lines.cursor == 0
        await until(pilot, lambda: "+10 new" in text_of_screen(app))
        assert "live" in text_of_screen(app)
        assert "frames/s" in text_of_screen(app)
        assert "F follow" in text_of_screen(app)

    play(tmp_path / "growing.pcapng", act)


def test_following_goes_along_and_going_up_ends_it(tmp_path: Path) -> None:
    async def act(app: LiveApp, pilot: Pilot[Any], writer: Writer) -> None:
        talk = writer.connection(40002, 40)
        await until(pilot, lambda: "2 WebSocket" in text_of_screen(app))
        await pilot.press("down", "enter")
        await pilot.pause(0.1)
        lines = app.screen.query_one(LadderLines)
        await pilot.press("F")
        await until(pilot, lambda: lines.cursor == lines.length() - 1)
        for number in range(20):
            talk.frame("S", TEXT, f"later {number}")
        writer.write(talk, len(talk.segments) - 20)
        await until(pilot, lambda: "later 19" in text_of_screen(app))
        assert "following" in text_of_screen(app)
        await pilot.press("up", "up")
        here = lines.cursor
        for number in range(20):
            talk.frame("S", TEXT, f"latest {number}")
        writer.write(talk, len(talk.segments) - 20)
        await until(pilot, lambda: "+20 new" in text_of_screen(app))
        assert lines.cursor == here
        assert "later 19" in text_of_screen(app)

    play(tmp_path / "growing.pcapng", act)


def test_pausing_stops_the_screen_and_not_the_capture(tmp_path: Path) -> None:
    async def act(app: LiveApp, pilot: Pilot[Any], writer: Writer) -> None:
        await pilot.press("p")
        writer.connection(40002)
        await until(pilot, lambda: "+6 packets" in text_of_screen(app))
        assert "1 WebSocket" in text_of_screen(app)
        await pilot.press("p")
        await until(pilot, lambda: "2 WebSocket" in text_of_screen(app))

    play(tmp_path / "growing.pcapng", act)


def test_an_alert_is_told(tmp_path: Path) -> None:
    async def act(app: LiveApp, pilot: Pilot[Any], writer: Writer) -> None:
        assert app.alerted == 0
        talk = writer.connection(40002)
        writer.write(talk.rst("S"), len(talk.segments) - 1)
        await until(pilot, lambda: app.alerted == 1)
        await until(pilot, lambda: "1 alert" in text_of_screen(app))

    play(tmp_path / "growing.pcapng", act, ("reported_code == 1006",))


def test_the_connections_shown_are_saved(tmp_path: Path) -> None:
    async def act(app: LiveApp, pilot: Pilot[Any], writer: Writer) -> None:
        writer.connection(40002)
        await until(pilot, lambda: "2 WebSocket" in text_of_screen(app))
        for keys, name in (("S", "whole.pcapng"), ("X", "shown.pcapng")):
            if keys == "X":
                await pilot.press(
                    "slash", *"client_port", "space", "equals_sign", "equals_sign", "space", *"40002", "enter"
                )
            await pilot.press(keys)
            await pilot.pause(0.1)
            app.screen.query_one("#name").value = str(tmp_path / name)  # type: ignore[attr-defined]
            await pilot.press("enter")
            await until(pilot, lambda name=name: (tmp_path / name).exists())  # type: ignore[misc]

    play(tmp_path / "growing.pcapng", act)
    whole, shown = (analyze(open_source([str(tmp_path / name)])) for name in ("whole.pcapng", "shown.pcapng"))
    assert whole.traffic.packets == 12
    assert (shown.traffic.packets, int(shown["connections"]["client_port"][0])) == (6, 40002)
