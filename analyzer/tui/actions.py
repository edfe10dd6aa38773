"""What can be done with the rows of a screen: mark, annotate, copy, export."""

from __future__ import annotations

from analyzer.escape import printable
from analyzer.times import size
from analyzer.tui.copies import MOST, Form, forms
from analyzer.tui.dialogs import Choice, Letter, Menu, Prompt
from analyzer.tui.exports import Export, exports
from analyzer.tui.page import Page

NOTHING = "no row here"


def say(page: Page, text: str, bad: bool = False) -> None:
    """A word on the screen. What peers sent would be read as markup."""
    page.notify(printable(text), severity="warning" if bad else "information", timeout=6 if bad else 3, markup=False)


def mark(page: Page) -> None:
    """A letter for the row."""
    subject, label = page.subject(), page.label()
    if subject is None:
        say(page, NOTHING, bad=True)
        return
    marks = page.tui.marks
    free = marks.free()

    def take(letter: str | None) -> None:
        if letter:
            chosen = {"enter": free, "delete": ""}.get(letter, letter)
            marks.letter(subject.key, label, chosen)
            page.tui.remark()

    page.app.push_screen(Letter("mark", f"a letter; Enter takes {free}, Delete takes the mark away, Esc leaves"), take)


def annotate(page: Page) -> None:
    """A note on the row."""
    subject, label = page.subject(), page.label()
    if subject is None:
        say(page, NOTHING, bad=True)
        return
    before = page.tui.marks.of(subject.key)

    def take(note: str | None) -> None:
        if note is not None:
            page.tui.marks.annotate(subject.key, label, note)
            page.tui.remark()

    value = before.note if before is not None else ""
    page.app.push_screen(Prompt("note on this row", value, "an empty one takes the note away"), take)


# -- copy --------------------------------------------------------------------------------------------------------------


def copy(page: Page) -> None:
    """A form of the row for the clipboard."""
    subject, capture = page.subject(), page.tui.capture
    if subject is None or capture is None:
        say(page, NOTHING, bad=True)
        return
    found = {form.key: form for form in forms(capture, subject)}

    def take(key: str | None) -> None:
        if key:
            _copy(page, found[key])

    choices = [Choice(form.key, form.name) for form in found.values()]
    page.app.push_screen(Menu("copy as", choices), take)


def _copy(page: Page, form: Form) -> None:
    text = form.make()
    octets = len(text.encode("utf-8", "replace"))
    if octets > MOST:
        say(page, f"{size(octets)} are more than terminals take into the clipboard: x writes them to a file", bad=True)
        return
    page.app.copy_to_clipboard(text)
    say(page, f"{form.name} copied, {size(octets)}: as it crossed the wire, secrets included")


# -- export ------------------------------------------------------------------------------------------------------------


def export(page: Page) -> None:
    """What to write, then where."""
    capture = page.tui.capture
    found = {item.key: item for item in exports(capture, page.subject(), page.shown())} if capture is not None else {}
    if not found:
        say(page, "nothing here to export", bad=True)
        return

    def take(key: str | None) -> None:
        if key:
            _ask(page, found[key])

    choices = [Choice(item.key, item.name, item.more) for item in found.values()]
    page.app.push_screen(Menu("export", choices), take)


def _ask(page: Page, item: Export) -> None:
    def take(path: str | None) -> None:
        if path:
            page.tui.write(item, path)

    hint = "a file in this folder, or a path; one that is there is not overwritten"
    page.app.push_screen(Prompt(f"write {item.name} to", item.proposal, hint), take)
