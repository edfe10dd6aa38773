"""Small questions over a screen: one of several, a line of text, one key. What is shown is escaped by whoever asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple, TypeVar

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from analyzer.tui.lines import Line, Lines, Piece, text_of

Answer = TypeVar("Answer")


class Choice(NamedTuple):
    """One of several things: its key, what it is, and more about it."""

    key: str
    text: str
    more: str = ""


class ChoiceLines(Lines):
    """A line each."""

    def __init__(self, choices: Sequence[Choice]) -> None:
        super().__init__(id="choices")
        self.choices = choices
        self._wide = max((cell_len(choice.text) for choice in choices), default=0)

    def length(self) -> int:
        """Choices."""
        return len(self.choices)

    def line(self, number: int, width: int) -> Line:
        """Key, text, more."""
        key, text, more = self.choices[number]
        return [Piece(f" {key}  ", "odd"), Piece(text + " " * (self._wide - cell_len(text) + 2)), Piece(more, "dim")]


class Dialog(ModalScreen[Answer]):
    """Answers once: a key that was typed right behind the answer still comes here, and must not take away the screen
    below."""

    _answered = False

    def answer(self, value: Answer) -> None:
        """Give the answer, and go."""
        if not self._answered:
            self._answered = True
            self.dismiss(value)


class Menu(Dialog[str]):
    """One of several: by its key, by arrows and Enter, or by mouse. Gives the key; "" where Esc leaves it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "leave", show=False)]

    def __init__(self, title: str, choices: Sequence[Choice]) -> None:
        super().__init__()
        self.heading, self.choices = title, choices

    def compose(self) -> ComposeResult:
        """The parts."""
        with Vertical(id="dialog") as box:
            box.border_title = text_of([Piece(self.heading)])
            box.border_subtitle = "Esc leaves"
            lines = ChoiceLines(self.choices)
            lines.styles.height = len(self.choices)
            yield lines

    def on_mount(self) -> None:
        """Begin."""
        self.query_one(ChoiceLines).focus()

    def on_key(self, event: events.Key) -> None:
        """A choice's own key takes it at once."""
        if event.character and any(choice.key == event.character for choice in self.choices):
            event.stop()
            self.answer(event.character)

    def on_lines_chosen(self) -> None:
        """Enter, or two clicks."""
        self.answer(self.choices[self.query_one(ChoiceLines).cursor].key)

    def action_leave(self) -> None:
        """Nothing."""
        self.answer("")


class Prompt(Dialog[str | None]):
    """A line of text. None where Esc leaves it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "leave", show=False)]

    def __init__(self, title: str, value: str = "", hint: str = "") -> None:
        super().__init__()
        self.heading, self.value, self.hint = title, value, hint

    def compose(self) -> ComposeResult:
        """The parts."""
        with Vertical(id="dialog") as box:
            box.border_title = text_of([Piece(self.heading)])
            box.border_subtitle = "Enter keeps it, Esc leaves"
            yield Input(self.value, id="answer", select_on_focus=False)
            yield Static(text_of([Piece(self.hint, "dim")]), markup=False)

    def on_mount(self) -> None:
        """Begin."""
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter."""
        event.stop()
        self.answer(event.value)

    def action_leave(self) -> None:
        """Nothing."""
        self.answer(None)


class Letter(Dialog[str]):
    """One key. Gives its character, "" where Esc leaves it, "enter" for Enter, "delete" for Delete or Backspace."""

    def __init__(self, title: str, hint: str) -> None:
        super().__init__()
        self.heading, self.hint = title, hint

    def compose(self) -> ComposeResult:
        """The parts."""
        with Vertical(id="dialog") as box:
            box.border_title = text_of([Piece(self.heading)])
            yield Static(text_of([Piece(self.hint)]), markup=False)

    def on_key(self, event: events.Key) -> None:
        """Any key ends it."""
        event.stop()
        if event.key == "escape":
            self.answer("")
        elif event.key in ("enter", "delete", "backspace"):
            self.answer("enter" if event.key == "enter" else "delete")
        elif event.character and event.character.isprintable():
            self.answer(event.character)
