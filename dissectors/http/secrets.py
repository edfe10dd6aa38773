"""What must not be shown in a ticket: names of fields and parameters that carry secrets, and how to mask them."""

from __future__ import annotations

import re

MASK = "***"
PARAMETERS = frozenset(
    ("access_token", "api_key", "apikey", "auth", "authorization", "code", "id_token", "jwt", "key", "pass", "passwd",
     "password", "secret", "session", "session_id", "sid", "sig", "signature", "ticket", "token", "x-amz-signature",
     "x-amz-security-token", "connectiontoken")
)  # fmt: skip
"""Query parameters (lower case) whose values are masked; RFC 6750 §2.3 warns of the first."""
FIELDS = frozenset(("authorization", "cookie", "proxy-authorization", "set-cookie", "x-api-key"))
"""Header fields (lower case) whose values are masked."""
_SECRET = r"[\w-]{0,24}(?:token|secret|passw(?:or)?d|passphrase|api[_-]?key)"
"""A name that ends as one does that tells of a secret: refresh_token, clientSecret."""
_NAMES = "|".join((_SECRET, *sorted(map(re.escape, PARAMETERS | FIELDS), key=len, reverse=True)))
_PARAMETER = re.compile(rf"(?i)(?<=[?&;#])({_NAMES})=[^&;#\s\"]*")
_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?")
"""A JSON Web Token (RFC 7519): the base64url of '{"' starts with eyJ."""
_BEARER = re.compile(r"(?i)\b(bearer|basic)[ .]+[\w.~+/=-]{6,}")
_USER = re.compile(r"(?<=://)([^\s/@:?#]{0,200}):[^\s/@?#]{1,200}(?=@)")
"""A password before the host (RFC 3986 §3.2.1)."""
_ELEMENT = re.compile(rf"(?i)(<(?:{_NAMES})>)[^<]+")
_WHOLE = re.compile(rf"(?i)(\b{_SECRET}[\"']?\s*[:=]\s*)(?:\[[^\]]*\]?|\{{[^}}]*}}?)")
"""A list or an object of secrets."""
_GAP = r"(?:\s|\\[nrt])*"
"""White space, as it is or escaped."""
_ESCAPED = re.compile(rf"(?i)(\b(?:{_NAMES})\\*[\"']?{_GAP}[:=]{_GAP}\\+[\"'])[^\"'\\]*")
"""JSON inside of JSON."""
_ASSIGNED = re.compile(
    rf"(?i)([\"']?\b(?:{_NAMES})\b[\"']?{_GAP}[:=]{_GAP})(\"(?:[^\"\\]|\\.)*\"?|'[^']*'?|[^\s,;}}&\"'\[{{\\][^\s,;}}&\"']*)"
)
"""A text may be cut off in the middle."""


def mask_target(target: str) -> str:
    """A request target without the values of secret parameters."""
    if "=" not in target and "eyJ" not in target and "@" not in target:
        return target
    return _USER.sub(rf"\1:{MASK}", _TOKEN.sub(MASK, _PARAMETER.sub(rf"\1={MASK}", target)))


def mask_text(text: str) -> str:
    """A text (payload, close reason, header value) without what looks like a secret."""
    text = _BEARER.sub(rf"\1 {MASK}", _TOKEN.sub(MASK, text))
    text = _ELEMENT.sub(rf"\1{MASK}", _USER.sub(rf"\1:{MASK}", text))
    text = _ESCAPED.sub(rf"\1{MASK}", text)
    text = _WHOLE.sub(rf'\1"{MASK}"', text)
    return _ASSIGNED.sub(lambda found: found[1] + (f'"{MASK}"' if found[2].startswith('"') else MASK), text)


def mask_field(name: str, value: str) -> str:
    """A header field's value as it may be shown."""
    return MASK if name.lower() in FIELDS else mask_text(value)
