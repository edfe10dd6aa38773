"""The interface in a real terminal: from the command to the verdict on the connection that died."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator

import pytest

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
PATIENCE = 30.0


class Terminal:
    """A terminal of 110 by 30 in a tmux server of its own."""

    def __init__(self, command: str, state: str) -> None:
        self.name = f"framescope-{uuid.uuid4().hex[:8]}"
        environment = {**os.environ, "FRAMESCOPE_STATE": state, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        environment.pop("TMUX", None)
        self._run(
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
            f"{command}; echo over=$?; sleep 60",
            env=environment,
        )

    def _run(self, *words: str, env: dict[str, str] | None = None) -> str:
        done = subprocess.run(["tmux", "-L", self.name, *words], capture_output=True, text=True, check=True, env=env)
        return done.stdout

    def press(self, *keys: str) -> None:
        self._run("send-keys", "-t", "main", *keys)

    def screen(self) -> str:
        return self._run("capture-pane", "-t", "main", "-p")

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
    found = Terminal(f"{sys.executable} -m analyzer {request.param}", str(tmp_path))
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
