"""framescope: every WebSocket connection in a capture, each frame that crossed it, and why it closed.

import analyzer

with analyzer.open("capture.pcapng") as capture:
    for connection in capture.connections:
        print(connection.key, connection.close.verdict)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analyzer.analysis.contents import Payload
    from analyzer.api import Capture, Close, Connection, Evidence, Exchange, Frame, Handshake, Message, Note, Row, Rows
    from analyzer.api import open_capture as open
    from analyzer.errors import CaptureError, FilterError, FramescopeError
    from analyzer.limits import Limits

__all__ = ["Capture", "CaptureError", "Close", "Connection", "Evidence", "Exchange", "FilterError", "Frame",
           "FramescopeError", "Handshake", "Limits", "Message", "Note", "Payload", "Row", "Rows", "UnknownName",
           "open"]  # fmt: skip

_ELSEWHERE = {
    "CaptureError": "analyzer.errors", "FilterError": "analyzer.errors", "FramescopeError": "analyzer.errors",
    "UnknownName": "analyzer.errors", "Limits": "analyzer.limits", "Payload": "analyzer.analysis.contents",
}  # fmt: skip
"""Public names that do not stand in `analyzer.api`."""


def __getattr__(name: str) -> Any:
    """Names are imported when they are first used: `import analyzer` costs nothing (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'analyzer' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_ELSEWHERE.get(name, "analyzer.api")), "open_capture" if name == "open" else name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
