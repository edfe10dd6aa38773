"""Keys of one's own: names for all actions, and the file that gives them other keys.

A name is that of the action, the same on every screen: whoever moves `filter` moves it everywhere. What is wrong with
the file is told in words, and the rest of it holds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, NamedTuple

from platformdirs import user_config_path
from textual.binding import Binding, BindingType
from textual.keys import KEY_ALIASES, Keys, _character_to_key

from analyzer.errors import FramescopeError

NAMES = {
    "move(-1)": "up", "move(1)": "down", "page(-1)": "page-up", "page(1)": "page-down", "page(-0.5)": "half-page-up",
    "page(0.5)": "half-page-down", "double_g": "first-by-gg", "choose": "open", "sort(-1)": "sort-left",
    "sort(1)": "sort-right", "hit(1)": "next-hit", "hit(-1)": "previous-hit", "walk(-1)": "previous-row",
    "walk(1)": "next-row", "next_tab(1)": "next-tab", "next_tab(-1)": "previous-tab", "step(-1)": "octet-left",
    "step(1)": "octet-right", "app.pop_screen": "back", "step_out": "back", "command_palette": "palette",
    "save(False)": "save-capture", "save(True)": "save-connections", "end": "end-capture",
    "next_note": "next-observation", "zoom_pane": "zoom-pane", "close": "why-closed",
    "zoom(0.5)": "zoom-in", "zoom(2)": "zoom-out", "pan(-1)": "earlier", "pan(1)": "later",
}  # fmt: skip
"""Names of actions whose own would not do."""
MODIFIERS = ("ctrl", "shift", "alt", "super", "hyper", "meta")
KNOWN = {key.value for key in Keys} | {_character_to_key(chr(code)) for code in range(33, 127)}
KNOWN |= {key for aliases in KEY_ALIASES.values() for key in aliases} | set(KEY_ALIASES)
HEAD = """\
# Keys of framescope: {path}
# A key is a character, or a name such as ctrl+f, f5, pagedown, space; several stand in a list.
[keys]
"""


class Keymap(NamedTuple):
    """The keys that are other than usual, by name of the action; and what is wrong with the file, one line each."""

    keys: dict[str, str]
    problems: list[str]


def path() -> Path:
    """Where the file is; FRAMESCOPE_CONFIG names another folder."""
    given = os.environ.get("FRAMESCOPE_CONFIG")
    return (Path(given) if given else user_config_path("framescope", appauthor=False)) / "keys.toml"


def name_of(action: str) -> str:
    """The name of an action."""
    known = NAMES.get(action)
    if known is not None:
        return known
    word, _, argument = action.removeprefix("app.").partition("(")
    argument = argument.strip("'\")")
    return f"{word}-{argument}".strip("-").replace("_", "-").replace(".", "-")


def words_of(binding: Binding) -> str:
    """What a key does, where there is more room than in the footer."""
    return binding.tooltip or binding.description


def named(bindings: Iterable[BindingType]) -> list[BindingType]:
    """Bindings with the names of their actions as what Textual's keymap knows them by."""
    return [
        replace(binding, id=name_of(binding.action)) if isinstance(binding, Binding) and not binding.id else binding
        for binding in bindings
    ]


class Named:
    """What has keys: every binding gets a name when a class is made, so that the user's file can give it other keys."""

    BINDINGS: ClassVar[list[BindingType]]

    def __init_subclass__(cls, **options: bool) -> None:
        """Name those that the class adds."""
        if "BINDINGS" in cls.__dict__:
            cls.BINDINGS = named(cls.__dict__["BINDINGS"])
        super().__init_subclass__(**options)


def read(known: Callable[[], set[str]]) -> Keymap:
    """The file, if there is one; `known` says the names of all actions."""
    keymap = Keymap({}, [])
    try:
        text = path().read_text("utf-8")
    except FileNotFoundError:
        return keymap
    except (OSError, ValueError) as error:
        return Keymap({}, [f"{path()} cannot be read: {error}"])
    import tomllib

    names = known()
    try:
        told = tomllib.loads(text)
    except ValueError as error:
        return Keymap({}, [f"{path()} cannot be read: {error}"])
    for section in told:
        if section != "keys":
            keymap.problems.append(f"{path()} has a section {section!r}: only [keys] means something")
    section = told.get("keys", {})
    if not isinstance(section, dict):
        return Keymap({}, [*keymap.problems, f"{path()}: keys is no section"])
    for name, keys in section.items():
        try:
            _action(name, names)
            keymap.keys[name] = ",".join(_key(name, key) for key in (keys if isinstance(keys, list) else [keys]))
        except FramescopeError as error:
            keymap.problems.append(f"{path()}: {error.message}")
    return keymap


def _action(name: str, names: set[str]) -> None:
    if name not in names:
        from difflib import get_close_matches

        near = get_close_matches(name, names, 1, 0.5)
        raise FramescopeError(f"there is no action {name!r}{f'; did you mean {near[0]}?' if near else ''}")


def _key(name: str, key: object) -> str:
    """A key by Textual's name for it."""
    if not isinstance(key, str) or not key:
        raise FramescopeError(f"the key of {name} is no text")
    if len(key) == 1:
        return _character_to_key(key)
    *modifiers, last = key.split("+")
    plain = _character_to_key(last) if len(last) == 1 else last
    good = all(word in MODIFIERS for word in modifiers) and (len(last) == 1 or last in KNOWN)
    if not good or "," in key:
        raise FramescopeError(f"there is no key {key!r} for {name}")
    return "+".join([*modifiers, plain])


def clashes(keys: dict[str, str], screens: Iterable[list[Binding]]) -> list[str]:
    """Keys that would do two things on one screen, and did not before; `screens` are bindings that work together."""
    found: list[str] = []
    for bindings in screens:
        usual = _owners({}, bindings)
        for key, owners in _owners(keys, bindings).items():
            problem = f"{key} is the key of {' and of '.join(owners)}"
            if len(owners) > 1 and owners != usual.get(key) and problem not in found:
                found.append(problem)
    return found


def _owners(keys: dict[str, str], bindings: list[Binding]) -> dict[str, list[str]]:
    owners: dict[str, list[str]] = {}
    for binding in bindings:
        name = binding.id or binding.action
        for key in keys.get(name, binding.key).split(","):
            mine = owners.setdefault(_character_to_key(key) if len(key) == 1 else key, [])
            if name not in mine:
                mine.append(name)
    return owners


def as_file(bindings: Iterable[Binding]) -> str:
    """All keys as they are, in the form of the file."""
    keys: dict[str, list[str]] = {}
    told: dict[str, str] = {}
    for binding in bindings:
        if binding.id and binding.description:
            mine = keys.setdefault(binding.id, [])
            mine += [key for key in binding.key.split(",") if key not in mine]
            told.setdefault(binding.id, words_of(binding))
    width = max(map(len, keys), default=0)
    lines = []
    for name, mine in keys.items():
        quoted = ", ".join(f'"{key}"' for key in mine)
        lines.append(f"{name:<{width}} = [{quoted}]  # {told[name]}\n")
    return HEAD.format(path=path()) + "".join(lines)
