"""Tests of the interface. Textual reads this when it is imported: no test waits for an animation."""

import os

os.environ["TEXTUAL_ANIMATIONS"] = "none"
