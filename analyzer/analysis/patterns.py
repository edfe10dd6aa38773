"""Why connections end: patterns as data. Each has what is seen, the likely cause, how sure that is, and where it comes
from.

Theory of operation. A pattern is a condition on facts (`facts.py`), asked of all connections at once. Several may hold:
the surest is the likely cause, the earlier of equals, the others are alternatives. Timers are told by the silence
before the end, within 1.5 % or 0.7 s; one such match is a guess (low), and becomes likely (medium) where a proxy names
itself or several connections ended at the same idle time. A pattern without a signature of its own never blames
anybody: an ending that matches nothing has no cause, and that is said.

Numbers are part of the exported schema: they are never reused. Facts that no layer provides yet (HTTP/2's) are absent,
and patterns on them silent.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from analyzer.analysis.facts import SECOND, Test, least, most, near, same, says
from analyzer.schemas import FIN, RST


class Confidence(IntEnum):
    """How sure a cause is."""

    NONE = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern. `surer` raises the confidence by one where it holds."""

    number: int
    name: str
    cause: str
    confidence: Confidence
    when: Test
    tries: tuple[str, ...]
    source: str
    alternatives: tuple[str, ...] = ()
    surer: Test | None = None


LOW, MEDIUM, HIGH = Confidence.LOW, Confidence.MEDIUM, Confidence.HIGH
MS, MINUTE = SECOND // 1000, 60 * SECOND
CLIENT, SERVER = 0, 1

BARE = same("bare", 1, words="no Close frame")
CLOSED = least("close_by", 0, words="a Close frame")
BY_CLIENT, BY_SERVER = (same("close_by", side, words=f"Close from {name}")
                        for side, name in enumerate(("client", "server")))  # fmt: skip
SERVER_ENDS = same("end_by", SERVER, words="server ended TCP")
CLIENT_ENDS = same("end_by", CLIENT, words="client ended TCP")
BY_FIN, BY_RST = same("end", FIN, words="by FIN"), same("end", RST, words="by RST")
SERVER_FIN = BARE & SERVER_ENDS & BY_FIN
OTHERS = least("same_idle", 3, words="several at the same idle time")
MIDDLE = same("middle", 1, words="a proxy ended both of its legs at once")
OPENED = same("result", 1, -1, words="was opened")
NO_PING = "have the application send a ping or heartbeat at less than half of that time"
LONGER = "raise the timeout at the proxy"
BACKOFF = "reconnect with a random delay, so that clients do not all come back at once"
COMPARE = "the server's own log at that second says more"
ASKED_FOR = says(
    "refusal", 'upgrade" only to', "upgrade hdr", "upgrade header", "connection header", '"connection" must be',
    "unsupported http version",
)  # fmt: skip
UNSEEN_UPGRADE = Test(
    "an answer that misses them, to a request that has them", (same("upgrade_lost", 0) & ASKED_FOR).holds
)
"""The answer speaks of headers that are in the request where it was captured: who answers did not get them. As
websockets, ws, aiohttp, Tornado and Spring say it."""


UNAUTHORIZED = (same("code", 1000, 1008) | least("code", 4000)) & says(
    "close_reason",
    "invalid token",
    "token expired",
    "expired token",
    "token invalid",
    "bad token",
    "unauthor",
    "not authori",
    "authentication failed",
    "authentication required",
    "not authenticated",
    "invalid credentials",
)
OTHER_VERSION = Test("a version other than 13", (least("version", 0) & ~same("version", 13)).holds)
WANTS_UPGRADE = Test(
    "426, to a request that has them",
    (same("upgrade_lost", 0) & same("status", 426) & ~says("refusal", "supports version")).holds,
)


def _refused(*statuses: int) -> Test:
    return same("result", 2, words="an answer other than 101") & same("status", *statuses)


def _code(*codes: int) -> Test:
    return same("code", *codes, words=f"code {' or '.join(map(str, codes))}")


PATTERNS: tuple[Pattern, ...] = (
    Pattern(
        38, "tls-alert", "TLS failed: one side refused the other's certificate, name, version or ciphers", HIGH,
        least("alert", 1, words="a fatal TLS alert in the clear"),
        ("look up the alert; check the certificate's name, dates and chain, and the versions both sides allow",),
        "RFC 8446 §6.2",
    ),
    Pattern(
        47, "proxy-drops-upgrade",
        "a proxy between the two does not pass Upgrade and Connection on, so that the server sees no WebSocket", MEDIUM,
        same("result", 2, words="an answer other than 101")
        & (least("upgrade_lost", 1, words="a request with a key, but without Upgrade or Connection: Upgrade")
           | UNSEEN_UPGRADE | WANTS_UPGRADE),
        ("nginx: proxy_http_version 1.1, proxy_set_header Upgrade $http_upgrade and Connection \"upgrade\"",
         "Apache: upgrade=websocket at ProxyPass, or mod_proxy_wstunnel"),
        "RFC 9110 §7.8; https://nginx.org/en/docs/http/websocket.html",
        ("a client that sends no Upgrade",),
        least("upgrade_lost", 2, words="the request before the proxy had them, or it is one of HTTP/1.0")
        | UNSEEN_UPGRADE,
    ),
    Pattern(
        48, "version-refused", "the server does not speak the version of WebSocket that the client asked for", HIGH,
        _refused(400, 426) & OTHER_VERSION,
        ("send Sec-WebSocket-Version: 13", "the answer's Sec-WebSocket-Version lists what the server speaks"),
        "RFC 6455 §4.2.2, §4.4",
    ),
    Pattern(
        49, "credentials-refused",
        "the server, or a proxy before it, wants credentials that the request did not have, or refuses those it had",
        HIGH, _refused(401, 407),
        ("send a fresh token or cookie",
         "browsers send no Authorization header with a WebSocket: use a cookie or a ticket"),
        "RFC 9110 §15.5.2, §15.5.8",
    ),
    Pattern(
        50, "origin-refused", "the server does not allow this Origin", HIGH,
        _refused(403)
        & says("refusal", "origin not", "origin is not", "origin header", "invalid origin", "bad origin",
               "wrong origin", "forbidden origin", "origin denied", "cross-origin", "cross origin"),
        ("add the page's origin to those that the server allows",), "RFC 6455 §10.2",
    ),
    Pattern(
        51, "forbidden", "the server, or a proxy before it, does not allow this request", HIGH, _refused(403),
        ("check the Origin against those that the server allows", "check credentials, path and the client's address"),
        "RFC 9110 §15.5.4", ("an Origin check", "missing credentials", "a firewall's rule"),
    ),
    Pattern(
        52, "path-unknown", "there is no WebSocket at this path", HIGH,
        _refused(404, 405, 410),
        ("check the path", "check to which server the proxy sends this path"),
        "RFC 9110 §15.5.5", ("a proxy that sends this path elsewhere",),
    ),
    Pattern(
        53, "backend-unreached", "a proxy got no answer, or no valid one, from the server behind it", HIGH,
        _refused(502, 504),
        ("see whether the backend runs, and where the proxy looks for it", COMPARE), "RFC 9110 §15.6.3, §15.6.5",
    ),
    Pattern(
        54, "not-ready", "the server, or a proxy before it, takes no more connections for now", HIGH,
        _refused(429, 503),
        (BACKOFF, "503 comes from proxies too that have no healthy backend"),
        "RFC 9110 §15.6.4; RFC 6585 §4", ("overload", "a restart", "a rate limit"),
    ),
    Pattern(
        55, "redirected", "the server sends the client elsewhere, where WebSocket clients rarely go", HIGH,
        _refused(301, 302, 303, 307, 308),
        ("connect to the address of its Location", "a redirect to a login page means missing credentials"),
        "RFC 6455 §4.1", ("http where https is wanted", "a path without its last slash", "a login page"),
    ),
    Pattern(
        56, "request-faulty", "the server finds a fault in the request", MEDIUM, _refused(400),
        ("read what its answer says", "compare the request's headers with what the server asks for"),
        "RFC 9110 §15.5.1", ("a proxy that does not pass Upgrade on",),
    ),
    Pattern(
        31, "upgrade-refused", "the server, or a proxy before it, does not take this request as a WebSocket", MEDIUM,
        same("result", 2, words="an answer other than 101"),
        ("check path, Origin and credentials", "check that each proxy passes Upgrade and Connection on"),
        "RFC 6455 §4.2.2",
        ("wrong path", "a proxy that does not pass Upgrade on", "a fault in the server"),
    ),
    Pattern(
        57, "accept-wrong", "the server answered the key wrongly, and the client gave the connection up", HIGH,
        same("result", 1, words="was opened") & same("accept_verdict", 2, 3, words="a wrong or no accept value")
        & most("frames", 1, words="no message crossed") & most("lifetime", 2 * SECOND) & (CLIENT_ENDS | BY_CLIENT),
        ("compute Sec-WebSocket-Accept as RFC 6455 §4.2.2 says",
         "look for a cache or proxy that answered for the server"),
        "RFC 6455 §4.1",
    ),
    Pattern(
        17, "keepalive-ping-timeout",
        "a Ping was not answered in time: the peer's process is stuck, or the path is dead",
        HIGH, CLOSED & _code(1011, 1008, 1002, 1000) & says("close_reason", "keepalive ping timeout", "ping timeout"),
        ("see whether the peer's TCP still acknowledged: then its process is blocked, not the network",
         "look for blocking calls in the peer's event loop", "raise ping_timeout if long pauses are expected"),
        "https://websockets.readthedocs.io/en/stable/faq/common.html",
        ("the network is gone, if acknowledgments stopped too",),
    ),
    Pattern(
        27, "protocol-error", "the peer's frames broke the protocol: a bug in its WebSocket code, or a middlebox", HIGH,
        CLOSED & _code(1002, 1007, 1003) & least("violation", 1, words="a violation by the other side before"),
        ("open the offending frame: framescope notes names its section", "update the sender's WebSocket library"),
        "RFC 6455 §7.1.7",
    ),
    Pattern(
        15, "jetty-idle-timeout", "Jetty's idle timeout (30 s by default, 5 min before version 10)", HIGH,
        CLOSED & _code(1001, 1000, 1002) & says("close_reason", "idle timeout"),
        (NO_PING, "raise idleTimeout in the server's WebSocket policy"),
        "https://www.mail-archive.com/issues@activemq.apache.org/msg82679.html",
    ),
    Pattern(
        11, "api-gateway-limit",
        "AWS API Gateway's limits: 10 min idle, 2 h lifetime, 32 KiB a frame, 128 KiB a message",
        MEDIUM,
        says("intermediaries", "x-amzn-requestid", "x-amz-apigw-id")
        & (near("silence", 600) | near("lifetime", 7200) | _code(1009)),
        (NO_PING, "reconnect before two hours have passed", "send smaller messages"),
        "https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html",
    ),
    Pattern(
        26, "message-too-big", "a message exceeded the receiver's size limit", HIGH, CLOSED & _code(1009),
        ("raise the receiver's limit: max_size (websockets, 1 MiB), maxPayload (ws, 100 MiB), and so on",
         "split large messages"),
        "RFC 6455 §7.4.1",
    ),
    Pattern(
        29, "graphql-transport-ws", "a rule of graphql-transport-ws was broken, or its init timed out", HIGH,
        CLOSED & BY_SERVER & _code(4400, 4406, 4408, 4409, 4429, 4500, 4504)
        & says("subprotocol", "graphql"),
        ("4408: send connection_init at once; 4429: send it once; 4409: use fresh ids; 4400: check the message",),
        "https://the-guild.dev/graphql/ws/docs/common/enumerations/CloseCode",
    ),
    Pattern(
        30, "server-restart", "the server restarted or was shut down, and said so", HIGH,
        CLOSED & BY_SERVER & (_code(1012) | (_code(1001) & least("together", 3, words="many at once"))),
        (BACKOFF, "compare with deploy and restart times"), "RFC 6455 §7.4.1",
    ),
    Pattern(
        28, "authentication", "not authorised, or a token that expired", MEDIUM,
        CLOSED & BY_SERVER & (_code(1008, 3000, 3003, 4401, 4403) | UNAUTHORIZED),
        ("get a fresh token and connect again", "compare the lifetime with the token's"),
        "https://www.iana.org/assignments/websocket",
        ("another policy of the server: 1008 is a framework's default refusal",),
        same("code", 3000, 3003, 4401, 4403, words="a code that says so"),
    ),
    Pattern(
        19, "socketio-ping-timeout", "Socket.IO's ping was not answered within pingTimeout", MEDIUM,
        CLOSED & BY_SERVER & same("code", 1005, words="an empty Close") & says("target", "eio=", "/socket.io/")
        & same("server_last", 1, words="the server's last message has one octet")
        & same("client_silent_since", 1, words="nothing came from the client after it"),
        ("look for a blocked or throttled client (background tabs)", "raise pingTimeout"),
        "https://github.com/socketio/socket.io/issues/5450",
        ("the application called disconnect",),
    ),
    Pattern(
        16, "cowboy-idle-timeout",
        "Cowboy's or Phoenix's idle timeout of 60 s: the client's heartbeat is missing", MEDIUM,
        CLOSED & BY_SERVER & _code(1000, 1001) & near("client_idle", 60)
        & (says("server_software", "cowboy") | says("target", "/websocket?", "vsn=")),
        ("let the client send its heartbeat every 30 s",), "https://github.com/CaliDog/certstream-server/issues/59",
    ),
    Pattern(
        21, "chromium-navigation", "the page was left or reloaded, or the tab or browser closed (Chromium)", HIGH,
        CLOSED & BY_CLIENT & _code(1001) & says("user_agent", "chrome", "chromium")
        & CLIENT_ENDS & most("end_after_close", 100 * MS, words="FIN at once"),
        ("nothing is wrong: reconnect when the page is shown again",), "observed: Chromium 156",
    ),
    Pattern(
        22, "firefox-navigation", "the page was left or reloaded (Firefox waits for the answer)", MEDIUM,
        CLOSED & BY_CLIENT & _code(1001) & says("user_agent", "firefox"),
        ("nothing is wrong: reconnect when the page is shown again",), "observed: Firefox 153",
    ),
    Pattern(
        24, "page-cached", "the page had been left before, and its socket was kept with it (back/forward cache)", LOW,
        CLOSED & BY_CLIENT & _code(1001) & says("user_agent", "chrome", "firefox", "safari")
        & least("left_before", 5 * SECOND, words="the client loaded another page after its last octet"),
        ("close the socket in a pagehide listener",), "observed: Chromium 156",
    ),
    Pattern(
        35, "close-ignored", "the peer ignored the closing handshake, and the close timeout ran out", MEDIUM,
        CLOSED & same("answered", 0, words="Close not answered") & same("closer_ends", 1, words="its sender ended TCP")
        & near("end_after_close", 2, 10, 20, 30),
        ("see why the peer does not answer a Close: is it still reading?",),
        "https://github.com/apache/tomcat/commit/b0e3b1bd78de270d53e319d7cb79eb282aa53cb9.diff",
    ),
    Pattern(
        41, "server-exception", "the server's handler failed", MEDIUM, CLOSED & BY_SERVER & _code(1011),
        ("look for an exception in the server's log at that second",), "RFC 6455 §7.4.1",
    ),
    Pattern(
        36, "dead-path", "the network path is gone: what was sent is sent again and again, and nobody acknowledges it",
        HIGH,
        BARE & least("unacknowledged", 1, words="octets never acknowledged")
        & least("retransmitted", 2, words="sent again twice or more"),
        ("look at Wi-Fi, mobile, VPN, NAT between the two", "let the application reconnect after missed pings"),
        "RFC 9293 §3.8.3",
    ),
    Pattern(
        37, "slow-consumer", "a slow reader: its receive window stayed shut until the connection was given up", MEDIUM,
        least("stalled", SECOND, words="a window of zero for a second or more at the end"),
        ("see what the reader was doing instead of reading", "drop or coalesce messages for slow readers"),
        "RFC 9293 §3.8.6.1", ("a reader that is stopped in a debugger or by the system",),
    ),
    Pattern(
        9, "flow-forgotten", "a load balancer, NAT or firewall forgot the connection while it was idle", MEDIUM,
        BARE & near("quiet_before_retransmission", 240, 350, 300, 900, 1800, 3600)
        & least("retransmitted", 1, words="then sent again without an answer"),
        (NO_PING, "turn TCP keep-alive on, at less than that time"),
        "https://github.com/Microsoft/azure-docs/blob/master/articles/load-balancer/load-balancer-tcp-reset.md",
    ),
    Pattern(
        13, "haproxy-tunnel-timeout", "HAProxy's timeout tunnel (FIN to the client, RST to the server)", MEDIUM,
        BARE & MIDDLE & same("front_end", FIN, words="FIN to the client")
        & same("back_end", RST, words="RST to the server") & least("silence", SECOND, words="after silence"),
        ("raise timeout tunnel", NO_PING), "observed: HAProxy 2.6; https://github.com/alebedev87/haproxy-timeout-tunnel",
        ("another proxy that resets its backend connection",), OTHERS,
    ),
    Pattern(
        42, "proxy-idle-timeout",
        "the proxy's idle timeout, such as nginx proxy_read_timeout (FIN to both sides)", MEDIUM,
        BARE & MIDDLE & same("front_end", FIN, words="FIN to the client")
        & same("back_end", FIN, words="FIN to the server") & least("silence", SECOND, words="after silence"),
        (LONGER, NO_PING), "observed: nginx 1.22", ("the proxy was stopped or reloaded",), OTHERS,
    ),
    Pattern(
        18, "heartbeat-timeout",
        "a heartbeat Ping was not answered, and the connection was dropped without a Close", MEDIUM,
        BARE & least("ender_ping_age", 1, words="a Ping of the side that ended it was not answered")
        & most("ender_ping_age", 5 * MINUTE, words="within minutes"),
        ("see whether the peer's TCP still acknowledged: then its process is blocked, not the network",
         "raise the heartbeat's timeout if long pauses are expected"),
        "observed: ws, aiohttp", ("the process ended while the Ping was under way",),
    ),
    Pattern(
        4, "ping-races-timeout", "a load balancer's idle timeout of 60 s: pings every 60 s come too late", MEDIUM,
        SERVER_FIN & near("server_ping_interval", 60) & near("silence", 60),
        ("ping every 25 s or less",), "https://github.com/mattermost/docs/issues/8929",
    ),
    Pattern(
        6, "cloudflare-idle", "Cloudflare's inactivity timeout of 100 s", MEDIUM,
        BARE & SERVER_ENDS & near("silence", 100)
        & (says("server_software", "cloudflare") | says("intermediaries", "cf-ray")),
        (NO_PING,), "https://websocket.org/guides/infrastructure/cloudflare",
    ),
    Pattern(
        7, "cloudflare-restart", "Cloudflare restarted an edge server", LOW,
        BARE & SERVER_ENDS & least("together", 3, words="many at once")
        & (says("server_software", "cloudflare") | says("intermediaries", "cf-ray")),
        (BACKOFF,), "https://developers.cloudflare.com/network/websockets", ("the origin server was restarted",),
    ),
    Pattern(
        8, "google-lifetime",
        "Google Cloud's backend timeout, which limits the lifetime (30 s by default), busy or not",
        MEDIUM, BARE & SERVER_ENDS & near("lifetime", 30, 3600, 86400) & says("intermediaries", "google"),
        ("raise the backend service's timeout (timeoutSec)",),
        "https://pkg.go.dev/github.com/agau4779/ingress-gce/examples/websocket",
    ),
    Pattern(
        10, "front-door-limit", "Azure Front Door's limits: 5 min idle, 4 h lifetime", MEDIUM,
        BARE & SERVER_ENDS & (near("silence", 300) | near("lifetime", 14400)) & says("intermediaries", "x-azure-ref"),
        (NO_PING, "reconnect before four hours have passed"),
        "https://docs.azure.cn/en-us/frontdoor/standard-premium/websocket",
    ),
    Pattern(
        12, "cloudfront-idle", "CloudFront's idle timeout of 10 min", MEDIUM,
        BARE & SERVER_ENDS & near("silence", 600) & says("intermediaries", "cloudfront", "x-amz-cf-id"),
        (NO_PING,),
        "https://repost.aws/ja/questions/QU05nkjxdfRC2E67FGICmP3g/how-to-increase-cloudfront-websockets-idle-timeout",
    ),
    Pattern(
        5, "heroku-idle", "Heroku's router: 55 s without data (H15)", MEDIUM,
        BARE & SERVER_ENDS & near("silence", 55)
        & (says("intermediaries", "vegur", "heroku") | says("server_software", "heroku") | says("http_host", "heroku")),
        ("send something every 25 s",), "https://devcenter.heroku.com/articles/heroku-labs-websockets",
    ),
    Pattern(
        14, "envoy-idle", "Envoy's stream_idle_timeout of 5 min", LOW,
        BARE & SERVER_ENDS & near("silence", 300)
        & (says("server_software", "envoy") | says("intermediaries", "envoy")),
        (NO_PING, "raise stream_idle_timeout on the route"),
        "https://www.envoyproxy.io/docs/envoy/latest/faq/configuration/timeouts", (), OTHERS,
    ),
    Pattern(
        2, "proxy-reload", "a proxy was reloaded: nginx ends old workers' connections (worker_shutdown_timeout, 240 s)",
        MEDIUM,
        SERVER_FIN & least("together", 3, words="many at once") & says("server_software", "nginx", "openresty"),
        (BACKOFF, "raise worker_shutdown_timeout, reload less often"),
        "https://github.com/kubernetes/ingress-nginx/issues/8977", ("the backend was restarted",),
    ),
    Pattern(
        43, "server-gone",
        "the server's process ended (killed, crashed, stopped), and took its connections along", MEDIUM,
        BARE & SERVER_ENDS & least("together", 3, words="many at once"),
        (BACKOFF, "compare with deploy, restart and out-of-memory times"), "observed: SIGKILL on Linux",
        ("a proxy before it was restarted or reloaded",),
    ),
    Pattern(
        1, "nginx-read-timeout", "nginx proxy_read_timeout of 60 s, the default", LOW,
        SERVER_FIN & near("silence", 60),
        ("raise proxy_read_timeout", NO_PING), "https://nginx.org/en/docs/http/websocket.html",
        ("another component with a timeout of 60 s",),
        OTHERS | says("server_software", "nginx", "openresty", "kong"),
    ),
    Pattern(
        3, "load-balancer-idle", "a load balancer's idle timeout of 60 s, as AWS ALB has by default", LOW,
        BARE & SERVER_ENDS & near("silence", 60),
        ("raise idle_timeout.timeout_seconds of the load balancer", NO_PING),
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html",
        ("another component with a timeout of 60 s",),
        says("server_software", "awselb") | says("intermediaries", "awselb", "awsalb"),
    ),
    Pattern(
        44, "common-idle-timeout", "an idle timeout: several connections ended after the same silence", MEDIUM,
        BARE & least("same_idle", 3, words="three or more at the same idle time") & least("silence", SECOND),
        (LONGER, NO_PING), "observed",
    ),
    Pattern(
        20, "signalr-timeout", "SignalR's timeout: 30 s without a message from the other side", MEDIUM,
        SERVER_FIN & near("client_idle", 30) & same("server_last", 11, words="the server's last message is a ping")
        & says("target", "id=", "hub"),
        ("raise ClientTimeoutInterval, or send keep-alives more often",),
        "https://learn.microsoft.com/en-us/dotnet/api/microsoft.aspnetcore.signalr.huboptions",
    ),
    Pattern(
        32, "handler-returned", "the handler returned at once, or the subprotocol was not to a side's liking", MEDIUM,
        BARE & OPENED & same("frames", 0, words="no frame crossed") & most("lifetime", 100 * MS, words="within 100 ms"),
        ("check that the handler waits for messages", "check the subprotocol offered and chosen"),
        "RFC 6455 §4.1", ("the server crashed",),
    ),
    Pattern(
        34, "half-closed", "one side was gone while the other went on sending", MEDIUM,
        BARE & BY_FIN & least("sent_after_fin", 1, words="data after the other side's FIN")
        & same("other_reset", 1, words="answered by RST"),
        ("handle the end of the stream at the side that went on sending",), "RFC 9293 §3.6.1",
    ),
    Pattern(
        33, "unread-data", "a process ended, or closed its socket, with received data unread", MEDIUM,
        BARE & BY_RST & same("peer_spoke_last", 1, words="the other side's octets came last"),
        (COMPARE,), "RFC 9293 §3.10.4", ("an application that resets on purpose (SO_LINGER 0)", "a proxy or firewall"),
    ),
    Pattern(
        23, "http2-cancel", "the page was left, or the request aborted, in a browser over HTTP/2", MEDIUM,
        BARE & same("stream_reset", 8, words="RST_STREAM CANCEL"), ("nothing is wrong",), "observed: Chromium 156",
    ),
    Pattern(
        25, "http2-goaway", "the server drained its HTTP/2 connection (deploy, or a connection limit)", MEDIUM,
        same("goaway", 1, words="GOAWAY before the end"), (BACKOFF,), "RFC 9113 §6.8",
    ),
    Pattern(
        39, "tls-truncated",
        "TLS ended without close_notify: a process killed, a crash, or a stack that never sends it", LOW,
        same("tls", 1, words="TLS") & BY_FIN & same("close_notify", 0, words="no alert before the FIN"),
        (COMPARE,), "RFC 8446 §6.1", ("a stack that never sends close_notify",),
    ),
    Pattern(
        45, "server-dropped",
        "the server's process ended, or its application dropped the connection (terminate())", LOW,
        BARE & SERVER_ENDS & OPENED, (COMPARE,), "observed: SIGKILL, ws, aiohttp",
        ("an idle timeout or a restart of something between the two",),
    ),
    Pattern(
        46, "client-dropped", "the client's process ended, or its application dropped the connection", LOW,
        BARE & CLIENT_ENDS & OPENED, ("ask what the client was doing at that second",), "observed: Firefox 153 on quit",
        ("something between the two gave it up",),
    ),
)  # fmt: skip
"""In the order in which equals are told. Number 40 is not in it: where packets are missing, or the capture ended first,
nothing is claimed."""

BY_NUMBER: dict[int, Pattern] = {pattern.number: pattern for pattern in PATTERNS}
BY_NAME: dict[str, Pattern] = {pattern.name: pattern for pattern in PATTERNS}
PACKETS_LOST = "no cause is claimed: octets are missing from the capture, and what they held may be the cause"
CAPTURE_ENDED = "no cause is claimed: the capture ended before the connection did"
PERHAPS_DEAD = "; a dead path, or a peer that is gone, begins like this, and so does a loss that is mended later"
"""Number 40."""
