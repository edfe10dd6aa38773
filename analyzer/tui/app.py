"""The program: one capture, read in a thread, and the screens that show it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, tzinfo
from functools import partial
from typing import Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from analyzer.analysis.snapshot import Snapshot
from analyzer.api import Capture
from analyzer.capture.records import Source
from analyzer.tui.connections import ConnectionsPage
from analyzer.tui.entries import Entry
from analyzer.tui.ladder import LadderLines, LadderPage
from analyzer.tui.loading import Progress, Reading
from analyzer.tui.looks import THEME
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
        self.register_theme(THEME)
        self.theme = THEME.name
        self.push_screen(ConnectionsPage())
        self._reader.start()

    async def on_unmount(self) -> None:
        """Stop reading."""
        self._reader.stop()

    def dress(self, page: Page) -> None:
        """Add to a page what every page has; nothing where the capture does not grow."""

    # -- the capture -------------------------------------------------------------------------------------------------

    def _publish(self, snapshot: Snapshot, progress: Progress) -> None:
        self.call_from_thread(self._show, snapshot, progress)

    def _fail(self, error: BaseException) -> None:
        self.call_from_thread(self._end, error)

    def _end(self, error: BaseException) -> None:
        self.failure = error
        self.exit(return_code=1)

    def _show(self, snapshot: Snapshot, progress: Progress) -> None:
        self.progress = progress
        self.reading = not snapshot.finished
        self.capture = Capture(snapshot)
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
        from analyzer.tui.help import HelpScreen

        seen: dict[tuple[str, str], str] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            where = {"FramescopeApp": "everywhere", "Lines": "lists"}.get(type(active.node).__name__, "here")
            if binding.description and binding.action not in ("help_quit", "copy_text"):
                key = ", ".join(
                    filter(None, (seen.get((where, binding.description), ""), self.get_key_display(binding)))
                )
                seen[where, binding.description] = key
        keys = [(where, key, what) for (where, what), key in seen.items()]
        self.push_screen(HelpScreen(sorted(keys, key=lambda item: ("here", "lists", "everywhere").index(item[0]))))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette: every action that works here, then Textual's own."""
        for active in screen.active_bindings.values():
            binding = active.binding
            if binding.description and binding.show and active.enabled:
                yield SystemCommand(binding.description.capitalize(), f"key {self.get_key_display(binding)}",
                                    partial(self.run_action, binding.action, active.node))  # fmt: skip
        yield from super().get_system_commands(screen)
