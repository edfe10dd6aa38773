"""What TLS says in the clear, from a real ClientHello, from built ones, and from anything else."""

from __future__ import annotations

import ssl
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dissectors.tls import HELLO_LIMIT, NOTHING, ClientHello, Tail, client_hello, tail


def real_hello(server_name: str = "chat.example", protocols: tuple[str, ...] = ("h2", "http/1.1")) -> bytes:
    context = ssl.create_default_context()
    context.set_alpn_protocols(list(protocols))
    out = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=server_name).do_handshake()
    return out.read()


def in_records(message: bytes, size: int) -> bytes:
    parts = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + pack(">H", len(part)) + part for part in parts)


def test_openssl_is_read() -> None:
    octets = real_hello()
    assert client_hello(octets) == ClientHello("chat.example", ("h2", "http/1.1"), True)
    assert client_hello(octets + b"more") == client_hello(octets)


def test_a_hello_may_be_cut_into_records() -> None:
    message = real_hello()[5:]
    for size in (1, 7, 100):
        assert client_hello(in_records(message, size)) == client_hello(real_hello()[:5] + message)


def test_every_prefix_waits_for_more() -> None:
    octets = real_hello()
    for stop in range(5, len(octets)):
        assert not client_hello(octets[:stop]).complete
    assert client_hello(octets[:40].ljust(HELLO_LIMIT, b"\x16")).complete


def test_other_records_are_not_waited_for() -> None:
    assert client_hello(b"\x17\x03\x03\x00\x05hello") is NOTHING
    assert client_hello(b"\x16\x03\x03\x00\x04\x02\x00\x00\x00") is NOTHING


@given(st.binary(max_size=400), st.integers(0, 400), st.integers(0, 255))
def test_no_octets_raise(octets: bytes, at: int, value: int) -> None:
    hello = bytearray(real_hello())
    hello[at % len(hello)] = value
    for tried in (octets, bytes(hello), b"\x16\x03\x01" + octets):
        found = client_hello(tried)
        assert len(found.server_name) <= 4 * len(tried)
        tail(tried)


@pytest.mark.parametrize(
    ("octets", "found"),
    [
        (b"\x15\x03\x03\x00\x02\x02\x2a", (Tail.ALERT, 7, 42)),
        (b"\x15\x03\x03\x00\x02\x01\x00", (Tail.ALERT, 7, -1)),
        (b"data\x15\x03\x03\x00\x1a" + bytes(26), (Tail.ALERT, 31, -1)),
        (b"\x17\x03\x03\x00\x13" + bytes(19), (Tail.PERHAPS, 24, -1)),
        (b"\x17\x03\x03\x00\x14" + bytes(20), (Tail.DATA, 0, -1)),
        (b"\x16\x03\x03\x00\x02\x02\x2a", (Tail.DATA, 0, -1)),
        (b"", (Tail.DATA, 0, -1)),
    ],
)
def test_tails(octets: bytes, found: tuple[Tail, int, int]) -> None:
    assert tail(octets) == found
