"""Every screen at three sizes, as text: `python -m tests.analyzer.tui.test_screens` writes what they show now."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.analyzer.tui.stage import play

FOLDER = Path(__file__).parent / "screens"
SIZES = {"small": (80, 24), "middle": (120, 40), "large": (200, 60)}
CHAT = ("j", "enter")
WALKS: dict[str, tuple[str, ...]] = {
    "connections": (),
    "ladder": CHAT,
    "message": (*CHAT, "j", "j", "j", "j", "j", "j", "j", "j", "enter"),
    "bits": (*CHAT, "j", "j", "j", "j", "enter", "2"),
    "octets": (*CHAT, "j", "j", "j", "j", "enter", "3", "right", "right", "right"),
    "packets": (*CHAT, "j", "j", "j", "j", "enter", "4"),
    "handshake": (*CHAT, "enter", "5"),
    "close": (*CHAT, "G", "enter", "6"),
    "overview": ("o",),
    "notes": ("v",),
    "help": ("question_mark",),
    "died": ("j", "j", "enter", "c"),
    "frames": (*CHAT, "f"),
    "grouped": ("b", "b", "b"),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", WALKS)
def test_a_screen_shows_what_it_showed(name: str, size: str) -> None:
    shown = play("sample:tour", WALKS[name], SIZES[size])
    expected = (FOLDER / f"{name}-{size}.txt").read_text("utf-8")
    assert shown + "\n" == expected


@pytest.mark.parametrize(
    "name", ["connections", "frames", "bits", "octets", "packets", "handshake", "overview", "help"]
)
def test_without_box_drawing_there_is_ascii_only(name: str) -> None:
    shown = play("sample:tour", WALKS[name], ascii_only=True)
    drawn = {character for character in shown if not character.isascii()}
    assert drawn <= set("…µ§"), drawn  # letters, which are not drawn with


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for walk, keys in WALKS.items():
        for size_name, cells in SIZES.items():
            (FOLDER / f"{walk}-{size_name}.txt").write_text(play("sample:tour", keys, cells) + "\n", "utf-8")
