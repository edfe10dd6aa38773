"""Mutates the bundled captures and runs every verb on them: `python -m tests.fuzz.captures [--seconds N] [--seed S]`.

An exception that is not the user's fault is a bug: the capture is kept, and its path printed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from contextlib import redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper
from pathlib import Path
from random import Random

from analyzer.bundled import folder
from analyzer.cli.help import TABLES
from analyzer.cli.main import main as framescope

SLOW = 10.0
"""Seconds for one verb on a small capture."""


def mutate(octets: bytes, random: Random) -> bytes:
    """Change octets, leave some out, repeat some."""
    out = bytearray(octets)
    for _ in range(random.choice((1, 3, 30, 300))):
        out[random.randrange(len(out))] = random.randrange(256)
    if random.random() < 0.3:
        at = random.randrange(len(out))
        del out[at : at + random.randrange(60)]
    if random.random() < 0.2:
        at = random.randrange(len(out))
        out[at:at] = out[at : at + random.randrange(200)]
    return bytes(out)


def every_verb(path: str) -> None:
    """Run all verbs; raises what they raise."""
    for verb in ("summary", *TABLES):
        for more in ([], ["--json", "--payload", "text"]):
            start = time.monotonic()
            out, err = TextIOWrapper(BytesIO()), TextIOWrapper(BytesIO())
            with redirect_stdout(out), redirect_stderr(err):
                framescope([verb, *more, path])
            assert time.monotonic() - start < SLOW, f"{verb} took too long"


def main() -> int:
    """Fuzz for a while; returns how many captures failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random = Random(options.seed)
    samples = [path.read_bytes() for path in sorted(folder().glob("*.pcapng"))]
    stop, runs, failed = time.monotonic() + options.seconds, 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "capture"
        while time.monotonic() < stop:
            path.write_bytes(mutate(random.choice(samples), random))
            runs += 1
            try:
                every_verb(str(path))
            except Exception:
                # whatever it is, it is reported with the capture that shows it
                traceback.print_exc()
                failed += 1
                kept = Path(tempfile.gettempdir()) / f"framescope-fuzz-{options.seed}-{runs}"
                kept.write_bytes(path.read_bytes())
                print("kept:", kept)
    print(f"{runs} captures, {failed} failed")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
