"""What the message walk finds: codes of the columns `utf8` and `inflate`, and of what is known of a context. They stand
here because what a compiled walk declares for itself is not to be seen from Python."""

from __future__ import annotations

NOT_TEXT, VALID, INVALID, UNKNOWN = range(4)

PLAIN, INFLATED, FAILED, CONTEXT_LOST, OVER_LIMIT, FINAL_BLOCK = range(6)
"""The last is inflated too, and becomes a note."""

NO_TAKEOVER, TAKEOVER, TRIED, PROVEN = range(4)
"""What is known of a direction's context: whether its sender keeps it; or nothing, before and after a message that was
inflated all the same."""

NO_TEXT = -2
"""In place of a UTF-8 state (`masking`): the message is binary."""
