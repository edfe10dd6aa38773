"""What is done with rows: marks, notes, copies, exports; and what of it comes back."""

from __future__ import annotations

import ast
import csv
import json
import shlex
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

import analyzer
from analyzer.tui import state
from analyzer.tui.app import FramescopeApp
from analyzer.tui.connections import ConnectionLines, ConnectionsPage
from analyzer.tui.copies import MOST, forms
from analyzer.tui.exports import exports
from analyzer.tui.ladder import LadderLines
from analyzer.tui.marks import MarksPage
from analyzer.tui.page import Page
from analyzer.tui.rungs import Kind
from tests.analyzer.tui.stage import WAIT, play, typed
from tests.conftest import SAMPLES
from tests.wire.captures import pcap
from tests.wire.frames import BINARY, TEXT
from tests.wire.handshakes import request, response
from tests.wire.talks import Talk

CHAT = ("j", "enter")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMESCOPE_STATE", str(tmp_path / "state"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


# -- marks and notes -----------------------------------------------------------------------------------------------------


def cursor(app: FramescopeApp) -> int:
    return app.screen.query_one(LadderLines).cursor


def test_a_mark_is_set_gone_to_and_taken_away() -> None:
    assert play("sample:tour", (*CHAT, "j", "j", "j", "m", "q", "G", "apostrophe", "q"), look=cursor) == 3
    assert play("sample:tour", (*CHAT, "j", "m", "a", "G", "m", "b", "apostrophe", "a"), look=cursor) == 1
    assert play("sample:tour", (*CHAT, "j", "m", "enter", "G", "apostrophe", "a"), look=cursor) == 1
    marked = (*CHAT, "j", "m", "a")
    assert len(play("sample:tour", marked, look=lambda app: app.marks)) == 1
    assert len(play("sample:tour", (*marked, "m", "delete"), look=lambda app: app.marks)) == 0
    assert len(play("sample:tour", (*marked, "m", "escape"), look=lambda app: app.marks)) == 1


def test_a_letter_stands_on_its_row_and_on_one_row_only() -> None:
    shown = play("sample:tour", (*CHAT, "j", "m", "Z", "j", "j", "m", "Z"))
    (row,) = [line for line in shown.splitlines() if line.startswith("Z+0.000337 s")]
    assert "text 9 B" in row
    assert shown.count("Z") == 1
    listed = play("sample:tour", ("j", "m", "Z"))
    (row,) = [line for line in listed.splitlines() if " Z" in line]
    assert "closed 1000 Z" in row


def test_a_note_stands_on_its_row_and_in_the_list() -> None:
    said = (*CHAT, "j", "j", "j", "semicolon", *typed("the first word"), "enter")
    shown = play("sample:tour", said)
    assert "; the first word  deflate" in shown
    listed = play("sample:tour", (*said, "apostrophe"))
    assert "c4084" in listed
    assert "; the first word" in listed
    assert "welcome" in listed
    assert play("sample:tour", (*said, "G", "apostrophe", "enter"), look=cursor) == 3
    assert "; the first word" in play("sample:tour", ("j", "semicolon", *typed("the first word"), "enter"))
    # an empty one takes it away, Esc leaves it
    emptied = (*said, "semicolon", *("backspace",) * 14, "enter")
    assert len(play("sample:tour", emptied, look=lambda app: app.marks)) == 0
    assert len(play("sample:tour", (*said, "semicolon", "x", "escape"), look=lambda app: app.marks)) == 1


def test_a_mark_leads_to_another_connection_and_to_one_that_is_filtered_out() -> None:
    def where(app: FramescopeApp) -> str:
        assert isinstance(app.screen, ConnectionsPage)
        entry = app.screen.current
        assert entry is not None
        return entry.key

    marked = ("j", "m", "a", "j", "m", "b", "g", "g")
    assert play("sample:tour", (*marked, "apostrophe", "b"), look=where) == "c9336"
    filtered = (*marked, "slash", *typed("state == died"), "enter", "apostrophe", "a")
    assert play("sample:tour", filtered, look=where) == "c4084"
    inside = (*marked, "enter", "apostrophe", "a")
    assert play("sample:tour", inside, look=where) == "c4084"


def test_the_list_of_marks_removes_and_says_when_it_is_empty() -> None:
    assert "no marks" in play("sample:tour", ("apostrophe",))
    pressed = ("j", "m", "a", "apostrophe", "delete")
    assert "no marks" in play("sample:tour", pressed)
    assert play("sample:tour", (*pressed, "escape"), look=lambda app: type(app.screen)) is ConnectionsPage
    noted = ("j", "m", "a", "apostrophe", "semicolon", *typed("why"), "enter")
    assert "; why" in play("sample:tour", noted)
    assert play("sample:tour", noted, look=lambda app: type(app.screen)) is MarksPage


def test_marks_notes_filter_order_times_and_the_row_come_back() -> None:
    keys = ("j", "m", "a", "enter", "j", "j", "semicolon", *typed("look"), "enter", "w", "w", "escape",
            "greater_than_sign", "r", "slash", *typed("client_messages > 0"), "enter")  # fmt: skip

    def view(app: FramescopeApp) -> tuple[object, ...]:
        page = app.list
        entry = page.query_one(ConnectionLines).current
        assert entry is not None
        return (app.marks.kept(), app.times, page.by, page.reversed, page.expression, entry.key, app.filters)

    left = play("sample:tour", keys, kept="abc", look=view)
    assert left[1:5] == (2, "state", True, "client_messages > 0")
    assert [mark["letter"] for mark in left[0]] == ["a", ""]
    assert play("sample:tour", kept="abc", look=view) == left
    # another capture has filters typed before, and nothing else
    other = play("sample:tour", kept="def", look=view)
    assert other[:5] == ([], 0, "start", False, "")
    assert other[6] == ["client_messages > 0"]
    # and where nobody can tell which capture it is, nothing is kept
    before = sorted(path.name for path in state.folder().iterdir())
    play("sample:tour", ("m", "a"))
    assert sorted(path.name for path in state.folder().iterdir()) == before


@pytest.mark.parametrize(
    "kept",
    [{"marks": 3, "times": 99, "by": "x", "filter": "((", "connection": 5, "reversed": 1},
     {"marks": [1, {}, {"connection": "c1", "kind": "x", "row": 1, "letter": "", "note": ""}], "filter": 7},
     {"marks": [{"connection": "\x1b[2Jc", "kind": 77, "row": -9, "letter": "\x1b", "note": "\x1b]0;x", "label": "\x9b"}]}],
)  # fmt: skip
def test_a_damaged_memory_is_left_out(kept: dict[str, object]) -> None:
    state.save("abc", kept)
    shown = play("sample:tour", ("apostrophe", "enter"), kept="abc")
    assert "\x1b" not in shown
    assert "\x9b" not in shown
    assert "closed" in play("sample:tour", kept="abc")


# -- copies --------------------------------------------------------------------------------------------------------------


def copied(app: FramescopeApp) -> str:
    return app.clipboard


def test_a_message_is_copied_in_five_forms() -> None:
    row = (*CHAT, "j", "j", "j", "j", "y")
    assert play("sample:tour", (*row, "t"), look=copied) == "hello"
    assert play("sample:tour", (*row, "h"), look=copied) == "68 65 6c 6c 6f"
    record = json.loads(play("sample:tour", (*row, "j"), look=copied))
    assert (record["payload"], record["opcode"], record["connection"]) == ("hello", "text", "c4084")
    command = play("sample:tour", (*row, "w"), look=copied)
    assert shlex.split(command.partition(" | ")[0]) == ["printf", "%s", "hello"]
    assert "ws://127.0.0.1:8080/chat?token=" in command
    program = play("sample:tour", (*row, "p"), look=copied)
    ast.parse(program)
    assert "websocket.send('hello')" in program
    assert "hexadecimal copied" in play("sample:tour", (*row, "h"))
    assert play("sample:tour", (*row, "down", "enter"), look=copied) == "68 65 6c 6c 6f"
    assert play("sample:tour", (*row, "escape"), look=copied) == ""


def test_what_a_row_is_not_it_is_not_copied_as() -> None:
    assert "closed with 1000" in play("sample:tour", ("j", "y", "t"), look=copied)
    assert "hexadecimal" not in play("sample:tour", ("j", "y"))
    assert "101 Switching" in play("sample:tour", (*CHAT, "j", "y", "t"), look=copied)
    assert "websocat" not in play("sample:tour", ("G", "y")) or "POST" not in play("sample:tour", ("G",))
    received = play("sample:tour", (*CHAT, "j", "j", "j", "y", "w"), look=copied)
    assert received.startswith("websocat ")  # what a server sent is not sent to it
    assert play("sample:tour", (*CHAT, "f", "j", "j", "j", "j", "y", "h"), look=copied).startswith("c1 87")
    assert "no row here" in play("sample:tour", ("slash", *typed("idle > 99h"), "enter", "y"))


def talk_of(payload: bytes, opcode: int = TEXT) -> Talk:
    asked = (("Origin", "https://a.example"), ("Sec-WebSocket-Protocol", "chat, more"), ("Cookie", "id='x'; $(y)"),
             ("User-Agent", "A\x1b]0;x/1"))  # fmt: skip
    return Talk().open().send("C", request(headers=asked)).send("S", response()).frame("C", opcode, payload)


def test_commands_quote_everything(tmp_path: Path) -> None:
    path = tmp_path / "quote.pcap"
    path.write_bytes(pcap(talk_of(b"it's $(reboot) `x` \\n %s").packets()))
    last = ("enter", "G", "k", "y")
    command = play(path, (*last, "w"), look=copied)
    piped, _, call = command.partition(" | ")
    assert subprocess.run(["sh", "-c", piped], capture_output=True, check=True).stdout == b"it's $(reboot) `x` \\n %s"
    words = shlex.split(call)
    assert words[:3] == ["websocat", "--origin=https://a.example", "--protocol=chat, more"]
    assert "-H=Cookie: id='x'; $(y)" in words
    assert "\x1b" not in command
    program = play(path, (*last, "p"), look=copied)
    assert "\x1b" not in program
    calls = [node for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Call)]
    named = {word.arg: ast.literal_eval(word.value) for call in calls for word in call.keywords}
    assert named["subprotocols"] == ["chat", "more"]
    assert ("Cookie", "id='x'; $(y)") in named["additional_headers"]


@pytest.mark.parametrize("payload", [b"two\nlines", b"\x1b[201~; reboot\n", b"\xff\x00", "‮gnp".encode(), b""])
def test_what_would_act_on_a_terminal_is_not_copied(tmp_path: Path, payload: bytes) -> None:
    path = tmp_path / "acts.pcap"
    path.write_bytes(pcap(talk_of(payload, BINARY).packets()))
    last = ("enter", "G", "k", "y")
    for form in "thjwp":
        told = play(path, (*last, form), look=copied)
        assert not [one for one in told if (ord(one) < 32 or 126 < ord(one) < 160) and one not in "\n\t"], form
        assert "‮" not in told
    piped = play(path, (*last, "w"), look=copied).partition(" | websocat")[0]
    assert subprocess.run(["sh", "-c", piped], capture_output=True, check=True).stdout == payload


def test_more_than_a_terminal_takes_is_not_copied(tmp_path: Path) -> None:
    path = tmp_path / "big.pcap"
    path.write_bytes(pcap(talk_of(b"x" * (MOST + 1)).packets()))
    pressed = ("enter", "G", "k", "y", "t")
    assert play(path, pressed, look=copied) == ""
    assert "x writes them" in play(path, pressed)


# -- exports -------------------------------------------------------------------------------------------------------------


def test_rows_shown_are_written_as_json_lines_and_csv() -> None:
    named = ("enter", WAIT)
    play("sample:tour", (*CHAT, "slash", *typed("opcode == ping"), "enter", "x", "j", *named))
    (line,) = Path("tour-messages.jsonl").read_text().splitlines()
    assert json.loads(line)["opcode"] == "ping"
    assert json.loads(line)["payload"] == "between fragments"
    play("sample:tour", ("slash", *typed("state == died"), "enter", "x", "c", *named))
    with open("tour-connections.csv", encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["connection"], row["state"]) == ("c9336", "died")
    play("sample:tour", (*CHAT, "f", "x", "j", *named))
    assert len(Path("tour-frames.jsonl").read_text().splitlines()) == 20


def test_a_payload_and_a_connection_are_written() -> None:
    shown = play("sample:tour", (*CHAT, "j", "j", "j", "j", "x", "b", "enter", WAIT))
    assert "5 octets written" in shown
    (path,) = Path.cwd().glob("c4084-message-*.txt")
    assert path.read_bytes() == b"hello"
    play("sample:tour", ("j", "x", "p", "enter", WAIT))
    with analyzer.open("tour-c4084.pcapng") as one, analyzer.open(SAMPLES / "tour.pcapng") as whole:
        (mine,), chat = one.connections, whole.connections["c4084"]
        assert mine.close.verdict == chat.close.verdict
        assert mine.messages.values("payload") == chat.messages.values("payload")
        assert mine.messages.values("time") == chat.messages.values("time")


def test_what_is_there_is_not_overwritten_and_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    Path("tour-c4084.pcapng").write_text("mine")
    assert "is there already" in play("sample:tour", ("j", "x", "p", "enter", WAIT))
    assert Path("tour-c4084.pcapng").read_text() == "mine"
    elsewhere = ("j", "x", "p", *("backspace",) * 20, *typed(f"{tmp_path}/none/x.pcapng"), "enter", WAIT)
    assert "cannot be written" in play("sample:tour", elsewhere)
    assert list(Path.cwd().iterdir()) == [Path("tour-c4084.pcapng").absolute()]


def test_a_name_from_a_capture_leaves_no_folder(tmp_path: Path) -> None:
    folder = tmp_path / "..;$(x)\n-rf"
    folder.mkdir()
    path = folder / "-\x1b]0;x [b]..pcap"
    path.write_bytes(pcap(talk_of(b"hi").packets()))
    play(path, ("x", "j", "enter", WAIT))
    (made,) = Path.cwd().iterdir()
    assert made.name == "0-x-b-connections.jsonl"


def test_a_writer_that_fails_leaves_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    from analyzer.export import packets

    def fail(*_: object) -> int:
        raise OSError("No space left on device")

    monkeypatch.setattr(packets, "write", fail)
    assert "No space left" in play("sample:tour", ("j", "x", "p", "enter", WAIT))
    assert list(Path.cwd().iterdir()) == []


def test_exports_of_all_screens(save: Callable[..., str]) -> None:
    talk = Talk().open().upgrade().frame("C", TEXT, "a", rsv=2).frame("S", TEXT, "b").fin("S")
    path = save(pcap(talk.packets()))
    for walk, name in ((("v",), "notes"), (("o",), "connections"), (("ctrl+f", "b", "enter", WAIT), "messages")):
        play(path, (*walk, "x", "j", "enter", WAIT))
        (made,) = Path.cwd().glob(f"*-{name}.jsonl")
        assert made.read_text().count("\n") >= 1
        made.unlink()


def test_rungs_know_their_rows() -> None:
    def kinds(app: FramescopeApp) -> list[str]:
        lines = app.screen.query_one(LadderLines)
        found = []
        for number in range(lines.length()):
            lines.go(number)
            subject = app.screen.subject()  # type: ignore[attr-defined]
            found.append(Kind(subject.kind).name)
        return found

    found = play("sample:tour", CHAT, look=kinds)
    assert found[:3] == ["REQUEST", "RESPONSE", "BORDER"]
    assert found[-2:] == ["END", "END"]


@pytest.mark.parametrize("sample", ["tunnels", "http-only", "tls"])
def test_every_row_can_be_marked_copied_and_exported(sample: str) -> None:
    def use(app: FramescopeApp) -> str:
        """The row under the cursor in all its forms; which they are."""
        page, capture = app.screen, app.capture
        assert isinstance(page, Page)
        assert capture is not None
        subject, label = page.subject(), page.label()
        if subject is not None:
            app.marks.letter(subject.key, label, app.marks.free())
            app.marks.annotate(subject.key, label, "said")
            back = app.subject_of(subject.key)
            assert back is not None
            assert back.key == subject.key
        for item in exports(capture, subject, page.shown()):
            assert item.write(BytesIO())
        found = forms(capture, subject) if subject is not None else []
        assert all(isinstance(form.make(), str) for form in found)
        return "".join(form.key for form in found)

    async def act(pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, FramescopeApp)
        lines = app.list.query_one(ConnectionLines)
        for number in range(lines.length()):
            lines.go(number)
            forms_of = use(app)
            entry = lines.current
            assert entry is not None
            assert ("w" in forms_of) == (entry.connection >= 0)
            ladder = app.open_ladder(entry)
            await pilot.pause()
            for _ in ("messages", "frames"):
                rungs = ladder.query_one(LadderLines)
                for rung in range(rungs.length()):
                    rungs.go(rung)
                    assert "t" in use(app)
                ladder.action_frames()
            app.pop_screen()
            await pilot.pause()
        app.list.action_group()
        lines.go(0)
        assert app.list.subject() is None
        assert use(app) == ""

    play(f"sample:{sample}", act=act)
