"""Keys of one's own."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from textual.binding import Binding

from analyzer.cli.main import main
from analyzer.tui import keymap
from analyzer.tui.app import FramescopeApp, bindings, places
from analyzer.tui.ladder import LadderLines, LadderPage
from tests.analyzer.tui.stage import play, typed

NAMES = [binding.id or "" for binding in bindings()]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMESCOPE_CONFIG", str(tmp_path))


def write(text: str) -> None:
    keymap.path().write_text(text, "utf-8")


def test_every_action_has_a_name_and_a_class_has_none_twice_for_two_actions() -> None:
    for place in places():
        actions: dict[str, str] = {}
        for binding in place.__dict__.get("BINDINGS", ()):
            assert isinstance(binding, Binding)
            assert binding.id, binding
            assert binding.description, binding
            assert re.fullmatch("[a-z0-9-]+", binding.id), binding
            assert actions.setdefault(binding.id, binding.action) == binding.action, binding


def test_another_key_works_on_every_screen_and_the_usual_one_no_more() -> None:
    write('[keys]\ndown = ["z", "ctrl+n"]\nwhy-closed = "f5"\nfilter = "s"\n')

    def cursor(app: FramescopeApp) -> int:
        return app.screen.query_one(LadderLines).cursor

    assert play("sample:tour", ("z", "enter", "z", "ctrl+n"), look=cursor) == 2
    assert play("sample:tour", ("enter", "j", "down"), look=cursor) == 0
    assert "what each side's API reports" in play("sample:tour", ("z", "enter", "f5"))
    assert "ok: 1 of 4" in play("sample:tour", ("s", *typed("state == died")))


def test_help_and_footer_show_the_keys_that_work() -> None:
    write('[keys]\nwhy-closed = "Z"\n')
    shown = play("sample:tour", ("j", "enter"))
    assert "Z why ? help" in shown
    (line,) = [line for line in play("sample:tour", ("j", "enter", "question_mark", *typed("why it"))).splitlines()
               if "why it closed" in line and "Z  " in line]  # fmt: skip
    assert " c " not in line


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[keys]\nfliter = "s"\n', "there is no action 'fliter'; did you mean filter?"),
        ('[keys]\nfilter = "nokey"\n', "there is no key 'nokey' for filter"),
        ("[keys]\nfilter = 3\n", "the key of filter is no text"),
        ("[keys]\nfilter = ['']\n", "the key of filter is no text"),
        ("[keys\n", "cannot be read"),
        ("keys = 1\n", "keys is no section"),
        ("[colours]\na = 1\n", "only [keys] means something"),
        ('[keys]\nfilter = "\\u001b[2J"\n', "there is no key"),
    ],
)
def test_what_is_wrong_is_told_and_the_rest_holds(text: str, says: str) -> None:
    write(text + ("[other]\n" if "[keys]" not in text else ""))
    found = keymap.read(lambda: set(NAMES))
    assert any(says in problem for problem in found.problems), found
    write('[keys]\nwhy-closed = "Z"\n' + text.partition("[keys]\n")[2] if "[keys]\n" in text else text)
    shown = play("sample:tour", ("j", "enter"), size=(200, 60))
    assert "\x1b" not in shown
    assert "keys" in shown
    if "[keys]\n" in text:
        assert "Z why ? help" in shown


def test_a_key_taken_from_another_action_is_told() -> None:
    write('[keys]\nfilter = "o"\n')
    assert "o is the key of filter and of overview" in play("sample:tour", size=(200, 60))
    write('[keys]\nfilter = "s"\nhelp = "s"\n')
    shown = play("sample:tour", size=(200, 60))
    assert "s is the key of help and of filter" in shown or "s is the key of filter and of help" in shown
    write('[keys]\nfilter = "s"\nreverse = "slash"\n')
    assert "is the key of" not in play("sample:tour", size=(200, 60))


def test_the_file_that_keys_prints_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys"]) == 0
    printed = capsys.readouterr().out
    told = tomllib.loads(printed)["keys"]
    assert told["filter"] == ["slash"]
    assert {name: told[name] for name in ("pause", "save-capture", "save-connections", "end-capture", "follow")} == {
        "pause": ["p"], "save-capture": ["S"], "save-connections": ["X"], "end-capture": ["E"], "follow": ["F"],
    }  # fmt: skip
    write(printed)
    assert keymap.read(lambda: set(NAMES)).problems == []
    assert play("sample:tour", ("j", "enter"), look=lambda app: type(app.screen)) is LadderPage
    assert (
        play("sample:tour", ("j", "enter", "j", "k", "j"), look=lambda app: app.screen.query_one(LadderLines).cursor)
        == 1
    )


@pytest.mark.parametrize(
    "key", ["a", "A", "/", "?", "f5", "ctrl+f", "shift+tab", "alt+x", "space", "pagedown", "question_mark"]
)
def test_keys_that_there_are(key: str) -> None:
    write(f'[keys]\nfilter = "{key}"\n')
    assert keymap.read(lambda: set(NAMES)).problems == []
