"""The interface's thread for a live capture: takes a session's moments, and publishes those that show something."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from analyzer.analysis.contents import Contents
from analyzer.analysis.snapshot import Snapshot
from analyzer.live.alerts import Alert, Alerts
from analyzer.live.session import Moment, Session
from analyzer.tui.loading import Progress

OFTEN = 0.1
"""Seconds between two looks: what crosses is on the screen a tenth of a second after it is in the spool."""
REMEMBERED = 40
"""Rates kept for the activity line."""


class Following(threading.Thread):
    """Follows a session that has begun. Called from this thread: `publish` with what is to be shown, `tell` with every
    moment, `alert` with what alerted, `failed` with what ended it."""

    def __init__(self, session: Session, alerts: Alerts, publish: Callable[[Snapshot, Progress], None],
                 tell: Callable[[Moment], None], alert: Callable[[Alert], None],
                 failed: Callable[[BaseException], None], until: float = float("inf")) -> None:  # fmt: skip
        super().__init__(name="following", daemon=True)
        self.session, self.alerts = session, alerts
        self.paused = False
        """Moments are told, and not published."""
        self.rates: deque[float] = deque([0.0] * REMEMBERED, REMEMBERED)
        """Frames a second, the latest last."""
        self.moment: Moment | None = None
        self._publish, self._tell, self._alert, self._failed = publish, tell, alert, failed
        self._until = until
        self._shown = -1
        self._stop_now = threading.Event()

    def stop(self) -> None:
        """The screen is gone: end the capture."""
        self._stop_now.set()
        self.session.stop()

    @property
    def stopped(self) -> bool:
        """Nothing more is to be shown."""
        return self._stop_now.is_set()

    def run(self) -> None:
        """The thread."""
        try:
            while not self._stop_now.is_set() and not (self._shown >= 0 and self._is_over()):
                if time.monotonic() >= self._until:
                    self.session.stop()
                self._look()
        except BaseException as error:  # it belongs to whoever shows the capture
            if not self._stop_now.is_set():
                self._failed(error)

    def _is_over(self) -> bool:
        return self.moment is not None and self.moment.finished and not self.paused

    def _look(self) -> None:
        moment = self.session.poll(OFTEN) or self.moment
        if moment is None:
            return
        new = moment is not self.moment
        self.moment = moment
        if new:
            self.rates.append(moment.rates[1])
            for alert in self.alerts.take(moment.snapshot, Contents(moment.snapshot)):
                self.alerts.run(alert)
                self._alert(alert)
        self._show(moment)
        self._tell(moment)
        self._stop_now.wait(OFTEN)

    def _show(self, moment: Moment) -> None:
        """Publish what was not published, and the end."""
        packets = moment.snapshot.traffic.packets
        if self.paused or self.stopped or (packets == self._shown and not moment.finished):
            return
        self._shown = packets
        source = self.session.source
        self._publish(moment.snapshot, Progress(source.position(), source.size, -1.0))
