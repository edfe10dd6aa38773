"""A capture that is read in a thread: it stands aside for keys, and ends all the same."""

from __future__ import annotations

import threading
import time

from analyzer.analysis.snapshot import Snapshot
from analyzer.bundled import resolve
from analyzer.capture.files import open_source
from analyzer.tui.loading import HOLD, Progress, Reading

SHORT = HOLD / 5


def reading(into: list[Snapshot]) -> Reading:
    def publish(snapshot: Snapshot, progress: Progress) -> None:
        into.append(snapshot)

    def failed(error: BaseException) -> None:
        raise error

    return Reading(open_source([resolve("sample:tour")]), publish, failed)


def waits(reader: Reading) -> threading.Thread:
    """A thread that comes to a place where it would stand aside."""
    thread = threading.Thread(target=reader._aside)
    thread.start()
    thread.join(SHORT)
    return thread


def test_it_goes_on_where_nobody_types() -> None:
    assert not waits(reading([])).is_alive()


def test_it_stands_aside_for_a_key_until_the_screen_has_answered() -> None:
    reader = reading([])
    reader.hold()
    thread = waits(reader)
    assert thread.is_alive()
    reader.release()
    thread.join(SHORT)
    assert not thread.is_alive()


def test_a_key_that_draws_nothing_holds_it_for_a_while_only() -> None:
    reader = reading([])
    reader.hold()
    thread = waits(reader)
    thread.join(5)
    assert not thread.is_alive()
    assert not waits(reader).is_alive()


def test_it_has_a_turn_between_keys() -> None:
    reader = reading([])
    reader.hold()
    reader._aside()
    reader.hold()
    assert reader._turn > time.monotonic() - 1
    before = time.monotonic()
    reader._turn = before + 60
    reader._aside()
    assert time.monotonic() - before < HOLD


def test_what_is_read_is_the_same_while_somebody_types() -> None:
    quiet: list[Snapshot] = []
    reading(quiet).run()
    busy: list[Snapshot] = []
    reader = reading(busy)
    reader.hold()
    reader.start()
    while reader.is_alive():
        reader.hold()
        time.sleep(0.01)
    assert busy[-1].finished
    assert {name: len(table) for name, table in busy[-1].tables.items()} == {
        name: len(table) for name, table in quiet[-1].tables.items()
    }
    assert busy[-1].traffic == quiet[-1].traffic
