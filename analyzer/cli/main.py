"""The command: arguments only. What a verb needs is imported when it runs, so that help comes at once."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from errno import EBADF, EDQUOT, EFBIG, ENOSPC
from textwrap import fill
from typing import NoReturn

from analyzer.cli import screen
from analyzer.cli.help import EXAMPLES, FILTERS, OVERVIEW, STATUSES, TABLES, VERBS, WORDS, epilog
from analyzer.errors import ExitStatus, FramescopeError

INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""
FULL = (ENOSPC, EDQUOT, EFBIG, EBADF)
COMMAND = "framescope"
ON_CAPTURES = ("summary", "explain", "check", *TABLES)


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line and what to do in the next, not how everything is used."""

    def error(self, message: str) -> NoReturn:
        from analyzer.errors import UsageError

        raise UsageError(message, f"{self.prog} --help tells the options")

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        """As its parent; a verb names the option that it does not know, and the nearest one."""
        found, rest = super().parse_known_args(args, namespace)
        for word in rest if self.prog != COMMAND else ():
            if word.startswith("-"):
                raise _unknown(word, self)
        return found, rest


def _unknown(word: str, parser: argparse.ArgumentParser) -> FramescopeError:
    from difflib import get_close_matches

    from analyzer.errors import UsageError

    near = get_close_matches(word.split("=")[0], parser._option_string_actions, 1)
    told = f"did you mean {near[0]}?" if near else f"{parser.prog} --help tells the options"
    return UsageError(f"unrecognized option {word}", told)


def parser(only: str | None = None) -> argparse.ArgumentParser:
    """The command's arguments; with the options of `only` one verb, where it is known: most of the time goes there."""
    top = Parser(
        COMMAND, usage="framescope [VERB] [OPTION...] FILE...", description=OVERVIEW,
        epilog=EXAMPLES + WORDS + FILTERS + STATUSES,        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    top.add_argument("--version", action="store_true", help="version, and whether the walks are compiled")
    verbs = top.add_subparsers(
        dest="verb", metavar="VERB", prog=COMMAND, title="verbs (where none is given: tui on a terminal, else summary)"
    )
    for verb, text in VERBS.items() if only is None else [(only, VERBS[only])]:
        sub = verbs.add_parser(
            verb, help=text, description=fill(text[0].upper() + text[1:] + ".", 79), epilog=epilog(verb),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        if verb in ON_CAPTURES:
            _capture_options(sub, verb)
        elif verb == "tui":
            sub.add_argument("files", nargs="*", metavar="FILE", help="capture; - for standard input, sample:NAME")
            sub.add_argument("--tz", default="UTC", metavar="ZONE", help="time zone: UTC, local, Europe/Berlin")
            sub.add_argument("--ascii", action="store_true", help="draw with ASCII characters only")
        elif verb == "live":
            _live_options(sub)
        elif verb == "decode":
            _decode_options(sub)
        elif verb == "save":
            _save_options(sub)
        elif verb == "recover":
            sub.add_argument("name", nargs="?", help="one of those listed; where none is given, all are listed")
            sub.add_argument("-w", "--write", metavar="FILE", help="save it as FILE, and delete the spool")
            sub.add_argument("--delete", action="store_true", help="delete the spool")
        elif verb == "schema":
            sub.add_argument("table", choices=TABLES, nargs="?", help="all where none is given")
    return top


def _capture_options(sub: argparse.ArgumentParser, verb: str) -> None:
    sub.add_argument("files", nargs="+", metavar="FILE", help="capture; - for standard input, sample:NAME for a sample")
    chosen = sub.add_argument_group("which rows")
    chosen.add_argument("--connection", metavar="ID", action="append", help="only this connection, as c24 (repeatable)")
    chosen.add_argument("--filter", metavar="EXPR", help="only what the expression holds for")
    chosen.add_argument("--from", metavar="TIME", dest="since", help="not before: 12:00:05, an RFC 3339 time, or 5s")
    chosen.add_argument("--to", metavar="TIME", dest="until", help="not after")
    chosen.add_argument("--host", metavar="CIDR", help="only where either end is in this network")
    chosen.add_argument("--limit", metavar="N", type=_natural, help="at most N rows; 0 for all")
    chosen.add_argument("--overlap", choices=("first", "last"), default="first",
                        help="which copy counts where packets carry other octets for the same place")  # fmt: skip
    shown = sub.add_argument_group("how they are shown")
    shown.add_argument("--json", action="store_true", help="JSON Lines (framescope schema tells the fields)")
    if verb in TABLES:
        shown.add_argument("--csv", action="store_true", help="the fields of --json for a spreadsheet")
    shown.add_argument("--payload", choices=("text", "hex", "base64", "none"),
                       help="how payload is shown; JSON and CSV have it only where it is asked for")  # fmt: skip
    shown.add_argument("--show-secrets", action="store_true", help="do not mask tokens, cookies, passwords in text")
    shown.add_argument("--tz", default="UTC", metavar="ZONE", help="time zone: UTC, local, Europe/Berlin")
    shown.add_argument("-o", "--output", metavar="FILE", help="write there, not to standard output")
    shown.add_argument("-q", "--quiet", action="store_true", help="no progress, no warnings")
    if verb == "check":
        chosen.add_argument("--role", choices=("client", "server"), help="only what this side did")
        shown.add_argument(
            "--format", choices=("text", "json", "junit", "sarif"), default="text", help="how to tell it"
        )
    if verb == "explain":
        sub.add_argument("--patterns", action=_Patterns, nargs=0,
                         help="list the patterns behind causes, and stop; behind --md as a table")  # fmt: skip
        shown.add_argument("--md", action="store_true", help="Markdown, for a ticket")
    sub.add_argument("--fail-on", choices=("odd", "should", "must"), metavar="SEVERITY",
                     default="should" if verb == "check" else None,
                     help="exit with 1 where a note (of the rows chosen) is this bad: odd, should or must")  # fmt: skip


def _decode_options(sub: argparse.ArgumentParser) -> None:
    sub.usage = "framescope decode [WHAT] [--client FILE] [--server FILE] [OPTION...]"
    sub.add_argument("what", nargs="?", choices=("frames", "messages", "check"), default="frames",
                     metavar="WHAT", help="frames (where nothing is said), messages or check")  # fmt: skip
    sub.add_argument("--client", metavar="FILE", help="what the client sent: from the HTTP request on, or frames alone")
    sub.add_argument(
        "--server", metavar="FILE", help="what the server sent; either may be missing; - for standard input"
    )
    sub.add_argument("--deflate", action=argparse.BooleanOptionalAction, help="permessage-deflate was agreed, or not")
    sub.add_argument("--no-context-takeover", choices=("client", "server"), action="append", metavar="SIDE",
                     help="with --deflate: this side starts every message anew (repeatable)")  # fmt: skip
    sub.add_argument("--filter", metavar="EXPR", help="only what the expression holds for")
    sub.add_argument("--limit", metavar="N", type=_natural, help="at most N rows; 0 for all")
    sub.add_argument("--role", choices=("client", "server"), help="with check: only what this side did")
    sub.add_argument(
        "--format", choices=("text", "json", "junit", "sarif"), default="text", help="with check: how to tell it"
    )
    sub.add_argument("--json", action="store_true", help="JSON Lines (framescope schema tells the fields)")
    sub.add_argument("--payload", choices=("text", "hex", "base64", "none"), help="how payload is shown")
    sub.add_argument("--show-secrets", action="store_true", help="do not mask tokens, cookies, passwords in text")
    sub.add_argument("-o", "--output", metavar="FILE", help="write there, not to standard output")
    sub.add_argument("--fail-on", choices=("odd", "should", "must"), metavar="SEVERITY",
                     help="exit with 1 where a note is this bad: odd, should (check's own) or must")  # fmt: skip
    sub.set_defaults(connection=None, since=None, until=None, host=None)


def _save_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("files", nargs="+", metavar="FILE", help="capture; - for standard input, sample:NAME for a sample")
    sub.add_argument("--connection", metavar="ID", action="append",
                     help="the packets of this connection, as c24 (repeatable)")  # fmt: skip
    sub.add_argument("--message", metavar="ROW", type=_natural,
                     help="the payload of this message, inflated; messages --json tells rows")  # fmt: skip
    sub.add_argument("-o", "--output", metavar="FILE", help="write there, not to standard output")
    sub.add_argument("-q", "--quiet", action="store_true", help="no progress, no warnings")


class _Patterns(argparse.Action):
    """Lists the patterns; no capture is needed."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *_: object) -> None:
        from analyzer.cli.about import patterns, patterns_table
        from analyzer.cli.page import Page, standard_output

        if namespace.md:
            sys.stdout.write(patterns_table())
        else:
            patterns(Page.of(standard_output()))
        parser.exit()


def _live_options(sub: argparse.ArgumentParser) -> None:
    sub.set_defaults(first="")
    sub.usage = "framescope live [-i IFACE] [OPTION...] [CAPTURE FILTER... | -]"
    sub.add_argument("expression", nargs="*", metavar="FILTER", help="capture filter as tcpdump has it; - reads a pipe")
    sub.add_argument("-i", "--interface", action="append", metavar="IFACE", help="repeatable; any; none: lists them")
    sub.add_argument("--follow", metavar="PATH", help="a file that grows, or a folder of files begun one by one")
    sub.add_argument("--backend", choices=("auto", "dumpcap", "tcpdump", "scapy"), default="auto",
                     help="what captures; auto: the first of these that is there and may")  # fmt: skip
    sub.add_argument("--ring", metavar="SPAN", help="keep only so much: 10min, 2GB")
    sub.add_argument("--spool-limit", metavar="SIZE", help="stop where the capture has this size: 10GB (64GiB)")
    sub.add_argument("-w", "--write", metavar="FILE", help="save the capture; without it, it is deleted at the end")
    sub.add_argument("--write-shown", metavar="FILE", help="save the connections of rows that --filter chose, or all")
    sub.add_argument("--for", dest="duration", metavar="TIME", help="end after that time: 60s, 10min")
    sub.add_argument("--count", type=_natural, metavar="N", help="end after N frames")
    sub.add_argument("--until", metavar="EXPR", help="end when the expression holds for a new row")
    sub.add_argument("--filter", metavar="EXPR", help="only rows for which the expression holds")
    sub.add_argument(
        "--alert", metavar="EXPR", action="append", help="a line and a bell when it holds: 'reported_code == 1006'"
    )
    sub.add_argument("--alert-command", metavar="COMMAND", help="run for each alert, with its row as JSON on its input")
    sub.add_argument("--json", action="store_true", help="JSON Lines as things happen; the summary on standard error")
    sub.add_argument("--payload", choices=("text", "hex", "base64", "none"), default="none", help="with --json")
    sub.add_argument("--show-secrets", action="store_true", help="do not mask tokens, cookies, passwords in text")
    sub.add_argument("--tz", default="UTC", metavar="ZONE", help="time zone: UTC, local, Europe/Berlin")
    sub.add_argument("--ascii", action="store_true", help="draw with ASCII characters only")
    sub.add_argument("-q", "--quiet", action="store_true", help="no warnings, no summary with --json")


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 0 or more")
    return int(text)


def _meant(word: str) -> None:
    """A word that is no file and nearly a verb is a verb mistyped.

    Raises: UsageError where it is.
    """
    from difflib import get_close_matches

    from analyzer.errors import UsageError

    near = get_close_matches(word, VERBS, 1, 0.75)
    if near and not os.path.exists(word):
        raise UsageError(
            f"{word!r} is no verb, and no file of that name is here", f"did you mean framescope {near[0]}?"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words and not screen.wanted(words):
        parser().print_help()
        return ExitStatus.OK
    if not words or words[0] not in (*VERBS, "-h", "--help", "--version"):
        words.insert(0, "tui" if screen.wanted(words) else "summary")
        mistyped = [word for word in words[1:2] if not word.startswith("-")]
    else:
        mistyped = []
    try:
        for word in mistyped:
            _meant(word)
        options = parser(words[0] if words[0] in VERBS else None).parse_args(words)
        return _run(options)
    except SystemExit as exit_:  # argparse has printed the help
        return int(exit_.code or 0)
    except FramescopeError as error:
        from analyzer.cli.diagnostics import report

        report(error)
        return error.status
    except BrokenPipeError:
        # the reader has seen enough; what Python still wants to flush goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitStatus.OK
    except OSError as error:
        return _unwritten(error)
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(options: argparse.Namespace) -> int:
    if options.version:
        from analyzer.cli.about import version

        print(version())
        return ExitStatus.OK
    if options.verb == "keys":
        from analyzer.tui.app import bindings
        from analyzer.tui.keymap import as_file

        sys.stdout.write(as_file(bindings()))
        return ExitStatus.OK
    if options.verb in ("samples", "filters", "schema"):
        from analyzer.cli import about

        sys.stdout.write(getattr(about, options.verb)(getattr(options, "table", None)))
        return ExitStatus.OK
    if options.verb == "tui":
        return screen.run(options)
    if options.verb == "save":
        from analyzer.cli.save import run as save

        return save(options)
    if options.verb == "decode":
        from analyzer.cli.decode import run as decode

        return decode(options)
    if options.verb in ("live", "recover"):
        from analyzer.cli import live

        return live.run(options) if options.verb == "live" else live.recover(options)
    from analyzer.cli.verbs import run

    return run(options)


def _unwritten(error: OSError) -> int:
    """Standard output is on a full disk, or was closed. Files that are opened by name have errors of their own."""
    if error.errno not in FULL:
        raise
    from analyzer.cli.diagnostics import report
    from analyzer.errors import OutputError

    report(OutputError(f"standard output cannot be written: {error.strerror or error}"))
    return ExitStatus.OUTPUT


def _open_all() -> None:
    """The number of a standard stream that the caller closed would be the next file's that is opened."""
    for name, flag, mode in (
        ("stdin", os.O_RDONLY, "r"), ("stdout", os.O_RDONLY, "w"), ("stderr", os.O_WRONLY, "w"),
    ):  # fmt: skip
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.open(os.devnull, flag), mode, encoding="utf-8"))  # noqa: SIM115 - until the end


def run() -> None:
    """The console script."""
    # no linear algebra is done here: without this numpy's BLAS starts a thread a core, which spin for a while
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # imports and rows make many objects and few cycles: at the usual threshold looking for those takes 5 % of a run
    gc.set_threshold(100_000, 20, 20)
    _open_all()
    status = main()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        pass
    except OSError as error:
        status = _unwritten(error)
    with suppress(OSError):
        sys.stderr.flush()
    # the system takes back what a process holds at once; Python would take it apart object by object first
    os._exit(status)
