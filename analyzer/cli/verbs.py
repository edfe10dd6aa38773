"""Runs a verb on captures: opens, analyses, chooses rows, writes them. What only some verbs need is imported when they
run: a small capture takes less time than the imports."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import tzinfo
from typing import TextIO

import numpy as np
import numpy.typing as npt

from analyzer.analysis.pipeline import analyze
from analyzer.analysis.snapshot import Snapshot
from analyzer.bundled import resolve
from analyzer.capture.files import open_source
from analyzer.cli import listing
from analyzer.cli.diagnostics import progress_bar, warn
from analyzer.cli.listing import Manner
from analyzer.cli.page import Page, standard_output
from analyzer.errors import ExitStatus, FramescopeError, OutputError, UsageError
from analyzer.limits import Limits
from analyzer.times import count, zone_of
from analyzer.views import View
from dissectors.notes import Severity

TABLE_OF = {"summary": "connections", "explain": "connections", "check": "notes"}
ONE_OF = {
    "connections": "connection", "exchanges": "HTTP exchange", "handshakes": "handshake", "frames": "frame",
    "messages": "message", "notes": "note", "encrypted": "encrypted connection", "incidents": "incident",
}  # fmt: skip
PREVIEW = 80


def run(options: argparse.Namespace) -> int:
    """Run; returns the exit status."""
    zone = zone_of(options.tz)
    paths = [resolve(path) for path in options.files]
    not_onto(options.output, paths)
    source = open_source(paths)
    try:
        tell, end = progress_bar(options.quiet)
        try:
            snapshot = analyze(source, limits=Limits(overlap=options.overlap), progress=tell)
        finally:
            end()
        view = View(snapshot, TABLE_OF.get(options.verb, options.verb))
        if options.verb == "explain":
            view = _explained(snapshot, options.connection)
        places = choose(view, options, zone)
        with output(options.output) as stream:
            _write(options, snapshot, view, places, stream, zone)
        if not len(places) and not options.quiet:
            _tell_nothing(options, snapshot, view)
        if options.verb == "check" and not len(snapshot["connections"]):
            return _unchecked(options, snapshot, view, places)
        return _status(options, snapshot, view, places)
    finally:
        source.close()


def _unchecked(options: argparse.Namespace, snapshot: Snapshot, view: View, places: npt.NDArray[np.int64]) -> int:
    """A check of nothing is no success: a job in CI would be green for ever."""
    if not options.quiet:
        warn("nothing was checked, no WebSocket connection found: framescope summary FILE says what the capture holds")
    return _status(options, snapshot, view, places) or ExitStatus.INPUT


def _tell_nothing(options: argparse.Namespace, snapshot: Snapshot, view: View) -> None:
    """An empty answer says whether the options or the capture made it so."""
    if options.verb in ("summary", "explain", "check"):
        return
    if len(view):
        warn(f"none of {count(len(view), ONE_OF[view.name])} is what the options choose")
    elif len(snapshot["connections"]) or view.name in ("exchanges", "encrypted", "incidents"):
        warn(f"the capture holds no {ONE_OF[view.name]}")
    else:
        warn("no WebSocket connection found: framescope summary FILE says what the capture holds")


def choose(view: View, options: argparse.Namespace, zone: tzinfo) -> npt.NDArray[np.int64]:
    """The places of the rows that the options choose."""
    start = {
        "exchanges": "request_time",
        "handshakes": "first_time",
        "connections": "first_time",
        "encrypted": "first_time",
        "incidents": "first_time",
    }.get(view.name, "time")
    terms = []
    if options.connection:
        known(options, view)
        terms.append(f"connection in {{{', '.join(options.connection)}}}")
    if options.since:
        terms.append(f'{start} >= "{options.since}"')
    if options.until:
        terms.append(f'{start} <= "{options.until}"')
    _in_order(options, view, zone)
    if options.host:
        terms.append(f'host == "{options.host}"')
    mask = np.ones(len(view), np.bool_)
    for term in terms:
        mask &= view.select(term, zone)
    if options.filter is not None:
        mask &= view.select(options.filter, zone)
    if getattr(options, "role", None):
        mask &= view.column("by") == ("client", "server").index(options.role)
    places = np.flatnonzero(mask)
    return places[: options.limit] if options.limit and options.verb != "summary" else places


def _in_order(options: argparse.Namespace, view: View, zone: tzinfo) -> None:
    """Raises: UsageError where --from is behind --to."""
    if not options.since or not options.until:
        return
    from analyzer.query.values import moment

    since, until = (moment(text, view.first_time(), zone) for text in (options.since, options.until))
    if since is not None and until is not None and since > until:
        raise UsageError(
            f"--from {options.since} is later than --to {options.until}", "the earlier time goes to --from"
        )


def _explained(snapshot: Snapshot, wanted: list[str] | None) -> View:
    """What `explain` tells of: TLS connections where the names are theirs, or where the capture holds no others.

    Raises: FramescopeError where they are of both kinds.
    """
    unread = {f"c{key}" for key in snapshot["encrypted"]["key"].tolist()}
    others = {f"c{key}" for key in snapshot["connections"]["key"].tolist()}
    names = {name if name.startswith("c") else f"c{name}" for name in wanted or ()}
    mixed = names & unread - others
    if mixed and names & others:
        raise FramescopeError(
            f"{min(mixed)} is TLS that cannot be read, others of those named can", "explain them one after the other"
        )
    return View(snapshot, "encrypted" if mixed or (unread and not others) else "connections")


def known(options: argparse.Namespace, view: View) -> None:
    """Raises: FramescopeError where a connection that is named is not there."""
    tables = {"explain": ("connections", "encrypted"), "encrypted": ("encrypted",)}.get(options.verb, ("connections",))
    keys = sorted({key for name in tables for key in view.snapshot[name]["key"].tolist()})
    wanted = options.connection
    for index, name in enumerate(wanted):
        wanted[index] = name if name.startswith("c") else f"c{name}"
        if wanted[index] not in map("c{}".format, keys):
            shown = ", ".join(map("c{}".format, keys[:8]))
            raise FramescopeError(
                f"there is no connection {name!r} in this capture", f"connections: {shown or 'none'}"
                + (" …" if len(keys) > 8 else "")
            )  # fmt: skip


def not_onto(output: str | None, inputs: Iterable[str]) -> None:
    """Raises: UsageError where what is to be read would be written over."""
    if output in (None, "-") or not os.path.isfile(output):
        return
    for path in inputs:
        try:
            same = os.path.samestat(os.stat(output), os.stat(0 if path == "-" else path))
        except OSError:
            continue  # who opens it says what is wrong with it
        if same:
            raise UsageError(f"{output} is what is read: it would be written over", "-o names another file")


@contextmanager
def output(path: str | None) -> Iterator[TextIO]:
    """Where to write: a file, or standard output."""
    if path is None or path == "-":
        yield standard_output()
        return
    try:
        with open(path, "w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
            yield stream
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from None
    except ValueError as error:
        if "\0" not in path:
            raise
        raise OutputError(f"{path} cannot be written: {error}") from None


def _write(options: argparse.Namespace, snapshot: Snapshot, view: View, places: npt.NDArray[np.int64], stream: TextIO,
           zone: tzinfo) -> None:  # fmt: skip
    page = Page.of(stream)
    as_table = getattr(options, "csv", False)
    default = "text" if view.name == "messages" and not options.json and not as_table else "none"
    manner = options.payload or default
    has_payload = view.name in ("frames", "messages")
    if as_table:
        from analyzer.export import table

        if options.json:
            raise UsageError("--json and --csv are two forms", "choose one of them")
        table.write(view, places, stream, json_payload(manner) if has_payload else None)
        return
    if options.json:
        from analyzer.export import jsonl

        jsonl.write(view, places, stream, json_payload(manner) if has_payload else None)
        return
    show = listing.payload_writer(manner, options.show_secrets, PREVIEW)
    shown = Manner(zone, options.show_secrets, show, manner in ("text", "none"))
    if options.verb == "check":
        from analyzer.cli import check

        check.write(options.format, view, places, page, shown, {"": options.files[0]})
    elif options.verb == "summary":
        from analyzer.cli import summary

        summary.write(snapshot, view, places, page, shown, options.limit, _beside(options, view, places, zone))
    elif options.verb == "explain":
        _explain(options, view, places, page, shown)
    else:
        listing.write(view, places, page, shown)


def _beside(options: argparse.Namespace, view: View, places: npt.NDArray[np.int64],
            zone: tzinfo) -> dict[str, npt.NDArray[np.int64]] | None:  # fmt: skip
    """Places in other tables that a summary tells of, where the options choose: what is of the connections chosen, or,
    where none is chosen by itself, fits the other options. None where nothing is chosen."""
    by_itself = bool(options.connection or options.filter is not None)
    if not (by_itself or options.since or options.until or options.host):
        return None
    snapshot = view.snapshot
    channels = np.unique(view.table["channel"][places])
    found = {}
    for name in ("exchanges", "encrypted"):
        other = View(snapshot, name)
        if not by_itself:
            wanted = argparse.Namespace(**{**vars(options), "verb": name, "connection": None, "limit": None})
            found[name] = choose(other, wanted, zone)
        elif name == "exchanges":
            found[name] = np.flatnonzero(np.isin(snapshot[name]["channel"], channels))
        else:
            found[name] = np.empty(0, np.int64)
    channels = np.union1d(channels, snapshot["exchanges"]["channel"][found["exchanges"]])
    found["notes"] = np.flatnonzero(np.isin(snapshot["notes"]["channel"], channels))
    of = np.append(snapshot["closes"]["incident"][places], snapshot["encrypted"]["incident"][found["encrypted"]])
    found["incidents"] = np.unique(of[of >= 0])
    return found


def json_payload(manner: str):  # type: ignore[no-untyped-def]
    """How payload is written into JSON Lines."""
    if manner == "text":
        return lambda octets: octets.decode("utf-8", "backslashreplace")
    return listing.payload_writer(manner, True, PREVIEW)


def _explain(
    options: argparse.Namespace, view: View, places: npt.NDArray[np.int64], page: Page, manner: Manner
) -> None:
    from analyzer.cli import explain, explain_encrypted

    if not len(places):
        raise FramescopeError(
            "there is no connection to explain", "framescope summary FILE says what the capture holds"
        )
    if len(places) > 1 and not options.connection and not options.filter:
        keys = view.values("connection", places[:8])
        raise FramescopeError(
            f"the capture holds {len(places)} connections: say which",
            f"--connection {' or '.join(keys)}{' …' if len(places) > 8 else ''}",
        )
    for index, place in enumerate(places.tolist()):
        if index:
            page.line()
        (explain_encrypted if view.name == "encrypted" else explain).write(view, place, page, manner, options.md)


def _status(options: argparse.Namespace, snapshot: Snapshot, view: View, places: npt.NDArray[np.int64]) -> int:
    traffic = snapshot.traffic
    if not options.quiet:
        for problem in snapshot.problems:
            warn(problem)
        for link, number in traffic.links.items():
            warn(
                f"{count(number, 'packet')} of link type {link} not read, for want of a decoder:"
                " capture on another interface, such as any"
            )
    if options.fail_on and worst(snapshot, view, places) >= Severity[options.fail_on.upper()]:
        return ExitStatus.FOUND
    if traffic.packets and sum(traffic.links.values()) == traffic.packets:
        return ExitStatus.INPUT
    return ExitStatus.DAMAGED if snapshot.problems or traffic.links else ExitStatus.OK


def worst(snapshot: Snapshot, view: View, places: npt.NDArray[np.int64]) -> int:
    """The worst severity among the notes of the rows chosen: the notes themselves, or those of their connections."""
    notes = snapshot["notes"]
    severity = notes["severity"]
    if view.name == "notes":
        severity = severity[places]
    elif len(places) < len(view) and "channel" in view.table.schema.by_name:
        channels = np.unique(view.table["channel"][places])
        severity = severity[np.isin(notes["channel"], channels)]
    return int(severity.max(initial=0))
