"""Colours and signs. Nothing is told by colour alone, and the colours can be told apart by colour-blind eyes (the
palette of Okabe and Ito, 2008); without box drawing there are ASCII signs for all of them."""

from __future__ import annotations

from dataclasses import dataclass

from rich.style import Style
from textual.theme import Theme

BLUE, ORANGE, GREEN, RED, YELLOW, PINK = "#56b4e9", "#e69f00", "#2cb67d", "#ff6f4d", "#f0e442", "#cc79a7"

THEME = Theme(
    name="framescope", primary=BLUE, secondary=ORANGE, accent=YELLOW, success=GREEN, warning=YELLOW, error=RED,
    foreground="#d8dee9", background="#0f141b", surface="#141b24", panel="#1d2733", dark=True,
    variables={"footer-key-foreground": YELLOW, "border": "#33435a", "border-blurred": "#253142"},
)  # fmt: skip

STYLES = {
    "plain": Style(),
    "dim": Style(dim=True),
    "bold": Style(bold=True),
    "client": Style(color=BLUE),
    "server": Style(color=ORANGE),
    "good": Style(color=GREEN),
    "bad": Style(color=RED, bold=True),
    "odd": Style(color=YELLOW),
    "note": Style(color=PINK),
    "line": Style(color="#5b6b82"),
    "found": Style(color="#0f141b", bgcolor=YELLOW, bold=True),
}
"""What things are, by what they mean."""
CURSOR = Style(bgcolor="#27405c")
CURSOR_AWAY = Style(bgcolor="#1d2733")


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
    warning: str
    bars: str
    box: tuple[str, str, str, str, str, str]
    """Corners: top left, top right, bottom left, bottom right; horizontal, vertical."""


UNICODE = Signs("│", "─", "▶", "◀", "┆", "═", "✓", "✗", "○", "·", "▲", " ▁▂▃▄▅▆▇█", ("┌", "┐", "└", "┘", "─", "│"))
ASCII = Signs("|", "-", ">", "<", ":", "=", "+", "x", "o", ".", "!", " .:-=+*#@", ("+", "+", "+", "+", "-", "|"))

STATE_STYLES = {
    "closed": "good", "died": "bad", "refused": "bad", "open": "odd", "connecting": "odd", "other-protocol": "dim",
    "http": "dim",
}  # fmt: skip


def state_sign(signs: Signs, state: str) -> str:
    """The sign of a connection's state."""
    return {"closed": signs.closed, "died": signs.died, "refused": signs.died, "open": signs.open,
            "connecting": signs.open}.get(state, signs.other)  # fmt: skip
