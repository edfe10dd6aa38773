"""The verb `live`: follows a capture while it grows; JSON Lines as things happen, and the summary at the end."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analyzer.cli import screen, summary
from analyzer.cli.diagnostics import warn
from analyzer.cli.events import Events
from analyzer.cli.listing import Manner
from analyzer.cli.page import Page, standard_output
from analyzer.cli.verbs import not_onto
from analyzer.errors import CaptureError, ExitStatus, FramescopeError, UsageError
from analyzer.live import spool
from analyzer.live.alerts import Alerts
from analyzer.live.filters import check
from analyzer.live.interfaces import listed
from analyzer.live.request import SPOOL_LIMIT, Request, octets, ring, spell
from analyzer.live.saving import packets_of, save, save_some
from analyzer.live.session import Moment, Session
from analyzer.times import count, size, zone_of
from analyzer.views import View

TURN = 0.25
"""Seconds that a poll waits at most, so that the end of `--for` is not missed."""


def run(options: argparse.Namespace) -> int:
    """Run; returns the exit status."""
    zone_of(options.tz)
    piped = options.expression == ["-"]
    if not (options.interface or options.follow or piped):
        sys.stdout.write(listed())
        return ExitStatus.OK
    session = session_of(options, piped)
    alerts = Alerts(options.alert or [], options.alert_command or "")
    _check(session, options, alerts)
    duration = spell(options.duration) if options.duration else None
    end = (time.monotonic() + duration) if duration else float("inf")
    if _interactive(options, piped):
        from analyzer.cli.watching import watch

        return watch(session, options, alerts, end, piped)
    events = Events(options, standard_output(), alerts)
    begin(session)
    if not options.quiet:
        for line in statement(session, options):
            warn(line)
    try:
        moment = _follow(session, events, end)
        return _end(session, moment, events, options)
    finally:
        session.stop()
        session.source.close()


def _interactive(options: argparse.Namespace, piped: bool) -> bool:
    """Whether a terminal is to show the capture as it grows: not where only its end is asked for, or rows of it."""
    told = options.json or options.count or options.until or options.quiet
    return not told and screen.possible(piped)


def session_of(options: argparse.Namespace, piped: bool) -> Session:
    """What to follow, not yet begun.

    Raises: FramescopeError where the options fit nothing.
    """
    if options.follow:
        for written in (options.write, options.write_shown):
            not_onto(written, [options.follow])
        return Session.follow(options.follow)
    expression = "" if piped else " ".join(options.expression)
    if expression:
        check(expression)
    kept = ring(options.ring) if options.ring else None
    if piped and kept:
        raise FramescopeError("a ring needs an interface: what comes through a pipe is kept whole")
    request = Request(
        str(spool.name_folder(spool.home())), tuple(options.interface or ()), expression, options.backend,
        limit=octets(options.spool_limit) if options.spool_limit else SPOOL_LIMIT,
        pipe=os.dup(sys.stdin.fileno()) if piped else -1, first=options.first,
    )  # fmt: skip
    return Session.capture(replace(request, ring=kept) if kept else request)


def _check(session: Session, options: argparse.Namespace, alerts: Alerts) -> None:
    """Every filter compiles before anything starts."""
    empty = session.empty()
    alerts.check(empty)
    for expression in (options.filter, options.until):
        if expression:
            Alerts([expression]).check(empty)
    if options.alert_command and not options.alert:
        raise UsageError("--alert-command needs an --alert", "for example --alert 'reported_code == 1006'")


def begin(session: Session) -> None:
    """Start; from now on the first interrupt ends the capture, and a second one the program."""

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        session.stop()

    session.start()
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, lambda *_: session.stop())


def statement(session: Session, options: argparse.Namespace) -> list[str]:
    """What is captured, with what, and what becomes of it."""
    request = session.request
    if request is None:
        return [f"following {session.source.names[0]}; Ctrl-C ends it with a summary"]
    what = (
        f"capturing on {', '.join(request.interfaces)} with {session.backend}"
        if request.interfaces
        else "reading a pipe"
    )
    kept = f"saved as {options.write} and deleted" if options.write else "deleted; -w FILE would save it"
    bound = f"the last {options.ring}" if options.ring else f"at most {size(request.limit)}"
    told = [f"{what}; Ctrl-C ends it with a summary", f"packets are in {request.folder}, {bound}; at the end {kept}"]
    if session.backend == "dumpcap":
        told.append("dumpcap tells dropped packets at the end; --backend tcpdump or scapy as it happens")
    return told


def _follow(session: Session, events: Events, end: float) -> Moment:
    """Until the capture has ended."""
    while True:
        moment = session.poll(min(TURN, max(end - time.monotonic(), 0.01)))
        if moment is not None:
            if events.take(moment):
                session.stop()
            if moment.finished:
                return moment
        if time.monotonic() >= end:
            session.stop()


def _end(session: Session, moment: Moment, events: Events, options: argparse.Namespace) -> int:
    shown = np.array(sorted(events.shown - {-1}), np.int64)
    return conclude(session, moment, options, shown, Page.of(sys.stderr if options.json else events.stream))


def conclude(session: Session, moment: Moment, options: argparse.Namespace, shown: npt.NDArray[np.int64],
             page: Page) -> int:  # fmt: skip
    """The summary, what became of the spool, and the exit status. `shown`: rows of CONNECTIONS."""
    snapshot = moment.snapshot
    if not options.quiet or not options.json:
        view = View(snapshot, "connections")
        manner = Manner(zone_of(options.tz), options.show_secrets, None)
        summary.write(snapshot, view, np.arange(len(view)), page, manner, None)
    dispose(session, moment, options, shown, warn if not options.quiet else lambda _: None)
    for problem in (*snapshot.problems, *((session.trouble,) if session.trouble else ())):
        warn(problem)
    return ExitStatus.DAMAGED if snapshot.problems or session.trouble else ExitStatus.OK


def dispose(session: Session, moment: Moment, options: argparse.Namespace, shown: npt.NDArray[np.int64],
            tell: Callable[[str], None]) -> None:  # fmt: skip
    """Save the capture where that was asked for, and delete the spool; where trouble ended it and nobody saved it, keep
    it.

    Raises: OutputError where it cannot be saved; the spool stays.
    """
    folder = Path(session.request.folder) if session.request is not None else None
    session.source.expire()
    if options.write:
        tell(f"saved {size(save(session.source.paths(), options.write))} as {options.write}")
    if options.write_shown:
        offsets = packets_of(moment.snapshot, shown)
        octets_ = save_some(session.source.parts(), options.write_shown, offsets)
        tell(f"saved {count(len(shown), 'connection')} as {options.write_shown}, {size(octets_)}")
    if folder is None or not folder.is_dir():
        return
    if session.trouble and not options.write:
        warn(f"what was captured is kept: framescope recover {folder.name} -w FILE saves it")
    else:
        spool.remove(folder)


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
        sys.stdout.write(f"saved {size(save(spool.files(orphan.folder), options.write))} as {options.write}\n")
    if options.write or options.delete:
        spool.remove(orphan.folder)
    else:
        sys.stdout.write("\n".join(spool.files(orphan.folder)) + "\n")
    return ExitStatus.OK
