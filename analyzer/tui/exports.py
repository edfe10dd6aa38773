"""What can be written to files: the rows that a screen shows, a payload, the packets of a connection."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from analyzer.api import Capture
from analyzer.errors import OutputError
from analyzer.escape import file_name
from analyzer.export import jsonl, packets, table
from analyzer.times import count
from analyzer.tui.rungs import Kind
from analyzer.tui.subject import Shown, Subject, message_of
from dissectors.websocket.opcodes import TEXT


class Export(NamedTuple):
    """Something to write. `write` fills the open file and says what it wrote."""

    key: str
    name: str
    more: str
    proposal: str
    write: Callable[[BinaryIO], str]


def exports(capture: Capture, subject: Subject | None, shown: Shown | None) -> list[Export]:
    """What a screen has to export."""
    found: list[Export] = []
    base = Path(capture.snapshot.source.names[0]).name.partition(".")[0]
    if shown is not None and len(shown.places):
        for key, form, ending in (("j", "JSON Lines", "jsonl"), ("c", "CSV", "csv")):
            more = count(len(shown.places), shown.table.removesuffix("s"))
            name = f"{base}-{shown.table}.{ending}"
            found.append(Export(key, f"the rows shown as {form}", more, file_name(name), _rows(capture, shown, ending)))
    if subject is None:
        return found
    row = message_of(capture, subject.kind, subject.ref)
    if row >= 0:
        found.append(_payload(capture, subject, row))
    if capture.snapshot.finished:
        stream = subject.entry.stream
        name = file_name(f"{base}-{subject.entry.key}.pcapng")
        found.append(Export("p", f"connection {subject.entry.key} as pcapng", "its packets, as captured", name,
                            partial(_packets, capture, stream)))  # fmt: skip
    return found


def _packets(capture: Capture, stream: int, file: BinaryIO) -> str:
    return count(packets.write(capture.snapshot, np.array([stream]), file), "packet")


def _rows(capture: Capture, shown: Shown, ending: str) -> Callable[[BinaryIO], str]:
    def write(file: BinaryIO) -> str:
        view = capture.view(shown.table)
        text = TextIOWrapper(file, "utf-8", "backslashreplace", "")
        payload = (lambda octets: octets.decode("utf-8", "backslashreplace")) if shown.table in _PAYLOADS else None
        write_rows = table.write if ending == "csv" else jsonl.write
        write_rows(view, shown.places, text, payload)
        text.detach()  # flushes; the file is closed by whoever opened it
        return count(len(shown.places), "row")

    return write


_PAYLOADS = ("frames", "messages")


def _payload(capture: Capture, subject: Subject, row: int) -> Export:
    cells = capture.snapshot["messages"].row(row)
    ending = "txt" if cells["opcode"] == TEXT else "bin"

    def write(file: BinaryIO) -> str:
        payload = capture._contents.message_payload(row)
        file.write(payload.octets)
        rest = "" if payload.whole else f", not whole: {payload.why}"
        return f"{count(len(payload.octets), 'octet')}{rest}"

    what = "message" if subject.kind is Kind.MESSAGE else "the message of this frame"
    return Export("b", f"the payload of this {what}".replace("this the", "the"), "unmasked and inflated",
                  file_name(f"{subject.entry.key}-message-{row}.{ending}"), write)  # fmt: skip


def created(path: str) -> BinaryIO:
    """A new file.

    Raises: OutputError where it cannot be made, or is there.
    """
    try:
        return open(os.path.expanduser(path), "xb")
    except FileExistsError:
        raise OutputError(f"{path} is there already", "choose another name") from None
    except (OSError, ValueError) as error:
        raise OutputError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}") from None
