"""The fuzzing cases of the Autobahn Testsuite as a table: what the client sends, and what the suite expects.

The numbers and their meaning are the suite's. Cases 9 are smaller (`SMALLER`), cases 12 and 13 send `ROUNDS` messages of
text made here, not 1000 of the suite's files; all of a case are sent at once, not each behind the echo of the one
before. `notes` are the codes that framescope must find, and no others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from dissectors.notes import Note
from tests.wire.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload

SMALLER = 64
"""Cases 9.1 to 9.6 send a 64th of their octets."""
ROUNDS = 10
N = Note


@dataclass(frozen=True)
class Part:
    """A frame to send: in pieces of `chop` octets, after a pause of `pause` seconds; `cuts` split its octets with a
    pause between."""

    opcode: int
    payload: bytes = b""
    fin: bool = True
    rsv: int = 0
    chop: int = 0
    pause: float = 0
    cuts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Case:
    """One case. `messages` and `pongs` are what the server has to send, `codes` the codes of its Close that the suite
    accepts (empty: any)."""

    number: str
    parts: tuple[Part, ...]
    messages: tuple[tuple[int, bytes], ...] = ()
    pongs: tuple[bytes, ...] = ()
    codes: tuple[int, ...] = (1000,)
    notes: frozenset[Note] = frozenset()
    offer: str = ""
    deflated: tuple[tuple[int, bytes, int], ...] = field(default=(), repr=False)
    """Messages to compress, each with the size of its fragments (0: one frame)."""
    strict: bool = True
    """False: the suite takes a failure that comes before the echo as well (its NON-STRICT)."""


def echo(number: str, *parts: Part, pongs: tuple[bytes, ...] = ()) -> Case:
    """Messages that come back, ended by us with 1000."""
    whole = b"".join(part.payload for part in parts if part.opcode <= BINARY)
    return Case(number, parts, ((parts[0].opcode, whole),), pongs)


def fails(number: str, *parts: Part, notes: tuple[Note, ...], code: int = 1002, first: bytes | None = None) -> Case:
    """What the server must end; `first` is a message before it that it may echo."""
    messages = () if first is None else ((TEXT, first),)
    return Case(number, parts, messages, codes=(code,), notes=frozenset(notes), strict=first is None)


def fragments(opcode: int, payload: bytes, size: int) -> tuple[Part, ...]:
    """A message in fragments."""
    cuts = range(0, len(payload), size)
    return tuple(
        Part(CONTINUATION if at else opcode, payload[at : at + size], at + size >= len(payload)) for at in cuts
    )


HELLO = b"Hello, world!"
ODD = b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"
KOSME = "κόσμε".encode().replace("ό".encode(), b"\xe1\xbd\xb9")
MIXED = "Hello-µ@ßöäüàá-UTF-8!!".encode()


def framing() -> Iterator[Case]:
    """1: sizes. 2: pings and pongs. 3: reserved bits. 4: reserved opcodes. 5: fragments."""
    sizes = ((0, 0), (125, 0), (126, 0), (127, 0), (128, 0), (65535, 0), (65536, 0), (65536, 997))
    for group, (opcode, octet) in enumerate(((TEXT, b"*"), (BINARY, b"\xfe")), 1):
        for at, (size, chop) in enumerate(sizes, 1):
            yield echo(f"1.{group}.{at}", Part(opcode, octet * size, chop=chop))
    for at, (payload, chop) in enumerate(((b"", 0), (HELLO, 0), (ODD, 0), (b"\xfe" * 125, 0)), 1):
        yield Case(f"2.{at}", (Part(PING, payload, chop=chop),), pongs=(payload,))
    yield fails("2.5", Part(PING, b"\xfe" * 126), notes=(N.CONTROL_TOO_LONG,))
    yield Case("2.6", (Part(PING, b"\xfe" * 125, chop=1),), pongs=(b"\xfe" * 125,))
    unasked = frozenset((N.PONG_UNASKED,))
    yield Case("2.7", (Part(PONG),), notes=unasked)
    yield Case("2.8", (Part(PONG, b"unsolicited pong payload"),), notes=unasked)
    yield Case("2.9", (Part(PONG, b"unsolicited pong payload"), Part(PING, b"ping payload")), pongs=(b"ping payload",),
               notes=unasked)  # fmt: skip
    for number, chop in (("2.10", 0), ("2.11", 1)):
        pings = tuple(b"payload-%d" % at for at in range(10))
        yield Case(number, tuple(Part(PING, ping, chop=chop) for ping in pings), pongs=pings)
    rsv = (N.RSV_NOT_NEGOTIATED,)
    yield fails("3.1", Part(TEXT, HELLO, rsv=1), notes=rsv)
    for bits, chop in ((2, 0), (3, 0), (4, 1)):
        parts = Part(TEXT, HELLO, chop=chop), Part(TEXT, HELLO, rsv=bits, chop=chop), Part(PING, chop=chop)
        yield fails(f"3.{bits}", *parts, notes=rsv, first=HELLO)
    yield fails("3.5", Part(BINARY, ODD, rsv=5), notes=rsv)
    yield fails("3.6", Part(BINARY, HELLO, rsv=6), notes=rsv)
    yield fails("3.7", Part(CLOSE, rsv=7), notes=rsv)
    for group, opcodes in ((1, range(3, 8)), (2, range(11, 16))):
        for at, opcode in enumerate(opcodes, 1):
            wrong = Part(opcode, b"" if at == 1 else b"reserved opcode payload", chop=at == 5)
            before = (Part(TEXT, HELLO, chop=at == 5),) if at > 2 else ()
            after = (Part(PING, chop=at == 5),) if at > 2 else ()
            yield fails(f"4.{group}.{at}", *before, wrong, *after, notes=(N.OPCODE_RESERVED,),
                        first=HELLO if before else None)  # fmt: skip
    yield from fragmented()


def fragmented() -> Iterator[Case]:
    """5."""
    orphan, inside = N.CONTINUATION_WITHOUT_START, N.MESSAGE_INSIDE_MESSAGE
    for number, opcode, extra in (("5.1", PING, ()), ("5.2", PONG, (N.PONG_UNASKED,))):
        yield fails(number, Part(opcode, b"fragment1", False), Part(CONTINUATION, b"fragment2"),
                    notes=(N.CONTROL_FRAGMENTED, orphan, *extra))  # fmt: skip
    for at, chop in ((3, 0), (4, 0), (5, 1)):
        yield echo(f"5.{at}", Part(TEXT, b"fragment1", False, chop=chop), Part(CONTINUATION, b"fragment2", chop=chop))
    for at, chop in ((6, 0), (7, 0), (8, 1)):
        parts = (Part(TEXT, b"fragment1", False, chop=chop), Part(PING, b"ping payload", chop=chop),
                 Part(CONTINUATION, b"fragment2", chop=chop))  # fmt: skip
        yield echo(f"5.{at}", *parts, pongs=(b"ping payload",))
    for at, fin, chop in ((9, True, 0), (10, True, 0), (11, True, 1), (12, False, 0), (13, False, 0), (14, False, 1)):
        parts = Part(CONTINUATION, b"non-continuation payload", fin, chop=chop), Part(TEXT, HELLO, chop=chop)
        yield fails(f"5.{at}", *parts, notes=(orphan,) if fin else (orphan, inside))
    yield fails("5.15", Part(TEXT, b"fragment1", False), Part(CONTINUATION, b"fragment2"),
                Part(CONTINUATION, b"fragment3", False), Part(TEXT, b"fragment4"), notes=(orphan, inside),
                first=b"fragment1fragment2")  # fmt: skip
    for at, fin in ((16, False), (17, True)):
        parts = Part(CONTINUATION, b"fragment1", fin), Part(TEXT, b"fragment2", False), Part(CONTINUATION, b"fragment3")
        yield fails(f"5.{at}", *parts, *parts, notes=(orphan,) if fin else (orphan, inside))
    yield fails("5.18", Part(TEXT, b"fragment1", False), Part(TEXT, b"fragment2"), notes=(inside,))
    for at in (19, 20):
        yield echo(f"5.{at}", Part(TEXT, b"fragment1", False), Part(CONTINUATION, b"fragment2", False),
                   Part(PING, b"pongme 1!"), Part(CONTINUATION, b"fragment3", False, pause=0.1),
                   Part(CONTINUATION, b"fragment4", False), Part(PING, b"pongme 2!"), Part(CONTINUATION, b"fragment5"),
                   pongs=(b"pongme 1!", b"pongme 2!"))  # fmt: skip


PLANES = (0, *range(1, 17))
SEQUENCES: tuple[tuple[bytes, ...], ...] = (
    (b"hello$world", b"hello\xc2\xa2world", b"hello\xe2\x82\xacworld", b"hello\xf0\xa4\xad\xa2world", KOSME),
    tuple(KOSME[:at] for at in range(1, len(KOSME) + 1)),
    (b"\x00", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80"),
    (b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"),
    (b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"),
    (b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf"),
    (b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80"),
    (b"\x80", b"\xbf", *((b"\x80\xbf" * 3)[:size] for size in range(2, 7)), bytes(range(0x80, 0xBF))),
    tuple(b"".join(bytes((octet, 0x20)) for octet in range(low, high))
          for low, high in ((0xC0, 0xDF), (0xE0, 0xEF), (0xF0, 0xF7), (0xF8, 0xFB), (0xFC, 0xFD))),
    CUT := (b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80", b"\xfc\x80\x80\x80\x80", b"\xdf", b"\xef\xbf",
            b"\xf7\xbf\xbf", b"\xfb\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf"),
    (b"".join(CUT),),
    (b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"),
    (b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf", b"\xfc\x80\x80\x80\x80\xaf"),
    (b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf8\x87\xbf\xbf\xbf", b"\xfc\x83\xbf\xbf\xbf\xbf"),
    (b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf8\x80\x80\x80\x80", b"\xfc\x80\x80\x80\x80\x80"),
    tuple(b"\xed" + rest for rest in (b"\xa0\x80", b"\xad\xbf", b"\xae\x80", b"\xaf\xbf", b"\xb0\x80", b"\xbe\x80",
                                      b"\xbf\xbf")),
    tuple(b"\xed" + high + b"\xed" + low for high in (b"\xa0\x80", b"\xad\xbf", b"\xae\x80", b"\xaf\xbf")
          for low in (b"\xb0\x80", b"\xbf\xbf")),
    tuple(chr(plane << 16 | 0xFFFE | last).encode() for plane in PLANES for last in (0, 1)),
    tuple(chr(point).encode() for point in range(0xFFF9, 0x10000)),
)  # fmt: skip
"""Cases 6.5 to 6.23: the groups of Markus Kuhn's UTF-8 test, as the suite has them."""


def is_utf8(octets: bytes) -> bool:
    """By Python's decoder, which refuses surrogates and overlong forms as RFC 3629 asks."""
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True


def utf8() -> Iterator[Case]:
    """6."""
    yield echo("6.1.1", Part(TEXT))
    yield echo("6.1.2", Part(TEXT, b"", False), Part(CONTINUATION, b"", False), Part(CONTINUATION))
    yield echo("6.1.3", Part(TEXT, b"", False), Part(CONTINUATION, b"middle frame payload", False), Part(CONTINUATION))
    yield echo("6.2.1", Part(TEXT, MIXED))
    half = "Hello-µ@ßöä".encode()
    yield echo("6.2.2", Part(TEXT, half, False), Part(CONTINUATION, MIXED[len(half) :]))
    yield echo("6.2.3", *fragments(TEXT, MIXED, 1))
    yield echo("6.2.4", *fragments(TEXT, KOSME, 1))
    bad = (N.TEXT_NOT_UTF8,)
    surrogate = KOSME + b"\xed\xa0\x80edited"
    yield fails("6.3.1", Part(TEXT, surrogate), notes=bad, code=1007)
    yield fails("6.3.2", *fragments(TEXT, surrogate, 1), notes=bad, code=1007)
    beyond, cut = KOSME + b"\xf4\x90\x80\x80edited", len(KOSME)
    for at, (low, high) in enumerate(((cut, cut + 4), (12, 13)), 1):
        parts = (Part(TEXT, beyond[:low], False), Part(CONTINUATION, beyond[low:high], False, pause=0.1),
                 Part(CONTINUATION, beyond[high:], pause=0.1))  # fmt: skip
        yield fails(f"6.4.{at}", *parts, notes=bad, code=1007)
        chops = Part(TEXT, beyond, cuts=(low, high))
        yield fails(f"6.4.{at + 2}", chops, notes=bad, code=1007)
    for group, sequences in enumerate(SEQUENCES, 5):
        for at, octets in enumerate(sequences, 1):
            good = is_utf8(octets)
            part = Part(TEXT, octets)
            yield echo(f"6.{group}.{at}", part) if good else fails(f"6.{group}.{at}", part, notes=bad, code=1007)


def closing() -> Iterator[Case]:
    """7."""
    close, after = Part(CLOSE, close_payload(1000)), frozenset((N.CONTROL_AFTER_CLOSE,))
    yield echo("7.1.1", Part(TEXT, b"Hello World!"))
    yield Case("7.1.2", (close, Part(CLOSE)), notes=after)
    yield Case("7.1.3", (close, Part(PING)), notes=after)
    yield Case("7.1.4", (close, Part(TEXT, b"Hello World!")), notes=frozenset((N.AFTER_CLOSE,)))
    yield Case("7.1.5", (Part(TEXT, b"fragment1", False), close, Part(CONTINUATION, b"fragment2")),
               notes=frozenset((N.AFTER_CLOSE,)))  # fmt: skip
    large = b"BAsd7&jh23" * 26214
    yield Case("7.1.6", (Part(TEXT, large), Part(TEXT, b"Hello World!"), close, Part(PING)),
               ((TEXT, large), (TEXT, b"Hello World!")), notes=after, strict=False)  # fmt: skip
    yield Case("7.3.1", (Part(CLOSE),), codes=())
    yield fails("7.3.2", Part(CLOSE, b"a"), notes=(N.CLOSE_ONE_OCTET,))
    yield Case("7.3.3", (close,))
    yield Case("7.3.4", (Part(CLOSE, close_payload(1000, "Hello World!")),))
    yield Case("7.3.5", (Part(CLOSE, close_payload(1000, "*" * 123)),))
    yield fails("7.3.6", Part(CLOSE, close_payload(1000, "*" * 124)), notes=(N.CONTROL_TOO_LONG,))
    yield Case("7.5.1", (Part(CLOSE, close_payload(1000) + KOSME + b"\xed\xa0\x80edited"),), codes=(1002, 1007),
               notes=frozenset((N.CLOSE_REASON_NOT_UTF8,)))  # fmt: skip
    for at, code in enumerate((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999), 1):
        yield Case(f"7.7.{at}", (Part(CLOSE, close_payload(code)),), codes=(1000, code))
    for at, code in enumerate((0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999), 1):
        yield fails(f"7.9.{at}", Part(CLOSE, close_payload(code)), notes=(N.CLOSE_CODE_FORBIDDEN,))
    for at, code in enumerate((5000, 65535), 1):
        yield Case(f"7.13.{at}", (Part(CLOSE, close_payload(code)),), codes=(),
                   notes=frozenset((N.CLOSE_CODE_FORBIDDEN,)))  # fmt: skip


def large() -> Iterator[Case]:
    """9, in reduced size."""
    for group, (opcode, octets) in enumerate(((TEXT, b"BAsd7&jh23"), (BINARY, b"\x00\xfe\x23\xfa\xf0")), 1):
        for at, size in enumerate((64 << 10, 256 << 10, 1 << 20, 4 << 20, 8 << 20, 16 << 20), 1):
            yield echo(f"9.{group}.{at}", Part(opcode, (octets * (size // SMALLER))[: size // SMALLER]))
        whole = ((b"*" if opcode == TEXT else b"\xfe") * (4 << 20))[: (4 << 20) // SMALLER]
        for at in range(9):
            yield echo(f"9.{group + 2}.{at + 1}", *fragments(opcode, whole, 64 << 2 * at))
        for at in range(6):
            size = (1 << 20) // SMALLER
            yield echo(f"9.{group + 4}.{at + 1}", Part(opcode, (octets * size)[:size], chop=64 << at))
        octet = b"*" if opcode == TEXT else b"\xfe"
        for at, size in enumerate((0, 16, 64, 256, 1024, 4096), 1):
            message = Part(opcode, octet * size)
            yield Case(f"9.{group + 6}.{at}", (message,) * ROUNDS, ((opcode, message.payload),) * ROUNDS)


SIZES = ((16, 0), (64, 0), (256, 0), (1024, 0), (4096, 0), (8192, 0), (16384, 0), (32768, 0), (65536, 0), (131072, 0),
         (8192, 256), (16384, 256), (32768, 256), (65536, 256), (131072, 256), (131072, 1024), (131072, 4096),
         (131072, 32768))  # fmt: skip
HINT = "; client_max_window_bits"
TAKEOVER, BITS_9, BITS_15 = "; server_no_context_takeover", "; server_max_window_bits=9", "; server_max_window_bits=15"
OFFERS = tuple(
    ", ".join(f"permessage-deflate{HINT}{asked}" for asked in offers)
    for offers in (("",), (TAKEOVER,), (BITS_9,), (BITS_15,), (TAKEOVER + BITS_9,), (TAKEOVER + BITS_15,),
                   (TAKEOVER + BITS_9, TAKEOVER, ""))
)  # fmt: skip


def _corpus(size: int) -> bytes:
    """JSON-like text that compresses about as much as JSON does."""
    item = '{"id": %d, "name": "item %d"}, '
    return "".join(item % (at * 7919 % 10007, at * 31 % 97) for at in range(size // 24)).encode()[:size]


CORPUS = _corpus(1 << 18)
SCRAMBLED = CORPUS.translate(bytes(octet * 73 + 11 & 0xFF for octet in range(256)))
"""The same for binary messages."""


def compressed() -> Iterator[Case]:
    """12: one offer, five kinds of data. 13: one kind of data, seven offers."""
    for group in range(1, 6):
        yield from _compressed(f"12.{group}", OFFERS[0], TEXT if group in (1, 4) else BINARY, group)
    for group, offer in enumerate(OFFERS, 1):
        yield from _compressed(f"13.{group}", offer, TEXT, group)


def _compressed(prefix: str, offer: str, opcode: int, seed: int) -> Iterator[Case]:
    for at, (size, cut) in enumerate(SIZES, 1):
        source = SCRAMBLED if opcode == BINARY else CORPUS
        payloads = [source[(start := seed * 997 + number * 1009) : start + size] for number in range(ROUNDS)]
        yield Case(f"{prefix}.{at}", (), tuple((opcode, payload) for payload in payloads), offer=offer,
                   deflated=tuple((opcode, payload, cut) for payload in payloads))  # fmt: skip


def every() -> list[Case]:
    """All cases, in the suite's order."""
    return [*framing(), *utf8(), *closing(), *large(), *compressed()]
