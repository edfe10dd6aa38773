"""What is kept between two looks."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.tui import state


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMESCOPE_STATE", str(tmp_path / "state"))


def test_recent_captures_are_those_that_are_still_there(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.pcap", "b.pcap")]
    for path in paths:
        path.write_bytes(b"x")
    state.remember([str(paths[0])])
    state.remember([str(paths[1])])
    assert state.recent() == [str(paths[1]), str(paths[0])]
    paths[1].unlink()
    assert state.recent() == [str(paths[0])]


def test_an_identity_changes_with_size_time_and_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(b"a" * 10_000)
    first = state.identity(str(path))
    assert first == state.identity(str(path))
    path.write_bytes(b"a" * 9_999 + b"b")
    assert state.identity(str(path)) != first
    assert state.identity(str(tmp_path / "none")) == ""


def test_a_damaged_file_is_as_if_nothing_were_kept(tmp_path: Path) -> None:
    state.save("recent", {"paths": ["x"]})
    (tmp_path / "state" / "recent.json").write_text("{", "utf-8")
    assert state.load("recent") == {}
    assert state.recent() == []
