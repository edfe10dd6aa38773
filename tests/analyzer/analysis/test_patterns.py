"""Patterns: each fires on the facts it is about, and not on those beside it."""

from __future__ import annotations

import numpy as np
import pytest

from analyzer.analysis.causes import judge
from analyzer.analysis.facts import SECOND, Facts
from analyzer.analysis.patterns import BY_NAME, PATTERNS, Confidence
from analyzer.cli.about import patterns_table
from analyzer.schemas import CAUSES
from dissectors.tables import Strings

TEXTS = ("server_software", "intermediaries", "user_agent", "close_reason", "subprotocol", "target", "http_host",
         "refusal")  # fmt: skip
S, MS = SECOND, SECOND // 1000
BARE = {"bare": 1, "end": 1, "end_by": 1, "result": 1, "close_by": -1, "frames": 4, "lifetime": 7 * S}
CLOSE = {"bare": 0, "end": 1, "end_by": 1, "result": 1, "close_by": 1, "answered": 1, "frames": 4}
LEGS = {**BARE, "middle": 1, "front_end": 1, "silence": 3 * S}
PHONE = {**CLOSE, "close_by": 0, "end_by": 0, "code": 1001}
TLS = {"tls": 1, "result": 4, "end": 1, "end_by": 1, "bare": 0}

Given = dict[str, int | str]
CASES: dict[str, tuple[Given, Given]] = {
    "tls-alert": ({**TLS, "alert": 42}, {**TLS, "alert": -1}),
    "proxy-drops-upgrade": (
        {"result": 2, "upgrade_lost": 3}, {"result": 2, "upgrade_lost": 0, "status": 400, "refusal": "Bad Request"},
    ),
    "version-refused": (
        {"result": 2, "status": 426, "version": 8}, {"result": 2, "status": 426, "version": 13},
    ),
    "credentials-refused": ({"result": 2, "status": 401}, {"result": 2, "status": 403}),
    "origin-refused": (
        {"result": 2, "status": 403, "refusal": "Origin not allowed"}, {"result": 2, "status": 403, "refusal": "no"},
    ),
    "forbidden": ({"result": 2, "status": 403}, {"result": 2, "status": 404}),
    "path-unknown": ({"result": 2, "status": 404}, {"result": 0, "status": 404}),
    "backend-unreached": ({"result": 2, "status": 502}, {"result": 2, "status": 500}),
    "not-ready": ({"result": 2, "status": 503}, {"result": 2, "status": 500}),
    "redirected": ({"result": 2, "status": 302}, {"result": 2, "status": 200}),
    "request-faulty": ({"result": 2, "status": 400}, {"result": 2, "status": 500}),
    "upgrade-refused": ({"result": 2}, {"result": 0}),
    "accept-wrong": (
        {**BARE, "end_by": 0, "accept_verdict": 2, "frames": 0, "lifetime": S},
        {**BARE, "end_by": 0, "accept_verdict": 2, "frames": 4, "lifetime": S},
    ),
    "keepalive-ping-timeout": (
        {**CLOSE, "code": 1011, "close_reason": "keepalive ping timeout"}, {**CLOSE, "code": 1011, "close_reason": "oops"},
    ),
    "protocol-error": ({**CLOSE, "code": 1002, "violation": 1}, {**CLOSE, "code": 1002, "violation": 0}),
    "jetty-idle-timeout": (
        {**CLOSE, "code": 1001, "close_reason": "Connection Idle Timeout"}, {**CLOSE, "code": 1001, "close_reason": "idle"},
    ),
    "api-gateway-limit": (
        {**BARE, "silence": 600 * S, "intermediaries": "x-amzn-requestid"}, {**BARE, "silence": 600 * S},
    ),
    "message-too-big": ({**CLOSE, "code": 1009}, {**CLOSE, "code": 1008}),
    "graphql-transport-ws": (
        {**CLOSE, "code": 4429, "subprotocol": "graphql-transport-ws"}, {**CLOSE, "code": 4429, "subprotocol": "chat"},
    ),
    "server-restart": ({**CLOSE, "code": 1001, "together": 12}, {**CLOSE, "code": 1001, "together": 0}),
    "authentication": ({**CLOSE, "code": 4401}, {**CLOSE, "code": 4401, "close_by": 0}),
    "socketio-ping-timeout": (
        {**CLOSE, "code": 1005, "target": "/socket.io/?EIO=4", "server_last": 1, "client_silent_since": 1},
        {**CLOSE, "code": 1005, "target": "/socket.io/?EIO=4", "server_last": 1, "client_silent_since": 0},
    ),
    "cowboy-idle-timeout": (
        {**CLOSE, "code": 1000, "client_idle": 60 * S, "server_software": "Cowboy"},
        {**CLOSE, "code": 1000, "client_idle": 58 * S, "server_software": "Cowboy"},
    ),
    "chromium-navigation": (
        {**PHONE, "user_agent": "Mozilla/5.0 Chrome/156", "end_after_close": 1 * MS},
        {**PHONE, "user_agent": "Mozilla/5.0 Chrome/156", "end_after_close": 900 * MS},
    ),
    "firefox-navigation": (
        {**PHONE, "end_by": 1, "user_agent": "Mozilla/5.0 Firefox/153"}, {**PHONE, "code": 1000, "user_agent": "Firefox"},
    ),
    "page-cached": (
        {**PHONE, "user_agent": "Safari", "left_before": 7 * S}, {**PHONE, "user_agent": "Safari", "left_before": 1 * S},
    ),
    "close-ignored": (
        {**CLOSE, "code": 1000, "answered": 0, "closer_ends": 1, "end_after_close": 10 * S},
        {**CLOSE, "code": 1000, "answered": 0, "closer_ends": 1, "end_after_close": 7 * S},
    ),
    "server-exception": ({**CLOSE, "code": 1011}, {**CLOSE, "code": 1011, "close_by": 0}),
    "dead-path": ({**BARE, "unacknowledged": 90, "retransmitted": 5}, {**BARE, "unacknowledged": 0, "retransmitted": 5}),
    "slow-consumer": ({**BARE, "stalled": 2 * S}, {**BARE, "stalled": 200 * MS}),
    "flow-forgotten": (
        {**BARE, "quiet_before_retransmission": 240 * S, "retransmitted": 1},
        {**BARE, "quiet_before_retransmission": 200 * S, "retransmitted": 1},
    ),
    "half-closed": (
        {**BARE, "sent_after_fin": 20, "other_reset": 1}, {**BARE, "sent_after_fin": 20, "other_reset": 0},
    ),
    "haproxy-tunnel-timeout": ({**LEGS, "back_end": 2}, {**LEGS, "back_end": 2, "middle": 0}),
    "proxy-idle-timeout": ({**LEGS, "back_end": 1}, {**LEGS, "back_end": 1, "silence": 20 * MS}),
    "heartbeat-timeout": ({**BARE, "ender_ping_age": 5 * S}, {**BARE, "ender_ping_age": -1}),
    "ping-races-timeout": (
        {**BARE, "server_ping_interval": 60 * S, "silence": 60 * S}, {**BARE, "server_ping_interval": 30 * S, "silence": 60 * S},
    ),
    "cloudflare-idle": (
        {**BARE, "silence": 100 * S, "server_software": "cloudflare"}, {**BARE, "silence": 98 * S, "server_software": "cloudflare"},
    ),
    "cloudflare-restart": (
        {**BARE, "together": 3, "intermediaries": "cf-ray"}, {**BARE, "together": 2, "intermediaries": "cf-ray"},
    ),
    "google-lifetime": (
        {**BARE, "lifetime": 30 * S, "intermediaries": "1.1 google"}, {**BARE, "lifetime": 30 * S, "intermediaries": "1.1 x"},
    ),
    "front-door-limit": (
        {**BARE, "silence": 300 * S, "intermediaries": "x-azure-ref"}, {**BARE, "silence": 302 * S, "intermediaries": "x-azure-ref"},
    ),
    "cloudfront-idle": (
        {**BARE, "silence": 600 * S, "intermediaries": "x-amz-cf-id"}, {**BARE, "end_by": 0, "silence": 600 * S, "intermediaries": "x-amz-cf-id"},
    ),
    "heroku-idle": (
        {**BARE, "silence": 55 * S, "intermediaries": "1.1 vegur"}, {**BARE, "silence": 55 * S, "intermediaries": ""},
    ),
    "envoy-idle": (
        {**BARE, "silence": 300 * S, "server_software": "envoy"}, {**BARE, "silence": 310 * S, "server_software": "envoy"},
    ),
    "proxy-reload": (
        {**BARE, "together": 9, "server_software": "nginx/1.22.1"}, {**BARE, "together": 9, "server_software": "uvicorn"},
    ),
    "server-gone": ({**BARE, "together": 3}, {**BARE, "together": 3, "end_by": 0}),
    "nginx-read-timeout": ({**BARE, "silence": 60 * S + 600 * MS}, {**BARE, "silence": 60 * S + 800 * MS}),
    "load-balancer-idle": ({**BARE, "end": 2, "silence": 60 * S}, {**BARE, "end": 2, "silence": 50 * S}),
    "common-idle-timeout": ({**BARE, "same_idle": 3, "silence": 7 * S}, {**BARE, "same_idle": 0, "silence": 7 * S}),
    "signalr-timeout": (
        {**BARE, "client_idle": 30 * S, "server_last": 11, "target": "/chathub?id=x"},
        {**BARE, "client_idle": 30 * S, "server_last": 40, "target": "/chathub?id=x"},
    ),
    "handler-returned": (
        {**BARE, "frames": 0, "lifetime": 3 * MS}, {**BARE, "frames": 0, "lifetime": 300 * MS},
    ),
    "unread-data": ({**BARE, "end": 2, "peer_spoke_last": 1}, {**BARE, "end": 2, "peer_spoke_last": 0}),
    "http2-cancel": ({**BARE, "stream_reset": 8}, {**BARE, "stream_reset": 2}),
    "http2-goaway": ({**BARE, "goaway": 1}, {**BARE, "goaway": 0}),
    "tls-truncated": ({**TLS, "close_notify": 0}, {**TLS, "close_notify": 1}),
    "server-dropped": (BARE, {**BARE, "result": 4}),
    "client-dropped": ({**BARE, "end_by": 0}, BARE),
}  # fmt: skip
"""By pattern: facts on which it fires, and facts beside them on which it does not."""


def facts_of(given: Given) -> Facts:
    strings = Strings()
    codes = {name: strings.intern(str(given.get(name, ""))) for name in TEXTS}
    columns = {name: np.array([value]) for name, value in {**given, **codes}.items() if isinstance(value, int)}
    return Facts(1, columns, strings)


def test_every_pattern_has_a_case_and_a_word() -> None:
    assert set(CASES) == set(BY_NAME)
    assert {0: "none"} | {pattern.number: pattern.name for pattern in PATTERNS} == CAUSES
    assert len({pattern.number for pattern in PATTERNS}) == len(PATTERNS) >= 40
    assert max(CAUSES) < 64


@pytest.mark.parametrize("name", CASES)
def test_a_pattern_fires_and_its_near_miss_does_not(name: str) -> None:
    fires, beside = CASES[name]
    assert BY_NAME[name].when.holds(facts_of(fires))[0]
    assert not BY_NAME[name].when.holds(facts_of(beside))[0]
    found = judge(facts_of(fires), np.array([True]))
    assert found["patterns"][0] >> BY_NAME[name].number & 1
    assert found["confidence"][0] >= BY_NAME[name].confidence


def test_no_fact_no_cause() -> None:
    found = judge(Facts(2, {}, Strings()), np.array([True, True]))
    assert found["cause"].tolist() == [0, 0]


def test_what_is_not_eligible_has_no_cause() -> None:
    for fires, _ in CASES.values():
        assert judge(facts_of(fires), np.array([False]))["cause"][0] == 0


@pytest.mark.parametrize(
    ("more", "sure"),
    [({}, Confidence.LOW), ({"server_software": "nginx"}, Confidence.MEDIUM), ({"same_idle": 4}, Confidence.MEDIUM)],
)
def test_one_timer_alone_is_a_guess(more: Given, sure: Confidence) -> None:
    found = judge(facts_of({**BARE, "silence": 60 * S, **more}), np.array([True]))
    assert found["confidence"][0] == sure


def test_the_list_is_made_from_the_data() -> None:
    lines = patterns_table().splitlines()
    assert len(lines) == len(PATTERNS) + 2
    assert all(line.count(" | ") == 6 for line in lines[2:])
    assert all(pattern.tries and pattern.source and pattern.cause for pattern in PATTERNS)


@pytest.mark.parametrize(
    ("code", "reason", "holds"),
    [
        (4003, "token expired", True), (1008, "Invalid token", True), (1003, "Unexpected token b in JSON", False),
        (1000, "Authenticated from another device", False), (1000, "token bucket empty", False),
    ],
)  # fmt: skip
def test_a_reason_speaks_of_credentials(code: int, reason: str, holds: bool) -> None:
    facts = facts_of({**CLOSE, "code": code, "close_reason": reason})
    assert bool(BY_NAME["authentication"].when.holds(facts)[0]) == (holds or code == 1008)
