"""The interface in a real terminal: from the command to the verdict on the connection that died."""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
PATIENCE = 30.0


class Terminal:
    """A terminal of 110 by 30 in a tmux server of its own."""

    def __init__(self, command: str, state: str) -> None:
        self.name = f"framescope-{uuid.uuid4().hex[:8]}"
        self.state = state
        environment = {**os.environ, "FRAMESCOPE_STATE": state, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        environment.pop("TMUX", None)
        self.run(
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-s",
            "main",
            "-x",
            "110",
            "-y",
            "30",
            "bash",
            "-m",
            "-c",
            f"{command}; echo over=$?; sleep 60",
            env=environment,
        )

    def run(self, *words: str, env: dict[str, str] | None = None) -> str:
        done = subprocess.run(["tmux", "-L", self.name, *words], capture_output=True, text=True, check=True, env=env)
        return done.stdout

    def press(self, *keys: str) -> None:
        self.run("send-keys", "-t", "main", *keys)

    def screen(self) -> str:
        return self.run("capture-pane", "-t", "main", "-p")

    def until(self, shown: Callable[[str], bool]) -> str:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if shown(screen := self.screen()):
                return screen
            time.sleep(0.1)
        raise AssertionError(self.screen())

    def close(self) -> None:
        subprocess.run(["tmux", "-L", self.name, "kill-server"], check=False, capture_output=True)


@pytest.fixture
def terminal(request: pytest.FixtureRequest, tmp_path: object) -> Iterator[Terminal]:
    module = request.param.removeprefix("!") if request.param.startswith("!") else f"analyzer {request.param}"
    found = Terminal(f"{sys.executable} -m {module}", str(tmp_path))
    yield found
    found.close()


@pytest.mark.parametrize("terminal", ["sample:tour"], indirect=True)
def test_from_the_command_to_the_verdict(terminal: Terminal) -> None:
    terminal.until(lambda screen: "died" in screen)
    terminal.press("j", "j", "Enter")
    terminal.until(lambda screen: "WebSocket begins" in screen and "FIN" in screen)
    terminal.press("c")
    screen = terminal.until(lambda screen: "what each side's API reports" in screen)
    assert "server closed TCP without a Close frame" in screen
    terminal.press("Escape")
    terminal.until(lambda screen: "WebSocket begins" in screen)
    terminal.press("q")
    terminal.until(lambda screen: "3 WebSocket" in screen)
    terminal.press("q")
    terminal.until(lambda screen: "over=0" in screen)


@pytest.mark.parametrize("terminal", ["- < samples/tour.pcapng"], indirect=True)
def test_a_capture_on_standard_input_leaves_the_keys_to_the_terminal(terminal: Terminal) -> None:
    terminal.until(lambda screen: "died" in screen)
    terminal.press("j", "Enter")
    terminal.until(lambda screen: "WebSocket begins" in screen)


@pytest.mark.parametrize("terminal", ["missing.pcap"], indirect=True)
def test_what_the_command_line_refuses_is_refused_before_the_screen_opens(terminal: Terminal) -> None:
    screen = terminal.until(lambda screen: "over=3" in screen)
    assert "missing.pcap does not exist" in screen


@pytest.mark.parametrize("terminal", [""], indirect=True)
def test_without_a_capture_the_samples_are_offered(terminal: Terminal) -> None:
    terminal.until(lambda screen: "sample:tour" in screen)
    terminal.press("Enter")
    terminal.until(lambda screen: "died" in screen)


@pytest.mark.parametrize("terminal", ["sample:tour"], indirect=True)
def test_control_c_ends_it_while_a_filter_is_typed(terminal: Terminal) -> None:
    terminal.until(lambda screen: "died" in screen)
    terminal.press("/", "a", "C-c")
    terminal.until(lambda screen: "over=0" in screen)


@pytest.mark.parametrize("terminal", ["- < <(cat samples/tour.pcapng; exec sleep 30)"], indirect=True)
def test_a_silent_pipe_does_not_keep_it_from_ending(terminal: Terminal) -> None:
    terminal.until(lambda screen: "died" in screen)
    terminal.press("q")
    terminal.until(lambda screen: "the capture is not saved" in screen)
    terminal.press("q")
    screen = terminal.until(lambda screen: "over=" in screen)
    assert "over=0" in screen
    assert "Fatal" not in screen


@pytest.mark.parametrize("terminal", ["sample:tour & echo $! >$FRAMESCOPE_STATE.pid; fg"], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_leave_the_terminal_in_order(terminal: Terminal, number: int) -> None:
    terminal.until(lambda screen: "died" in screen)
    os.kill(int(Path(f"{terminal.state}.pid").read_text()), number)
    terminal.until(lambda screen: f"over={128 + number}" in screen and "died" not in screen)


FAULTS = [
    ("LadderLines line", ("Enter",)), ("ConnectionsPage show", ()), ("LadderPage compose", ("Enter",)),
    ("DetailPage on_mount", ("Enter", "Enter")), ("FramescopeApp _look_apart", ()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("terminal", "keys"), [(f"!tests.analyzer.tui.broken {fault} sample:tour", keys) for fault, keys in FAULTS],
    indirect=["terminal"],
)  # fmt: skip
def test_a_fault_ends_in_a_message_and_not_in_a_traceback(terminal: Terminal, keys: tuple[str, ...]) -> None:
    for key, sign in zip(keys, ("died", "closes TCP"), strict=False):
        terminal.until(lambda screen, sign=sign: sign in screen)  # type: ignore[misc]
        terminal.press(key)
    screen = terminal.until(lambda screen: "over=" in screen)
    assert "the interface failed (RuntimeError); the capture is unharmed" in screen
    assert "Traceback" not in screen
    assert "over=2" in screen
    assert "a fault of" in (Path(terminal.state) / "failure.txt").read_text()


@pytest.mark.parametrize("terminal", ["sample:tour"], indirect=True)
def test_a_copy_reaches_the_clipboard_of_the_terminal(terminal: Terminal) -> None:
    terminal.run("set", "-s", "set-clipboard", "on")
    terminal.until(lambda screen: "died" in screen)
    terminal.press("j", "y")
    terminal.until(lambda screen: "copy as" in screen)
    terminal.press("t")
    terminal.until(lambda screen: "text copied" in screen)
    assert terminal.run("show-buffer").startswith(
        "c4084 127.0.0.1:43490 -> 127.0.0.1:8080 /chat?token=***: client closed"
    )


@pytest.mark.parametrize("terminal", ["sample:tour"], indirect=True)
def test_a_key_right_behind_an_answer_takes_no_screen_away(terminal: Terminal) -> None:
    terminal.until(lambda screen: "died" in screen)
    terminal.press("j", "m")
    terminal.until(lambda screen: "a letter" in screen)
    terminal.press("a", "z", "z")
    terminal.until(lambda screen: "closed 1000 a" in screen and "a letter" not in screen)


@pytest.mark.parametrize("terminal", ["sample:tour"], indirect=True)
def test_marks_come_back_in_another_run(terminal: Terminal) -> None:
    terminal.until(lambda screen: "died" in screen)
    terminal.press("j", "m")
    terminal.until(lambda screen: "a letter" in screen)
    terminal.press("a")
    terminal.until(lambda screen: "closed 1000 a" in screen)
    terminal.press("q")
    terminal.until(lambda screen: "over=0" in screen)
    again = Terminal(f"{sys.executable} -m analyzer sample:tour", terminal.state)
    try:
        again.until(lambda screen: "closed 1000 a" in screen)
    finally:
        again.close()


def seen_without_a_terminal(*words: str, stdin: str) -> str:
    """What the command writes to a terminal that is not its controlling one: nobody types on it."""
    mine, theirs = pty.openpty()
    with open(stdin, "rb") as file:
        process = subprocess.Popen([sys.executable, "-m", "analyzer", *words], stdin=file, stdout=theirs, stderr=theirs,
                                   start_new_session=True, env={**os.environ, "TERM": "xterm"})  # fmt: skip
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # Linux says EIO where the other end is closed
        while piece := os.read(mine, 65536):
            shown += piece
    os.close(mine)
    assert process.wait(20) is not None
    return shown.decode()


def test_a_capture_on_standard_input_without_a_terminal_for_keys_is_summed_up() -> None:
    shown = seen_without_a_terminal("-", stdin="samples/tour.pcapng")
    assert "c9336" in shown
    assert "\x1b[?1049h" not in shown  # the alternate screen


@pytest.mark.parametrize("words", [("tui", "sample:tour"), ("tui", "-"), ("tui",)])
def test_the_interface_without_a_terminal_is_refused(words: tuple[str, ...]) -> None:
    shown = seen_without_a_terminal(*words, stdin="/dev/null")
    assert "there is no terminal" in shown
    assert "\x1b[?1049h" not in shown
    piped = subprocess.run([sys.executable, "-m", "analyzer", *words], stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, timeout=60, check=False)  # fmt: skip
    assert (piped.returncode, piped.stdout) == (2, "")
    assert "there is no terminal" in piped.stderr


@pytest.mark.parametrize(
    ("terminal", "says"),
    [
        ("tui --tz Nowhere sample:tour", "Nowhere"),
        ("pyproject.toml", "is not a capture"),
        ("samples", "framescope"),
        ("/dev/null", "is empty"),
        ("sample:tuor", "did you mean"),
        ("tui --asciii sample:tour", "--ascii"),
    ],
    indirect=["terminal"],
)
def test_what_is_refused_never_opens_the_screen(terminal: Terminal, says: str) -> None:
    screen = terminal.until(lambda screen: "over=" in screen)
    assert says in screen
    assert "q quit" not in screen
