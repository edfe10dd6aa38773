"""What is worth keeping between two looks at a capture: marks, and which captures were opened. Kept beside the user's
data, under the capture's identity: its size, its time and both its ends. A file that cannot be read or written is as
if nothing were kept."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from platformdirs import user_state_path

ENDS = 4096
"""Octets of each end that go into the identity."""
RECENT = 8


def folder() -> Path:
    """Where it is kept; FRAMESCOPE_STATE names another place."""
    given = os.environ.get("FRAMESCOPE_STATE")
    return Path(given) if given else user_state_path("framescope", appauthor=False)


def identity(path: str) -> str:
    """Which capture a path is; empty where it is none that can be told."""
    try:
        status = os.stat(path)
        with open(path, "rb") as file:
            head = file.read(ENDS)
            file.seek(max(status.st_size - ENDS, 0))
            tail = file.read(ENDS)
    except OSError:
        return ""
    told = f"{status.st_size} {status.st_mtime_ns}".encode()
    return hashlib.sha256(told + head + tail).hexdigest()[:32]


def load(name: str) -> dict[str, Any]:
    """What is kept under a name."""
    try:
        kept = json.loads((folder() / f"{name}.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def save(name: str, values: dict[str, Any]) -> None:
    """Keep something."""
    try:
        folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder() / f"{name}.json"
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(values), "utf-8")
        fresh.replace(path)
    except OSError:
        return


def recent() -> list[str]:
    """Captures opened before that are still there, the last first."""
    paths = load("recent").get("paths", [])
    return [path for path in paths if isinstance(path, str) and os.path.isfile(path)][:RECENT]


def remember(paths: list[str]) -> None:
    """They were opened."""
    whole = [os.path.abspath(path) for path in paths if os.path.isfile(path)]
    save("recent", {"paths": [*whole, *(path for path in recent() if path not in whole)][:RECENT]})
