"""JSON Lines, made column by column, hold what json.dumps makes of the rows one by one."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from analyzer.export import jsonl
from analyzer.views import View
from tests.conftest import SAMPLES
from tests.outcome import snapshot_of


@pytest.mark.parametrize("sample", ["tour", "proxy-chain", "tunnels", "tls-endings"])
@pytest.mark.parametrize("few", [1, 3, 4096])
def test_lines_are_the_records(sample: str, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = snapshot_of((SAMPLES / f"{sample}.pcapng").read_bytes())
    monkeypatch.setattr(jsonl, "FEW", few)
    for table in ("connections", "exchanges", "handshakes", "frames", "messages", "notes"):
        view = View(snapshot, table)
        places = np.arange(len(view))[:: 1 + (few == 3)]
        stream = io.StringIO()
        jsonl.write(view, places, stream, None, table)
        lines = stream.getvalue().splitlines()
        assert len(lines) == len(places)
        for line, place in zip(lines, places.tolist(), strict=True):
            assert line == json.dumps({"table": table} | view.record(place))
