"""Secrets are masked, and nothing else."""

from __future__ import annotations

import pytest

from dissectors.http.secrets import mask_field, mask_target, mask_text

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("target", "masked"),
    [
        ("/chat?token=abc&room=1", "/chat?token=***&room=1"),
        ("/chat?room=1&access_token=abc", "/chat?room=1&access_token=***"),
        ("/chat?room=key", "/chat?room=key"),
        (f"/chat/{JWT}", "/chat/***"),
        ("/plain", "/plain"),
        ("/x?refresh_token=abc&client_secret=def&tokens=3", "/x?refresh_token=***&client_secret=***&tokens=3"),
        ("http://user:hunter2@host/", "http://user:***@host/"),
    ],
)
def test_targets(target: str, masked: str) -> None:
    assert mask_target(target) == masked


@pytest.mark.parametrize(
    "text",
    [
        "Bearer abcdef123456", '{"token": "s3cr3t", "room": 1}', f"hello {JWT}", "password=hunter2",
        '{"refresh_token":"s3cr3t"}', '{"clientSecret":"s3cr3t"}', '{"token":["s3cr3t","x"]}',
        '{"token":{"value":"s3cr3t"}}', '{"token" : "s3cr3', "wss://user:hunter2@host/", "Password={hunter2};",
        '["{\\"token\\":\\"s3cr3t\\"}"]', 'login(password:\\"hunter2\\")', '{"password" :\\n "hunter2"}',
        '{"password" :\n "hunter2"}', "password=[hunter2]", "password=hunt[er2", "<password>hunter2</password>",
    ],
)  # fmt: skip
def test_texts(text: str) -> None:
    masked = mask_text(text)
    assert "***" in masked
    for secret in ("abcdef123456", "s3cr3", JWT, "hunter2", "er2"):
        assert secret not in masked


@pytest.mark.parametrize(
    "text", ["the key to success is a good token economy", '{"max_tokens": 5}', "token expired", '{"key": {"a": 1}}']
)
def test_harmless_text_stays(text: str) -> None:
    assert mask_text(text) == text


def test_fields() -> None:
    assert mask_field("Cookie", "a=b") == "***"
    assert mask_field("Accept", "text/html") == "text/html"
