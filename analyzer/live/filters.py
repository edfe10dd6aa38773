"""Checks BPF filters before anything starts, with libpcap's own words."""

from __future__ import annotations

import ctypes
import ctypes.util
import re
from functools import cache

from analyzer.errors import FilterError
from analyzer.live.request import SNAPLEN

ETHERNET = 1
FINISHES = (
    "", " 1", " tcp", " host 127.0.0.1", " 127.0.0.1", " = 1", " 1 = 1", "] = 1", "0] = 1", ")", " tcp)", " 1)",
    " 127.0.0.1)",
)  # fmt: skip
"""What may stand after the start of a filter that is right so far."""
UNKNOWN = re.compile(r"(?:unknown|illegal|invalid|non-network bits set in) (?:[\w ]+ )?'?\"?([\w.:/-]+)")
LIVE_ONLY = "not supported on"
"""What libpcap says of words, as `inbound`, that only an open interface has."""
LIBRARIES = ("libpcap.so.1", "libpcap.so.0.8", "libpcap.dylib")


class _Program(ctypes.Structure):
    """struct bpf_program of pcap.h."""

    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.c_void_p))


def check(expression: str) -> None:
    """Compile a filter.

    Raises: FilterError where it does not compile, with the place.
    """
    message = _complaint(expression)
    if not message or LIVE_ONLY in message:
        return
    named = UNKNOWN.search(message)
    if named and named[1] in expression:
        raise FilterError(f"the capture filter is wrong: {message}", expression, expression.index(named[1]))
    raise FilterError(
        f"the capture filter is wrong: {message}", expression, _place(expression),
        "capture filters are in the language of tcpdump: tcp port 8080 and host 10.0.0.1",
    )  # fmt: skip


def _place(expression: str) -> int:
    """Where the first word starts that nothing can put right: libpcap does not tell."""
    for word in re.finditer(r"[\w.:/-]+|[^\w\s]", expression):
        start = expression[: word.end()]
        if all("syntax error" in _complaint(start + finish) for finish in FINISHES):
            return word.start()
    return len(expression)


def _complaint(expression: str) -> str:
    """What libpcap says against a filter; empty where nothing, or where it is not there to ask: then the backend says
    it when it starts."""
    pcap = library()
    if pcap is None:
        return ""
    handle = ctypes.c_void_p(pcap.pcap_open_dead(ETHERNET, SNAPLEN))
    program = _Program()
    try:
        if pcap.pcap_compile(handle, ctypes.byref(program), expression.encode(), 1, 0) == 0:
            pcap.pcap_freecode(ctypes.byref(program))
            return ""
        told: bytes = pcap.pcap_geterr(handle)
        return told.decode("utf-8", "replace")
    finally:
        pcap.pcap_close(handle)


@cache
def library() -> ctypes.CDLL | None:
    """libpcap, which every capture program brings along."""
    for name in (*LIBRARIES, ctypes.util.find_library("pcap")):
        try:
            pcap = ctypes.CDLL(name) if name else None
        except OSError:
            continue
        if pcap is not None:
            pcap.pcap_open_dead.restype = ctypes.c_void_p
            pcap.pcap_geterr.restype = ctypes.c_char_p
            return pcap
    return None
