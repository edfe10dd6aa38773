"""Runs the command with a fault put into the interface: `python -m tests.analyzer.tui.broken CLASS METHOD FILE`."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, NoReturn

from analyzer.cli.main import main

MODULES = ("app", "connections", "detail", "ladder", "lines", "notes", "overview", "search_page", "search")


def fail(*_: Any, **__: Any) -> NoReturn:
    """The fault."""
    raise RuntimeError("a fault of \x1b]0;owned\x07 the interface [/bold]")


if __name__ == "__main__":
    where, method, path = sys.argv[1:]
    for name in MODULES:
        found = getattr(import_module(f"analyzer.tui.{name}"), where, None)
        if found is not None:
            setattr(found, method, fail)
    sys.exit(main([path]))
