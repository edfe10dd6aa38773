"""Text to be read: wrapped to the width, parts of it folded, some of its lines links to a place.

JSON is laid out as a tree. What is folded is remembered by its path, so that it stays folded in the next message, and
two messages can be compared at a glance.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple

from rich.cells import cell_len
from textual.message import Message

from analyzer.escape import printable
from analyzer.tui.lines import Line, Lines, Piece
from analyzer.tui.looks import Signs
from dissectors.http.secrets import mask_text

STEP = 2
"""Columns of one level of indentation."""


class Target(NamedTuple):
    """A place that a line leads to: a row of PACKETS and one of FRAMES, -1 for none."""

    packet: int
    frame: int


class Row(NamedTuple):
    """One line before it is wrapped. `span` counts the rows behind it that are inside it, and fold away with it; `end`
    is what closes it where they are folded."""

    line: Line
    indent: int = 0
    span: int = 0
    path: str = ""
    end: str = ""
    target: Target | None = None


class Body(Lines):
    """The rows. Enter folds one, or follows it."""

    class Followed(Message):
        """A line that leads somewhere was chosen."""

        def __init__(self, target: Target) -> None:
            super().__init__()
            self.target = target

    def __init__(self, signs: Signs, id: str) -> None:
        super().__init__(id=id)
        self.signs = signs
        self.rows: list[Row] = []
        self.folded: set[str] = set()
        self._laid: list[tuple[int, Line]] = []
        self._width = 0

    def show(self, rows: list[Row]) -> None:
        """Other text. Folds and the place on the screen stay."""
        self.rows = rows
        self._lay()
        self.renew()

    def on_resize(self) -> None:
        """Text is wrapped to the width."""
        self._lay()

    def length(self) -> int:
        """Lines."""
        return len(self._laid)

    def line(self, number: int, width: int) -> Line:
        """A line."""
        return self._laid[number][1]

    def _lay(self) -> None:
        self._width = max(self.size.width, 20)
        self._laid, at = [], 0
        while at < len(self.rows):
            row = self.rows[at]
            folded = row.span and row.path in self.folded
            for line in self._drawn(row, bool(folded)):
                self._laid.append((at, line))
            at += 1 + (row.span if folded else 0)

    def _drawn(self, row: Row, folded: bool) -> Iterator[Line]:
        sign = (self.signs.folded if folded else self.signs.unfolded) if row.span else " "
        line = [Piece(" " * row.indent), Piece(f"{sign} ", "odd"), *row.line]
        if row.target is not None:
            line.append(Piece(f"  {self.signs.to} Enter", "dim"))
        if folded:
            line.append(Piece(f" … {row.span - 1 if row.end else row.span} lines {row.end}", "dim"))
        yield from wrapped(line, self._width, row.indent + 2 + STEP)

    def action_choose(self) -> None:
        """Fold or unfold, or go where the line leads."""
        if not self._laid:
            return
        row = self.rows[self._laid[self.cursor][0]]
        if row.target is not None:
            self.post_message(self.Followed(row.target))
        elif row.span:
            self.folded ^= {row.path}
            self._lay()
            self.renew()


def wrapped(line: Line, width: int, indent: int) -> Iterator[Line]:
    """A line in as many as it takes; those behind the first are indented."""
    indent = min(indent, width // 2)
    part: list[Piece] = []
    left = width
    for piece in line:
        text = piece.text
        while text and cell_len(text) > left:
            room = _room(text, left)
            part.append(Piece(text[:room], piece.style))
            text = text[room:].lstrip(" ") if room else text
            yield part
            part, left = [Piece(" " * indent)], width - indent
        if text:
            part.append(Piece(text, piece.style))
            left -= cell_len(text)
    yield part


def _room(text: str, width: int) -> int:
    """How many characters go into a width, up to a space if there is one."""
    taken = 0
    for number, character in enumerate(text):
        taken += cell_len(character)
        if taken > width:
            space = text.rfind(" ", number // 2, number)
            return space + 1 if space > 0 else number
    return len(text)


# -- JSON --------------------------------------------------------------------------------------------------------------

DEEPEST = 64
"""Levels that are laid out; JSON parsers refuse more than a few hundred."""


def json_values(text: str) -> list[object]:
    """The JSON values that a text consists of, several in a row too; none where it is anything else."""
    decoder = json.JSONDecoder()
    values: list[object] = []
    at = len(text) - len(text.lstrip())
    try:
        while at < len(text):
            value, at = decoder.raw_decode(text, at)
            values.append(value)
            while at < len(text) and text[at] in " \t\r\n\x1e,":
                at += 1
    except (ValueError, RecursionError):
        return []
    return values if any(isinstance(value, dict | list) for value in values) else []


def json_rows(values: list[object]) -> list[Row]:
    """JSON values as a tree."""
    rows: list[Row] = []
    for number, value in enumerate(values):
        if len(values) > 1:
            rows.append(Row([Piece(f"value {number + 1} of {len(values)}", "dim")]))
        rows += _tree(value, [], "", f"{number}" if len(values) > 1 else "", 0)
    return rows


def _tree(value: object, head: list[Piece], tail: str, path: str, depth: int) -> list[Row]:
    inside: list[tuple[str, list[Piece], object]]
    if isinstance(value, dict) and value and depth < DEEPEST:
        inside = [(f"{path}.{name}", [Piece(_quoted(name), "client"), Piece(": ", "dim")], item)
                  for name, item in value.items()]  # fmt: skip
        opening, closing = "{", "}"
    elif isinstance(value, list) and value and depth < DEEPEST:
        inside = [(f"{path}[]", [], item) for item in value]
        opening, closing = "[", "]"
    else:
        return [Row([*head, Piece(_told(value), _style(value)), Piece(tail, "dim")], depth * STEP)]
    rows: list[Row] = []
    for number, (name, key, item) in enumerate(inside):
        rows += _tree(item, key, "," if number + 1 < len(inside) else "", name, depth + 1)
    rows.append(Row([Piece(closing + tail, "dim")], depth * STEP))
    return [Row([*head, Piece(opening, "dim")], depth * STEP, len(rows), path or ".", closing), *rows]


def _told(value: object) -> str:
    return _quoted(value) if isinstance(value, str) else printable(json.dumps(value, ensure_ascii=False))


def _quoted(text: str) -> str:
    return printable(json.dumps(mask_text(text), ensure_ascii=False))


def _style(value: object) -> str:
    if isinstance(value, str):
        return "good"
    return "note" if value is None or isinstance(value, bool) else "server"
