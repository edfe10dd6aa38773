"""The columns of the list of connections: which a screen has room for, how wide, and what a cell says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from analyzer.analysis.verdicts import duration
from analyzer.schemas import CAUSES, ENDING_KINDS, SIDES, VERDICTS
from analyzer.times import size
from analyzer.tui.arrows import NO_BLAME
from analyzer.tui.entries import Entries, Entry
from analyzer.tui.looks import STATE_STYLES, Signs, state_sign

GAP = 2


class Listing(Protocol):
    """What cells are made from."""

    signs: Signs
    entries: Entries
    widths: dict[str, int]

    def started(self, entry: Entry) -> str:
        """When a connection began."""


Cell = Callable[[Listing, Entry], tuple[str, str]]


def _state(lines: Listing, entry: Entry) -> tuple[str, str]:
    number = _code(lines, entry)
    code = f" {number}" if number >= 0 else ""
    word = "other" if entry.state == "other-protocol" else entry.state
    return f"{state_sign(lines.signs, entry.state)} {word}{code}", _style(lines, entry)


def _code(lines: Listing, entry: Entry) -> int:
    return lines.entries.snapshot["closes"].row(entry.connection)["close_code"] if entry.connection >= 0 else -1


def _style(lines: Listing, entry: Entry) -> str:
    """A close that says that something was wrong is no good one."""
    blamed = entry.state == "closed" and _code(lines, entry) not in NO_BLAME
    return "odd" if blamed else STATE_STYLES.get(entry.state, "plain")


def _activity(lines: Listing, entry: Entry) -> tuple[str, str]:
    counts = lines.entries.activity(entry, lines.widths["activity"])
    top = max(max(counts), 1)
    bars = lines.signs.bars
    steps = len(bars) - 1
    return "".join(bars[min(-(-number * steps // top), steps)] for number in counts), "client"


def _both(entry: Entry, values: tuple[int, int], told: Callable[[int], str]) -> tuple[str, str]:
    if not any(values):
        return "-", "dim"
    return f"{told(values[0])} / {told(values[1])}", "plain"


def _messages(lines: Listing, entry: Entry) -> tuple[str, str]:
    return ("-", "dim") if entry.encrypted >= 0 else _both(entry, entry.messages, str)


def _start(lines: Listing, entry: Entry) -> tuple[str, str]:
    return lines.started(entry), "dim"


def _verdict(lines: Listing, entry: Entry) -> tuple[str, str]:
    around = f"[{entry.around}] " if entry.around else ""
    told = entry.verdict if len(entry.verdict) + len(around) <= lines.widths["verdict"] else in_short(lines, entry)
    return around + told, _style(lines, entry)


def in_short(lines: Listing, entry: Entry) -> str:
    """The verdict in a few words; the whole sentence stands below the list."""
    snapshot = lines.entries.snapshot
    if entry.connection < 0 and entry.encrypted < 0:
        return entry.verdict
    table, row = ("closes", entry.connection) if entry.connection >= 0 else ("encrypted", entry.encrypted)
    cells = snapshot[table].row(row)
    end = f"{SIDES[cells['end_by']]} {ENDING_KINDS[cells['end']]}" if cells["end"] else ""
    cause = f", {CAUSES[cells['cause']].replace('-', ' ')}" if cells["cause"] else ""
    if entry.encrypted >= 0:
        return f"{end or 'still open'}{cause}"
    code = str(cells["close_code"]) if cells["close_code"] >= 0 else "without a code"
    status = snapshot.handshake(snapshot["connections"].row(row))["status"]
    words = {
        "open-at-end": "still open", "clean": f"{SIDES.get(cells['close_by'], '-')} closed {code}",
        "unanswered-close": f"{SIDES.get(cells['close_by'], '-')} closed {code}, no answer",
        "fin-without-close": f"{end}, no Close", "rst-without-close": f"{end}, no Close",
        "refused": f"refused {status}",
        "unanswered-handshake": "no response", "other-protocol": "other protocol", "packets-lost": "packets lost",
    }  # fmt: skip
    word = VERDICTS[cells["verdict"]]
    return words[word] + (cause if word != "refused" else "")


COLUMNS: dict[str, tuple[int, int, Cell]] = {
    "state": (14, 0, _state),
    "start": (9, 5, _start),
    "client": (21, 4, lambda lines, entry: (entry.client, "client")),
    "server": (21, 2, lambda lines, entry: (entry.server, "server")),
    "path": (16, 0, lambda lines, entry: (entry.path or "-", "bold" if entry.path else "dim")),
    "subprotocol": (12, 8, lambda lines, entry: (entry.subprotocol or "-", "plain" if entry.subprotocol else "dim")),
    "deflate": (7, 7, lambda lines, entry: ("deflate", "plain") if entry.compressed else ("-", "dim")),
    "messages": (13, 1, _messages),
    "octets": (17, 6, lambda lines, entry: _both(entry, entry.octets, size)),
    "lasted": (8, 1, lambda lines, entry: (duration(entry.lasted) if entry.lasted >= 0 else "-", "plain")),
    "activity": (12, 3, _activity),
    "notes": (5, 9, lambda lines, entry: (str(entry.notes) if entry.notes else "-", "note" if entry.notes else "dim")),
    "verdict": (20, 0, _verdict),
}  # fmt: skip
"""Columns in the order of the screen: least width, when they come in (0: always), and the cell. The last one takes what
is left."""
NUMBERS = ("start", "messages", "octets", "lasted", "notes")
"""Columns that stand to the right, digits under digits."""
FLEXIBLE = {"activity": 32, "path": 28, "client": 27, "server": 27, "subprotocol": 18}
"""Columns that grow on a wide screen, and how far."""
VERDICT_WISH = 28
"""Characters that most verdicts in short take."""


def widths_for(width: int) -> dict[str, int]:
    """Which columns a screen has room for, and how wide they are."""
    chosen = {name for name, (_, rank, _) in COLUMNS.items() if rank == 0}
    used = sum(COLUMNS[name][0] + GAP for name in chosen) - GAP
    for name, (least, rank, _) in sorted(COLUMNS.items(), key=lambda item: item[1][1]):
        room = VERDICT_WISH - COLUMNS["verdict"][0] if rank > 4 else 0
        if rank and used + least + GAP + room <= width:
            chosen.add(name)
            used += least + GAP
    widths = {name: least for name, (least, _, _) in COLUMNS.items() if name in chosen}
    spare = width - used
    wish = max(min(VERDICT_WISH - widths["verdict"], spare), 0)
    widths["verdict"] += wish
    spare -= wish
    for name, most in FLEXIBLE.items():
        if name in widths:
            more = min(most - widths[name], spare // 2 if name != "subprotocol" else spare // 3)
            widths[name] += max(more, 0)
            spare -= max(more, 0)
    widths["verdict"] += spare
    return widths


def fit(text: str, width: int, right: bool = False) -> str:
    """A text of exactly this many characters."""
    if len(text) > width:
        return text[: max(width - 1, 0)] + "…"
    return text.rjust(width) if right else text.ljust(width)


def column_at(x: int, width: int) -> str:
    """The column that stands at a place of the line."""
    left = 0
    for name, wide in widths_for(width).items():
        left += wide + GAP
        if x < left:
            return name
    return "verdict"
