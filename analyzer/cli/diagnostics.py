"""Everything that goes to standard error: errors, warnings, progress. Standard output is data only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import suppress

from analyzer.errors import FilterError, FramescopeError
from analyzer.escape import printable

PATIENCE = 1.0
"""Seconds before a progress bar appears."""


def report(error: FramescopeError) -> None:
    """One line for what is wrong, and what to do."""
    warn(error.message)
    if isinstance(error, FilterError):
        _tell(f"  {printable(error.text)}\n  {' ' * error.at}^")
    for line in error.hint.splitlines():
        _tell(f"  {printable(line)}")


def warn(text: str) -> None:
    """One line."""
    _tell(f"framescope: {printable(text)}")


def _tell(line: str) -> None:
    """The exit status speaks where standard error cannot be written."""
    with suppress(OSError):
        print(line, file=sys.stderr)


def progress_bar(quiet: bool) -> tuple[Callable[[int, int], None] | None, Callable[[], None]]:
    """A function to tell octets done and octets in all, and one that ends the bar. On a terminal only, and only for
    what takes its time."""
    if quiet or not sys.stderr.isatty():
        return None, lambda: None
    started = time.monotonic()
    state: dict[str, object] = {}

    def tell(done: int, total: int) -> None:
        if "bar" not in state:
            if time.monotonic() - started < PATIENCE:
                return
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

            bar = Progress(
                TextColumn("reading"), BarColumn(), DownloadColumn(), TimeRemainingColumn(),
                console=Console(stderr=True), transient=True,
            )  # fmt: skip
            bar.start()
            state["bar"], state["task"] = bar, bar.add_task("", total=total or None)
        state["bar"].update(state["task"], completed=done, total=total or None)  # type: ignore[attr-defined]

    def end() -> None:
        if "bar" in state:
            state["bar"].stop()  # type: ignore[attr-defined]

    return tell, end
