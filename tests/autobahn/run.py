"""Plays all cases, records them, and writes how far framescope agrees: python -m tests.autobahn.run [CASE...]

Needs the right to capture on loopback (tcpdump). AGREEMENT.md is written only where all cases were played.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from tests.autobahn.agreement import Line, compare
from tests.autobahn.cases import ROUNDS, SMALLER, Case, every
from tests.autobahn.play import Log, play

TABLE = Path(__file__).with_name("AGREEMENT.md")
EXPLAINED: dict[str, str] = {}
"""Disagreements, and the reason below the table: none."""
REASONS = """
7.1.5: the server fails the connection at the Close, because of the message that it interrupts; the suite wants it answered.

Where the server fails the connection on what it cannot accept, it sends the first Close and reads nothing after that
(RFC 6455 §7.1.7): its API reports 1006, although the client's Close was on the wire, and framescope says so. In 7.7.3,
7.7.5 and 7.7.7 the client sends 1002, 1007 and 1009 without a reason, as an application may, and reads the answer.
"""


async def record(cases: list[Case], path: Path) -> dict[str, Log]:
    """Play cases while tcpdump writes a capture."""
    recorder: list[asyncio.subprocess.Process] = []

    async def ready(port: int) -> None:
        command = ("tcpdump", "-i", "lo", "-U", "-s", "0", "-B", "65536", "-w", str(path), f"tcp port {port}")
        process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE)
        assert process.stderr is not None
        said = await asyncio.wait_for(process.stderr.readline(), 10)
        if b"listening" not in said:
            sys.exit(f"tcpdump does not capture: {said.decode()}")
        recorder.append(process)
        await asyncio.sleep(0.5)

    logs = await play(cases, ready)
    await asyncio.sleep(1)
    recorder[0].terminate()
    await recorder[0].wait()
    return logs


def table(lines: Sequence[Line]) -> str:
    """The table of agreement, in Markdown."""
    agreed = sum(not line.differences for line in lines)
    as_expected = sum(not line.server for line in lines)
    parts = [
        "# Agreement with the Autobahn Testsuite's cases", "",
        f"Written by `python -m tests.autobahn.run`: {len(lines)} cases (1 to 7, 9, 12, 13) played against the echo"
        f" server of websockets {version('websockets')} while tcpdump recorded them. Cases 9.1 to 9.6 have"
        f" 1/{SMALLER} of the suite's octets; 9.7, 9.8, 12 and 13 send {ROUNDS} messages of generated text.", "",
        f"- framescope agrees with both endpoints' logs and finds the codes that the case is about, and no other, in"
        f" **{agreed} of {len(lines)}**.",
        f"- The server did what the suite expects in {as_expected}.", "",
        "| case | the suite expects | framescope's codes | frames C/S | first Close | server reports | agrees | server |",
        "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for line in lines:
        told = "; ".join(f"{what} [{EXPLAINED.get(what, 'not explained')}]" for what in line.differences) or "yes"
        parts.append(
            f"| {line.number} | {line.expects} | {', '.join(line.codes) or '-'} | {line.frames} | {line.close} |"
            f" {line.reported} | {told} | {line.server or 'as expected'} |"
        )
    return "\n".join(parts) + "\n" + REASONS


def main(numbers: Sequence[str]) -> int:
    """Play, compare, write; returns the exit status."""
    cases = [case for case in every() if not numbers or case.number in numbers]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "autobahn.pcap"
        logs = asyncio.run(record(cases, path))
        lines = compare(cases, logs, path)
    text = table(lines)
    if numbers:
        print(text)
    else:
        TABLE.write_text(text, encoding="utf-8")
    return int(any(set(line.differences) - set(EXPLAINED) for line in lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
