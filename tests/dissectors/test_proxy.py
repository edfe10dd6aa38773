"""PROXY headers: read whole, octet by octet and with a tail, and never raised on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissectors.proxy import LIMIT, Broken, Passed, crc32c, proxy_header
from tests.wire.proxies import SIGNATURE, proxy_binary, proxy_text

CLIENT, SERVER = ("203.0.113.7", 51234), ("192.0.2.1", 443)
CLIENT6, SERVER6 = ("2001:db8::7", 51234), ("2001:db8::1", 443)


def with_crc() -> bytes:
    blank = proxy_binary(CLIENT, SERVER, [(3, bytes(4)), (2, b"chat.example")])
    at = 16 + 12 + 3
    return blank[:at] + crc32c(blank).to_bytes(4, "big") + blank[at + 4 :]


GOOD = {
    "v1": (proxy_text(CLIENT, SERVER), Passed(1, len(proxy_text(CLIENT, SERVER)), "203.0.113.7:51234", "192.0.2.1:443")),
    "v1 IPv6": (proxy_text(CLIENT6, SERVER6), Passed(1, len(proxy_text(CLIENT6, SERVER6)), "[2001:db8::7]:51234", "[2001:db8::1]:443")),
    "v1 unknown": (b"PROXY UNKNOWN\r\n", Passed(1, 15)),
    "v1 unknown, more": (b"PROXY UNKNOWN ff:: 1 2\r\n", Passed(1, 24)),
    "v2": (proxy_binary(CLIENT, SERVER), Passed(2, 28, "203.0.113.7:51234", "192.0.2.1:443")),
    "v2 IPv6": (proxy_binary(CLIENT6, SERVER6), Passed(2, 52, "[2001:db8::7]:51234", "[2001:db8::1]:443")),
    "v2 local": (SIGNATURE + b"\x20\x00\x00\x00", Passed(2, 16)),
    "v2 values": (
        proxy_binary(CLIENT, SERVER, [(1, b"h2"), (5, b"\xff\x01"), (0x20, b"\x01\0\0\0\0\x21\0\x07TLSv1.3")]),
        Passed(2, 56, "203.0.113.7:51234", "192.0.2.1:443",
               "ALPN h2, unique ID ff01, its client speaks TLSv1.3"),
    ),
    "v2 checksum": (with_crc(), Passed(2, 50, "203.0.113.7:51234", "192.0.2.1:443", "authority chat.example")),
}  # fmt: skip
BAD = {
    "v1 no address": b"PROXY TCP4 here there 1 2\r\n",
    "v1 wrong family": b"PROXY TCP6 203.0.113.7 192.0.2.1 1 2\r\n",
    "v1 port": b"PROXY TCP4 203.0.113.7 192.0.2.1 1 65536\r\n",
    "v1 leading zero": b"PROXY TCP4 203.0.113.7 192.0.2.1 01 2\r\n",
    "v1 words": b"PROXY TCP4 203.0.113.7\r\n",
    "v2 cut address": SIGNATURE + b"\x21\x11\x00\x04abcd",
    "v2 family": SIGNATURE + b"\x21\x71\x00\x04abcd",
    "v2 command": SIGNATURE + b"\x2f\x11\x00\x00",
    "v2 cut value": proxy_binary(CLIENT, SERVER)[:15] + b"\x0f" + proxy_binary(CLIENT, SERVER)[16:] + b"\x02\x00\x09",
    "v2 checksum": proxy_binary(CLIENT, SERVER, [(3, bytes(4))]),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_header_is_read_however_much_is_there(name: str) -> None:
    octets, expected = GOOD[name]
    for stop in range(len(octets)):
        assert proxy_header(octets[:stop]) is True
    assert proxy_header(octets) == proxy_header(octets + b"GET / HTTP/1.1\r\n") == expected


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_header_whose_end_is_known_is_passed_over(name: str) -> None:
    found = proxy_header(BAD[name] + b"GET / HTTP/1.1\r\n")
    assert isinstance(found, Passed)
    assert found.problem
    assert found.length == len(BAD[name])


def test_a_header_without_an_end_is_bounded() -> None:
    assert isinstance(proxy_header(b"PROXY TCP4 " + b"1" * 200), Broken)
    assert isinstance(proxy_header(SIGNATURE + b"\x11\x11\x00\x0c"), Broken)
    assert isinstance(proxy_header(SIGNATURE + b"\x21\x11" + LIMIT.to_bytes(2, "big")), Broken)


def test_other_protocols_have_none() -> None:
    for octets in (b"POST / HTTP/1.1\r\n", b"GET /", b"\r\n\r\nGET /", b"\x16\x03\x01", b"PRI * HTTP/2.0"):
        assert proxy_header(octets) is False


def test_crc32c_is_that_of_its_standard() -> None:
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720 appendix B.4
    assert crc32c(b"123456789") == 0xE3069283


@given(st.binary(max_size=64), st.sampled_from([b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11\x00\x20"]))
def test_no_octets_raise(octets: bytes, start: bytes) -> None:
    found = proxy_header(start + octets)
    assert isinstance(found, (bool, Passed, Broken))
    if isinstance(found, Passed):
        assert found.length <= len(start + octets)
