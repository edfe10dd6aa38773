"""The program: one capture, read in a thread, and the screens that show it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, tzinfo
from functools import partial
from typing import Any, ClassVar

from textual import events
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.scrollbar import ScrollBar
from textual.theme import Theme

from analyzer.analysis.snapshot import Snapshot
from analyzer.api import Capture
from analyzer.capture.records import Source
from analyzer.tui.connections import ConnectionsPage
from analyzer.tui.entries import Entry
from analyzer.tui.ladder import LadderLines, LadderPage
from analyzer.tui.lines import Lines
from analyzer.tui.loading import Progress, Reading
from analyzer.tui.looks import ASCII_KEYS, AsciiScrollBarRender, dress, wear
from analyzer.tui.page import Page


class FramescopeApp(App[None]):
    """The program."""

    TITLE = "framescope"
    is_live = False
    """The capture grows as long as it is looked at."""
    CSS_PATH = "screens.tcss"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "quit"),
        Binding("question_mark,f1", "help", "help", key_display="?"),
        Binding("colon", "command_palette", "commands", show=False),
        Binding("ctrl+c", "quit", "quit", show=False),
    ]

    def __init__(self, source: Source, *, zone: tzinfo = UTC, ascii_only: bool = False, kept: str = "") -> None:
        super().__init__()
        self.kept = kept
        self.zone, self.ascii = zone, ascii_only
        self.capture: Capture | None = None
        self.progress: Progress | None = None
        self.failure: BaseException | None = None
        self.reading = True
        self.tab = "message"
        self._reader = Reading(source, self._publish, self._fail)

    def on_mount(self) -> None:
        """Begin to read."""
        dress(self)
        self.theme_changed_signal.subscribe(self, self._recolour)
        if self.ascii:
            ScrollBar.renderer = AsciiScrollBarRender
        self.push_screen(ConnectionsPage())
        self._reader.start()

    async def on_unmount(self) -> None:
        """Stop reading."""
        self._reader.stop()

    def _recolour(self, theme: Theme) -> None:
        """Another theme: what is drawn with colours of its own is drawn again."""
        wear(theme.dark)
        for screen in self.screen_stack:
            for lines in screen.query(Lines):
                lines.renew()
            if isinstance(screen, Page) and screen.is_mounted and self.capture is not None:
                screen.show(self.capture)

    def get_key_display(self, binding: Binding) -> str:
        """A key's name; without box drawing in letters."""
        shown = super().get_key_display(binding)
        return "".join(ASCII_KEYS.get(character, character) for character in shown) if self.ascii else shown

    async def on_event(self, event: events.Event) -> None:
        """Keys come first: the reading waits for what they do."""
        if isinstance(event, events.InputEvent) and isinstance(self._reader, Reading):
            self._reader.hold()
        await super().on_event(event)

    def dress(self, page: Page) -> None:
        """Add to a page what every page has; nothing where the capture does not grow."""

    # -- the capture -------------------------------------------------------------------------------------------------

    def _publish(self, snapshot: Snapshot, progress: Progress) -> None:
        capture = Capture(snapshot)
        for screen in tuple(self.screen_stack):
            if isinstance(screen, Page):
                screen.prepare(capture)
        self.call_from_thread(self._show, capture, progress)

    def _fail(self, error: BaseException) -> None:
        self.call_from_thread(self._end, error)

    def _end(self, error: BaseException) -> None:
        self.failure = error
        self.exit(return_code=1)

    def _show(self, capture: Capture, progress: Progress) -> None:
        self.progress = progress
        self.reading = not capture.snapshot.finished
        self.capture = capture
        for screen in self.screen_stack:
            if isinstance(screen, Page) and screen.is_mounted:
                screen.show(self.capture)

    def absence(self) -> list[str]:
        """Why a capture shows no connection."""
        from analyzer.absence import reasons

        return list(reasons(self.capture.snapshot)) if self.capture is not None else []

    def _handle_exception(self, error: Exception) -> None:
        """A view failed: leave the terminal in order, and let the caller tell it."""
        if self.is_headless:
            super()._handle_exception(error)
            return
        self.failure = self.failure or error
        self.exit(return_code=1)

    # -- screens -----------------------------------------------------------------------------------------------------

    def open_ladder(self, entry: Entry) -> LadderPage:
        """The frame timeline of a connection."""
        page = LadderPage(entry)
        self.push_screen(page)
        return page

    def open_detail(self, entry: Entry, lines: LadderLines, tab: str = "") -> None:
        """One rung in full."""
        from analyzer.tui.detail import DetailPage

        self.push_screen(DetailPage(entry, lines, tab))

    def action_overview(self) -> None:
        """All connections on the time axis."""
        from analyzer.tui.overview import OverviewPage

        self.push_screen(OverviewPage())

    def action_notes(self) -> None:
        """Observations of the whole capture."""
        from analyzer.tui.notes import NotesPage

        self.push_screen(NotesPage())

    def action_help(self) -> None:
        """The keys that work here."""
        from analyzer.tui.help import HelpScreen, told

        seen: dict[tuple[str, str], str] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            where = "everywhere" if isinstance(active.node, App) else "here"
            if any(binding.action == other.action for other in Lines.BINDINGS if isinstance(other, Binding)):
                where = "lists"
            if binding.description and binding.key != "ctrl+q" and told(binding.action):
                shown = [*seen.get((where, binding.description), "").split(", "), self.get_key_display(binding)]
                key = ", ".join(dict.fromkeys(filter(None, shown)))
                seen[where, binding.description] = key
        keys = [(where, key, what) for (where, what), key in seen.items()]
        self.push_screen(HelpScreen(sorted(keys, key=lambda item: ("here", "lists", "everywhere").index(item[0]))))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette: every action that works here, then Textual's own."""
        from analyzer.tui.help import told

        for active in screen.active_bindings.values():
            binding = active.binding
            if binding.description and active.enabled and told(binding.action):
                yield SystemCommand(binding.description.capitalize(), f"key {self.get_key_display(binding)}",
                                    partial(self.run_action, binding.action, active.node))  # fmt: skip
        yield from super().get_system_commands(screen)
