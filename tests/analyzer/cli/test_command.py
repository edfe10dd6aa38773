"""The command line: through `main`, and as the installed command."""

from __future__ import annotations

import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import numpy as np
import pytest

import analyzer
from analyzer.cli import explain
from analyzer.cli.help import EXAMPLES_OF, VERBS
from analyzer.cli.listing import SPARE, Manner, payload_writer, write
from analyzer.cli.main import main
from analyzer.cli.page import Page
from analyzer.errors import ExitStatus
from analyzer.views import json_schema
from tests.conftest import SAMPLES
from tests.wire.captures import pcap
from tests.wire.frames import BINARY, CLOSE, TEXT, close_payload, frame
from tests.wire.handshakes import request, response
from tests.wire.talks import KEY, Talk

TOUR = str(SAMPLES / "tour.pcapng")
HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202eevil\u2028\x9b31m\r\n"


def run(*words: str) -> int:
    return main(list(words))


def test_the_summary_tells_the_three_endings(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("summary", TOUR) == ExitStatus.OK
    out = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "server refused the upgrade with 403" in out
    assert 'client closed with 1000 (normal closure) "done for today"' in out
    assert "server closed TCP without a Close frame after 3.0 s of silence (browsers report 1006)" in out
    assert "long poll" in out
    assert "webhook" in out
    assert "s3cr3t" not in out


def test_a_bare_file_is_summarised(capsys: pytest.CaptureFixture[str]) -> None:
    run(TOUR)
    bare = capsys.readouterr().out
    run("summary", "sample:tour")
    assert capsys.readouterr().out == bare


def test_pages_fit_eighty_columns(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for sample in SAMPLES.glob("*.pcapng"):
        run("summary", str(sample))
        assert max(map(len, capsys.readouterr().out.splitlines())) <= 100
    run("summary", TOUR)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


@pytest.mark.parametrize("verb", ["connections", "exchanges", "handshakes", "frames", "messages", "notes"])
def test_json_follows_its_schema(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    properties = json_schema(verb)["properties"]
    types = {"string": str, "integer": int, "boolean": bool, "null": type(None)}
    seen = 0
    for sample in ("tour", "policy", "killed"):
        assert run(verb, "--json", f"sample:{sample}") == 0
        for line in capsys.readouterr().out.splitlines():
            record = json.loads(line)
            seen += 1
            assert set(record) == set(properties)
            for name, value in record.items():
                allowed = properties[name]["type"]
                allowed = allowed if isinstance(allowed, list) else [allowed]
                assert type(value) in [types[kind] for kind in allowed], (name, value)
                if "enum" in properties[name]:
                    assert value in properties[name]["enum"]
    assert seen


def test_rows_are_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    def count(*words: str) -> int:
        assert run("frames", "--json", *words, TOUR) == 0
        return len(capsys.readouterr().out.splitlines())

    whole = count()
    assert count("--limit", "3") == 3
    assert count("--filter", "opcode == close") == 2
    assert count("--host", "127.0.0.0/8") == whole
    assert count("--host", "10.0.0.0/8") == 0
    assert count("--from", "3.5s", "--to", "100s") == 2
    run("connections", "--json", TOUR)
    keys = [json.loads(line)["connection"] for line in capsys.readouterr().out.splitlines()]
    assert sum(count("--connection", key) for key in keys) == whole
    assert count("--connection", keys[1], "--filter", "sender == server") > 3


@pytest.mark.parametrize(
    ("manner", "shown"), [("text", "hello"), ("hex", "68656c6c6f"), ("base64", "aGVsbG8="), ("none", None)]
)
def test_payload_manners(manner: str, shown: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    run("messages", "--json", "--payload", manner, "--filter", 'payload == "hello"', TOUR)
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line).get("payload") == shown


def test_explain_tells_all_and_writes_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    run("connections", "--json", TOUR)
    key = json.loads(capsys.readouterr().out.splitlines()[1])["connection"]
    assert run("explain", "--connection", key, TOUR) == 0
    out = capsys.readouterr().out
    for part in (
        "Verdict",
        "Opening handshake",
        "accept value",
        "is right",
        "chat.v1",
        "ping",
        "4 frames",
        "tcp.stream",
    ):
        assert part in out
    assert run("explain", "--md", "--connection", key, TOUR) == 0
    assert capsys.readouterr().out.startswith(f"## WebSocket {key}")
    assert run("explain", TOUR) == ExitStatus.USAGE
    assert "say which" in capsys.readouterr().err


def explained(sample: str, width: int, terminal: bool = True) -> dict[str, str]:
    """What `explain` says of each connection of a sample."""
    told = {}
    with analyzer.open(f"sample:{sample}") as capture:
        view = capture.view("connections")
        for place, key in enumerate(view.values("connection", np.arange(len(view)))):
            page = Page(Terminal() if terminal else io.StringIO(), width, False, True)
            explain.write(view, place, page, Manner(UTC, False, None), False)
            told[key] = page.stream.getvalue()  # type: ignore[attr-defined]
    return told


@pytest.mark.parametrize("sample", ["tour", "proxy-chain", "tunnels", "nginx-idle", "socketio"])
def test_explain_fits_a_terminal_and_loses_nothing(sample: str) -> None:
    whole = explained(sample, 80, terminal=False)
    for width in (80, 120):
        for key, told in explained(sample, width).items():
            lines = told.splitlines()
            assert all(len(line) <= width for line in lines)
            assert re.sub(r"\s", "", told) == re.sub(r"\s", "", whole[key])
            assert not [line for line in lines if re.match(r" +(ns|µs|ms|s|B|kB)\b", line)]
            starts = [line for line in lines if re.match(r"  \S", line)]
            assert len(starts) == len([line for line in whole[key].splitlines() if line.startswith("  ")])
    assert any(len(line) > 80 for told in whole.values() for line in told.splitlines())


def test_explain_says_extensions_once() -> None:
    tour = explained("tour", 200)
    assert "extensions: permessage-deflate; server_max_window_bits=12; client_max_window_bits=12\n" in tour["c9336"]
    assert "extensions: permessage-deflate\n" in tour["c4084"]
    assert "extensions: none, not compressed\n" in explained("proxy-chain", 200)["c144"]


def test_a_side_that_ended_itself_is_told_nothing() -> None:
    told = explained("tour", 200)
    assert "the server's API would report 1006" in told["c9336"]
    assert "the client's API reports 1006" in told["c9336"]
    assert "the server's API reports 1000" in told["c4084"]


def test_a_proxy_has_no_application() -> None:
    legs = explained("nginx-idle", 200)
    front, back = legs["c132"], legs["c916"]
    assert "the client's API reports 1006" in front
    assert "the server's API" not in front
    assert "the server's API reports 1006" in back
    assert "the client's API" not in back
    assert "this is leg 1 of 2 through a proxy (the server here); other leg: c916" in front
    assert (
        "this is leg 2 of 3 through 2 proxies (both ends here); other legs: c144, c1884"
        in explained("proxy-chain", 200)["c828"]
    )


def test_secrets_are_shown_only_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("summary", "handshakes", "connections"):
        run(verb, TOUR)
        assert "s3cr3t" not in capsys.readouterr().out
        run(verb, "--show-secrets", TOUR)
        assert "s3cr3t" in capsys.readouterr().out


def test_times_follow_the_zone(capsys: pytest.CaptureFixture[str]) -> None:
    run("frames", "--limit", "1", TOUR)
    utc = capsys.readouterr().out
    run("frames", "--limit", "1", "--tz", "Asia/Kolkata", TOUR)
    assert capsys.readouterr().out != utc
    assert run("frames", "--tz", "Mars/Olympus", TOUR) == ExitStatus.USAGE


def test_fail_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("notes", "--fail-on", "must", "sample:policy") == ExitStatus.FOUND
    assert run("notes", "--fail-on", "must", "sample:nginx-idle") == ExitStatus.OK
    assert run("summary", "--fail-on", "odd", "sample:policy") == ExitStatus.FOUND


def test_output_goes_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("frames", "--json", "-o", str(tmp_path / "out.jsonl"), TOUR) == 0
    assert capsys.readouterr().out == ""
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) > 10
    assert run("frames", "-o", str(tmp_path), TOUR) == ExitStatus.OUTPUT


ERRORS: dict[str, tuple[list[str], int, str]] = {
    "missing file": (["summary", "/nowhere/x.pcap"], 3, "does not exist"),
    "not a capture": (["summary", str(SAMPLES / "README.md")], 3, "not a capture"),
    "no such sample": (["summary", "sample:nothing"], 3, "samples:"),
    "bad filter": (["frames", "--filter", "opcod == 1", TOUR], 2, "did you mean opcode"),
    "bad network": (["frames", "--host", "10.0.0.0/99", TOUR], 2, "10.0.0.0/24"),
    "no such connection": (["frames", "--connection", "c1", TOUR], 2, "no connection"),
    "bad option": (["frames", "--nonsense", TOUR], 2, "unrecognized"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_one_line_with_what_to_do(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    words, status, told = ERRORS[name]
    assert run(*words) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert "Traceback" not in err


def test_a_damaged_capture_is_shown_as_far_as_it_goes(
    save: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    octets = Path(TOUR).read_bytes()
    assert run("summary", save(octets[:-50])) == ExitStatus.DAMAGED
    out, err = capsys.readouterr()
    assert "done for today" in out
    assert "cut off in the middle of a record" in err


def hostile() -> bytes:
    talk = Talk().open()
    path = "/x" + HOSTILE.replace("\r\n", "").replace("\u202e", "").replace("\u2028", "").replace("\x9b", "")
    talk.send("C", request(path, headers={"User-Agent": "\x1b[31mred\x9b", "Origin": "\x07bell"}))
    talk.send("S", response()).frame("C", TEXT, HOSTILE).frame("S", BINARY, HOSTILE.encode("utf-16"))
    talk.frame("S", TEXT, b"\xff\x1b[2J").frame("C", CLOSE, close_payload(1000, HOSTILE[:60]))
    other = Talk(client=("10.0.0.3", 7)).open().send("C", b"GET /\x1b[2Jhttp HTTP/1.1\r\n\r\n")
    other.send("S", b"HTTP/1.1 200 \x1b]0;x\x07\r\nContent-Length: 0\r\n\r\n")
    return pcap([*talk.packets(), *other.packets()])


@pytest.mark.parametrize(
    "verb", ["summary", "explain", "connections", "exchanges", "handshakes", "frames", "messages", "notes"]
)
@pytest.mark.parametrize("extra", [[], ["--payload", "text"], ["--json", "--payload", "text"], ["--show-secrets"]])
def test_peers_never_reach_the_terminal(
    verb: str, extra: list[str], save: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(verb, *extra, save(hostile())) == 0
    out, err = capsys.readouterr()
    assert out
    for text in (out, err):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", text)


@pytest.mark.parametrize(
    ("sample", "why"), [("tls", "SSLKEYLOGFILE"), ("http-only", "in which no WebSocket was asked for")]
)
def test_a_capture_without_websocket_says_why(sample: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("summary", f"sample:{sample}") == 0
    assert why in re.sub(r"\s+", " ", capsys.readouterr().out)


def test_other_reasons(save: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    middle = Talk().frame("C", TEXT, b"hello")
    http2 = Talk().open().send("C", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    cut = pcap(Talk().open().upgrade().packets(), snaplen=80)
    for octets, why in (
        (pcap([]), "no packets at all"), (pcap(middle.packets()), "too little to tell"),
        (pcap(http2.packets()), "RFC 8441"), (cut, "snaplen"), (pcap(middle.packets(), link=147), "link type 147"),
    ):  # fmt: skip
        run("summary", save(octets))
        assert why in re.sub(r"\s+", " ", capsys.readouterr().out)


def test_a_link_type_without_a_decoder(save: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    packets = Talk().open().packets()
    assert run("summary", save(pcap(packets, link=147))) == ExitStatus.INPUT
    assert "link type 147" in capsys.readouterr().err
    assert run("summary", save(pcap(packets, link=147)), TOUR) == ExitStatus.DAMAGED
    out, err = capsys.readouterr()
    assert "done for today" in out
    assert err.count("\n") == 1


def test_many_connections_are_told_in_totals(save: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    packets = []
    for number in range(60):
        talk = Talk(client=("10.0.0.1", 1000 + number)).open().upgrade()
        talk.frame("S", CLOSE, close_payload(1012)).frame("C", CLOSE, close_payload(1012))
        packets += talk.packets()
    path = save(pcap(packets))
    run("summary", path)
    out = capsys.readouterr().out
    assert "1012 (60)" in out
    assert "20 more connections" in out
    run("summary", "--limit", "0", path)
    assert capsys.readouterr().out.count("service restart") >= 60


def test_samples_filters_schema_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    for words, told in ((["samples"], "sample:tour"), (["filters"], "close_code"), (["schema", "frames"], '"opcode"'),
                        (["--version"], "walks"), (["--help"], "frame.number")):  # fmt: skip
        assert run(*words) == 0
        assert told in capsys.readouterr().out


def command() -> list[str]:
    found = shutil.which("framescope", path=str(Path(sys.executable).parent))
    return [found] if found else [sys.executable, "-m", "analyzer"]


def test_the_installed_command_reads_pipes_and_survives_closed_ones() -> None:
    piped = subprocess.run([*command(), "-"], input=Path(TOUR).read_bytes(), capture_output=True, check=True)
    assert b"done for today" in piped.stdout
    assert piped.stderr == b""
    shell = " ".join([*command(), "frames", TOUR, "|", "head", "-1"])
    head = subprocess.run(["bash", "-o", "pipefail", "-c", shell], capture_output=True, check=False)
    assert head.returncode == 0
    assert head.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("words", [("summary", TOUR), ("frames", "--json", TOUR), ("samples",), ("schema", "frames")])
def test_a_full_disk_behind_standard_output_is_told_in_a_line(words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*command(), *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 5
    assert done.stderr == "framescope: standard output cannot be written: No space left on device\n"


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from analyzer.cli.main import main; main(['--help']); print([m for m in ('numpy','lark','rich','dpkt') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert out.splitlines()[-1] == "[]"


def test_a_summary_imports_no_parser_and_no_dpkt() -> None:
    code = f"import sys; from analyzer.cli.main import main; main(['{TOUR}']); print([m for m in ('lark','rich','dpkt','scapy','zstandard','textual') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert out.splitlines()[-1] == "[]"


def test_causes_are_explained_with_what_else_and_what_to_try(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", "--md", "--connection", "c132", "sample:haproxy-idle") == ExitStatus.OK
    out = capsys.readouterr().out
    assert "### Likely cause" in out
    assert "HAProxy's timeout tunnel" in out
    assert "(confidence medium)" in out
    assert "- or: another proxy" in out
    assert "### What to try\n\n- raise timeout tunnel" in out
    assert run("explain", "--json", "--connection", "c132", "sample:haproxy-idle") == ExitStatus.OK
    record = json.loads(capsys.readouterr().out)
    assert (record["cause"], record["confidence"]) == ("haproxy-tunnel-timeout", "medium")
    assert record["alternatives"]
    assert record["tries"].startswith("raise timeout tunnel; ")


def test_patterns_are_listed_without_a_capture(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run("explain", "--patterns") == ExitStatus.OK
    out = capsys.readouterr().out
    assert "\nhaproxy-tunnel-timeout\n  HAProxy's timeout tunnel" in out
    assert all(len(line) <= 80 for line in out.splitlines() if "https://" not in line)
    assert not re.search(r"\d{5}|client_idle|end_after", re.sub(r"https?://\S+", "", out))
    assert "silence of 10 min; or lifetime of 2 h" in re.sub(r"\s+", " ", out)
    assert run("explain", "--md", "--patterns") == ExitStatus.OK
    assert "| `haproxy-tunnel-timeout` |" in capsys.readouterr().out


def test_incidents_and_encrypted_connections_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    run("incidents", "sample:restart")
    assert "12 connections of 127.0.0.1:8250 ended within" in capsys.readouterr().out
    run(
        "encrypted",
        "--filter",
        'cause == server-gone and server_name == "chat.example"',
        "--json",
        "sample:tls-endings",
    )
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8
    assert set(json.loads(lines[0])) == set(json_schema("encrypted")["properties"])
    run("summary", "sample:tls-endings")
    out = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "chat.example offering http/1.1" in out
    assert "close code: encrypted, unknown" in out
    run("encrypted", "sample:tls-endings")
    assert capsys.readouterr().out.count("close code: encrypted, unknown") == 10


def test_a_hostile_server_name_stays_text(save: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    name = b"\x1b[2Jevil"
    names = b"\0" + len(name).to_bytes(2, "big") + name
    extension = b"\0\0" + (len(names) + 2).to_bytes(2, "big") + len(names).to_bytes(2, "big") + names
    body = b"\3\3" + bytes(32) + b"\0" + b"\0\2\x13\1" + b"\1\0" + len(extension).to_bytes(2, "big") + extension
    hello = b"\1" + len(body).to_bytes(3, "big") + body
    record = b"\x16\3\1" + len(hello).to_bytes(2, "big") + hello
    path = save(pcap(Talk().open().send("C", record).fin("C").fin("S").packets()))
    for verb in ("summary", "encrypted", "explain"):
        run(verb, path)
        out = capsys.readouterr().out
        assert "evil" in out
        assert "\x1b" not in out


def test_help_fits_eighty_columns(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for words in ([], *([verb] for verb in VERBS)):
        assert run(*words, "--help") == 0
        out = capsys.readouterr().out
        lines = [line for line in out.splitlines() if "{connections,exchanges" not in line]
        assert max(map(len, lines)) <= 80, words
        assert out.startswith(f"usage: framescope {' '.join(words) or '[VERB]'} ")


def test_the_examples_of_every_verb_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, octets in (("a.bin", request() + frame(TEXT, "hi", mask=KEY)), ("b.bin", response() + frame(TEXT, "ho"))):
        Path(name).write_bytes(octets)
    assert set(EXAMPLES_OF) == set(VERBS)
    for example in (
        line for verb, lines in EXAMPLES_OF.items() if verb not in ("tui", "live", "recover") for line in lines
    ):
        words = shlex.split(example.split("|")[0].replace("capture.pcapng", "sample:tour").replace("c24", "c4084"))
        if ">" in words:
            del words[words.index(">") :]
        if "-o" not in words:
            assert run(*words) in (0, 1), example
            assert "did you mean" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        (["frames", "--jsn", TOUR], "--jsn", "did you mean --json?"),
        (["frames", "--limit", "x", TOUR], "'x' is not a whole number", "framescope frames --help"),
        (["frames"], "required: FILE", "framescope frames --help"),
        (["fraems", TOUR], "'fraems' is no verb", "did you mean framescope frames?"),
        (["summary", "sample:tuor"], "no sample 'tuor'", "did you mean sample:tour?"),
    ],
)
def test_what_is_mistyped_is_told_in_two_lines(
    words: list[str], said: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) in (ExitStatus.USAGE, ExitStatus.INPUT)
    out, err = capsys.readouterr()
    first, second = err.splitlines()
    assert not out
    assert said in first
    assert hint in second


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["notes", TOUR], "the capture holds no note"),
        (["frames", "sample:http-only"], "no WebSocket connection found: framescope summary FILE"),
        (["frames", "--from", "50s", TOUR], "none of 22 frames"),
    ],
)
def test_an_empty_answer_says_why(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*words) == 0
    out, err = capsys.readouterr()
    assert not out
    assert said in err
    run(*words, "--quiet")
    assert not capsys.readouterr().err


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("verb", "told"),
    [
        ("connections", "server closed TCP without a Close"), ("messages", "compressible compressible"),
        ("exchanges", "long-poll"), ("handshakes", "origin not allowed"),
    ],
)  # fmt: skip
def test_a_narrow_terminal_shows_what_matters(verb: str, told: str) -> None:
    with analyzer.open(TOUR) as capture:
        view = capture.view(verb)
        manner = Manner(UTC, False, payload_writer("text", False, 80))
        for width, whole in ((80, False), (300, True)):
            page = Page(Terminal(), width, False, True)
            write(view, np.arange(len(view)), page, manner)
            lines = page.stream.getvalue().splitlines()  # type: ignore[attr-defined]
            assert max(map(len, lines)) <= width
            assert any(told in line for line in lines)
            assert all((title in lines[0]) is whole for title in SPARE[verb][:1])


def test_closes_are_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["frames"], ["messages"], ["frames", "--payload", "text"], ["messages", "--payload", "none"]):
        run(*words, "--filter", "websocket.payload.close.status_code == 1000", TOUR)
        lines = capsys.readouterr().out.splitlines()[1:]
        assert [line.split("  ")[-1].strip() for line in lines] == ['1000 "done for today"', "1000"]
        assert all("close" in line for line in lines)
    run("frames", "--filter", "opcode == close", "--payload", "hex", TOUR)
    assert "03e8646f6e65" in capsys.readouterr().out


def test_times_in_the_wrong_order_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    for since, until in (("2s", "1s"), ("23:00:00", "5s")):
        assert run("frames", "--from", since, "--to", until, TOUR) == ExitStatus.USAGE
        assert f"--from {since} is later than --to {until}" in capsys.readouterr().err
    assert run("frames", "--from", "1s", "--to", "1s", TOUR) == ExitStatus.OK


@pytest.mark.parametrize("text", ["idle > 5 parsecs", "idle > 5parsecs"])
def test_a_unit_that_is_none_tells_those_that_are(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("connections", "--filter", text, TOUR) == ExitStatus.USAGE
    assert "ns, us, µs, ms, s, m, min, h, d" in capsys.readouterr().err


def test_each_frame_has_the_code_of_its_own_close(capsys: pytest.CaptureFixture[str]) -> None:
    run("frames", "--json", "--connection", "c4084", TOUR)
    frames = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {(frame["opcode"] == "close", frame["close_code"]) for frame in frames} == {(True, 1000), (False, None)}
    assert [frame["close_reason"] for frame in frames if frame["opcode"] == "close"] == ["done for today", None]
    run("frames", "--filter", "connection_close_code == 1000 and opcode == text", "--json", TOUR)
    assert capsys.readouterr().out


def test_frames_have_no_column_for_payload_that_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    run("frames", "--limit", "1", TOUR)
    assert "payload" not in capsys.readouterr().out
    run("frames", "--limit", "1", "--payload", "hex", TOUR)
    assert "payload" in capsys.readouterr().out


def test_the_output_is_not_what_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept, named = tmp_path / "kept.pcapng", tmp_path / "named.pcapng"
    shutil.copy(TOUR, kept)
    named.symlink_to(kept)
    for words in (
        ("frames", "--json", "-o", str(kept), str(kept)), ("messages", "--csv", "-o", str(named), str(kept)),
        ("save", "--connection", "c4084", "-o", str(kept), str(named)),
        ("decode", "frames", "--client", str(kept), "-o", str(kept)),
    ):  # fmt: skip
        assert run(*words) == ExitStatus.USAGE
        assert "would be written over" in capsys.readouterr().err
    assert kept.read_bytes() == Path(TOUR).read_bytes()


@pytest.mark.parametrize(
    ("options", "there", "absent"),
    [
        (["--host", "10.0.0.0/8"], "no connection matches", "\nother HTTP\n"),
        (["--from", "08:59:34"], "/feed", "GET /"),
        (["--connection", "c4084"], "/chat", "\nother HTTP\n"),
        (["--filter", 'path == "/feed"'], "/feed", "\nother HTTP\n"),
    ],
)
def test_a_summary_tells_of_what_is_chosen_alone(
    options: list[str], there: str, absent: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run("summary", *options, TOUR)
    out = capsys.readouterr().out
    assert there in out
    assert absent not in out


def test_notes_of_others_are_not_told_of_a_chosen_connection(capsys: pytest.CaptureFixture[str]) -> None:
    run("connections", "--json", "sample:policy")
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    clean = next(record["connection"] for record in records if not record["notes"])
    run("summary", "--connection", clean, "sample:policy")
    assert "\nnotes\n" not in capsys.readouterr().out


def test_options_may_stand_before_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--filter", "verdict == clean", TOUR) == 0
    assert "/chat" in capsys.readouterr().out


def test_a_cut_file_is_not_called_complete(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cut = tmp_path / "cut.pcapng"
    cut.write_bytes(Path(TOUR).read_bytes()[:5000])
    assert run("summary", str(cut)) == ExitStatus.DAMAGED
    assert "not complete:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("closed", "words", "status", "told"),
    [
        ("<&-", ("check", TOUR), 0, ""),
        (">&-", ("summary", TOUR), 5, "standard output cannot be written"),
        (">&-", ("summary", "-o", "told.txt", TOUR), 0, ""),
        ("2>&-", ("summary", TOUR), 0, ""),
        ("2>/dev/full", ("summary", "nothing.pcap"), 3, ""),
    ],
)
def test_standard_streams_that_are_closed(
    closed: str, words: tuple[str, ...], status: int, told: str, tmp_path: Path
) -> None:
    if "/dev/full" in closed and not Path("/dev/full").exists():
        pytest.skip("no device that is always full")
    line = f"{shlex.join([*command(), *words])} {closed}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (status, False)
    assert told in done.stderr
    if "-o" in words:
        assert "done for today" in (tmp_path / "told.txt").read_text("utf-8")


@pytest.mark.parametrize("more", [("--json",), ("--json", "--payload", "hex"), ("--csv", "--payload", "hex"),
                                  ("--payload", "hex"), ("--filter", "payload ~ /zz/")])  # fmt: skip
def test_a_length_of_64_bits_is_told(more: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    talk = Talk().open().upgrade().send("S", bytes.fromhex("827f8000000000000000") + b"z" * 90).fin("S").fin("C")
    path = tmp_path / "long.pcap"
    path.write_bytes(pcap(talk.packets()))
    assert run("frames", *more, str(path)) == 0
    out = capsys.readouterr().out
    assert "9223372036854775808" in out or "9223372 TB" in out
    assert "7a7a7a" in out or "hex" not in more


def test_the_output_is_not_the_file_behind_standard_input_or_a_sample(tmp_path: Path) -> None:
    kept = tmp_path / "kept.pcapng"
    shutil.copy(TOUR, kept)
    with open(kept, "rb") as octets:
        done = subprocess.run(
            [*command(), "frames", "-o", str(kept), "-"], stdin=octets, capture_output=True, check=False
        )
    assert done.returncode == ExitStatus.USAGE
    assert kept.read_bytes() == Path(TOUR).read_bytes()
    assert run("frames", "-o", TOUR, "sample:tour") == ExitStatus.USAGE
    assert run("live", "--json", "--follow", str(kept), "-w", str(kept)) == ExitStatus.USAGE
