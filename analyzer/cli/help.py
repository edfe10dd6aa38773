"""Help texts: by example first."""

from __future__ import annotations

OVERVIEW = """\
Reads captures of network traffic and shows, for every WebSocket connection in
them, how it was opened, each frame that crossed it, and why it closed."""

EXAMPLES = """\
examples:
  framescope capture.pcapng                       look through it; piped, it
                                                  prints the summary
  framescope summary sample:tour                  print it; a bundled capture
  framescope explain --connection c24 FILE        one connection in full;
                                                  --md for a ticket
  framescope frames --filter 'opcode == close' FILE
  framescope messages --filter 'payload ~ /error/i' FILE
  framescope frames --json FILE | jq .payload_length
  framescope notes --fail-on must FILE            for CI: exit status 1 where
                                                  a MUST is broken
  framescope decode check --client a.bin --server b.bin
                                                  what each side sent, without
                                                  a capture
  framescope monday.pcap tuesday.pcap.gz          several files are one capture
  tcpdump -U -w - port 80 | framescope -          from a pipe
  framescope live -i lo --json tcp port 8080      frames, messages and verdicts
                                                  as they happen
  ssh host tcpdump -U -w - | framescope live --json -
                                                  from afar; kubectl exec POD --
                                                  tcpdump ... the same
"""

WORDS = """
words:
  A frame is a WebSocket frame (RFC 6455 section 5.2). What Wireshark numbers
  as frame.number is a packet here, and has the same number; its tcp.stream is
  a stream. A connection has a stable name (c24): it is the same under any
  filter.
"""

FILTERS = """
filters (framescope filters lists all fields):  the same in tshark -Y:
  opcode == close and fin                         websocket.opcode == 8 &&
                                                  websocket.fin
  host == 10.0.0.0/24 and port == 8080            ip.addr == 10.0.0.0/24 &&
                                                  tcp.port == 8080
  length > 64KiB                                  websocket.payload_length >
                                                  65536
  payload ~ /token=\\w+/                           websocket.payload matches
                                                  "token="
  sender == server and not fin                    (has no word for sender)
  verdict == fin-without-close or idle >= 60s     (has no word for it)
"""

STATUSES = """
exit statuses:
  0 all well                     3 a capture cannot be opened, or holds nothing
  1 --fail-on found something      to check
  2 an option or filter is       4 the capture is damaged; what was readable is
    wrong                          shown
                                 5 the output cannot be written
                               130 interrupted"""

ALL_COLUMNS = """
  A narrow terminal is shown fewer columns; a file or pipe gets them all.
"""
EXAMPLES_OF: dict[str, tuple[str, ...]] = {
    "tui": ("tui capture.pcapng", "tui --ascii sample:tour"),
    "summary": ("summary capture.pcapng", "summary --filter 'verdict != clean' sample:policy"),
    "explain": ("explain --connection c24 capture.pcapng", "explain --md --connection c9336 sample:tour"),
    "connections": ("connections --filter 'idle > 60s' capture.pcapng", "connections --json sample:tour | jq .cause"),
    "exchanges": ("exchanges --filter 'status >= 400' sample:refused", "exchanges --host 10.0.0.0/24 capture.pcapng"),
    "handshakes": ("handshakes --filter 'result == refused' sample:refused",),
    "frames": ("frames --filter 'opcode == close' --payload hex sample:tour", "frames --json sample:tour"),
    "messages": ("messages --filter 'payload ~ /hello/i' sample:tour", "messages --connection c4084 sample:tour"),
    "notes": ("notes --filter 'severity == must' sample:policy", "notes --fail-on must capture.pcapng"),
    "check": ("check --role client sample:policy", "check --format junit -o report.xml capture.pcapng"),
    "decode": ("decode check --client a.bin --server b.bin", "decode messages --json --server b.bin"),
    "encrypted": ("encrypted sample:tls-endings",),
    "incidents": ("incidents sample:restart",),
    "live": (
        "live", "live -i lo tcp port 8080", "live -i any -i docker0 --json",
        "live -i eth0 --ring 10min --alert 'reported_code == 1006'", "live -i lo --json --until 'opcode == close'",
        "live -i eth0 -w kept.pcapng --for 10min", "live --follow growing.pcapng", "live --follow /var/captures",
    ),
    "recover": ("recover", "recover NAME -w kept.pcapng"),
    "save": ("save --connection c24 -o one.pcapng capture.pcapng", "save --message 17 -o body.bin sample:tour"),
    "keys": ("keys", "keys > ~/.config/framescope/keys.toml"),
    "samples": ("samples", "summary sample:tour"),
    "filters": ("filters",),
    "schema": ("schema frames",),
}  # fmt: skip


RECIPES = """
from elsewhere (on a terminal the interface opens, unless --json is given):
  ssh host tcpdump -U -w - port 80 | framescope -
  ssh host sudo tcpdump -U -i any -w - not port 22 | framescope live --json -
  kubectl exec POD -c CONTAINER -- tcpdump -U -w - | framescope -
  kubectl debug -q -i POD --image=nicolaka/netshoot -- tcpdump -U -w - \\
      | framescope -
  docker run --rm --net=container:NAME nicolaka/netshoot \\
      tcpdump -U -w - | framescope -
  sudo nsenter -t PID -n tcpdump -U -w - | framescope -
  adb exec-out tcpdump -U -w - | framescope -

what becomes of it:
  Packets are written by a process of their own to a file that only you can
  read, in $FRAMESCOPE_SPOOL or ~/.local/state/framescope/live. At the end it is
  deleted, unless -w saves it, or trouble ended the capture: then framescope
  recover lists it, as it does after a crash. --ring keeps the last minutes or
  octets only; rows of what left are dropped, and what still refers to it reads
  as expired.

rights:
  Only what captures needs any, and it gives them up once the capture is open:
  after sudo framescope live everything runs as you. Without rights the commands
  that grant them here are told.
"""


BITS = """
  The column bits: F is FIN, 1 2 3 are the reserved bits that are set, M is
  MASK. The payload of a frame is what crossed the wire, unmasked: of a
  compressed message that is DEFLATE data; framescope messages inflates it.
"""


def epilog(verb: str) -> str:
    """What stands under a verb's options."""
    lines = ["examples:", *(f"  framescope {words}" for words in EXAMPLES_OF[verb]), ""]
    columns = (ALL_COLUMNS if verb in TABLES else "") + (BITS if verb == "frames" else "")
    about = WORDS + columns + FILTERS + STATUSES if verb in (*TABLES, "summary", "explain", "check") else ""
    return "\n".join(lines) + (RECIPES if verb == "live" else about)


VERBS: dict[str, str] = {
    "tui": "look through a capture on a terminal: connections, frame timelines, octets",
    "summary": "what is in a capture, and why each connection closed",
    "explain": "one connection told in full",
    "connections": "WebSocket connections, one a line",
    "exchanges": "HTTP requests with their responses",
    "handshakes": "WebSocket opening handshakes",
    "frames": "WebSocket frames",
    "messages": "WebSocket messages: fragments folded, inflated",
    "notes": "observations: violations of the standards, oddities, damage",
    "check": "violations of the standards, for CI and for marking; exits with 1 where there is one",
    "decode": "octets of one connection from files, one a side, without packets",
    "encrypted": "TLS connections that cannot be read, and how they ended",
    "incidents": "what happened to several connections at once",
    "live": "capture on an interface, or follow a pipe or a growing file",
    "recover": "captures whose framescope died",
    "save": "connections as a capture of their own, or the payload of a message",
    "keys": "the keys of the interface, as the file that changes them",
    "samples": "the bundled captures",
    "filters": "the filter language and all its fields",
    "schema": "the JSON Schema of a table's JSON Lines",
}
TABLES = ("connections", "exchanges", "handshakes", "frames", "messages", "notes", "encrypted", "incidents")
