"""What is said of the Closes of a connection of which the capture lacks octets."""

from __future__ import annotations

from collections.abc import Callable

from analyzer.analysis.snapshot import Snapshot
from analyzer.analysis.verdicts import tell
from analyzer.schemas import VERDICTS
from dissectors.notes import Note
from tests.outcome import everything, snapshot_of
from tests.wire.captures import pcap
from tests.wire.frames import TEXT, close_payload
from tests.wire.talks import Segment, Talk


def talk() -> Talk:
    """The server closes first, the client answers."""
    told = Talk().open().upgrade().frame("C", TEXT, "hello").ack("S")
    told.frame("S", TEXT, "A" * 5000).ack("C").frame("S", TEXT, "later").frame("C", TEXT, "bye")
    told.frame("S", 8, close_payload(1000, "done")).frame("C", 8, close_payload(1000))
    return told.fin("S").fin("C").ack("S")


def without(lost: Callable[[Segment], bool]) -> bytes:
    found = talk()
    place = next(at for at, segment in enumerate(found.segments) if lost(segment))
    return pcap(found.packets(found.segments[:place] + found.segments[place + 1 :]))


def sentence(snapshot: Snapshot) -> str:
    return tell(snapshot, 0).sentence


def test_the_first_close_is_first_on_the_wire_whatever_waited_for_a_hole() -> None:
    octets = without(lambda segment: segment.payload.startswith(b"AAAA"))
    close, whole = snapshot_of(octets)["closes"].row(0), snapshot_of(pcap(talk().packets()))["closes"].row(0)
    names = ("verdict", "close_code", "close_by", "answered_after", "client_idle", "server_idle")
    assert [close[name] for name in names] == [whole[name] for name in names]
    assert close["close_by"] == 1
    assert close["answered_after"] == 1_000_000
    assert sentence(snapshot_of(octets)).startswith('server closed with 1000 (normal closure) "done"; client answered')
    assert everything(octets, 150) == everything(octets)


def test_a_close_that_may_be_among_what_is_missing_is_not_called_absent() -> None:
    snapshot = snapshot_of(without(lambda segment: segment.side == 0 and segment.payload[:1] == b"\x88"))
    assert VERDICTS[snapshot["closes"].row(0)["verdict"]] == "packets-lost"
    assert Note.CLOSE_NOT_ANSWERED not in snapshot["notes"]["code"].tolist()
    assert "not known" in sentence(snapshot)


def test_a_close_that_is_absent_is_called_so_in_a_whole_capture() -> None:
    found = Talk().open().upgrade().frame("S", 8, close_payload(1000)).fin("S").ack("C").fin("C").ack("S")
    snapshot = snapshot_of(pcap(found.packets()))
    assert VERDICTS[snapshot["closes"].row(0)["verdict"]] == "unanswered-close"
    assert Note.CLOSE_NOT_ANSWERED in snapshot["notes"]["code"].tolist()
