"""The screen of a search: what to look for, how far it is, and a line for each hit."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Footer, Input, Static

from analyzer.analysis.verdicts import duration
from analyzer.api import Capture
from analyzer.errors import FilterError
from analyzer.escape import cut, printable
from analyzer.times import clock, count, size
from analyzer.tui.headline import Headline
from analyzer.tui.lines import Line, Lines, Piece, text_of
from analyzer.tui.needles import MODES, needle
from analyzer.tui.page import Page
from analyzer.tui.search import Hit, Search
from analyzer.tui.subject import Shown, Subject
from dissectors.http.secrets import mask_text
from dissectors.schemas import NO_TIME

EXAMPLES = {"text": "any words", "regex": r"id=\d+", "hex": "de ad be ef"}


class HitLines(Lines):
    """A line a hit."""

    def __init__(self) -> None:
        super().__init__(id="hits")
        self.capture: Capture = None  # type: ignore[assignment]  # before the first snapshot
        self.search: Search | None = None

    def show(self, capture: Capture, search: Search | None) -> None:
        """Other hits, or more of them."""
        keep = search is self.search
        self.capture, self.search = capture, search
        self.renew(keep, grown=keep)

    def length(self) -> int:
        """Hits."""
        return len(self.search.hits) if self.search is not None else 0

    def hit(self, number: int) -> Hit | None:
        """The hit of a line."""
        return self.search.hits[number] if self.search is not None and number < self.length() else None

    def line(self, number: int, width: int) -> Line:
        """Where it is, and the octets around it."""
        hit = self.hit(number)
        assert hit is not None
        view = self.capture.view("messages")
        place = np.array([int(np.searchsorted(view.rows, hit.row))])
        key, sender, opcode, length = (view.values(name, place)[0] for name in
                                       ("connection", "sender", "opcode", "length"))  # fmt: skip
        style = sender or "plain"
        way = {"client": self.signs_right, "server": self.signs_left}.get(sender, " ")
        return [Piece(f" {key or '-':<9}", "bold"), Piece(f"{self._time(hit.row):>13} ", "dim"),
                Piece(f"{way} {opcode:<7}{size(length):>9}  ", style), *around(hit)]  # fmt: skip

    def _time(self, row: int) -> str:
        page = self.screen
        assert isinstance(page, Page)
        times = self.capture.snapshot["messages"].take("time", np.array([row]))
        time = int(times[0])
        if time == NO_TIME:
            return ""
        if page.tui.times == 2:
            return clock(time, page.tui.zone)[:12]
        return f"+{duration(max(time - self.capture.snapshot.traffic.first_time, 0))}"

    @property
    def signs_right(self) -> str:
        """From the client."""
        return self.screen.signs.right  # type: ignore[attr-defined,no-any-return]

    @property
    def signs_left(self) -> str:
        """From the server."""
        return self.screen.signs.left  # type: ignore[attr-defined,no-any-return]


def around(hit: Hit) -> list[Piece]:
    """A match and what stands around it, as text, or as hexadecimal where it is none."""
    at = hit.at - hit.start
    parts = hit.text[:at], hit.text[at : at + hit.length], hit.text[at + hit.length :]
    try:
        parts[1].decode()
        told = [part.decode("utf-8", "replace") for part in parts]
        # cut characters at both ends are none of the message's doing
        told[0] = told[0].lstrip("\ufffd") if hit.start else told[0]
        told[2] = told[2].rstrip("\ufffd")
        if sum(word.count("\ufffd") for word in told):
            raise ValueError
    except ValueError:
        told = [f"{part.hex(' ')} " if part else "" for part in parts]
    if mask_text("".join(told)) != "".join(told):
        told = ["", "", mask_text("".join(told))]
    dots = "…" if hit.start else ""
    return [Piece(f"{dots}{printable(told[0])}"), Piece(printable(told[1]), "found"), Piece(printable(told[2]))]


class SearchPage(Page):
    """The screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+f,slash", "edit", "search for"),
        Binding("tab", "mode", "text/regex/hex"),
        Binding("n", "move(1)", "next hit", show=False, id="next-hit"),
        Binding("N", "move(-1)", "previous hit", show=False, id="previous-hit"),
        Binding("ctrl+x", "stop", "stop"),
        Binding("escape", "leave", "back"),
        Binding("q", "app.pop_screen", "back", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.mode = "text"

    def compose(self) -> ComposeResult:
        """The parts."""
        yield Headline()
        with Horizontal(id="needle"):
            yield Static("", id="mode", markup=False)
            yield Input(id="looked-for", select_on_focus=False)
            yield Static("", id="validity", markup=False)
        yield Static("", id="searched", markup=False)
        yield HitLines()
        yield Footer()

    def on_mount(self) -> None:
        """Go on with the last search, or begin one."""
        search = self.tui.search
        if search is not None:
            self.mode = search.mode
            self.query_one(Input).value = search.text
        super().on_mount()
        self._say_mode()
        if search is not None and search.hits:
            self.query_one(HitLines).focus()
            self.query_one(HitLines).go(self.tui.hit)
        else:
            self.query_one(Input).focus()

    def show(self, capture: Capture) -> None:
        """Another snapshot: what it has more is searched too."""
        self.query_one(Headline).show(capture)
        self.query_one(HitLines).show(capture, self.tui.search)
        self._say_progress()

    def searched(self) -> None:
        """The search has got on."""
        if self.tui.capture is not None:
            self.query_one(HitLines).show(self.tui.capture, self.tui.search)
        self._say_progress()

    def _say_mode(self) -> None:
        self.query_one("#mode", Static).update(text_of([Piece(f" {self.mode:<6}", "odd")]))
        field = self.query_one(Input)
        field.placeholder = f"{EXAMPLES[self.mode]}    Tab or a click on {self.mode} changes what is looked for"
        self._judge(field.value)

    def _judge(self, text: str) -> None:
        told = [Piece("Enter searches", "dim")]
        if text:
            try:
                told = [Piece(f"ok: {needle(text, self.mode).words}", "good")]
            except FilterError as error:
                told = [Piece(f"not yet: {printable(error.message)}", "bad")]
        self.query_one("#validity", Static).update(text_of(told))

    def _say_progress(self) -> None:
        search = self.tui.search
        line: list[Piece] = [Piece(" in the payloads of all messages, inflated and unmasked", "dim")]
        if search is not None:
            hits = count(len(search.hits), "hit")
            line = [Piece(f" {hits}", "bold"), Piece(f" for {cut(printable(search.text), 40)}", "plain")]
            line += self._how_far(search)
        self.query_one("#searched", Static).update(text_of(line))

    def _how_far(self, search: Search) -> list[Piece]:
        share = f"{search.done / search.total:.0%}" if search.total else "0%"
        if search.running:
            left = f", {duration(int(search.left * 1e9))} left" if search.left >= 0 else ""
            return [Piece(f"  searched {share}{left}; ^x stops", "odd")]
        if search.failure:
            return [Piece(f"  failed: {printable(search.failure)}", "bad")]
        if search.full:
            return [Piece(f"  ended at {search.most} hits: look for something rarer", "bad")]
        if search.stopped:
            return [Piece(f"  stopped at {share}", "bad")]
        more = ", as far as the capture is read" if self.tui.reading else ""
        return [Piece(f"  all searched{more}", "good")]

    # -- what actions are about --------------------------------------------------------------------------------------

    def subject(self) -> Subject | None:
        """The message of the hit."""
        hit = self.query_one(HitLines).hit(self.query_one(HitLines).cursor)
        return self.tui.message(hit.row) if hit is not None else None

    def shown(self) -> Shown | None:
        """The messages with hits."""
        capture, search = self.tui.capture, self.tui.search
        if capture is None or search is None:
            return None
        return Shown("messages", np.searchsorted(capture.view("messages").rows, search.rows))

    def retime(self) -> None:
        """Other times."""
        self.query_one(HitLines).renew()

    # -- actions -----------------------------------------------------------------------------------------------------

    def on_input_changed(self, event: Input.Changed) -> None:
        """Typed."""
        self._judge(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Search."""
        try:
            found = needle(event.value, self.mode)
        except FilterError:
            return
        self.tui.begin_search(found, event.value, self.mode)
        self.query_one(HitLines).focus()

    def on_click(self, event) -> None:  # type: ignore[no-untyped-def]
        """A click on the mode changes it."""
        if getattr(event.widget, "id", "") == "mode":
            self.action_mode()

    def action_edit(self) -> None:
        """Another one."""
        self.query_one(Input).focus()

    def action_mode(self) -> None:
        """Text, regular expression, octets."""
        self.mode = MODES[(MODES.index(self.mode) + 1) % len(MODES)]
        self._say_mode()

    def action_move(self, step: int) -> None:
        """To the next hit, or the one before."""
        lines = self.query_one(HitLines)
        lines.go(lines.cursor + step)

    def action_stop(self) -> None:
        """Enough."""
        if self.tui.search is not None:
            self.tui.search.stop()
            self._say_progress()

    def action_leave(self) -> None:
        """From the line to the hits, from there back; the search goes on, and n and N go through its hits."""
        if self.query_one(Input).has_focus and self.query_one(HitLines).length():
            self.query_one(HitLines).focus()
        else:
            self.app.pop_screen()

    def on_lines_chosen(self) -> None:
        """Open the message where it is."""
        lines = self.query_one(HitLines)
        if lines.hit(lines.cursor) is not None:
            self.tui.go_to_hit(lines.cursor)
