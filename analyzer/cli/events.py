"""What `live` streams: the rows that are new at each moment, as JSON Lines, each flushed as it comes."""

from __future__ import annotations

import argparse
import sys
from typing import TextIO

import numpy as np
import numpy.typing as npt

from analyzer.analysis.contents import Contents
from analyzer.analysis.snapshot import Snapshot
from analyzer.cli import listing
from analyzer.cli.diagnostics import warn
from analyzer.export import jsonl
from analyzer.live.alerts import Alerts, chosen
from analyzer.live.session import Moment
from analyzer.schemas import STATES
from analyzer.times import count, size
from analyzer.views import View

STREAMED = ("frames", "messages")
PREVIEW = 80
SETTLED = tuple(code for code, state in STATES.items() if state in ("refused", "other-protocol"))
LAG = 8 << 20
"""Octets not yet analysed that are worth a word: a second of a fast link."""
BELL = "\a"


class Events:
    """Writes what is new, and knows when that was enough."""

    def __init__(self, options: argparse.Namespace, stream: TextIO, alerts: Alerts) -> None:
        self.options = options
        self.stream = stream
        self.alerts = alerts
        self.shown: set[int] = set()
        """Rows of CONNECTIONS of which something was chosen."""
        self.stopped = False
        """`--count` or `--until` is reached; nothing more is written."""
        self._done = dict.fromkeys(STREAMED, 0)
        self._told = np.empty(0, np.int64)
        self._contents: Contents | None = None
        self._dropped = self._lag = self._frames = self._left = self._left_told = 0

    def take(self, moment: Moment) -> bool:
        """Write what is new at a moment; true where that was enough."""
        self._health(moment)
        contents = Contents(moment.snapshot)
        if self._contents is not None:
            contents.go_on(self._contents)
        self._contents = contents
        self._alert(moment.snapshot, contents)
        if self.stopped:
            return True
        for name in STREAMED:
            view = View(moment.snapshot, name, contents, self._done[name])
            self._left += len(view.table) - self._done[name] - len(view)
            self._done[name] = len(view.table)
            self._write(view, np.arange(len(view)))
        view = View(moment.snapshot, "connections", contents)
        places = np.setdiff1d(_over(moment), self._told)
        self._told = np.union1d(self._told, places)
        self._write(view, places)
        if moment.finished:
            self._health(moment)
        return self.stopped

    def _write(self, view: View, places: npt.NDArray[np.int64]) -> None:
        options = self.options
        if self.stopped or not len(places):
            return
        if options.filter is not None:
            places = chosen(view, options.filter, places)
        if options.count and view.name == "frames":
            places = places[: options.count - self._frames]
            self._frames += len(places)
            self.stopped = self._frames >= options.count
        if options.until:
            last = chosen(view, options.until, places)[:1]
            if len(last):
                places, self.stopped = places[places <= last[0]], True
        self.shown.update(view.connection_rows[places].tolist())
        if options.json and len(places):
            payload = listing.payload_writer(options.payload, True, PREVIEW) if view.name in STREAMED else None
            jsonl.write(view, places, self.stream, payload, view.name)
            self.stream.flush()

    def _alert(self, snapshot: Snapshot, contents: Contents) -> None:
        alerts = list(self.alerts.take(snapshot, contents))
        for alert in alerts:
            warn(f"alert: {alert.sentence()}")
            self.alerts.run(alert)
        if alerts and sys.stderr.isatty():
            sys.stderr.write(BELL)
            sys.stderr.flush()

    def _health(self, moment: Moment) -> None:
        """Tell drops and lag as they grow, and rows that a ring took away before their turn came."""
        if self.options.quiet:
            return
        dropped, drops = moment.dropped or 0, moment.drops
        if dropped > self._dropped:
            named = f" ({drops.kernel} by the kernel, {drops.interface} by the interface)" if drops.total else ""
            warn(f"{count(dropped, 'packet')} dropped while capturing so far{named}")
            self._dropped = dropped
        if moment.lag > max(2 * self._lag, LAG):
            warn(f"{size(moment.lag)} captured and not analysed yet; nothing is lost by that")
            self._lag = moment.lag
        elif moment.lag < LAG >> 3 and self._lag:
            warn("analysed everything that is captured")
            self._lag = 0
        if self._left > 2 * self._left_told:
            warn(f"{count(self._left, 'row')} left the ring before their turn came; a larger --ring would hold them")
            self._left_told = self._left


def _over(moment: Moment) -> npt.NDArray[np.int64]:
    """Connections about which nothing more can be learnt; at the end, all."""
    snapshot: Snapshot = moment.snapshot
    closes, state = snapshot["closes"], snapshot["connections"]["state"]
    if moment.finished:
        return np.arange(len(state))
    ended = ((closes["end"] == 1) & (closes["other_end"] > 0)) | (closes["end"] == 2)
    return np.flatnonzero(ended | np.isin(state, SETTLED))
