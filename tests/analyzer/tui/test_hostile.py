"""No octet of a capture acts on the terminal: on every screen, in every dialog, in what is copied and what is told."""

from __future__ import annotations

import asyncio
import unicodedata
from pathlib import Path

import pytest
from rich.cells import cell_len

from analyzer.capture.files import open_source
from analyzer.tui.app import FramescopeApp
from tests.analyzer.tui.stage import WAIT, done, settled, typed
from tests.wire.captures import pcap
from tests.wire.frames import BINARY, CLOSE, TEXT, close_payload
from tests.wire.talks import Talk

EVIL = (
    "\x1b]0;owned\x07\x1b]52;c;b3duZWQ=\x07\x1b[2J\x1b[?1049l[bold red]x[/][@click=app.quit]y[/]\r\n\x9b31m\x00\x7f"
    "\u202egnp.exe\u2066\u200b\u200d\ufeff\u00ad\U000e0041\u2028\u3164"
)
WIDE = "漢字カナ 한글 \U0001f469\u200d\U0001f467 \uff57\uff49\uff44\uff45 e\u0301\u0301 z\u0337\u0322"
LINE = EVIL.replace("\r\n", "").replace("\x00", "")


def capture(path: Path) -> Path:
    """Evil in every place where a peer's text is shown."""
    talk = Talk().open()
    talk.send("C", f"GET /{LINE.replace(' ', '_')}{WIDE.replace(' ', '_')}?token=[/] HTTP/1.1\r\nHost: [link={LINE}]\r\nUpgrade: websocket\r\n"
              f"Connection: Upgrade\r\nOrigin: http://{LINE}\r\nUser-Agent: {LINE}{WIDE}\r\nX-[red]: {LINE}\r\n"
              "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Version: 13\r\n"
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())  # fmt: skip
    talk.send("S", f"HTTP/1.1 101 [blink]{LINE}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              f"Sec-WebSocket-Protocol: {LINE}\r\nServer: {LINE}\r\n"
              "Sec-WebSocket-Accept: [bold]\x1b[5mno\r\n\r\n".encode())  # fmt: skip
    talk.frame("C", TEXT, EVIL).frame("S", TEXT, WIDE).frame("S", TEXT, '{"\x1b[2J": "[/red]' + WIDE + '"}')
    talk.frame("C", BINARY, EVIL.encode() + b"\xff").frame("S", TEXT, b"\xff" + EVIL.encode())
    talk.frame("S", CLOSE, close_payload(4000, "[link=x]\x1b]0;o\x07\u202e[/]"))
    path.write_bytes(pcap(talk.packets()))
    return path


WALKS: dict[str, tuple[str, ...]] = {
    "connections": ("y", "t", "x", "escape", "m", "a", "semicolon", *typed("[red]a[/]"), "enter", "apostrophe", "escape"),
    "ladder": ("enter", *("j", "w") * 9, "f", "w", *("k",) * 5),
    "detail": ("enter", "j", "j", "j", "enter", *"123456", *("right_square_bracket", *"123456") * 5),
    "search": ("ctrl+f", *typed("owned"), "enter", WAIT, "tab", "j", "w", "enter", "n", "N"),
    "search octets": ("ctrl+f", "tab", "tab", *typed("1b"), "enter", WAIT, "j", "j", "enter", "enter", "3"),
    "copies": ("enter", "j", "j", "j", "y", "t", "y", "h", "y", "j", "y", "w", "y", "p"),
    "exports": ("enter", "j", "j", "j", "x", "b", "enter", WAIT, "x", "j", "enter", WAIT, "x", "p", "enter", WAIT),
    "marks": ("enter", "j", "j", "j", "m", "b", "semicolon", *typed("[b]"), "enter", "apostrophe", "b"),
    "filter": ("slash", *typed('path == "['), "escape", "slash", *typed("path contains owned"), "enter"),
    "notes and overview": ("v", "enter", "j", "enter", "escape", "escape", "o", "plus"),
    "palette and help": ("colon", *typed("mark"), "escape", "question_mark", *typed("[")),
}  # fmt: skip


def unsafe(character: str) -> bool:
    code = ord(character)
    return code < 32 or 126 < code < 160 or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or (
        unicodedata.category(character) == "Cf")  # fmt: skip


@pytest.mark.parametrize("walk", WALKS)
def test_nothing_of_a_capture_acts(walk: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = capture(tmp_path / "\x1b[2J[red]\u202e.pcap")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    async def run() -> list[str]:
        source = open_source([str(path)])
        app = FramescopeApp(source)
        wrong: list[str] = []
        try:
            async with app.run_test(size=(100, 30), notifications=True) as pilot:
                await settled(pilot)
                for key in ("", *WALKS[walk]):
                    await (done(pilot) if key == WAIT else pilot.press(*([key] if key else [])))
                    wrong += look(app, key)
        finally:
            source.close()
        return wrong

    assert asyncio.run(run()) == []
    for made in (tmp_path / "here").iterdir():
        assert not any(map(unsafe, made.name))


def look(app: FramescopeApp, key: str) -> list[str]:
    """What is wrong with what the screen shows: characters that act, links and styles of the capture's making, lines
    of another width than the screen's, and what the clipboard holds."""
    wrong = []
    for strip in app.screen._compositor.render_strips():
        text = "".join(segment.text for segment in strip)
        wrong += [f"{key}: {character!r} in {text!r}" for character in text if unsafe(character)]
        for segment in strip:
            style = segment.style
            if style is not None and (style.link or style.blink or (style.meta or {}).get("@click") == "app.quit"):
                wrong.append(f"{key}: {segment.text!r} is {style}")
        if cell_len(text) != app.size.width:
            wrong.append(f"{key}: {cell_len(text)} cells in {text!r}")
    return wrong + [f"{key}: {one!r} copied" for one in app.clipboard if unsafe(one) and one not in "\n\t"]


def test_all_of_it_is_shown_in_another_form(tmp_path: Path) -> None:
    from tests.analyzer.tui.stage import play

    path = capture(tmp_path / "evil.pcap")
    shown = play(path, ("enter",), size=(400, 40))
    assert "\\e]0;owned" in shown
    assert "[bold red]x[/]" in shown
    assert "漢字" in shown
