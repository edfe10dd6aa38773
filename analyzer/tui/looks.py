"""Colours and signs. Nothing is told by colour alone, and the colours can be told apart by colour-blind eyes (the
palette of Okabe and Ito, 2008); without box drawing there are ASCII signs for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from rich.style import Style
from textual.app import App
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.theme import Theme

BLUE, ORANGE, GREEN, RED, YELLOW, PINK = "#56b4e9", "#e69f00", "#2cb67d", "#ff6f4d", "#f0e442", "#cc79a7"

THEME = Theme(
    name="framescope", primary=BLUE, secondary=ORANGE, accent=YELLOW, success=GREEN, warning=YELLOW, error=RED,
    foreground="#d8dee9", background="#0f141b", surface="#141b24", panel="#1d2733", dark=True,
    variables={"footer-key-foreground": YELLOW, "border": "#52657f", "border-blurred": "#52657f"},
)  # fmt: skip
LIGHT_THEME = Theme(
    name="framescope-light", primary="#0067a5", secondary="#a85d00", accent="#7a5c00", success="#00704a",
    warning="#7a5c00", error="#b8290f", foreground="#1b2430", background="#fbfbf8", surface="#f1f2ee",
    panel="#e4e8ec", dark=False,
    variables={"footer-key-foreground": "#7a5c00", "border": "#8795a6", "border-blurred": "#8795a6"},
)  # fmt: skip


def _styles(client: str, server: str, good: str, bad: str, odd: str, note: str, line: str,
            cursor: tuple[str, str]) -> dict[str, Style]:  # fmt: skip
    return {
        "plain": Style(), "dim": Style(dim=True), "bold": Style(bold=True), "title": Style(bold=True, underline=True),
        "here": Style(bold=True, reverse=True),
        "client": Style(color=client), "server": Style(color=server), "good": Style(color=good),
        "bad": Style(color=bad, bold=True), "odd": Style(color=odd), "note": Style(color=note),
        "line": Style(color=line), "found": Style(color=odd, bold=True, reverse=True),
        "cursor": Style(bgcolor=cursor[0]), "cursor-away": Style(bgcolor=cursor[1]),
    }  # fmt: skip


DARK = _styles(BLUE, ORANGE, GREEN, RED, YELLOW, PINK, "#5b6b82", ("#27405c", "#1d2733"))
LIGHT = _styles("#0067a5", "#a85d00", "#00704a", "#b8290f", "#7a5c00", "#93336b", "#8795a6", ("#cfe3f5", "#e4e8ec"))
STYLES = dict(DARK)
"""What things are, by what they mean, on the background of the theme in use."""


def wear(dark: bool) -> None:
    """Take the colours for a dark or a light background."""
    STYLES.update(DARK if dark else LIGHT)


@dataclass(frozen=True, slots=True)
class Signs:
    """The characters that lines are drawn with."""

    down: str
    across: str
    right: str
    left: str
    dotted: str
    rule: str
    closed: str
    died: str
    open: str
    other: str
    hidden: str
    warning: str
    folded: str
    unfolded: str
    answer: str
    fragments: tuple[str, str, str]
    """Beside the fragments of one message: the first, those between, the last."""
    bars: str
    box: tuple[str, str, str, str, str, str]
    """Corners: top left, top right, bottom left, bottom right; horizontal, vertical."""
    to: str
    """From what, to what."""
    tick: str


UNICODE = Signs(
    down="│", across="─", right="▶", left="◀", dotted="┆", rule="═", closed="✓", died="✗", open="○", other="·",
    hidden="■", warning="▲", folded="▸", unfolded="▾", answer="↩", fragments=("┌", "│", "└"), bars=" ▁▂▃▄▅▆▇█",
    box=("┌", "┐", "└", "┘", "─", "│"), to="→", tick="╵",
)  # fmt: skip
ASCII = Signs(
    down="|", across="-", right=">", left="<", dotted=":", rule="=", closed="+", died="x", open="o", other=".",
    hidden="#", warning="!", folded="+", unfolded="-", answer="~", fragments=(".", "|", "'"), bars=" .:-=+*#@",
    box=("+", "+", "+", "+", "-", "|"), to="->", tick="|",
)  # fmt: skip

STATE_STYLES = {
    "closed": "good", "died": "bad", "refused": "bad", "open": "odd", "connecting": "odd", "other-protocol": "dim",
    "http": "dim", "encrypted": "note",
}  # fmt: skip


def state_sign(signs: Signs, state: str) -> str:
    """The sign of a connection's state."""
    return {"closed": signs.closed, "died": signs.died, "refused": signs.died, "open": signs.open,
            "connecting": signs.open, "encrypted": signs.hidden}.get(state, signs.other)  # fmt: skip


ASCII_KEYS = {
    "↑": "up",
    "↓": "down",
    "←": "left",
    "→": "right",
    "⏎": "enter",
    "⌫": "backspace",
    "⇥": "tab",
    "↵": "enter",
}
"""What Textual shows of keys, in letters."""


class AsciiScrollBarRender(ScrollBarRender):
    """A scroll bar without parts of blocks."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "] * 8
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "] * 8


def in_letters(keys: str) -> str:
    """What Textual shows of keys, without signs."""
    return "".join(ASCII_KEYS.get(character, character) for character in keys)


def dress(app: App[Any], ascii_only: bool = False) -> None:
    """Give a program its themes, the one for dark terminals first; and scroll bars without box drawing."""
    if ascii_only:
        ScrollBar.renderer = AsciiScrollBarRender
    for theme in (THEME, LIGHT_THEME):
        app.register_theme(theme)
    app.theme = THEME.name
    wear(THEME.dark)
