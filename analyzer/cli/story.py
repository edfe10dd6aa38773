"""How a story is written: parts with lists, as text in lines of the width that a terminal has, or as Markdown."""

from __future__ import annotations

from analyzer.analysis.verdicts import Telling
from analyzer.cli.listing import Manner
from analyzer.cli.page import Page

HANGING, BEHIND_TIME = 4, 23
"""Where the lines of one item go on: behind its first word, and in the traffic behind time and packet."""


class Story:
    """Writes the parts of a story."""

    def __init__(self, page: Page, markdown: bool) -> None:
        self.page = page
        self.markdown = markdown
        self.wraps = page.stream.isatty() and not markdown

    def _lines(self, text: str, indent: int, whole: bool = True) -> list[str]:
        return self.page.wrapped(text, indent, whole) if self.wraps else [text]

    def title(self, text: str) -> None:
        """The title of the story."""
        for line in self._lines(text, HANGING):
            self.page.line(f"## {self.quote(line)}" if self.markdown else self.page.style(line, "bold"))

    def part(self, text: str) -> None:
        """A heading."""
        self.page.line()
        self.page.line(f"### {text}" if self.markdown else self.page.style(text, "bold"))
        if self.markdown:
            self.page.line()

    def item(self, text: str) -> None:
        """A line of a list."""
        for line in [f"- {self.quote(text)}"] if self.markdown else self._lines(f"  {text}", HANGING):
            self.page.line(line)

    def block(self, lines: list[str]) -> None:
        """Lines in fixed width."""
        if self.markdown:
            self.page.line("```text")
        for text in lines:
            for line in [text.replace("```", "'''")] if self.markdown else self._lines(f"  {text}", BEHIND_TIME, False):
                self.page.line(line)
        if self.markdown:
            self.page.line("```")

    def quote(self, text: str) -> str:
        """Text of a peer, which must not become markup."""
        return "".join(f"\\{character}" if character in "\\`*_[]<>#|" else character for character in text)

    def verdict(self, telling: Telling, manner: Manner) -> None:
        """What happened, and the evidence."""
        self.part("Verdict")
        self.item(manner.text(telling.sentence))
        for item in telling.evidence:
            self.item(f"{f'packet {item.packet + 1}: ' if item.packet >= 0 else ''}{manner.text(item.text)}")

    def cause(self, telling: Telling, manner: Manner) -> None:
        """The likely cause, how sure it is, what else it may be, and what to try."""
        self.part("Likely cause")
        self.item(manner.text(telling.likely))
        if telling.incident:
            self.item(manner.text(telling.incident))
        if telling.fellow:
            self.item(f"those that ended with it: {telling.fellow}")
        for other in telling.alternatives:
            self.item(manner.text(f"or: {other}"))
        if telling.tries:
            self.part("What to try")
        for attempt in telling.tries:
            self.item(manner.text(attempt))
