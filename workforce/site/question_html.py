"""Makes a requester's HTML page submit to this site.

Real templates hard-code https://www.mturk.com/mturk/externalSubmit. Only the tags that must change are
replaced; every other character of the document stays as the requester wrote it. Forms that a script makes
or changes later are handled in the browser by the injected `question.js`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from html import escape
from html.parser import HTMLParser
from itertools import accumulate

from workforce.site.context import STATIC

PREVIEW_ASSIGNMENT = "ASSIGNMENT_ID_NOT_AVAILABLE"

_ORIGINAL = re.compile(
    r"^\s*(?:https?:)?//(?:www|workersandbox)\.mturk\.com(?=/mturk/externalSubmit\b)", re.IGNORECASE
)
_SUBMIT_PATH = "/mturk/externalSubmit"
_Attributes = Sequence[tuple[str, str | None]]


def prepare_question(html: str, *, origin: str, assignment_id: str) -> str:
    """The document with its forms pointed at `origin` and its assignment id filled in."""
    scanner = _Scanner(html, origin, assignment_id)
    scanner.feed(html)
    scanner.close()
    return scanner.rewritten()


@cache
def _script() -> str:
    return (STATIC / "question.js").read_text(encoding="utf-8")


class _Scanner(HTMLParser):
    """Collects replacements as (start, end, text) in offsets of the document."""

    def __init__(self, html: str, origin: str, assignment_id: str) -> None:
        super().__init__(convert_charrefs=False)
        self._html = html
        self._lines = [0, *accumulate(len(line) + 1 for line in html.split("\n"))]
        self._origin = origin
        self._assignment_id = assignment_id
        self._edits: list[tuple[int, int, str]] = []
        self._script_at: tuple[int, int] = (0, 0)  # rank of the tag it follows, offset
        self._form_end: int | None = None
        self._has_field = False

    def rewritten(self) -> str:
        """The document with all replacements made."""
        self._end_form()
        data = f'data-origin="{escape(self._origin)}" data-assignment="{escape(self._assignment_id)}"'
        at = self._script_at[1]
        self._edits.append((at, at, f"<script {data}>{_script()}</script>"))
        parts: list[str] = []
        done = 0
        for start, end, text in sorted(self._edits, key=lambda edit: edit[:2]):
            parts += [self._html[done:start], text]
            done = end
        return "".join((*parts, self._html[done:]))

    # --- called by HTMLParser ---------------------------------------------------------------------

    def handle_decl(self, decl: str) -> None:
        """The script must come after the doctype, or the page would be laid out in quirks mode."""
        self._script_after(1, self._offset() + len(decl) + len("<!>"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at one tag."""
        start, end = self._offset(), self._offset() + len(self.get_starttag_text() or "")
        if tag in ("html", "head"):
            self._script_after(2 if tag == "html" else 3, end)
        elif tag == "form":
            self._begin_form(start, end, attrs)
        elif tag in ("input", "button"):
            self._control(tag, start, end, attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """In HTML the slash of <input/> means nothing."""
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        """Notice the end of a form."""
        if tag == "form":
            self._end_form()

    # --- what they need ---------------------------------------------------------------------------

    def _offset(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column

    def _script_after(self, rank: int, offset: int) -> None:
        if rank > self._script_at[0]:
            self._script_at = (rank, offset)

    def _begin_form(self, start: int, end: int, attrs: _Attributes) -> None:
        self._end_form()
        action = next((value for name, value in attrs if name == "action"), None) or ""
        target = _ORIGINAL.sub(self._origin, action)
        if _SUBMIT_PATH in target:
            self._form_end, self._has_field = end, False
        if target != action:
            self._edits.append((start, end, _tag("form", _with(attrs, "action", target))))

    def _end_form(self) -> None:
        """A form that ends without the field gets it right after its start tag."""
        if self._form_end is not None and not self._has_field:
            value = escape(self._assignment_id)
            field = f'<input type="hidden" name="assignmentId" value="{value}">'
            self._edits.append((self._form_end, self._form_end, field))
        self._form_end = None

    def _control(self, tag: str, start: int, end: int, attrs: _Attributes) -> None:
        given = dict(attrs)
        changed = attrs
        if tag == "input" and given.get("name") == "assignmentId":
            self._has_field = True
            changed = _with(attrs, "value", self._assignment_id)
        if (action := given.get("formaction")) and _ORIGINAL.match(action):
            changed = _with(changed, "formaction", _ORIGINAL.sub(self._origin, action))
        if changed is not attrs:
            self._edits.append((start, end, _tag(tag, changed)))


def _with(attrs: _Attributes, name: str, value: str) -> _Attributes:
    return [*((key, old) for key, old in attrs if key != name), (name, value)]


def _tag(tag: str, attrs: _Attributes) -> str:
    parts = [tag, *(name if value is None else f'{name}="{escape(value)}"' for name, value in attrs)]
    return f"<{' '.join(parts)}>"
