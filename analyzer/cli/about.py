"""What needs no capture: version, samples, the filter language, the schema of JSON Lines."""

from __future__ import annotations

import json
from importlib import import_module
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of

from analyzer.bundled import names, stories
from analyzer.cli.help import TABLES
from analyzer.cli.page import Page

LANGUAGE = (
    "A filter is a test of fields, for example:", "",
    "  opcode == close and close_code != 1000", "  host == 10.0.0.0/24 and length > 64KiB",
    "  payload ~ /token=\\w+/i or not (sender == server)", "  close_code in {1000, 4000..4999}",
    '  path contains "/chat" and time > 12:00:05 and idle >= 60s', "",
    "An absent value differs from every value: close_code != 1000 holds where there is no Close frame.",
    "close_code == none tests for absence; a bare name holds where the value is there.",
)  # fmt: skip
WALKS = (
    "analyzer.capture.walk", "analyzer.streams.copies", "analyzer.streams.delivery", "analyzer.streams.figures",
    "analyzer.streams.flow_walk", "analyzer.streams.gaps", "analyzer.streams.segment_walk", "analyzer.streams.segments",
    "analyzer.streams.sequence", "analyzer.streams.spans", "analyzer.streams.starts", "analyzer.streams.withholding",
    "dissectors.columns", "dissectors.websocket.frame_walk", "dissectors.websocket.header_search",
    "dissectors.websocket.inflating", "dissectors.websocket.masking", "dissectors.websocket.message_walk",
)  # fmt: skip
"""The hot modules, which are compiled where the package was built with a C compiler."""


def version() -> str:
    """Version, and which walks are compiled."""
    plain = [name for name in WALKS if str(import_module(name).__file__).endswith(".py")]
    if not plain:
        state = "walks compiled"
    elif len(plain) == len(WALKS):
        state = "walks not compiled (no C compiler when it was installed): everything works, slower"
    else:
        state = f"walks partly compiled; not: {', '.join(plain)}"
    try:
        number = version_of("framescope")
    except PackageNotFoundError:
        number = "(not installed)"
    return f"framescope {number}, {state}"


def samples(_: object = None) -> str:
    """The bundled captures with their stories."""
    told = stories()
    lines = [f"sample:{name:<22} {told.get(name, '')}".rstrip() for name in names()]
    return "\n".join([*lines, "", "open one anywhere: framescope summary sample:tour", ""])


def patterns(page: Page) -> None:
    """The patterns behind likely causes, for a terminal."""
    from analyzer.analysis.patterns import PATTERNS

    for pattern in PATTERNS:
        sure = f"confidence {pattern.confidence.name.lower()}"
        if pattern.surer is not None:
            sure += f", more where: {pattern.surer.words}"
        page.line(page.style(pattern.name, "bold"))
        told = (("", pattern.cause), ("", sure), ("seen: ", pattern.when.words),
                *(("or: ", other) for other in pattern.alternatives), *(("try: ", what) for what in pattern.tries),
                ("source: ", pattern.source))  # fmt: skip
        for label, text in told:
            for line in page.wrapped(f"  {label}{text}", 4):
                page.line(line)
        page.line()


def patterns_table() -> str:
    """The same as a table in Markdown."""
    from analyzer.analysis.patterns import PATTERNS

    lines = ["| cause | what is seen | likely cause | confidence | or | what to try | source |", "|" + "---|" * 7]
    for pattern in PATTERNS:
        sure = pattern.confidence.name.lower()
        if pattern.surer is not None:
            sure += f", more where {pattern.surer.words}"
        cells = (f"`{pattern.name}`", pattern.when.words, pattern.cause, sure, "; ".join(pattern.alternatives),
                 "; ".join(pattern.tries), pattern.source)  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def filters(_: object = None) -> str:
    """The filter language, and the fields of each table."""
    from analyzer.query.fields import ALIASES
    from analyzer.views import fields_of

    lines = [*LANGUAGE, "operators: == != < <= > >= contains in {a, b..c} ~ /regex/i and or not ( )", ""]
    for table in TABLES:
        lines.append(f"{table}:")
        for field in sorted(fields_of(table).values(), key=lambda field: field.name):
            words = f": {', '.join(field.words.values())}" if field.words and len(field.words) < 12 else ""
            lines.append(f"  {field.name:<22} {field.kind.value}; {field.doc}{words}")
        lines.append("")
    lines.append("Wireshark's names:")
    lines += [f"  {alias:<38} {name}" for alias, name in ALIASES.items()]
    return "\n".join([*lines, ""])


def schema(table: str | None) -> str:
    """The JSON Schema of one table, or of all, by name."""
    from analyzer.views import json_schema

    found = json_schema(table) if table else {name: json_schema(name) for name in TABLES}
    return json.dumps(found, indent=2) + "\n"
