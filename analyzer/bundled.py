"""The bundled captures: listed, and opened anywhere as `sample:NAME`."""

from __future__ import annotations

import os
from pathlib import Path

from analyzer.errors import CaptureError

PREFIX = "sample:"


def folder() -> Path:
    """Where the samples stand: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    checkout = package.parent / "samples"
    return checkout if (checkout / "tour.pcapng").exists() else package / "samples"


def names() -> list[str]:
    """Names of the bundled captures."""
    return sorted(path.name.split(".")[0] for path in folder().iterdir() if ".pcap" in path.name)


def resolve(path: str) -> str:
    """A path, where `sample:NAME` was one.

    Raises: CaptureError where there is no such sample.
    """
    if not path.startswith(PREFIX) or os.path.exists(path):
        return path
    name = path.removeprefix(PREFIX)
    for found in folder().glob(f"{name}.pcap*") if name and "/" not in name and "*" not in name else ():
        return str(found)
    from difflib import get_close_matches

    near = get_close_matches(name, names(), 1)
    meant = f"did you mean {PREFIX}{near[0]}? " if near else ""
    raise CaptureError(f"there is no sample {name!r}", f"{meant}samples: {', '.join(names())}")


def stories() -> dict[str, str]:
    """What each sample shows, from the table in its README."""
    told = {}
    for line in (folder() / "README.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) >= 3 and cells[0].startswith("`"):
            told[cells[0].strip("`").split(".")[0]] = cells[1]
    return told
