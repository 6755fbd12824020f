"""Makes a requester's HTML page submit to this site.

Real templates hard-code https://www.mturk.com/mturk/externalSubmit. Only the attributes that must change are
replaced; every other character of the document stays as the requester wrote it. Forms that a script makes
or changes later are handled in the browser by the injected `question.js`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from html import escape
from typing import Literal

from workforce.markup import Tag, Unfinished, tags
from workforce.site.context import STATIC

PREVIEW_ASSIGNMENT = "ASSIGNMENT_ID_NOT_AVAILABLE"

_ORIGINAL = re.compile(
    r"^\s*(?:https?:)?//(?:www|workersandbox)\.mturk\.com(?=/mturk/externalSubmit\b)", re.IGNORECASE
)
_SUBMIT_PATH = "/mturk/externalSubmit"
_SCRIPT_AFTER = {"!doctype": 1, "html": 2, "head": 3}
_REMEMBERED = 128  # documents; a question has at most some tens of kilobytes


@dataclass(frozen=True)
class _Edit:
    """What replaces `start` to `end`; `rest` is the address of an action behind its origin."""

    start: int
    end: int
    what: Literal["action", "formaction", "value", "field", "script"]
    rest: str = ""

    def text(self, origin: str, assignment_id: str) -> str:
        if self.what == "script":
            data = f'data-origin="{escape(origin)}" data-assignment="{escape(assignment_id)}"'
            return f"<script {data}>{_script()}</script>"
        if self.what == "field":
            return f'<input type="hidden" name="assignmentId" value="{escape(assignment_id)}">'
        value = assignment_id if self.what == "value" else origin + self.rest
        return f' {self.what}="{escape(value)}"'


def prepare_question(html: str, *, origin: str, assignment_id: str) -> str:
    """The document with its forms pointed at `origin` and its assignment id filled in."""
    parts: list[str] = []
    done = 0
    for edit in _edits(html):
        parts += [html[done : edit.start], edit.text(origin, assignment_id)]
        done = edit.end
    return "".join((*parts, html[done:]))


@cache
def _script() -> str:
    return (STATIC / "question.js").read_text(encoding="utf-8")


@lru_cache(maxsize=_REMEMBERED)
def _edits(html: str) -> tuple[_Edit, ...]:
    scanner = _Scanner()
    try:
        for tag in tags(html):
            scanner.look_at(tag)
    except Unfinished:
        pass  # what was begun is no part of the page in a browser either
    return scanner.edits()


class _Scanner:
    def __init__(self) -> None:
        self._edits: list[_Edit] = []
        self._script_at: tuple[int, int] = (0, 0)  # rank of the tag it follows, offset
        self._form_end: int | None = None
        self._has_field = False

    def look_at(self, tag: Tag) -> None:
        if tag.name == "form":
            self._end_form()
            if not tag.closing:
                self._begin_form(tag)
        elif tag.closing:
            return
        elif tag.name in _SCRIPT_AFTER:
            # Before the doctype it would have the page laid out in quirks mode
            self._script_at = max(
                self._script_at, (_SCRIPT_AFTER[tag.name], tag.end), key=lambda found: found[0]
            )
        elif tag.name in ("input", "button"):
            self._control(tag)

    def edits(self) -> tuple[_Edit, ...]:
        """The replacements in the order of the document."""
        self._end_form()
        at = self._script_at[1]
        return tuple(sorted([*self._edits, _Edit(at, at, "script")], key=lambda edit: (edit.start, edit.end)))

    def _begin_form(self, tag: Tag) -> None:
        self._redirect(tag, "action")
        action = tag.get("action")
        if action is not None and _SUBMIT_PATH in action.value:
            self._form_end, self._has_field = tag.end, False

    def _end_form(self) -> None:
        """A form that ends without the field gets it right after its start tag."""
        if self._form_end is not None and not self._has_field:
            self._edits.append(_Edit(self._form_end, self._form_end, "field"))
        self._form_end = None

    def _control(self, tag: Tag) -> None:
        self._redirect(tag, "formaction")
        name = tag.get("name")
        if tag.name == "input" and name is not None and name.value == "assignmentId":
            self._has_field = True
            self._replace(tag, "value")

    def _redirect(self, tag: Tag, what: Literal["action", "formaction"]) -> None:
        target = tag.get(what)
        if target is not None and (original := _ORIGINAL.match(target.value)):
            self._replace(tag, what, target.value[original.end() :])

    def _replace(self, tag: Tag, what: Literal["action", "formaction", "value"], rest: str = "") -> None:
        found = tag.get(what)
        # Without the attribute, it goes right behind the tag's name
        start, end = (found.start, found.end) if found else (tag.start + 1 + len(tag.name),) * 2
        self._edits.append(_Edit(start, end, what, rest))
