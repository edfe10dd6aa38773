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
_NAMES = "|".join(sorted(map(re.escape, PARAMETERS | FIELDS), key=len, reverse=True))
_PARAMETER = re.compile(rf"(?i)(?<=[?&;#])({_NAMES})=[^&;#\s\"]*")
_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?")
"""A JSON Web Token (RFC 7519): the base64url of '{"' starts with eyJ."""
_BEARER = re.compile(r"(?i)\b(bearer|basic)[ .]+[\w.~+/=-]{6,}")
_ASSIGNED = re.compile(rf"(?i)([\"']?\b(?:{_NAMES})\b[\"']?\s*[:=]\s*)(\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s,;}}&\"']+)")


def mask_target(target: str) -> str:
    """A request target without the values of secret parameters."""
    return _TOKEN.sub(MASK, _PARAMETER.sub(rf"\1={MASK}", target)) if "=" in target or "eyJ" in target else target


def mask_text(text: str) -> str:
    """A text (payload, close reason, header value) without what looks like a secret."""
    text = _BEARER.sub(rf"\1 {MASK}", _TOKEN.sub(MASK, text))
    return _ASSIGNED.sub(lambda found: found[1] + (f'"{MASK}"' if found[2].startswith('"') else MASK), text)


def mask_field(name: str, value: str) -> str:
    """A header field's value as it may be shown."""
    return MASK if name.lower() in FIELDS else mask_text(value)
