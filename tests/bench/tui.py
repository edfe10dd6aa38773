"""Times the interface without a terminal: `python -m tests.bench.tui FILE`. Asserts nothing."""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import time

os.environ["TEXTUAL_ANIMATIONS"] = "none"


async def measure(path: str) -> None:
    """Open, move while it is read, open the longest ladder, move and filter in it."""
    from analyzer.capture.files import open_source
    from analyzer.tui.app import FramescopeApp
    from analyzer.tui.connections import ConnectionLines
    from analyzer.tui.ladder import LadderLines
    from analyzer.tui.lines import Lines

    started = time.perf_counter()
    app = FramescopeApp(open_source([path]))
    async with app.run_test(size=(140, 45)) as pilot:

        async def timed(*keys: str) -> float:
            """ms a key until the cursor stands elsewhere and the event loop is free again. Pilot.press waits until the
            process is idle, which it is not while a capture is read."""
            spent = 0.0
            for key in keys:
                lines = app.screen.query(Lines).first()
                here, before = lines.cursor, time.perf_counter()
                app.simulate_key(key)
                while lines.cursor == here and time.perf_counter() - before < 2:
                    await asyncio.sleep(0)
                await asyncio.sleep(0)
                spent += time.perf_counter() - before
            return spent / len(keys) * 1000

        while app.capture is None or not app.screen.query_one(ConnectionLines).length():
            await pilot.pause(0.01)
        print(f"first rows after {time.perf_counter() - started:.2f} s")
        during = []
        while app.reading:
            during += [await timed("j"), await timed("k")]
            await asyncio.sleep(0.02)
        print(f"read whole after {time.perf_counter() - started:.2f} s")
        if during:
            print(f"a key while reading: median {statistics.median(during):.0f} ms, worst {max(during):.0f} ms")
        before = time.perf_counter()
        await pilot.press("enter")
        await pilot.pause()
        rungs = app.screen.query_one(LadderLines).length()
        print(f"ladder of {rungs} rungs after {(time.perf_counter() - before) * 1000:.0f} ms")
        for name, keys in {
            "down": ["j"] * 6,
            "page": ["pagedown", "pageup"] * 5,
            "end and home": ["end", "home"] * 5,
        }.items():
            print(f"{name}: {await timed(*keys):.0f} ms a key")
    from analyzer.api import Capture

    assert app.capture is not None
    capture: Capture = app.capture
    for expression in ("length > 1000", "opcode == close and close_code != 1000"):
        before = time.perf_counter()
        found = len(capture.frames.where(expression))
        took = (time.perf_counter() - before) * 1000
        print(f"filter {expression!r} over {len(capture.frames)} frames: {found} in {took:.0f} ms")
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    asyncio.run(measure(parser.parse_args().file))
