"""The spool of a live capture: a folder with pcapng files, each of which opens on its own.

A file ends where a block ends, and its successor repeats the head (section and interfaces), so that files joined are a
capture of several sections, and what is left of a ring opens too. The recorder and the analysis each hold a lock in
the folder: a folder whose locks are free is an orphan, whatever happened to its owners.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from analyzer.live.blocks import whole
from analyzer.live.request import Request
from analyzer.live.rights import caller

SPOOL_FOLDER = "FRAMESCOPE_SPOOL"
"""The environment variable that names the folder for spools."""
SUFFIX = ".pcapng"
LOCK, ABOUT = "lock", "capture.json"


class Full(OSError):
    """The disk, or the limit, is reached."""


def home() -> Path:
    """Where spools stand. Not in /tmp, which may be memory, and which others can write to."""
    named = os.environ.get(SPOOL_FOLDER)
    if named:
        return Path(named)
    if user := caller():
        return Path(user.home) / ".local" / "state" / "framescope" / "live"
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "framescope" / "live"


def name_folder(base: Path) -> Path:
    """A folder that nobody has yet."""
    return base / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"


def files(folder: str | os.PathLike[str]) -> list[str]:
    """The spool's files, oldest first."""
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(SUFFIX))
    except FileNotFoundError:
        return []
    return [os.path.join(folder, name) for name in names]


def hold(folder: Path) -> int:
    """Share the folder's lock; it is let go when the process ends, however that happens."""
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def is_held(folder: Path) -> bool:
    """Whether anybody is still at it."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def remove(folder: Path) -> None:
    """Delete a spool: what a spool holds, and nothing else."""
    for path in (*map(Path, files(folder)), folder / ABOUT, folder / LOCK):
        path.unlink(missing_ok=True)
    folder.rmdir()


@dataclass(frozen=True, slots=True)
class Orphan:
    """A spool whose owners are gone."""

    folder: Path
    octets: int
    began: float
    """Seconds since 1970."""
    what: str


def orphans(base: Path) -> Iterator[Orphan]:
    """Spools that nobody holds, oldest first."""
    for folder in sorted(base.iterdir()) if base.is_dir() else ():
        if re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]+", folder.name) and (folder / LOCK).exists() and not is_held(folder):
            try:
                about = json.loads((folder / ABOUT).read_text("utf-8"))
            except (OSError, ValueError):
                about = {}
            octets = sum(os.stat(path).st_size for path in files(folder))
            yield Orphan(folder, octets, folder.stat().st_mtime, str(about.get("what", "")))


class Spool:
    """Writes the files. Nobody but the recorder does."""

    def __init__(self, request: Request, head: bytes, what: str) -> None:
        self.request = request
        self.head = head
        self.folder = Path(request.folder)
        self.written = 0
        """Octets, heads and dropped files included."""
        self.let_go = 0
        """Octets of files that the ring has dropped."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = hold(self.folder)
        self.number = 0
        """Of the file that is written."""
        self._descriptor = -1
        self._size = 0
        self._began = 0.0
        self._kept: list[tuple[Path, int, float]] = []
        about = os.open(self.folder / ABOUT, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with open(about, "w", encoding="utf-8") as stream:
            json.dump({"what": what}, stream)
        self._begin()

    def write(self, octets: bytes, here: bool = False) -> None:
        """Append whole blocks, as many as there is room for; `here`: to this file, even where another is due.

        Raises: Full where there was no room for all.
        """
        if not here and self.request.ring.file_octets and self._is_due():
            self._begin()
        room = self.request.limit - (self.written - self.let_go)
        self._append(octets[: self._whole(octets, room)])
        if len(octets) > room:
            raise Full(f"the spool has reached its limit of {self.request.limit} octets")

    def _whole(self, octets: bytes, room: int) -> int:
        """Octets of the blocks that are whole in so many; what comes through a pipe is anything."""
        return min(room, len(octets)) if self.request.pipe >= 0 else whole(octets, min(room, len(octets)))

    def turn(self) -> None:
        """Let time pass: begin a new file where it is due, drop those that the ring no longer holds."""
        if self.request.ring.file_octets:
            if self._is_due():
                self._begin()
            self._trim()

    def close(self) -> None:
        """The capture has ended."""
        os.close(self._descriptor)
        os.close(self._lock)

    def _is_due(self) -> bool:
        ring = self.request.ring
        grown = self._size >= ring.file_octets
        aged = bool(ring.file_seconds) and time.monotonic() - self._began >= ring.file_seconds
        return (grown or aged) and self._size > len(self.head)

    def _begin(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._kept.append((self._path(), self._size, time.monotonic()))
            self.number += 1
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor = os.open(self._path(), flags, 0o600)
        self._size, self._began = 0, time.monotonic()
        self._append(self.head)
        self._trim()

    def _path(self) -> Path:
        return self.folder / f"{self.number:08}{SUFFIX}"

    def _append(self, octets: bytes) -> None:
        view, done = memoryview(octets), 0
        try:
            while done < len(view):
                done += os.write(self._descriptor, view[done:])
        except OSError as error:
            kept = self._whole(octets, done)
            os.ftruncate(self._descriptor, self._size + kept)
            os.lseek(self._descriptor, self._size + kept, os.SEEK_SET)
            self._size += kept
            self.written += kept
            raise Full(f"the spool cannot be written: {error.strerror}") from None
        self._size += len(octets)
        self.written += len(octets)

    def _trim(self) -> None:
        ring, now = self.request.ring, time.monotonic()
        held = sum(size for _, size, _ in self._kept) + self._size
        while self._kept:
            path, size, ended = self._kept[0]
            if not (ring.octets and held > ring.octets) and not (ring.seconds and now - ended > ring.seconds):
                return
            path.unlink(missing_ok=True)
            del self._kept[0]
            held -= size
            self.let_go += size
