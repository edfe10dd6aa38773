"""Header diagrams as structured dtypes: IPv4 (RFC 791 §3.1), IPv6 (RFC 8200 §3), TCP (RFC 9293 §3.1)."""

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
