"""WebSocket frames (RFC 6455 §5.2) and permessage-deflate payloads (RFC 7692 §7.2.1), wrong ones included."""

from __future__ import annotations

import zlib

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
TAIL = b"\x00\x00\xff\xff"


def mask_octets(payload: bytes, key: bytes) -> bytes:
    """Mask or unmask (RFC 6455 §5.3)."""
    if not payload:
        return b""
    pad = (key * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")).to_bytes(len(payload), "big")


def frame(
    opcode: int,
    payload: bytes | str = b"",
    fin: bool = True,
    rsv: int = 0,
    mask: bytes | None = None,
    length_form: int | None = None,
    length: int | None = None,
) -> bytes:
    """A frame. `rsv` has RSV1 as 4, RSV2 as 2, RSV3 as 1. `length_form` is 7, 16 or 64 bits, the shortest that fits
    unless told; `length` is declared in place of the true one."""
    octets = payload.encode() if isinstance(payload, str) else payload
    declared = len(octets) if length is None else length
    form = length_form or (7 if declared < 126 else 16 if declared < 1 << 16 else 64)
    bit = 0x80 if mask is not None else 0
    head = bytes([fin << 7 | rsv << 4 | opcode])
    if form == 7:
        head += bytes([bit | declared])
    elif form == 16:
        head += bytes([bit | 126]) + declared.to_bytes(2, "big")
    else:
        head += bytes([bit | 127]) + declared.to_bytes(8, "big")
    return head + octets if mask is None else head + mask + mask_octets(octets, mask)


def close_payload(code: int | None = None, reason: str = "") -> bytes:
    """The payload of a Close frame (RFC 6455 §5.5.1)."""
    return b"" if code is None else code.to_bytes(2, "big") + reason.encode()


class Deflater:
    """One direction's compressor."""

    def __init__(self, takeover: bool = True, bits: int = 15, level: int = 6) -> None:
        self.takeover = takeover
        # zlib cannot write raw windows of 256 octets; one of 512 refers no further back for messages that short.
        self.bits = max(bits, 9)
        self.level = level
        self._restart()

    def _restart(self) -> None:
        self._zlib = zlib.compressobj(self.level, zlib.DEFLATED, -self.bits)

    def piece(self, octets: bytes, last: bool = True) -> bytes:
        """The next part of a message; a message may be cut into several at octets of one's choice."""
        out = self._zlib.compress(octets) + self._zlib.flush(zlib.Z_SYNC_FLUSH)
        if not last:
            return out
        if not self.takeover:
            self._restart()
        # RFC 7692 §7.2.3.6: an empty message is one octet, 0x00.
        return out[:-4] if out.endswith(TAIL) and len(out) > 4 else b"\x00"

    def final(self, octets: bytes) -> bytes:
        """A whole message whose last block has BFINAL set (RFC 7692 §7.2.3.4)."""
        out = self._zlib.compress(octets) + self._zlib.flush(zlib.Z_FINISH) + b"\x00"
        self._restart()
        return out


def deflate(octets: bytes | str, bits: int = 15) -> bytes:
    """A whole compressed message with a context of its own."""
    return Deflater(bits=bits).piece(octets.encode() if isinstance(octets, str) else octets)
