"""Checks BPF filters before anything starts, with libpcap's own words."""

from __future__ import annotations

import re
import shutil
import subprocess

from analyzer.errors import FilterError

FINISHES = (
    "", " 1", " tcp", " host 127.0.0.1", " 127.0.0.1", " = 1", " 1 = 1", "] = 1", "0] = 1", ")", " tcp)", " 1)",
    " 127.0.0.1)",
)  # fmt: skip
"""What may stand after the start of a filter that is right so far."""
UNKNOWN = re.compile(r"(?:unknown|illegal|invalid|non-network bits set in) (?:[\w ]+ )?'?\"?([\w.:/-]+)")


def check(expression: str) -> None:
    """Compile a filter.

    Raises: FilterError where it does not compile, with the place.
    """
    message = _complaint(expression)
    if not message:
        return
    named = UNKNOWN.search(message)
    if named and named[1] in expression:
        raise FilterError(f"the capture filter is wrong: {message}", expression, expression.index(named[1]))
    raise FilterError(
        f"the capture filter is wrong: {message}", expression, _place(expression),
        "capture filters are in the language of tcpdump: tcp port 8080 and host 10.0.0.1",
    )  # fmt: skip


def _place(expression: str) -> int:
    """Where the first word starts that nothing can put right: libpcap does not tell."""
    for word in re.finditer(r"[\w.:/-]+|[^\w\s]", expression):
        start = expression[: word.end()]
        if all("syntax error" in _complaint(start + finish) for finish in FINISHES):
            return word.start()
    return len(expression)


def _complaint(expression: str) -> str:
    """What libpcap says against a filter; empty where nothing, or where tcpdump is not there to ask: then the backend
    says it when it starts."""
    program = shutil.which("tcpdump")
    if program is None:
        return ""
    done = subprocess.run(
        [program, "-d", "-y", "EN10MB", "--", expression], capture_output=True, text=True, check=False
    )
    return "" if not done.returncode else done.stderr.strip().splitlines()[-1].removeprefix("tcpdump: ")
