"""One live capture as the views see it: `poll` tells how things stand. It knows no terminal.

A thread follows the spool and owns the analysis. Snapshots are made when somebody asks, between two chunks.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from analyzer.analysis.pipeline import Analysis
from analyzer.analysis.snapshot import Snapshot
from analyzer.capture.growing import GrowingCapture
from analyzer.errors import CaptureError
from analyzer.limits import Limits
from analyzer.live import memory, rights, spool
from analyzer.live.request import Drops, Request

PAUSE = 0.05
"""Seconds between two looks at the spool: a chunk costs a millisecond however small it is."""
TELLING = ("tcpdump", "scapy")
"""Backends that tell drops while they run."""
SHARE = 3
"""Snapshots may take one part of the time, and reading has three. They cost in proportion to all that a capture holds:
with 2,000,000 packets in it as much as reading 60,000 to 90,000 does, so that the time between two grows with it."""
LOOK = 0.5
"""Seconds between two looks for what a ring has dropped."""
ROOT = str(Path(__file__).parent.parent.parent)
START = f"import sys; sys.path.insert(0, {ROOT!r}); from analyzer.live.recorder import main; main()"
"""The recorder runs the same code in an isolated interpreter: no variable of the environment leads it elsewhere."""


@dataclass(frozen=True, slots=True)
class Moment:
    """How things stand."""

    snapshot: Snapshot
    rates: tuple[float, float]
    """Packets and frames a second, over the time since the moment before."""
    drops: Drops
    lag: int
    """Octets captured and not yet analysed."""
    finished: bool
    backend: str = ""
    trouble: str = ""
    """Why the capture ended by itself, if so."""

    @property
    def dropped(self) -> int | None:
        """Packets dropped, as the backend or the capture itself tells; None where neither does yet, as dumpcap, which
        tells at its end."""
        stored = self.snapshot.source.dropped
        if stored is None and self.backend not in TELLING:
            return None
        return max(self.drops.total, stored or 0)


class Session:
    """A live capture under way. Without a request it follows files that others write."""

    def __init__(self, source: GrowingCapture, request: Request | None = None) -> None:
        self.source = source
        self.request = request
        self.drops = Drops()
        self.backend = ""
        self.trouble = self.hint = ""
        self._analysis = Analysis(source, Limits())
        self._recorder: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._news = threading.Condition()
        self._wanted = False
        self._moment: Moment | None = None
        self._failure: BaseException | None = None
        self._ready = threading.Event()
        self._hold = -1
        self._current: Snapshot | None = None
        """The last snapshot, while nothing has changed since."""
        self._before = (time.monotonic(), 0, 0)

    @classmethod
    def capture(cls, request: Request) -> Session:
        """Of interfaces, or of a pipe."""
        name = ", ".join(request.interfaces) or "standard input"
        return cls(GrowingCapture(name, lambda: spool.files(request.folder)), request)

    @classmethod
    def follow(cls, path: str) -> Session:
        """Of a file that grows, or of a folder with files that are begun one after the other."""
        target = Path(path)
        if not target.exists():
            raise CaptureError(f"{path} does not exist", "check the name")
        listing: Callable[[], list[str]]
        if target.is_dir():
            listing = lambda: by_age(target)  # noqa: E731
        else:
            listing = lambda: [path]  # noqa: E731
        return cls(GrowingCapture(path, listing))

    def empty(self) -> Snapshot:
        """A snapshot from before the start, to check filters against."""
        return self._analysis.snapshot()

    def start(self) -> None:
        """Begin.

        Raises: CaptureError where the capture does not begin.
        """
        if self.request is not None:
            command = [sys.executable, "-I", "-c", START, self.request.dump()]
            pipes = (self.request.pipe,) if self.request.pipe >= 0 else ()
            self._recorder = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, pass_fds=pipes
            )
            if user := rights.caller():
                import numpy.ma  # noqa: F401 - numpy does so late, when that user may not be able to read it

                rights.become(user, keep=False)
            threading.Thread(target=self._listen, daemon=True).start()
            if self.request.pipe < 0:
                self._ready.wait()
                if self.trouble and not self.backend:
                    self._recorder.wait()
                    raise CaptureError(f"the capture does not begin: {self.trouble}", self._way_out())
                self._hold = spool.hold(Path(self.request.folder))
        threading.Thread(target=self._follow, daemon=True).start()

    def stop(self) -> None:
        """Have the capture end; what is captured is analysed to its end."""
        self._stopping.set()
        if self._recorder is not None and self._recorder.stdin is not None and not self._recorder.stdin.closed:
            self._recorder.stdin.close()

    def poll(self, timeout: float = 1.0) -> Moment | None:
        """How things stand now; None where that was not known in time.

        Raises: CaptureError where what is followed is no capture.
        """
        with self._news:
            self._wanted = True
            before = self._moment
            self._news.wait_for(
                lambda: self._moment is not before or self._failure is not None
                or (self._moment is not None and self._moment.finished), timeout,
            )  # fmt: skip
            if self._failure is not None:
                raise self._failure
            return self._moment if self._moment is not before or (before is not None and before.finished) else None

    def _way_out(self) -> str:
        """What to do where the capture does not begin."""
        assert self.request is not None
        words = self.trouble.lower()
        if "permi" in words or "not permitted" in words:
            return rights.hint(self.request)
        return self.hint or "framescope live lists the interfaces"

    def _listen(self) -> None:
        assert self._recorder is not None
        assert self._recorder.stdout is not None
        over = False
        for line in self._recorder.stdout:
            told = json.loads(line)
            if told["event"] == "ready":
                self.backend = told["backend"]
            elif told["event"] == "drops":
                self.drops = Drops(told["received"], told["kernel"], told["interface"])
                continue
            else:
                self.trouble, self.hint, over = told["reason"], told.get("hint", ""), True
            self._ready.set()
        self._recorder.wait()
        if not over:
            self.trouble = f"the recorder died with status {self._recorder.returncode}"
        self._ready.set()
        self.source.ended = True

    def _follow(self) -> None:
        try:
            self._run()
        except BaseException as error:  # told to whoever polls
            with self._news:
                self._failure = error
                self._news.notify_all()

    def _run(self) -> None:
        memory.keep_apart()
        limits = self._analysis.limits
        due = look = 0.0
        while True:
            ended = self.source.ended or (self._recorder is None and self._stopping.is_set())
            records = self.source.take(limits.chunk)
            if records is not None:
                self._analysis.feed(records)
                self._current = None
            elif ended:
                break
            now = time.monotonic()
            if self._wanted and now >= due:
                self._current = self._current or self._analysis.snapshot()
                self._publish(self._current, False)
                due = time.monotonic() + SHARE * (time.monotonic() - now)
            if now >= look:
                look = now + LOOK
                self.source.expire()
                if self.source.expired > self._analysis.expired:
                    self._analysis.expire()
                    self._current = None
                    memory.give_back()
            if self.source.lag() < limits.chunk >> 4:
                self._stopping.wait(PAUSE) if not self._stopping.is_set() else time.sleep(PAUSE / 10)
        self.source.finish()
        self._publish(self._analysis.finish(), True)

    def _publish(self, snapshot: Snapshot, finished: bool) -> None:
        then, packets, frames = self._before
        now = time.monotonic()
        counts = (now, snapshot.traffic.packets, len(snapshot["frames"]))
        passed = max(now - then, 1e-3)
        self._before = counts
        with self._news:
            self._wanted = False
            self._moment = Moment(
                snapshot, ((counts[1] - packets) / passed, (counts[2] - frames) / passed), self.drops,
                self.source.lag(), finished, self.backend, self.trouble,
            )  # fmt: skip
            self._news.notify_all()


def by_age(folder: Path) -> list[str]:
    """The captures in a folder, oldest first."""
    found = [path for path in folder.iterdir() if path.is_file() and ".pcap" in path.name]
    return [str(path) for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))]
