"""Runs the interface without a terminal: presses keys, and says what the screen shows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from textual.keys import _character_to_key
from textual.pilot import Pilot

from analyzer.bundled import resolve
from analyzer.capture.files import open_source
from analyzer.tui.app import FramescopeApp

PATIENCE = 400
WAIT = "..."


def typed(text: str) -> list[str]:
    """The keys that type a text."""
    return [_character_to_key(character) if not character.isalnum() else character for character in text]


def text_of_screen(app: FramescopeApp) -> str:
    """What the screen shows, line by line."""
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in line).rstrip() for line in lines)


async def settled(pilot: Pilot[Any]) -> None:
    """Wait until the capture is read and the screen is drawn."""
    app = pilot.app
    assert isinstance(app, FramescopeApp)
    for _ in range(PATIENCE):
        await pilot.pause(0.01)
        if not app.reading:
            break
    assert not app.reading
    await pilot.pause()


async def done(pilot: Pilot[Any]) -> None:
    """Wait until what is done apart is done."""
    app = pilot.app
    assert isinstance(app, FramescopeApp)
    for _ in range(PATIENCE):
        await pilot.pause(0.02)
        if not app._writing and (app.search is None or not app.search.running):
            break
    await pilot.pause()


Act = Callable[[Pilot[Any]], Awaitable[object]]


def play(path: str | Path, keys: Sequence[str] = (), size: tuple[int, int] = (120, 40), ascii_only: bool = False,
         look: Callable[[FramescopeApp], Any] = text_of_screen, act: Act | None = None, kept: str = "") -> Any:  # fmt: skip
    """What the screen shows after some keys and what `act` does, or what `look` finds. "..." among the keys waits for
    what is done apart."""

    async def run() -> Any:
        source = open_source([resolve(str(path))])
        app = FramescopeApp(source, ascii_only=ascii_only, kept=kept)
        try:
            async with app.run_test(size=size, notifications=True) as pilot:
                await settled(pilot)
                for key in keys:
                    await (done(pilot) if key == WAIT else pilot.press(key))
                await done(pilot)
                if act is not None:
                    await act(pilot)
                    await pilot.pause()
                return look(app)
        finally:
            source.close()

    return asyncio.run(run())


def watch(path: str | Path, keys: Sequence[str], size: tuple[int, int]) -> list[str]:
    """What the screen shows after each of some keys."""

    async def run() -> list[str]:
        source = open_source([resolve(str(path))])
        app = FramescopeApp(source)
        shown = []
        try:
            async with app.run_test(size=size) as pilot:
                await settled(pilot)
                for key in keys:
                    shown.append(text_of_screen(app))
                    await pilot.press(key)
        finally:
            source.close()
        return shown

    return asyncio.run(run())
