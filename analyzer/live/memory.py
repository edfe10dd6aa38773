"""Has freed memory go back to the system.

glibc gives memory back only from the end of a heap, and from blocks above a threshold that it raises, each time such a
block is freed, up to 32 MiB (mallopt(3), M_MMAP_THRESHOLD). Columns of a ring live for minutes and are then freed in
the middle of heaps: in a minute at 50,000 packets a second a process grew to 400 MB around tables of 30 MB. A
threshold that stands where glibc begins keeps columns apart, and what small blocks leave behind is handed back whenever
rows have left: then it stays between 90 and 170 MB (`python -m tests.bench.live --ring 180`).
"""

from __future__ import annotations

import ctypes
import sys

MMAP_THRESHOLD = -3
"""M_MMAP_THRESHOLD of malloc.h."""
APART = 128 << 10
"""Octets from which a block is mapped by itself: glibc's own value before it adapts."""


def keep_apart() -> None:
    """Map large blocks one by one, and unmap them when they are freed."""
    if (library := _glibc()) is not None:
        library.mallopt(MMAP_THRESHOLD, APART)


def give_back() -> None:
    """Hand free pages of all heaps back."""
    if (library := _glibc()) is not None:
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "malloc_trim") else None
