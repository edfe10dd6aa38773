"""The verb `live`: follows a capture while it grows; JSON Lines as things happen, and the summary at the end."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analyzer.analysis.contents import Contents
from analyzer.analysis.snapshot import Snapshot
from analyzer.cli import listing, summary
from analyzer.cli.diagnostics import warn
from analyzer.cli.listing import Manner
from analyzer.cli.page import Page, standard_output
from analyzer.errors import CaptureError, ExitStatus, FilterError, FramescopeError, OutputError
from analyzer.export import jsonl
from analyzer.live import spool
from analyzer.live.filters import check
from analyzer.live.interfaces import listed
from analyzer.live.request import Request, ring, spell
from analyzer.live.session import Moment, Session
from analyzer.schemas import STATES
from analyzer.times import count, size, zone_of
from analyzer.views import View

STREAMED = ("frames", "messages")
PREVIEW = 80
SETTLED = tuple(code for code, state in STATES.items() if state in ("refused", "other-protocol"))


def run(options: argparse.Namespace) -> int:
    """Run; returns the exit status."""
    zone_of(options.tz)
    piped = options.expression == ["-"]
    if not (options.interface or options.follow or piped):
        sys.stdout.write(listed())
        return ExitStatus.OK
    session = _session(options, piped)
    duration = spell(options.duration) if options.duration else None
    session.start()
    signal.signal(signal.SIGINT, lambda *_: _interrupt(session))
    signal.signal(signal.SIGTERM, lambda *_: session.stop())
    writer = _Writer(options)
    end = time.monotonic() + duration if duration else float("inf")
    if session.request is not None and not piped and not options.quiet:
        warn(f"capturing on {', '.join(options.interface)} with {session.backend}; Ctrl-C ends it with a summary")
    try:
        while True:
            moment = session.poll(min(0.25, max(end - time.monotonic(), 0.01)))
            if moment is not None and (writer.take(moment) or moment.finished):
                session.stop()
                if moment.finished:
                    break
            if time.monotonic() >= end:
                session.stop()
        return _end(session, moment, writer, options)
    finally:
        session.stop()
        session.source.close()


def _session(options: argparse.Namespace, piped: bool) -> Session:
    if options.follow:
        return Session.follow(options.follow)
    expression = "" if piped else " ".join(options.expression)
    if expression:
        check(expression)
    kept = ring(options.ring) if options.ring else None
    if piped and kept:
        raise FramescopeError("a ring needs an interface: what comes through a pipe is kept whole")
    request = Request(
        str(spool.name_folder(spool.home())), tuple(options.interface or ()), expression, options.backend,
        pipe=os.dup(sys.stdin.fileno()) if piped else -1,
    )  # fmt: skip
    if kept:
        from dataclasses import replace

        request = replace(request, ring=kept)
    return Session.capture(request)


def _interrupt(session: Session) -> None:
    """The first interrupt ends the capture, a second one the program."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    session.stop()


class _Writer:
    """Writes what is new."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.stream = standard_output()
        self.done = dict.fromkeys(STREAMED, 0)
        self.told: set[int] = set()
        self.dropped = 0
        self.stopped = False
        self._contents: Contents | None = None

    def take(self, moment: Moment) -> bool:
        """Write what is new of a moment; true where that was enough."""
        if moment.drops.total > self.dropped and not self.options.quiet:
            warn(f"{count(moment.drops.total, 'packet')} dropped while capturing so far")
        self.dropped = max(self.dropped, moment.drops.total)
        if self.stopped:
            return True
        self._contents = Contents(moment.snapshot)
        for name in STREAMED:
            view = View(moment.snapshot, name, self._contents)
            places = np.arange(self.done[name], len(view))
            self.done[name] = len(view)
            if self._write(view, places):
                return True
        connections = View(moment.snapshot, "connections", self._contents)
        places = np.array([place for place in _over(moment) if place not in self.told], np.int64)
        self.told.update(places.tolist())
        self._write(connections, places)
        return self.stopped

    def _write(self, view: View, places: npt.NDArray[np.int64]) -> bool:
        options = self.options
        if options.filter is not None:
            places = _chosen(view, options.filter, places)
        if options.count and view.name == "frames":
            already = len(view) - len(places)
            if len(view) >= options.count:
                places, self.stopped = places[: max(options.count - already, 0)], True
        if options.json and len(places):
            payload = listing.payload_writer(options.payload, True, PREVIEW) if view.name in STREAMED else None
            jsonl.write(view, places, self.stream, payload, view.name)
            self.stream.flush()
        if options.until and len(_chosen(view, options.until, places)):
            self.stopped = True
        return False


def _chosen(view: View, expression: str, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Those of the places for which a filter holds; none in a table that lacks one of its fields."""
    try:
        return view.choose(expression, places)
    except FilterError as error:
        if view.name == "connections" or not error.message.startswith("there is no field"):
            raise
        return places[:0]


def _over(moment: Moment) -> list[int]:
    """Connections about which nothing more can be learnt; at the end, all."""
    snapshot: Snapshot = moment.snapshot
    closes, state = snapshot["closes"], snapshot["connections"]["state"]
    if moment.finished:
        return list(range(len(state)))
    ended = ((closes["end"] == 1) & (closes["other_end"] > 0)) | (closes["end"] == 2)
    return np.flatnonzero(ended | np.isin(state, SETTLED)).tolist()


def _end(session: Session, moment: Moment, writer: _Writer, options: argparse.Namespace) -> int:
    """The summary, what became of the spool, and the exit status."""
    snapshot = moment.snapshot
    page = Page.of(sys.stderr if options.json else writer.stream)
    if not options.quiet or not options.json:
        view = View(snapshot, "connections")
        manner = Manner(zone_of(options.tz), options.show_secrets, None)
        summary.write(snapshot, view, np.arange(len(view)), page, manner, None)
    if session.request is not None:
        _dispose(Path(session.request.folder), options)
    for problem in (*snapshot.problems, *((session.trouble,) if session.trouble else ())):
        warn(problem)
    return ExitStatus.DAMAGED if snapshot.problems or session.trouble else ExitStatus.OK


def _dispose(folder: Path, options: argparse.Namespace) -> None:
    """Save the spool where that was asked for, and delete it."""
    if options.write:
        octets = save(folder, options.write)
        if not options.quiet:
            warn(f"saved {size(octets)} as {options.write}")
    if folder.is_dir():
        spool.remove(folder)


def save(folder: Path, path: str) -> int:
    """Copy a spool's files into one capture; returns its octets.

    Raises: OutputError where it cannot be written. The spool stays as it is.
    """
    try:
        with open(path, "wb") as target:
            for part in spool.files(folder):
                with open(part, "rb") as source:
                    shutil.copyfileobj(source, target, 1 << 20)
            return target.tell()
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}", f"the capture is kept in {folder}"
        ) from None


def recover(options: argparse.Namespace) -> int:
    """The verb `recover`: lists spools whose owners are gone, and saves or deletes one."""
    found = {orphan.folder.name: orphan for orphan in spool.orphans(spool.home())}
    if not options.name:
        for name, orphan in found.items():
            sys.stdout.write(f"{name}  {size(orphan.octets):>8}  {orphan.what}\n")
        if not found:
            sys.stdout.write(f"no orphaned captures in {spool.home()}\n")
        return ExitStatus.OK
    if options.name not in found:
        raise CaptureError(f"there is no orphaned capture {options.name!r}", "framescope recover lists them")
    orphan = found[options.name]
    if options.write:
        sys.stdout.write(f"saved {size(save(orphan.folder, options.write))} as {options.write}\n")
    if options.write or options.delete:
        spool.remove(orphan.folder)
    else:
        sys.stdout.write("\n".join(spool.files(orphan.folder)) + "\n")
    return ExitStatus.OK
