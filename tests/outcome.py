"""What an analysis says, for comparison: without packets, times and physical directions."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from analyzer.analysis.contents import Contents
from analyzer.analysis.pipeline import analyze
from analyzer.analysis.snapshot import Snapshot
from analyzer.capture.files import open_source
from analyzer.limits import Limits
from analyzer.views import View


def snapshot_of(octets: bytes, chunk: int = 4 << 20) -> Snapshot:
    """The analysis of a capture file's octets. Its files stay open until it is collected."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "capture"
        path.write_bytes(octets)
        return analyze(open_source([path]), limits=Limits(chunk=chunk))


def everything(octets: bytes, chunk: int = 4 << 20) -> dict[str, Any]:
    """Every table whole with its texts, thinned rows aside."""
    snapshot = snapshot_of(octets, chunk)
    tables = {}
    for name, table in snapshot.tables.items():
        if name not in ("packets", "spans"):
            texts = {column.name for column in table.schema.columns if column.text}
            tables[name] = [
                {key: snapshot.text(cell) if key in texts else cell for key, cell in row.items()} for row in table
            ]
    snapshot.source.close()
    return {"tables": tables, "problems": [p.partition(": ")[2] for p in snapshot.problems]}


FRAME = ("sender", "opcode", "fin", "rsv", "masked", "mask_key", "header_length", "payload_length", "missing",
         "complete", "offset")  # fmt: skip
MESSAGE = ("sender", "opcode", "frames", "length", "inflated", "compressed", "inflate", "utf8", "complete",
           "close_code", "close_reason")  # fmt: skip


def story(octets: bytes) -> dict[str, Any]:
    """Frames and messages by sender, with payload; what no cutting, reordering or repeating of packets changes."""
    snapshot = snapshot_of(octets)
    contents = Contents(snapshot)
    frames, messages = View(snapshot, "frames", contents), View(snapshot, "messages", contents)
    told: dict[str, Any] = {"frames": [], "messages": [], "close": []}
    for place, row in enumerate(frames.rows.tolist()):
        record = frames.record(place)
        told["frames"].append((*(record[name] for name in FRAME), contents.frame_payload(row)))
    for place, row in enumerate(messages.rows.tolist()):
        record = messages.record(place)
        told["messages"].append((*(record[name] for name in MESSAGE), contents.message_payload(row).octets))
    told["frames"].sort(key=lambda cells: (cells[0], cells[10]))
    told["messages"] = sorted(enumerate(told["messages"]), key=lambda item: (item[1][0], item[0]))
    told["messages"] = [cells for _, cells in told["messages"]]
    closes = View(snapshot, "closes")
    for row in range(len(closes)):
        record = closes.table.row(row)
        told["close"].append((record["close_code"], record["client_reported"], record["server_reported"]))
    snapshot.source.close()
    return told
