"""The interface on a live capture: the same screens, with a line that tells how the capture stands.

Nothing moves what one reads: lists grow below, and go along with what is new only where `F` has said so. Going up ends
that. `p` stops the screen, never the capture.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import tzinfo
from functools import partial
from typing import ClassVar
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.css.query import NoMatches
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from analyzer.errors import FramescopeError
from analyzer.escape import printable
from analyzer.live.alerts import Alert, Alerts
from analyzer.live.saving import packets_of, save, save_some
from analyzer.live.session import Moment, Session
from analyzer.times import count, size
from analyzer.tui import keymap
from analyzer.tui.app import FramescopeApp
from analyzer.tui.connections import ConnectionsPage
from analyzer.tui.following import Following
from analyzer.tui.lines import Line, Lines, Piece, text_of
from analyzer.tui.looks import ASCII, UNICODE
from analyzer.tui.page import Page

STATES = {"live": "good", "paused": "odd", "ended": "bad"}
LAG = 1 << 20
"""Octets not yet analysed that are worth a word."""


class LiveLine(Static):
    """How the capture stands, in one line."""

    DEFAULT_CSS = "LiveLine { height: 1; dock: top; background: $surface; text-wrap: nowrap; }"

    def __init__(self) -> None:
        super().__init__("", id="live", markup=False)


class SaveScreen(ModalScreen[str]):
    """Asks for a name."""

    DEFAULT_CSS = """
    SaveScreen { align: center middle; background: $background 60%; }
    #save { width: 70; max-width: 96%; height: 4; border: round $accent; background: $surface; padding: 0 1; }
    #name { border: none; height: 1; background: $panel; padding: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss('')", "no")]

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what

    def compose(self):  # type: ignore[no-untyped-def]
        """The parts."""
        with Vertical(id="save"):
            yield Static(f"save {self.what} as (Esc: do not)", markup=False)
            yield Input(placeholder="capture.pcapng", id="name")

    def on_mount(self) -> None:
        """Type."""
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter."""
        event.stop()
        self.dismiss(event.value.strip())


class LiveApp(FramescopeApp):
    """The program on a session that has begun."""

    is_live = True
    BINDINGS: ClassVar[list[BindingType]] = keymap.named(
        [
            Binding("F", "follow", "follow", key_display="F"),
            Binding("p", "pause", "pause the screen"),
            Binding("S", "save(False)", "save as", key_display="S"),
            Binding("X", "save(True)", "save the connections shown", key_display="X", show=False),
            Binding("E", "end", "end the capture", key_display="E", show=False),
        ]
    )

    def __init__(self, session: Session, alerts: Alerts, *, zone: tzinfo, ascii_only: bool = False,
                 until: float = float("inf"), kept: str = "") -> None:  # fmt: skip
        super().__init__(session.source, zone=zone, ascii_only=ascii_only)
        self.session = session
        self.saved = bool(kept) or session.request is None
        """What is captured outlasts the program."""
        self.follows = False
        self.alerted = 0
        self._warned = False
        self._seen: WeakKeyDictionary[Lines, int] = WeakKeyDictionary()
        self._following = Following(
            session, alerts, self._publish, partial(self.call_from_thread, self._tell),
            partial(self.call_from_thread, self._alert), self._fail, until,
        )  # fmt: skip
        self._reader = self._following  # type: ignore[assignment]

    async def on_unmount(self) -> None:
        """The thread may be waiting for the screen: let it."""
        self._following.stop()
        while self._following.is_alive():
            await asyncio.sleep(0.01)

    # -- what is new -------------------------------------------------------------------------------------------------

    def dress(self, page: Page) -> None:
        """Every page has the line."""
        if not page.query(LiveLine):
            page.mount(LiveLine())
        self.call_after_refresh(self._tell, self._following.moment)

    def _tell(self, moment: Moment | None) -> None:
        """How things stand, and where the list goes."""
        if moment is None or self._following.stopped:
            return
        self._follow()
        with suppress(NoMatches):  # on a dialogue, or a page that is just being made
            self.screen.query_one(LiveLine).update(text_of(self._line(moment)))

    def _line(self, moment: Moment) -> Line:
        state = "ended" if moment.finished else "paused" if self._following.paused else "live"
        dropped = moment.dropped
        drops = f"{count(dropped, 'packet')} dropped" if dropped is not None else "drops not told yet"
        line = [
            Piece(f" {state} ", STATES[state]), Piece(f"{moment.backend or 'following'}  ", "dim"),
            Piece(self._activity(), "client"),
            Piece(f"  {moment.rates[0]:.0f} packets/s  {moment.rates[1]:.0f} frames/s"),
            Piece(f"  {drops}", "bad" if dropped else "dim"),
        ]  # fmt: skip
        if moment.lag > LAG:
            line.append(Piece(f"  {size(moment.lag)} behind", "odd"))
        line += self._below(moment)
        if self.alerted:
            line.append(Piece(f"  {count(self.alerted, 'alert')}", "bad"))
        if moment.trouble:
            line.append(Piece(f"  {printable(moment.trouble)}", "bad"))
        return line

    def _activity(self) -> str:
        """Frames a second of late, as bars."""
        rates, bars = self._following.rates, (ASCII if self.ascii else UNICODE).bars
        top, steps = max(max(rates), 1.0), len(bars) - 1
        return "".join(bars[min(-(-int(rate) * steps // int(top)), steps)] for rate in rates)

    def _below(self, moment: Moment) -> Line:
        """What is not on the screen."""
        if self._following.paused and self.capture is not None:
            new = moment.snapshot.traffic.packets - self.capture.snapshot.traffic.packets
            return [Piece(f"  +{count(new, 'packet')}: p goes on", "odd")]
        if self.follows:
            return [Piece("  following", "good")]
        new = self._new()
        return [Piece(f"  +{new} new: F follows", "odd")] if new else []

    def _list(self) -> Lines | None:
        found = self.screen.query(Lines)
        return found.first() if found else None

    def _new(self) -> int:
        """Lines below those that had been seen when the screen last went along, or somebody went to the last one."""
        lines = self._list()
        if lines is None:
            return 0
        if lines.cursor == lines.length() - 1:
            self._seen[lines] = lines.length()
        return max(lines.length() - self._seen.setdefault(lines, lines.length()), 0)

    def _follow(self) -> None:
        lines = self._list()
        if lines is None or not self.follows:
            return
        seen = min(self._seen.get(lines, lines.length()), lines.length())
        if lines.scroll_offset.y + lines.size.height < seen and lines.cursor < seen - 1:
            self.follows = False  # somebody scrolled up
            return
        self._seen[lines] = lines.length()
        lines.go(lines.length() - 1)

    def on_lines_moved(self, event: Lines.Moved) -> None:
        """Going up ends going along; that there are more lines by now does not."""
        lines = event.lines
        if self.follows and lines.cursor < min(self._seen.get(lines, 0), lines.length()) - 1:
            self.follows = False

    def _alert(self, alert: Alert) -> None:
        if self._following.stopped:
            return
        self.alerted += 1
        self.bell()
        self.notify(printable(alert.sentence()), title="alert", severity="warning", markup=False)

    # -- actions -----------------------------------------------------------------------------------------------------

    def action_follow(self) -> None:
        """Go along with what is new, or no more."""
        self.follows = not self.follows
        if self.follows and (lines := self._list()) is not None:
            self._seen[lines] = 0
        self._tell(self._following.moment)

    def action_pause(self) -> None:
        """Stop the screen, or let it go on."""
        self._following.paused = not self._following.paused
        self._tell(self._following.moment)

    def action_end(self) -> None:
        """End the capture; what was captured stays on the screen."""
        self.session.stop()

    def action_save(self, some: bool) -> None:
        """Save the capture so far, or the connections that are listed."""
        shown = self._shown() if some else None
        what = f"the {count(len(shown), 'connection')} shown" if shown is not None else "the capture so far"
        self.push_screen(SaveScreen(what), partial(self._save, shown))

    def _shown(self) -> npt.NDArray[np.int64]:
        """Rows of CONNECTIONS that are listed."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, ConnectionsPage):
                lines = screen.query_one("#connections")
                places = np.asarray(getattr(lines, "places", np.empty(0, np.int64)), np.int64)
                known = len(self.capture.snapshot["connections"]) if self.capture is not None else 0
                return places[(places >= 0) & (places < known)]
        return np.empty(0, np.int64)

    def _save(self, shown: npt.NDArray[np.int64] | None, name: str | None) -> None:
        if not name or self.capture is None:
            return
        source, snapshot = self.session.source, self.capture.snapshot

        def work() -> None:
            try:
                if shown is None:
                    octets = save(source.paths(), name, source.reached())
                    self.saved = self.saved or self.session.source.ended
                else:
                    octets = save_some(source.parts(), name, packets_of(snapshot, shown))
                self.call_from_thread(self.notify, f"saved {size(octets)} as {printable(name)}", markup=False)
            except (FramescopeError, OSError) as error:
                self.call_from_thread(self.notify, printable(str(error)), severity="error", markup=False)

        self.run_worker(work, thread=True)

    async def action_quit(self) -> None:
        """Leave; what is not saved asks for a second time."""
        if not self.saved and not self._warned and self.capture is not None and self.capture.snapshot.traffic.packets:
            self._warned = True
            self.notify("the capture is not saved: S saves it, q once more leaves and deletes it", severity="warning")
            return
        self.exit()
