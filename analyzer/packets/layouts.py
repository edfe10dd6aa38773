"""Header diagrams as structured dtypes: IPv4 (RFC 791 §3.1), IPv6 (RFC 8200 §3), TCP (RFC 9293 §3.1); and the numbers
in them that more than one decoder looks at."""

from __future__ import annotations

import numpy as np

IPV4 = np.dtype(
    [
        ("version_ihl", "u1"), ("tos", "u1"), ("total_length", ">u2"), ("identification", ">u2"), ("fragment", ">u2"),
        ("ttl", "u1"), ("protocol", "u1"), ("checksum", ">u2"), ("source", ">u4"), ("destination", ">u4"),
    ]
)  # fmt: skip
IPV6 = np.dtype(
    [
        ("version", ">u4"), ("payload_length", ">u2"), ("next_header", "u1"), ("hop_limit", "u1"),
        ("source", "V16"), ("destination", "V16"),
    ]
)  # fmt: skip
TCP = np.dtype(
    [
        ("source_port", ">u2"), ("destination_port", ">u2"), ("seq", ">u4"), ("ack", ">u4"),
        ("offset", "u1"), ("flags", "u1"), ("window", ">u2"), ("checksum", ">u2"), ("urgent", ">u2"),
    ]
)  # fmt: skip
IPV4_TCP = np.dtype([("ip", IPV4), ("tcp", TCP)])
"""Without IP options."""
FIN, SYN, RST, ACK, URG = 1, 2, 4, 16, 32
"""Control bits of TCP."""
HOP_BY_HOP, ROUTING, FRAGMENT_HEADER, AUTHENTICATION, DESTINATION = 0, 43, 44, 51, 60
EXTENSIONS = (HOP_BY_HOP, ROUTING, FRAGMENT_HEADER, AUTHENTICATION, DESTINATION)
"""IPv6 extension headers that are passed over (RFC 8200 §4, RFC 4302)."""
VXLAN_PORT, GTP_PORT = 4789, 2152
"""UDP ports that tunnels are sent to (RFC 7348 §5; GTP-U: 3GPP TS 29.281 §4.4.2)."""
