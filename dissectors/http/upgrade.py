"""The WebSocket opening handshake: what was offered, what was agreed, and whether it is right (RFC 6455 §4, §9.1)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from hashlib import sha1
from typing import NamedTuple

from dissectors.http.head import Head
from dissectors.http.parameters import Deflate, extension_list, permessage_deflate, unfit, wrong_offers
from dissectors.notes import Note
from dissectors.schemas import ACCEPTED, OTHER, REFUSED, UNANSWERED

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455 §1.3."""
UNKNOWN, RIGHT, WRONG, MISSING = range(4)
"""Codes of `schemas.ACCEPTS`."""
CLIENT, SERVER = 0, 1
"""Whose head a note is about."""
REASON = 200
"""Characters of a refusal's content that are quoted."""

Finding = tuple[Note, int, str]
"""Code, whose head it is about, and what in particular."""


class Handshake(NamedTuple):
    """An opening handshake; the fields are those of the HANDSHAKES table."""

    result: int
    status: int
    refusal: str
    host: str
    target: str
    origin: str
    user_agent: str
    server: str
    intermediaries: str
    key: str
    accept: str
    accept_verdict: int
    version: int
    protocol: str
    subprotocols: str
    subprotocol: str
    extensions_offered: str
    extensions: str
    deflate: Deflate
    defined: int
    """Reserved bits that the agreed extensions define: 4 is RSV1, 7 all where an extension is not known."""


class Offer(NamedTuple):
    """A request that asks for WebSocket."""

    head: Head

    @classmethod
    def of(cls, head: Head) -> Offer | None:
        """The offer in a request, if it makes one."""
        headers = head.headers
        if "sec-websocket-key" in headers or ("upgrade" in headers and "websocket" in head.tokens("upgrade")):
            return cls(head)
        return None


def accept_of(key: str) -> str:
    """The Sec-WebSocket-Accept that answers a key (RFC 6455 §4.2.2)."""
    return b64encode(sha1(key.encode("utf-8", "replace") + GUID, usedforsecurity=False).digest()).decode()


def handshake_of(offer: Offer, answer: Head | None, content: bytes) -> tuple[Handshake, list[Finding]]:
    """The handshake that an offer and its final response make, and what is wrong with it."""
    head = offer.head
    findings = _request_findings(head)
    codes = {note for note, _, _ in findings}
    refusable = sorted(code.name for code in codes & REFUSABLE)
    key = head.get("sec-websocket-key")
    status = int(answer.second) if answer else 0
    result, verdict, protocol = UNANSWERED, UNKNOWN, ""
    subprotocol = extensions = accept = refusal = ""
    deflate, defined = Deflate(), 0
    if answer is not None and status == 101:
        protocol = answer.get("upgrade")
        result = ACCEPTED if "websocket" in answer.tokens("upgrade") else OTHER
        accept = answer.get("sec-websocket-accept")
        if result == OTHER and (accept or not protocol):
            result = ACCEPTED
        # §4.1: the whole value is "websocket"; RFC 9110 §7.8: no other protocol than those that were asked for
        asked = ["websocket"] if result == ACCEPTED else head.tokens("upgrade")
        if protocol.lower() not in asked:
            findings.append((Note.UPGRADE_HEADER_BAD, SERVER, protocol))
        if result == ACCEPTED:
            if refusable:
                told = ", ".join(name.lower().replace("_", "-") for name in refusable)
                findings.append((Note.REQUEST_WRONGLY_ACCEPTED, SERVER, told))
            if answer.first == "HTTP/1.0":
                findings.append((Note.HTTP_VERSION_LOW, SERVER, answer.first))
            verdict = _judge_accept(key, accept, findings)
            if "upgrade" not in answer.tokens("connection"):
                findings.append((Note.CONNECTION_HEADER_BAD, SERVER, answer.get("connection")))
            subprotocol = answer.get("sec-websocket-protocol")
            if "sec-websocket-protocol" in answer.headers:
                _judge_subprotocol(head, subprotocol, findings)
            extensions = answer.get("sec-websocket-extensions")
            if extensions:
                deflate, defined = _judge_extensions(head, extensions, findings)
    elif answer is not None:
        result, refusal = REFUSED, reason_of(answer, content)
        if status == 426 and Note.VERSION_OTHER in codes and "sec-websocket-version" not in answer.headers:
            findings.append((Note.VERSIONS_NOT_TOLD, SERVER, ""))
    version = head.get("sec-websocket-version")
    handshake = Handshake(
        result, status, refusal, head.get("host"), head.second, head.get("origin"), head.get("user-agent"),
        answer.get("server") if answer else "", _intermediaries(answer) if answer else "", key, accept, verdict,
        int(version) if version.isascii() and version.isdigit() and len(version) < 5 else -1, protocol,
        head.get("sec-websocket-protocol"), subprotocol, head.get("sec-websocket-extensions"), extensions, deflate,
        defined,
    )  # fmt: skip
    return handshake, findings


MARKS = frozenset(
    ("cf-ray", "x-amz-cf-id", "x-azure-ref", "x-amzn-requestid", "x-amz-apigw-id", "x-envoy-upstream-service-time",
     "x-served-by", "fly-request-id", "x-kong-proxy-latency")
)  # fmt: skip
"""Response headers that a proxy adds, and so names itself: Cloudflare, CloudFront, Front Door, API Gateway, Envoy,
Fastly, Fly.io, Kong."""


def _intermediaries(answer: Head) -> str:
    """What a response says of the proxies that it passed (RFC 9110 §7.6.3)."""
    marks = MARKS.intersection(answer.headers)
    if "via" not in answer.headers and not marks:
        return ""
    return "; ".join(part for part in (answer.get("via"), *sorted(marks)) if part)


REFUSABLE = frozenset(
    (Note.METHOD_NOT_GET, Note.HTTP_VERSION_LOW, Note.HOST_MISSING, Note.UPGRADE_HEADER_BAD, Note.CONNECTION_HEADER_BAD,
     Note.KEY_MISSING, Note.KEY_BAD, Note.VERSION_MISSING, Note.VERSION_OTHER)
)  # fmt: skip
"""What is wrong with a request to which RFC 6455 §4.2.1 forbids a 101."""
OF_BOTH = (Note.REQUEST_WRONGLY_ACCEPTED, Note.SUBPROTOCOL_NOT_OFFERED, Note.EXTENSION_NOT_OFFERED)
"""What is wrong with a response by its request: not to be judged where that was not captured."""
SEPARATORS = frozenset('()<>@,;:\\"/[]?={} \t')
"""RFC 2616 §2.2, by which RFC 6455 §4.1 defines the names of subprotocols."""


def _request_findings(head: Head) -> list[Finding]:
    """What RFC 6455 §4.1 asks of a request."""
    findings: list[Finding] = []
    headers = head.headers
    if head.first != "GET":
        findings.append((Note.METHOD_NOT_GET, CLIENT, head.first))
    if head.third == "HTTP/1.0":
        findings.append((Note.HTTP_VERSION_LOW, CLIENT, head.third))
    if "host" not in headers:
        findings.append((Note.HOST_MISSING, CLIENT, ""))
    if headers.get("upgrade", "").lower() != "websocket" and "websocket" not in head.tokens("upgrade"):
        findings.append((Note.UPGRADE_HEADER_BAD, CLIENT, head.get("upgrade")))
    if headers.get("connection", "").lower() != "upgrade" and "upgrade" not in head.tokens("connection"):
        findings.append((Note.CONNECTION_HEADER_BAD, CLIENT, head.get("connection")))
    key = headers.get("sec-websocket-key")
    if key is None:
        findings.append((Note.KEY_MISSING, CLIENT, ""))
    elif not is_key(key):
        findings.append((Note.KEY_BAD, CLIENT, key))
    version = headers.get("sec-websocket-version")
    if version is None:
        findings.append((Note.VERSION_MISSING, CLIENT, ""))
    elif version != "13":
        findings.append((Note.VERSION_OTHER, CLIENT, version))
    if "sec-websocket-protocol" in headers:
        findings += [(Note.SUBPROTOCOL_OFFER_BAD, CLIENT, what) for what in _wrong_names(headers)]
    if "sec-websocket-extensions" in headers:
        offers = extension_list(headers["sec-websocket-extensions"])
        findings += [(Note.EXTENSION_PARAMETER_BAD, CLIENT, what) for what in wrong_offers(offers)]
    return findings


def _wrong_names(headers: dict[str, str]) -> list[str]:
    """Subprotocols offered twice or with characters that no name has; the first of each kind."""
    names = [name.strip() for name in headers["sec-websocket-protocol"].split(",")]
    bad = [name for name in names if not name or any(not "!" <= c <= "~" or c in SEPARATORS for c in name)]
    twice = [name for at, name in enumerate(names) if name and name in names[:at]]
    return [f"not a token: {name!r}" for name in bad[:1]] + [f"{name} stands twice" for name in twice[:1]]


def is_key(key: str) -> bool:
    """16 octets in base64."""
    try:
        return len(b64decode(key, validate=True)) == 16
    except (Base64Error, ValueError):
        return False


def _judge_accept(key: str, accept: str, findings: list[Finding]) -> int:
    if not accept:
        findings.append((Note.ACCEPT_MISSING, SERVER, ""))
        return MISSING
    if not key:
        return UNKNOWN
    expected = accept_of(key)
    if accept == expected:
        return RIGHT
    findings.append((Note.ACCEPT_WRONG, SERVER, f"{accept}, expected {expected}"))
    return WRONG


def _judge_subprotocol(head: Head, chosen: str, findings: list[Finding]) -> None:
    if "," in chosen:
        findings.append((Note.SUBPROTOCOL_SEVERAL, SERVER, chosen))
    offered = {token.strip() for token in head.get("sec-websocket-protocol").split(",")} - {""}
    tokens = [token.strip() for token in chosen.split(",")]
    findings += [(Note.SUBPROTOCOL_NOT_OFFERED, SERVER, token) for token in tokens if token not in offered]


def _judge_extensions(head: Head, agreed: str, findings: list[Finding]) -> tuple[Deflate, int]:
    """Negotiated extensions (RFC 6455 §9.1): the parameters of permessage-deflate, and the reserved bits in use."""
    offers = extension_list(head.get("sec-websocket-extensions"))
    offered = {name for name, _ in offers}
    deflate, defined = Deflate(), 0
    for name, parameters in extension_list(agreed):
        if name not in offered:
            findings.append((Note.EXTENSION_NOT_OFFERED, SERVER, name))
        if name != "permessage-deflate":
            findings.append((Note.EXTENSION_UNKNOWN, SERVER, name))
            defined = 7
        elif not deflate.agreed:
            deflate, wrong = permessage_deflate(parameters)
            defined |= 4
            findings += [(Note.EXTENSION_PARAMETER_BAD, SERVER, what) for what in wrong]
            if name in offered and not wrong:
                findings += [(Note.EXTENSION_UNFIT, SERVER, what) for what in unfit(parameters, offers)]
        else:
            findings.append((Note.EXTENSION_PARAMETER_BAD, SERVER, "permessage-deflate agreed twice"))
    return deflate, defined


def reason_of(answer: Head, content: bytes) -> str:
    """Why an upgrade was refused, as far as the response says."""
    parts = [answer.third] if answer.third else []
    if location := answer.get("location"):
        parts.append(f"redirects to {location}")
    if challenge := answer.get("www-authenticate"):
        parts.append(f"asks for authentication ({challenge.split(' ')[0]})")
    if versions := answer.get("sec-websocket-version"):
        parts.append(f"supports version {versions}")
    kind = answer.get("content-type").lower()
    if content and ("text/plain" in kind or "json" in kind or not kind) and not answer.get("content-encoding"):
        text = content[: 4 * REASON].decode("utf-8", "replace").strip()
        if line := text.splitlines()[0][:REASON] if text else "":
            parts.append(f'"{line}"')
    return ", ".join(parts)
