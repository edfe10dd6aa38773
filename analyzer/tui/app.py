"""The program: one capture, read in a thread, and the screens that show it.

Screens other than the first two, and what they alone need, are imported when somebody asks for them: a small capture is
on the screen sooner.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterable
from datetime import UTC, tzinfo
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

import numpy as np
from textual import events
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.theme import Theme

from analyzer.analysis.snapshot import Snapshot
from analyzer.api import Capture
from analyzer.capture.records import Source
from analyzer.errors import OutputError
from analyzer.escape import printable
from analyzer.tui import keymap
from analyzer.tui.connections import ConnectionsPage
from analyzer.tui.entries import Entries, Entry
from analyzer.tui.ladder import LadderLines, LadderPage
from analyzer.tui.lines import Lines
from analyzer.tui.loading import Progress, Reading
from analyzer.tui.looks import dress, in_letters, wear
from analyzer.tui.marks import Marks
from analyzer.tui.memory import Memory
from analyzer.tui.page import Page
from analyzer.tui.rungs import Kind
from analyzer.tui.subject import WHOLE, Key, Subject, message_of

if TYPE_CHECKING:
    from analyzer.tui.apart import Apart, Tell
    from analyzer.tui.exports import Export
    from analyzer.tui.needles import Needle
    from analyzer.tui.search import Search

PATIENCE = 2.0
"""Seconds that a chunk may take to end."""
TURN = 0.1
"""Seconds between two looks at what is done apart."""
TYPED = (events.Key, events.MouseDown, events.MouseUp, events.MouseScrollUp, events.MouseScrollDown)
"""What the reading waits for: not for a mouse that passes by."""


class FramescopeApp(App[None]):
    """The program."""

    TITLE = "framescope"
    is_live = False
    """The capture grows as long as it is looked at."""
    CSS_PATH = "screens.tcss"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = keymap.named([
        Binding("q", "quit", "quit"),
        Binding("question_mark,f1", "help", "help", key_display="?"),
        Binding("colon", "command_palette", "commands", show=False),
        # priority: an input would take it for "copy"
        Binding("ctrl+c", "quit", "quit", show=False, priority=True, id="quit-at-once"),
    ])  # fmt: skip

    def __init__(self, source: Source, *, zone: tzinfo = UTC, ascii_only: bool = False, kept: str = "") -> None:
        super().__init__()
        self.memory = Memory(kept)
        self.zone, self.ascii = zone, ascii_only
        self.capture: Capture | None = None
        self.progress: Progress | None = None
        self.failure: BaseException | None = None
        self.reading = True
        self.tab = "message"
        self.times = 0
        self.marks = Marks()
        self.filters: list[str] = []
        """Filters typed before, the last one last."""
        self.list = ConnectionsPage()
        self.search: Search | None = None
        self.hit = 0
        self._stepped = False
        """The hit of the search that was gone to last."""
        self.key_problems: list[str] = []
        self._writing: dict[str, tuple[Apart, BinaryIO]] = {}
        self._reader = Reading(source, self._publish, self._fail)

    def on_mount(self) -> None:
        """Begin to read."""
        dress(self, self.ascii)
        self.theme_changed_signal.subscribe(self, self._recolour)
        self._listen()
        self.memory.restore(self)
        self._map_keys()
        self.push_screen(self.list)
        self.set_interval(TURN, self._look_apart)
        self._reader.start()

    async def on_unmount(self) -> None:
        """Stop reading, and keep what is worth it."""
        self._reader.stop()
        if self.search is not None:
            self.search.stop()
        for path, (apart, file) in self._writing.items():
            apart.stop()
            _give_up(path, file)
        self.memory.save(self)

    def _listen(self) -> None:
        """A signal that ends programs leaves the terminal in order, and keeps what is worth it."""
        if threading.current_thread() is threading.main_thread() and not self.is_headless:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                asyncio.get_running_loop().add_signal_handler(number, self.exit, None, 128 + number)

    def waiting(self) -> bool:
        """Whether the thread that reads does not end, although it was told to: it waits for its input."""
        self._reader.join(PATIENCE)
        return self._reader.is_alive()

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
        return in_letters(shown) if self.ascii else shown

    async def on_event(self, event: events.Event) -> None:
        """Keys come first: the reading waits for what they do."""
        if isinstance(event, TYPED) and isinstance(self._reader, Reading):
            self._reader.hold()
        await super().on_event(event)

    def post_display_hook(self) -> None:
        """Something was drawn: the reading goes on."""
        if isinstance(self._reader, Reading):
            self._reader.release()

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
        if self.search is not None:
            self.search.go_on(capture.snapshot)
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

    # -- work apart --------------------------------------------------------------------------------------------------

    def begin_search(self, needle: Needle, text: str, mode: str) -> None:
        """Search all payloads; the search before is forgotten."""
        from analyzer.tui.search import Search

        if self.capture is not None:
            if self.search is not None:
                self.search.stop()
            self.search, self.hit = Search(self.capture.snapshot, needle, text, mode), 0
            self._stepped = False
            self._searched()

    def write(self, item: Export, path: str) -> None:
        """Write a file, apart from the interface."""
        from analyzer.tui.apart import Apart
        from analyzer.tui.exports import created

        try:
            file = created(path)
        except OutputError as error:
            self.notify(f"{printable(error.message)}: {error.hint}", severity="warning", markup=False)
            return

        def work(tell: Tell) -> None:
            with file:
                tell(item.write(file))

        self._writing[path] = Apart(work), file
        self.notify(f"writing {printable(path)} …", timeout=2, markup=False)

    def _look_apart(self) -> None:
        """Take what the search, filters and the writers have to tell."""
        for screen in self.screen_stack:
            if isinstance(screen, Page) and screen.is_mounted:
                screen.look_apart()
        if self.search is not None and self.search.take():
            if self.capture is not None:
                self.search.go_on(self.capture.snapshot)
            self._searched()
        for path, (apart, file) in list(self._writing.items()):
            told = apart.told()
            if not apart.running:
                del self._writing[path]
                self._written(path, file, told, apart.failure)

    def _written(self, path: str, file: BinaryIO, told: list[str], failure: str) -> None:
        if told and not failure:
            file.close()
            self.notify(f"{printable(path)}: {printable(told[0])} written", markup=False)
            return
        _give_up(path, file)
        self.notify(f"{printable(path)} not written: {printable(failure)}", severity="error", markup=False)

    def _searched(self) -> None:
        from analyzer.tui.search_page import SearchPage

        for screen in self.screen_stack:
            if isinstance(screen, SearchPage) and screen.is_mounted:
                screen.searched()

    # -- rows --------------------------------------------------------------------------------------------------------

    def message(self, row: int) -> Subject:
        """A message by its row."""
        assert self.capture is not None
        view = self.capture.view("messages")
        connection = int(view.connection_rows[np.searchsorted(view.rows, row)])
        return Subject(Entries(self.capture, plain=False).entry(connection), Kind.MESSAGE, row)

    def subject_of(self, key: Key) -> Subject | None:
        """A row by what marks know it by; None where the capture has it not, as far as it is read."""
        if self.capture is None:
            return None
        entry = Entries(self.capture).named(key[0])
        if entry is None:
            return None
        return Subject(entry) if key[1] == WHOLE else Subject(entry, Kind(key[1]), key[2])

    def go_to(self, subject: Subject) -> None:
        """Show a row where it stands: a connection in the list, a rung in its ladder."""
        from analyzer.tui.detail import DetailPage

        if subject.kind is None:
            while len(self.screen_stack) > 2:
                self.pop_screen()
            page = self.screen
            if isinstance(page, ConnectionsPage):
                page.go_to(subject.entry)
            return
        detail = isinstance(self.screen, DetailPage)
        ladders = [screen for screen in self.screen_stack if isinstance(screen, LadderPage)]
        if ladders and (detail or self.screen is ladders[-1]):
            ladders[-1].turn_to(subject)
            if isinstance(self.screen, DetailPage) and self.capture is not None:
                self.screen.turn_to(subject.entry)
            return
        ladder = self.open_ladder(subject.entry)
        ladder.call_after_refresh(ladder.turn_to, subject)

    def step_hit(self, step: int) -> None:
        """To the next hit behind the row under the cursor, or before it."""
        search = self.search
        if search is None or not search.hits:
            what = "no hits yet" if search is not None else "no search yet: Ctrl-F begins one"
            self.notify(what, timeout=2)
            return
        page = self.screen
        subject = page.subject() if isinstance(page, Page) else None
        row = message_of(self.capture, subject.kind, subject.ref) if subject and self.capture else -1
        if row >= 0:
            self.go_to_hit(search.beside(row, step))
        else:
            # from a row that is no message: from where the last step led
            self.go_to_hit((self.hit + step) % len(search.hits) if self._stepped else self.hit)

    def go_to_hit(self, number: int) -> None:
        """Show a hit of the search where it stands."""
        from analyzer.tui.detail import DetailPage

        assert self.search is not None
        self.hit, self._stepped = number, True
        hit = self.search.hits[number]
        self.go_to(self.message(hit.row))
        if isinstance(self.screen, DetailPage):
            self.screen.point_at(hit.at)
        self.notify(f"hit {number + 1} of {len(self.search.hits)}", timeout=1)

    def remark(self) -> None:
        """Marks or notes changed: show them, and keep them."""
        self.memory.save(self)
        for screen in self.screen_stack:
            if isinstance(screen, Page) and screen.is_mounted:
                screen.remark()

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

        seen: dict[tuple[str, str], list[str]] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.description and binding.id:
                known = seen.setdefault((_where(binding), keymap.words_of(binding)), [])
                key = self.get_key_display(binding)
                known += [key] if key not in known else []
        keys = [(where, ", ".join(told), what) for (where, what), told in seen.items()]
        self.push_screen(HelpScreen(sorted(keys, key=lambda item: GROUPS.index(item[0])), self.key_problems))

    def _map_keys(self) -> None:
        """Keys of the user's own."""
        mapped = keymap.read(lambda: {binding.id or "" for binding in bindings()})
        self.key_problems = mapped.problems + (keymap.clashes(mapped.keys, screens_of_keys()) if mapped.keys else [])
        self.set_keymap(mapped.keys)
        for problem in self.key_problems:
            self.notify(printable(problem), title="keys", severity="warning", timeout=10, markup=False)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette: every action that works here, then Textual's own."""
        told = set()
        for active in screen.active_bindings.values():
            binding = active.binding
            words = keymap.words_of(binding)
            known = words in told or binding.action == "command_palette"
            if words and binding.id and active.enabled and not known:
                told.add(words)
                yield SystemCommand(words[0].upper() + words[1:],
                                    f"key {self.get_key_display(binding)}",
                                    partial(self.run_action, binding.action, active.node))  # fmt: skip
        yield from super().get_system_commands(screen)


GROUPS = ("here", "rows", "lists", "everywhere")
"""Where keys work: on this screen, on rows of any screen, in any list, always."""


def _where(binding: Binding) -> str:
    for where, known in (("rows", Page.BINDINGS), ("lists", Lines.BINDINGS), ("everywhere", FramescopeApp.BINDINGS)):
        if any(isinstance(one, Binding) and one.action == binding.action for one in known):
            return where
    return "here"


EVERYWHERE = 4
"""The first so many of `places` have keys that work on every screen."""


@cache
def places() -> tuple[type, ...]:
    """What has keys."""
    from analyzer.tui.detail import DetailPage
    from analyzer.tui.live import LiveApp
    from analyzer.tui.marks import MarksPage
    from analyzer.tui.notes import NotesPage
    from analyzer.tui.octets import HexLines
    from analyzer.tui.overview import OverviewPage
    from analyzer.tui.search_page import SearchPage

    return (FramescopeApp, LiveApp, Page, Lines, ConnectionsPage, LadderPage, DetailPage, HexLines, OverviewPage,
            NotesPage, SearchPage, MarksPage)  # fmt: skip


def bindings() -> list[Binding]:
    """All keys with names, as they are without a file of the user's."""
    return [one for place in places() for one in place.__dict__.get("BINDINGS", ()) if isinstance(one, Binding)]


def screens_of_keys() -> list[list[Binding]]:
    """For each place with keys of its own those that work there, on a live capture too."""
    always = places()[:EVERYWHERE]
    return [[one for place in dict.fromkeys((*always, here)) for one in place.__dict__["BINDINGS"]]
            for here in places()]  # fmt: skip


def _give_up(path: str, file: BinaryIO) -> None:
    """A file that is half written is none."""
    file.close()
    Path(path).expanduser().unlink(missing_ok=True)
