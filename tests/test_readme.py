"""The README tells the truth: its Python example runs, its commands parse."""

from __future__ import annotations

import re
import shlex
from contextlib import redirect_stdout
from io import StringIO

from analyzer.cli.main import parser
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text("utf-8")


def test_the_python_example_runs() -> None:
    example = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    out = StringIO()
    with redirect_stdout(out):
        exec(compile(example, "README.md", "exec"), {})
    assert "without a Close frame" in out.getvalue()
    assert "octets of payload" in out.getvalue()


def test_the_commands_parse() -> None:
    lines = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
    commands = [line for line in lines if line.startswith("framescope ")]
    assert len(commands) >= 6
    for line in commands:
        words = shlex.split(line.partition("#")[0].partition("|")[0])[1:]
        if words[0].endswith(".pcapng"):
            words.insert(0, "summary")
        parser().parse_args(words)


def test_pictures_exist() -> None:
    for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (ROOT / picture).exists(), picture
