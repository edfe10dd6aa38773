"""framescope: every WebSocket connection in a capture, each frame that crossed it, and why it closed.

import analyzer

with analyzer.open("capture.pcapng") as capture:
    for connection in capture.connections:
        print(connection.key, connection.close.verdict)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analyzer.api import Capture, Close, Connection, Frame, Message, Row, Rows
    from analyzer.api import open_capture as open
    from analyzer.errors import CaptureError, FilterError, FramescopeError

__all__ = ["Capture", "CaptureError", "Close", "Connection", "FilterError", "Frame", "FramescopeError", "Message",
           "Row", "Rows", "open"]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Names are imported when they are first used: `import analyzer` costs nothing (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'analyzer' has no attribute {name!r}")
    from importlib import import_module

    module = import_module("analyzer.errors" if name.endswith("Error") else "analyzer.api")
    return getattr(module, "open_capture" if name == "open" else name)
