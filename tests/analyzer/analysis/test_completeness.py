"""What a capture says of its own completeness."""

from __future__ import annotations

from collections.abc import Callable
from struct import pack

import pytest

import analyzer
from analyzer.cli.main import main
from tests.wire.captures import block, option, packet_block, pcap, section, ticks
from tests.wire.frames import TEXT
from tests.wire.packets import ethernet, udp_packet
from tests.wire.talks import Talk

Save = Callable[..., str]


def statistics(number: int, **counts: int) -> bytes:
    codes = {"received": 4, "interface": 5, "accepted": 6, "system": 7, "delivered": 8}
    options = b"".join(option(codes[name], pack("<Q", count)) for name, count in counts.items())
    return block(5, pack("<III", number, 0, 0) + options + option(0, b""))


def capture_with(*blocks: bytes) -> bytes:
    named = block(1, pack("<HHI", 1, 0, 0) + option(2, "eth0") + option(9, b"\x09") + option(0, b""))
    packets = b"".join(packet_block(octets, ticks(time)) for time, octets in Talk().open().upgrade().packets())
    return section() + named + packets + b"".join(blocks)


def test_drops_that_the_file_reports(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(
        capture_with(
            statistics(0, received=500, interface=3, system=4), statistics(0, received=900, interface=5, system=6)
        )
    )
    with analyzer.open(path) as capture:
        found = capture.completeness
        assert (found.dropped, found.whole) == (11, False)
        (eth0,) = found.interfaces
        assert (eth0.name, eth0.received, eth0.dropped_by_interface, eth0.dropped_by_system) == ("eth0", 900, 5, 6)
        assert (eth0.accepted, eth0.delivered) == (None, None)
    main([path])
    assert "11 packets dropped while capturing, as the file itself reports (11 at eth0)" in " ".join(
        capsys.readouterr().out.split()
    )


def test_no_drops_reported_is_not_no_report(save: Save) -> None:
    with analyzer.open(save(capture_with(statistics(0, interface=0, system=0)))) as capture:
        assert (capture.completeness.dropped, capture.completeness.whole) == (0, True)
    with analyzer.open(save(capture_with(statistics(0, received=9)))) as capture:
        assert capture.completeness.dropped is None
    with analyzer.open(save(capture_with(statistics(7, system=2)))) as capture:
        assert capture.completeness.interfaces[0].name == ""


def test_octets_seen_missing_and_repeated(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    talk = Talk().open().upgrade().frame("S", TEXT, "a" * 98).frame("S", TEXT, "b" * 98).ack("C").fin("S").fin("C")
    whole = save(pcap(talk.packets()))
    kept = [segment for segment in talk.segments if not segment.payload.endswith(b"a" * 98)]
    damaged = save(pcap(talk.packets([*kept, kept[3]])))
    with analyzer.open(whole) as capture:
        complete = capture.completeness
        assert complete.whole
        assert complete.octets_seen == sum(len(segment.payload) for segment in talk.segments)
    with analyzer.open(damaged) as capture:
        found = capture.completeness
        assert (found.octets_missing, found.octets_seen) == (100, complete.octets_seen - 100)
        assert found.octets_repeated == len(kept[3].payload)
        (row,) = capture.connections
        assert (row.server_unseen, row.client_unseen) == (100, 0)
        assert row.client_seen + row.server_seen == found.octets_seen
    main(["explain", damaged])
    assert "100 octets of it are not in the capture" in capsys.readouterr().out


def test_packets_ignored_and_why(save: Save) -> None:
    other = ethernet(udp_packet("10.0.0.1", 53, "10.0.0.2", 53, b"dns"))
    packets = [*Talk().open().upgrade().packets(), (1_700_000_001_000_000_000, other)]
    with analyzer.open(save(pcap(packets))) as capture:
        assert capture.completeness.ignored == {"UDP": 1}
        assert capture.completeness.whole
    with analyzer.open(save(pcap([*packets, (1_700_000_001_000_000_000, other[:16])]))) as capture:
        assert not capture.completeness.whole
