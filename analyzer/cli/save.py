"""`framescope save`: connections as a capture of their own, or the payload of a message."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np

from analyzer.analysis.pipeline import analyze
from analyzer.analysis.snapshot import Snapshot
from analyzer.bundled import resolve
from analyzer.capture.files import open_source
from analyzer.cli.diagnostics import progress_bar, warn
from analyzer.cli.verbs import known, not_onto
from analyzer.errors import ExitStatus, FramescopeError, OutputError, UsageError
from analyzer.export import packets
from analyzer.limits import Limits
from analyzer.times import count
from analyzer.views import View


def run(options: argparse.Namespace) -> int:
    """Run; returns the exit status."""
    if bool(options.connection) == (options.message is not None):
        raise UsageError("say what to save", "--connection c24 for its packets, or --message 17 for its payload")
    if options.output in (None, "-") and sys.stdout.isatty():
        raise UsageError("octets are not for a terminal", "-o FILE writes a file, or pipe them on")
    paths = [resolve(path) for path in options.files]
    not_onto(options.output, paths)
    source = open_source(paths)
    try:
        tell, end = progress_bar(options.quiet)
        try:
            snapshot = analyze(source, limits=Limits(), progress=tell)
        finally:
            end()
        told = (_packets if options.connection else _payload)(snapshot, options)
        if not options.quiet:
            for problem in snapshot.problems:
                warn(problem)
            warn(told)
        return ExitStatus.DAMAGED if snapshot.problems else ExitStatus.OK
    finally:
        source.close()


def _packets(snapshot: Snapshot, options: argparse.Namespace) -> str:
    view = View(snapshot, "connections")
    known(options, view)
    keys = np.array([int(key[1:]) for key in options.connection])
    streams = view.table["stream"][np.isin(view.table["key"], keys)].astype(np.int64)
    with _output(options.output) as stream:
        written = packets.write(snapshot, streams, stream)
    return f"{count(written, 'packet')} of {', '.join(options.connection)} saved"


def _payload(snapshot: Snapshot, options: argparse.Namespace) -> str:
    view = View(snapshot, "messages")
    if options.message not in set(view.rows.tolist()):
        raise FramescopeError(f"there is no message {options.message}", "framescope messages --json tells their rows")
    payload = view.contents.message_payload(options.message)
    with _output(options.output) as stream:
        stream.write(payload.octets)
    rest = "" if payload.whole else f"; not whole: {payload.why}"
    return f"{count(len(payload.octets), 'octet')} of message {options.message} saved{rest}"


@contextmanager
def _output(path: str | None) -> Iterator[BinaryIO]:
    if path is None or path == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with open(path, "wb") as stream:
            yield stream
    except (OSError, ValueError) as error:
        raise OutputError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}") from None
