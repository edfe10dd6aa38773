"""The filter bar: the language of --filter, judged as it is typed. The last filter that held stays until one holds."""

from __future__ import annotations

from typing import ClassVar, Protocol, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input, Static

from analyzer.errors import FilterError
from analyzer.escape import printable
from analyzer.query.fields import Kind
from analyzer.tui.lines import Piece, text_of
from analyzer.views import fields_of


class Filtered(Protocol):
    """A screen with a filter."""

    def filter_state(self, expression: str) -> tuple[int, int] | None:
        """Matches, and rows in all; None where that is found out apart, and told by `FilterBar.tell`; raises
        FilterError."""

    def stop_filter(self) -> bool:
        """End what is found out apart; returns whether there was anything to end."""


class Names(Suggester):
    """Completes the word at the end: names of fields, and the words that a field can be."""

    def __init__(self, table: str) -> None:
        super().__init__(case_sensitive=True)
        fields = fields_of(table)
        words: set[str] = set()
        for field in fields.values():
            if field.kind is Kind.WORD and field.words:
                words |= set(field.words.values())
        self._words = [*fields, *sorted(words), "and", "or", "not", "contains"]

    async def get_suggestion(self, value: str) -> str | None:
        """The whole value, with its last word completed."""
        head, last = split(value)
        for word in self._words if last else ():
            if word.startswith(last) and word != last:
                return head + word
        return None


def split(value: str) -> tuple[str, str]:
    """A text before its last word, and the word."""
    at = len(value)
    while at and (value[at - 1].isalnum() or value[at - 1] in "_.-"):
        at -= 1
    return value[:at], value[at:]


class FilterBar(Horizontal):
    """The bar at the foot of a screen, hidden until `/`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave"),
        Binding("up", "history(-1)", "earlier", show=False),
        Binding("down", "history(1)", "later", show=False),
        Binding("tab", "complete", "complete", show=False),
    ]

    class Changed(Message):
        """A filter that holds was typed; empty for none."""

        def __init__(self, expression: str) -> None:
            super().__init__()
            self.expression = expression

    class Closed(Message):
        """The bar is closed."""

    def __init__(self, table: str) -> None:
        super().__init__(id="filter")
        self.table = table
        self._at = 0

    @property
    def past(self) -> list[str]:
        """Filters typed before, on any screen and in any capture."""
        return self.app.filters  # type: ignore[attr-defined,no-any-return]

    def compose(self) -> ComposeResult:
        """The parts."""
        yield Static("/", id="slash", markup=False)
        yield Input(placeholder=EXAMPLES.get(self.table, ""), suggester=Names(self.table), id="expression")
        yield Static("", id="validity", markup=False)

    def open(self, expression: str) -> None:
        """Show the bar."""
        self.add_class("open")
        field = self.query_one(Input)
        field.value = expression
        field.cursor_position = len(expression)
        self._at = len(self.past)
        self._judge(expression)
        field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Typed."""
        event.stop()
        if self.has_class("open"):
            self._judge(event.value)

    def _judge(self, expression: str) -> None:
        """Say whether it holds; apply it if it does."""
        validity = self.query_one("#validity", Static)
        if not expression.strip():
            validity.update(text_of([Piece("no filter", "dim")]))
            self.post_message(self.Changed(""))
            return
        try:
            found = cast("Filtered", self.screen).filter_state(expression)
        except FilterError as error:
            validity.update(text_of([Piece(f"not yet: {printable(error.message)}", "bad")]))
            return
        validity.update(text_of([Piece(f"ok: {found[0]} of {found[1]}", "good") if found else Piece("looking", "dim")]))
        self.post_message(self.Changed(expression))

    def tell(self, expression: str, piece: Piece) -> None:
        """Say how a filter stands that is applied apart, unless another one is typed by now."""
        if self.has_class("open") and self.query_one(Input).value == expression:
            self.query_one("#validity", Static).update(text_of([piece]))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter keeps it."""
        event.stop()
        if event.value and event.value not in self.past[-1:]:
            self.past.append(event.value)
        self._close()

    def action_leave(self) -> None:
        """Esc ends what is looked for, else closes the bar; the last filter that held stays, and a further Esc clears
        it."""
        if cast("Filtered", self.screen).stop_filter():
            self.query_one("#validity", Static).update(text_of([Piece("stopped", "odd")]))
            return
        self._close()

    def _close(self) -> None:
        self.remove_class("open")
        self.post_message(self.Closed())

    def action_history(self, step: int) -> None:
        """Earlier filters."""
        self._at = max(0, min(self._at + step, len(self.past)))
        self.query_one(Input).value = self.past[self._at] if self._at < len(self.past) else ""

    def action_complete(self) -> None:
        """Take the suggestion."""
        self.query_one(Input).action_cursor_right()


EXAMPLES: dict[str, str] = {
    "connections": "state == died    path contains chat    close_code != 1000    idle > 50s",
    "messages": "opcode == close    sender == server    length > 1000    payload ~ /token/",
    "frames": "opcode == ping    length > 1000    fin == 0",
}
