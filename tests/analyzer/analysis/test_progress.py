"""What is published while a capture is still read: a front of what it comes to, on every table."""

from contextlib import closing

import numpy as np
import pytest

from analyzer.analysis.pipeline import Analysis
from analyzer.analysis.snapshot import Snapshot
from analyzer.bundled import resolve
from analyzer.capture.files import open_source
from analyzer.limits import Limits

MADE_ANEW = ("connections", "closes")


@pytest.mark.parametrize("name", ["tour", "socketio", "nginx-idle"])
def test_snapshots_on_the_way_are_fronts_of_the_last(name: str) -> None:
    limits = Limits(chunk=700)
    with closing(open_source([resolve(f"sample:{name}")])) as source:
        analysis = Analysis(source, limits)
        snapshots: list[Snapshot] = []
        for records in source.chunks(limits.chunk):
            analysis.feed(records)
            snapshots.append(analysis.snapshot())
        last = analysis.finish()
    assert len(snapshots) > 5
    for snapshot in snapshots:
        assert not snapshot.finished
        for table in last.tables:
            early, whole = snapshot[table], last[table]
            assert len(early) <= len(whole)
            if table not in MADE_ANEW and len(whole.rows()) == len(whole):
                for column in whole.schema.by_name:
                    assert np.array_equal(early[column], whole[column][: len(early)]), (table, column)
        assert np.array_equal(
            snapshot["connections"]["key"], last["connections"]["key"][: len(snapshot["connections"])]
        )
    assert [len(snapshot["frames"]) for snapshot in snapshots] == sorted(
        len(snapshot["frames"]) for snapshot in snapshots
    )
    assert not snapshots[0]["frames"].count
    assert snapshots[-1]["frames"].count


def test_a_connection_is_open_until_it_ends() -> None:
    limits = Limits(chunk=700)
    with closing(open_source([resolve("sample:tour")])) as source:
        analysis = Analysis(source, limits)
        seen: dict[int, list[int]] = {}
        for records in source.chunks(limits.chunk):
            analysis.feed(records)
            connections = analysis.snapshot()["connections"]
            for key, state in zip(connections["key"].tolist(), connections["state"].tolist(), strict=True):
                states = seen.setdefault(key, [])
                if not states or states[-1] != state:
                    states.append(state)
    assert [1, 2] in seen.values()
    assert [1, 3] in seen.values()
