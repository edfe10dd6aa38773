"""Help texts: by example first."""

from __future__ import annotations

OVERVIEW = """\
Reads captures of network traffic and shows, for every WebSocket connection in them, how it was opened, each frame
that crossed it, and why it closed."""

EXAMPLES = """\
examples:
  framescope capture.pcapng                           look through it; piped, or as framescope summary, it prints
  framescope explain --connection c24 capture.pcapng  one connection in full; --md writes it for a ticket
  framescope frames --filter 'opcode == close' capture.pcapng
  framescope messages --filter 'payload ~ /error/i' --payload text capture.pcapng
  framescope frames --json capture.pcapng | jq .payload_length
  framescope notes --fail-on must capture.pcapng      for CI: exit status 1 where a MUST is broken
  framescope decode check --client a.bin --server b.bin   what each side sent, without a capture
  framescope summary sample:tour                      a bundled capture; framescope samples lists them
  tcpdump -U -w - port 80 | framescope -              from a pipe
  framescope live -i lo --json tcp port 8080          frames, messages and verdicts as they happen
  ssh host tcpdump -U -w - | framescope live --json - from afar; kubectl exec POD -- tcpdump ... the same
  framescope monday.pcap tuesday.pcap.gz              several files are one capture

words:
  A frame is a WebSocket frame (RFC 6455 section 5.2). What Wireshark numbers as frame.number is a packet here, and has
  the same number; its tcp.stream is a stream. A connection has a stable name (c24): it is the same under any
  filter.

filters (framescope filters lists all fields):                    the same in tshark -Y:
  opcode == close and close_code != 1000                            websocket.opcode == 8
  host == 10.0.0.0/24 and length > 64KiB                            ip.addr == 10.0.0.0/24
  sender == server and not fin                                      (has no word for it)
  payload ~ /token=\\w+/                                             websocket.payload matches "token="
  verdict == fin-without-close or idle >= 60s                       (has no word for it)

exit statuses:
  0 all well   1 --fail-on found something   2 usage: an option or filter is wrong   3 a capture cannot be opened
  4 what was readable is shown, but the capture is damaged   5 the output cannot be written   130 interrupted"""

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
    "samples": "the bundled captures",
    "filters": "the filter language and all its fields",
    "schema": "the JSON Schema of a table's JSON Lines",
}
TABLES = ("connections", "exchanges", "handshakes", "frames", "messages", "notes", "encrypted", "incidents")
