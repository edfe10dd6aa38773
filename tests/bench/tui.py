"""Times the interface without a terminal: `python -m tests.bench.tui FILE`. Asserts nothing.

A key takes as long as until the screen that shows its effect has been written, counted from when it was pressed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["TEXTUAL_ANIMATIONS"] = "none"
SIZE = (140, 45)
SMALL = "sample:tour"
LOOKS = 5
REPEAT = 1 / 30
"""Seconds between two repeats of a key that is held down, as keyboards do it."""


def resident() -> float:
    """Memory of this process now, in MB."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


class Keys:
    """Presses keys, and times them."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.drawn = asyncio.Event()
        self._effect: Callable[[], bool] = bool
        display = app._display

        def shown(screen: Any, renderable: Any) -> None:
            display(screen, renderable)
            if self._effect():
                self.drawn.set()

        app._display = shown

    async def press(self, key: str, effect: Callable[[], bool]) -> float:
        """ms until something holds, and that was drawn; not a number where that takes more than a second. Pilot.press
        waits until the process is idle, which it is not while a capture is read."""
        before = time.perf_counter()
        self._effect = effect
        self.drawn.clear()
        self.app.simulate_key(key)
        try:
            await asyncio.wait_for(self.drawn.wait(), 1)
        except TimeoutError:
            return float("nan")
        return (time.perf_counter() - before) * 1000

    async def move(self, key: str) -> float:
        """ms until the cursor stands elsewhere."""
        from analyzer.tui.lines import Lines

        lines = self.app.screen.query(Lines).first()
        here = lines.cursor
        return await self.press(key, lambda: lines.cursor != here)

    async def other_rungs(self, key: str) -> float:
        """ms until a ladder shows other rungs."""
        from analyzer.tui.ladder import LadderLines

        lines = self.app.screen.query_one(LadderLines)
        rungs = lines.rungs
        return await self.press(key, lambda: lines.rungs is not rungs)

    async def look(self) -> None:
        """Wait until something is drawn."""
        self._effect = lambda: True
        self.drawn.clear()
        await self.drawn.wait()

    async def told(self, what: str, keys: list[str]) -> None:
        """Press keys one after the other."""
        took = [await self.move(key) for key in keys]
        say(what, took)


def say(what: str, took: list[float]) -> None:
    """One line."""
    took = [one for one in took if one == one]
    if took:
        late = sorted(took)[int(len(took) * 0.95)]
        print(f"{what}: median {statistics.median(took):.0f} ms a key, 95 % within {late:.0f} ms,"
              f" worst {max(took):.0f} ms, of {len(took)}")  # fmt: skip


async def untouched(path: str) -> None:
    """How long it takes to read a capture while nobody types, beside the command line's time."""
    from analyzer.bundled import resolve
    from analyzer.capture.files import open_source
    from analyzer.tui.app import FramescopeApp

    before = time.perf_counter()
    subprocess.run([sys.executable, "-m", "analyzer", "summary", path], stdout=subprocess.DEVNULL, check=True)
    summary, started = time.perf_counter() - before, time.perf_counter()
    app = FramescopeApp(open_source([resolve(path)]))
    async with app.run_test(size=SIZE):
        while app.reading:
            await asyncio.sleep(0.02)
        print(f"read whole, untouched, after {time.perf_counter() - started:.2f} s; a summary takes {summary:.2f} s")


async def measure(path: str) -> None:
    """Open, move while it is read, open the longest ladder, move and filter in it."""
    from analyzer.bundled import resolve
    from analyzer.capture.files import open_source
    from analyzer.tui.app import FramescopeApp
    from analyzer.tui.connections import ConnectionLines
    from analyzer.tui.ladder import LadderLines

    started = time.perf_counter()
    app = FramescopeApp(open_source([resolve(path)]))
    async with app.run_test(size=SIZE) as pilot:
        keys = Keys(app)
        while app.capture is None or not app.screen.query_one(ConnectionLines).length():
            await pilot.pause(0.01)
        print(f"first rows after {time.perf_counter() - started:.2f} s")
        await _while_reading(app, keys)
        while app.reading:
            await pilot.pause(0.05)
        print(f"read whole after {time.perf_counter() - started:.2f} s")
        while len(app.screen_stack) > 2:
            app.pop_screen()
        await pilot.pause()
        took, held = [], resident()
        for _ in range(LOOKS):
            before = time.perf_counter()
            app.simulate_key("enter")
            while not (app.screen.query(LadderLines) and app.screen.query_one(LadderLines).length()):
                await asyncio.sleep(0.0005)
            await keys.look()
            took.append((time.perf_counter() - before) * 1000)
            rungs = app.screen.query_one(LadderLines).length()
            app.simulate_key("escape")
            while app.screen.query(LadderLines):
                await asyncio.sleep(0.0005)
        print(f"ladder of {rungs} rungs after {min(took):.0f} ms, at first {took[0]:.0f} ms")
        await pilot.press("enter")
        await pilot.pause()
        await keys.told("down", ["j"] * 10)
        await keys.told("page", ["pagedown", "pageup"] * 10)
        await keys.told("end and home", ["end", "home"] * 10)
        print(f"views hold {resident() - held:.0f} MB more than before the first ladder")
        for key in ("f", "d"):
            print(f"key {key}: {await keys.other_rungs(key):.0f} ms")
    assert app.capture is not None
    _filters(app.capture)
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


async def _while_reading(app: Any, keys: Keys) -> None:
    """Keys in the list, and then in the ladder, each for half of the time."""
    from analyzer.tui.connections import ConnectionLines

    took: dict[str, list[float]] = {"list": [], "ladder": []}
    many = app.screen.query_one(ConnectionLines).length() > 1
    while app.reading:
        progress = app.progress
        late = progress is not None and progress.done > progress.total / 2
        if (late or not many) and len(app.screen_stack) == 2:
            app.simulate_key("enter")
            await asyncio.sleep(0.5)
        where = "ladder" if len(app.screen_stack) > 2 else "list"
        for key in ("j", "pagedown", "end", "home") if where == "ladder" else ("j", "k"):
            before = time.perf_counter()
            took[where].append(await keys.move(key))
            await asyncio.sleep(max(REPEAT - (time.perf_counter() - before), 0))
    for where, times in took.items():
        say(f"while reading, in the {where}", times)


def _filters(capture: Any) -> None:
    """Filters over all frames: at first, and once columns are there."""
    for expression in ("length > 1000", "opcode == close and close_code != 1000", "sender == client and fin == 1"):
        took = []
        for _ in range(LOOKS):
            before = time.perf_counter()
            found = len(capture.frames.where(expression))
            took.append((time.perf_counter() - before) * 1000)
        print(f"filter {expression!r} over {len(capture.frames)} frames: {found} in {min(took):.0f} ms,"
              f" at first {took[0]:.0f} ms")  # fmt: skip


def start_up() -> None:
    """From the command to the first rows of a small sample, in a process of its own."""
    took = []
    for _ in range(LOOKS):
        before = time.perf_counter()
        with subprocess.Popen([sys.executable, "-m", "tests.bench.tui", "--first-rows", SMALL],
                              stdout=subprocess.PIPE) as child:  # fmt: skip
            assert child.stdout is not None
            child.stdout.readline()
            took.append(time.perf_counter() - before)
    print(f"{SMALL} on the screen {min(took):.2f} s after the command, median {statistics.median(took):.2f} s")


async def first_rows(path: str) -> None:
    """Say when the rows were drawn."""
    from analyzer.bundled import resolve
    from analyzer.capture.files import open_source
    from analyzer.tui.app import FramescopeApp
    from analyzer.tui.connections import ConnectionLines

    app = FramescopeApp(open_source([resolve(path)]))
    async with app.run_test(size=SIZE):
        keys = Keys(app)
        while not (app.screen.query(ConnectionLines) and app.screen.query_one(ConnectionLines).length()):
            await asyncio.sleep(0.001)
        await keys.look()
        print("drawn", flush=True)


if __name__ == "__main__":
    gc.set_threshold(100_000, 20, 20)  # as the command does
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--first-rows", action="store_true", help="open it, say when the rows are there, and end")
    options = parser.parse_args()
    if options.first_rows:
        asyncio.run(first_rows(options.file))
    else:
        start_up()
        asyncio.run(untouched(options.file))
        gc.collect()
        asyncio.run(measure(options.file))
