"""Opens the interface: on a terminal, with keys from the terminal even where the capture comes from standard input."""

from __future__ import annotations

import argparse
import io
import os
import stat
import sys
from collections.abc import Sequence
from typing import NoReturn

from analyzer.errors import ExitStatus, FramescopeError, UsageError

HERE = ("--ascii", "--tz")
"""Options of the interface; with any other one, a bare `framescope FILE...` means the summary."""


def wanted(words: Sequence[str]) -> bool:
    """Whether a command line without a verb means the interface."""
    options = [word.partition("=")[0] for word in words if word.startswith("-") and word != "-"]
    return all(option in HERE for option in options) and possible("-" in words)


def possible(piped: bool) -> bool:
    """Whether there is a terminal to draw on: Textual draws on standard error."""
    shown = sys.stdout.isatty() and sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
    return shown and keys_possible(piped)


def keys_possible(piped: bool) -> bool:
    """Whether there is a terminal to type on."""
    if not piped:
        return sys.stdin.isatty()
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return False
    return True


def run(options: argparse.Namespace) -> int:
    """Run; returns the exit status."""
    from analyzer.bundled import resolve
    from analyzer.capture.files import open_source
    from analyzer.capture.supply import is_compressed
    from analyzer.times import zone_of

    files = list(options.files)
    zone = zone_of(options.tz)
    if not possible("-" in files):
        raise UsageError("there is no terminal to draw on and to take keys from", "framescope summary FILE prints")
    if not files:
        from analyzer.tui.welcome import LIVE, Welcome

        chosen = Welcome(options.ascii).run()
        if not chosen:
            return ExitStatus.OK
        if chosen.startswith(LIVE):
            from analyzer.cli.main import main

            ascii_only = ["--ascii"] if options.ascii else []
            return main(["live", *ascii_only, "-i", chosen.removeprefix(LIVE)])
        files = [chosen]
    if "-" in files:
        first = _first_octets()
        if files == ["-"] and not is_compressed(first) and not stat.S_ISREG(os.fstat(0).st_mode):
            return _follow(options, first)
        keys_from_terminal(first)
    paths = [resolve(path) for path in files]
    source = open_source(paths)
    try:
        from analyzer.tui.app import FramescopeApp
        from analyzer.tui.state import identity, remember

        remember([path for path in files if path != "-"])
        kept = identity(paths[0]) if len(paths) == 1 else ""
        app = FramescopeApp(source, zone=zone, ascii_only=options.ascii, kept=kept)
        app.run()
        if app.waiting():
            leave(app.failure)
        return ended(app.failure) or app.return_code or ExitStatus.OK
    finally:
        source.close()


def _first_octets() -> bytes:
    """What there is of standard input, some of it at least."""
    buffer = sys.stdin.buffer
    assert isinstance(buffer, io.BufferedReader)
    return buffer.read1(len(buffer.peek(1)))


def _follow(options: argparse.Namespace, first: bytes) -> int:
    """A pipe is followed: it may go on for hours. One that is compressed is read to its end before it is shown."""
    from analyzer.cli.live import run as live
    from analyzer.cli.main import parser

    asked = parser().parse_args(["live", "--tz", options.tz, *(["--ascii"] if options.ascii else []), "-"])
    asked.first = first.hex()
    return live(asked)


def leave(failure: BaseException | None) -> NoReturn:
    """End at once. A thread waits for a pipe whose writer is silent: nothing wakes it, and Python cannot end while it
    holds the buffer."""
    from analyzer.cli.diagnostics import report

    try:
        status = int(ended(failure))
    except FramescopeError as error:
        report(error)
        status = int(error.status)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def keys_from_terminal(first: bytes = b"") -> None:
    """Standard input is the capture: keep it under another number, and put the terminal in its place. `first` was read
    of it already."""
    kept = os.dup(0)
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        raise FramescopeError(
            "there is no terminal to take keys from", "framescope summary - reads standard input without one"
        ) from None
    os.dup2(terminal, 0)
    os.close(terminal)
    from analyzer.capture.files import Again

    rest = io.BufferedReader(io.FileIO(kept))
    sys.stdin = io.TextIOWrapper(io.BufferedReader(Again(first, rest)), encoding="utf-8", errors="replace")


def ended(failure: BaseException | None) -> int:
    """The exit status, where the interface ended by itself; what went wrong is raised, and written down.

    Raises: FramescopeError where it failed.
    """
    if failure is None:
        return ExitStatus.OK
    if isinstance(failure, FramescopeError):
        raise failure
    import traceback

    from analyzer.tui.state import folder

    report = folder() / "failure.txt"
    try:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text("".join(traceback.format_exception(failure)), "utf-8")
        where = f"what happened stands in {report}"
    except OSError:
        where = "".join(traceback.format_exception_only(failure)).strip()
    raise FramescopeError(
        f"the interface failed ({type(failure).__name__}); the capture is unharmed",
        f"{where}; framescope summary FILE works without it",
    ) from failure
