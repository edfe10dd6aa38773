"""Fixtures: captures from octets, and the walks compiled and plain."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

# where bytecode is not written, every command that a test starts compiles 300 modules first
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "samples"
LONG = (
    "tests/analyzer/live/test_live.py", "tests/analyzer/live/test_rights.py", "tests/analyzer/packets/test_tunnels.py",
    "tests/analyzer/tui/test_actions.py", "tests/analyzer/tui/test_hostile.py", "tests/analyzer/tui/test_keymap.py",
    "tests/analyzer/tui/test_live.py", "tests/analyzer/tui/test_rows.py", "tests/analyzer/tui/test_search.py",
    "tests/analyzer/tui/test_screens.py", "tests/analyzer/tui/test_seen.py", "tests/test_terminal.py",
)  # fmt: skip
"""Tests that start the interface or a capture anew for each question. Together they take several times as long as all
the others; `--long` runs these, and is what CI runs besides."""
settings.register_profile("suite", deadline=None, max_examples=25, derandomize=True, print_blob=True)
settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The long ones."""
    parser.addoption("--long", action="store_true", help="run the long tests, and these alone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long tests run where they are asked for, by option or by name."""
    named = [argument.partition("::")[0] for argument in config.args]
    if any(name.startswith("tests/") for name in named) and not config.getoption("--long"):
        return
    kinds: tuple[list[pytest.Item], list[pytest.Item]] = ([], [])
    for item in items:
        kinds[item.nodeid.partition("::")[0] in LONG].append(item)
    wanted = bool(config.getoption("--long"))
    config.hook.pytest_deselected(items=kinds[not wanted])
    items[:] = kinds[wanted]


class PlainWalks:
    """Finds the sources of the walks before their compiled modules."""

    NAMES = (
        "analyzer.capture.walk", "analyzer.streams.copies", "analyzer.streams.delivery", "analyzer.streams.figures",
        "analyzer.streams.flow_walk", "analyzer.streams.gaps", "analyzer.streams.segment_walk",
        "analyzer.streams.segments", "analyzer.streams.sequence", "analyzer.streams.spans", "analyzer.streams.starts",
        "analyzer.streams.withholding", "dissectors.columns",
        "dissectors.websocket.frame_walk", "dissectors.websocket.header_search", "dissectors.websocket.inflating",
        "dissectors.websocket.masking", "dissectors.websocket.message_walk",
    )  # fmt: skip

    @classmethod
    def find_spec(cls, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """The source of a walk."""
        if name not in cls.NAMES:
            return None
        import analyzer

        base = Path(str(analyzer.__file__)).parent.parent
        source = str(base / (name.replace(".", "/") + ".py"))
        return importlib.util.spec_from_file_location(name, source, loader=SourceFileLoader(name, source))


if os.environ.get("FRAMESCOPE_PLAIN"):
    # the whole suite on the sources as they stand
    sys.meta_path.insert(0, PlainWalks)  # type: ignore[arg-type]


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., str]:
    """A function that writes octets to a file and returns its path."""
    count = iter(range(1000))

    def write(octets: bytes, name: str = "") -> str:
        path = tmp_path / (name or f"{next(count)}.pcap")
        path.write_bytes(octets)
        return str(path)

    return write


def module_is_plain(module: ModuleType) -> bool:
    """Whether a module runs as its source stands."""
    return str(module.__file__).endswith(".py")
