"""`framescope decode`: the octets that each side of one connection sent, from files without packets or times."""

from __future__ import annotations

import argparse
import sys

from analyzer.analysis.raw_streams import Octets, decode
from analyzer.cli import check, listing
from analyzer.cli.diagnostics import warn
from analyzer.cli.listing import Manner
from analyzer.cli.page import Page
from analyzer.cli.verbs import PREVIEW, choose, json_payload, not_onto, output, worst
from analyzer.errors import CaptureError, ExitStatus, FramescopeError
from analyzer.export import jsonl
from analyzer.times import zone_of
from analyzer.views import View
from dissectors.http.parameters import Deflate
from dissectors.notes import Severity

ABSENT = ("connection", "time", "packet")
"""Columns of listings that say nothing here."""


def run(options: argparse.Namespace) -> int:
    """Run; returns the exit status."""
    paths = (options.client, options.server)
    if not any(paths):
        raise FramescopeError("nothing to decode", "give --client FILE, --server FILE or both; - is standard input")
    if options.what != "check" and (options.role or options.format != "text"):
        raise FramescopeError("--role and --format are for decode check", "--filter 'sender == client' chooses frames")
    if paths == ("-", "-"):
        raise FramescopeError("both sides cannot come from standard input", "give one of them as a file")
    named = {side: path for side, path in zip(("client", "server"), paths, strict=True) if path}
    source = Octets((_read(options.client), _read(options.server)), tuple(named.values()))
    not_onto(options.output, named.values())
    both = all(paths)
    if not any(source.sides):
        raise CaptureError(
            f"nothing to decode: {' and '.join(named.values())} {'is' if len(named) == 1 else 'are'} empty",
            "was anything written before it was read?",
        )
    snapshot = decode(source, both, _agreed(options))
    view = View(snapshot, "notes" if options.what == "check" else options.what)
    places = choose(view, options, zone_of("UTC"))
    with output(options.output) as stream:
        page = Page.of(stream)
        manner = options.payload or ("text" if options.what == "messages" and not options.json else "none")
        shown = Manner(
            zone_of("UTC"),
            options.show_secrets,
            listing.payload_writer(manner, options.show_secrets, PREVIEW),
            manner in ("text", "none"),
        )
        if options.what == "check" and not options.json:
            check.write(options.format, view, places, page, shown, named)
        elif options.json:
            jsonl.write(view, places, stream, json_payload(manner) if options.what != "check" else None)
        else:
            listing.write(view, places, page, shown, ABSENT)
    for problem in source.problems:
        warn(problem)
    fail_on = options.fail_on or ("should" if options.what == "check" else None)
    if fail_on and worst(snapshot, view, places) >= Severity[fail_on.upper()]:
        return ExitStatus.FOUND
    return ExitStatus.DAMAGED if source.problems else ExitStatus.OK


def _read(path: str | None) -> bytes:
    if path is None:
        return b""
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise CaptureError(f"{path} cannot be read: {error.strerror or error}") from None


def _agreed(options: argparse.Namespace) -> Deflate | None:
    """What the options say of permessage-deflate; None where they say nothing."""
    if options.deflate is None:
        return None
    without = options.no_context_takeover or ()
    return Deflate(options.deflate, "client" not in without, "server" not in without)
