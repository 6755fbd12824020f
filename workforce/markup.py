"""The tags of an HTML document, found in time proportional to its length.

Python's own parser goes back to the next `<` after each tag without an end, so a hostile page keeps it busy
for minutes, and it raises on odd declarations. This follows the tokenizer of the HTML standard (13.2.5) as
far as tags go: nothing is looked at twice, and nothing is wrong enough to raise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from typing import Final

_OPENING: Final = re.compile(r"<(?:(/?)([a-z][^\s/>]*)|(!--)|(!doctype)|[!?/])", re.IGNORECASE | re.ASCII)
_NAME: Final = re.compile(r"[\s/]*(?:(>)|([^\s/>][^\s/>=]*))", re.ASCII)
_VALUE: Final = re.compile(r"""\s*+=\s*+(?:"([^"]*)"|'([^']*)'|(?!["'])([^\s>]*))""", re.ASCII)
_EQUALS: Final = re.compile(r"\s*+=", re.ASCII)
_EMPTY_COMMENT: Final = re.compile(r"-?>")
_COMMENT_END: Final = re.compile(r"-->|--!>")
_TEXT_ONLY: Final = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE | re.ASCII)
    for name in ("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "noscript")
}
_LONGEST_REFERENCES: Final = 4000  # a number with more digits than that is an error to Python


@dataclass(frozen=True)
class Attribute:
    """One attribute; `start` to `end` is its whole text in the document."""

    name: str
    value: str
    start: int
    end: int


@dataclass(frozen=True)
class Tag:
    """A tag, or a doctype (named "!doctype"); names are in lower case, `start` to `end` is its text."""

    name: str
    closing: bool
    start: int
    end: int
    attributes: tuple[Attribute, ...] = ()

    def get(self, name: str) -> Attribute | None:
        """The attribute of a name: of several the first counts, as in a browser."""
        return next((attribute for attribute in self.attributes if attribute.name == name), None)


class Unfinished(Exception):
    """The document ends inside of something; a browser drops what was begun."""


def tags(html: str) -> Iterator[Tag]:
    """The tags of a document in order; those that a browser takes for text are left out.

    Raises Unfinished at the end of a document that ends inside a tag, a comment, or an element that holds
    only text.
    """
    at = 0
    while (opening := _OPENING.search(html, at)) is not None:
        name = opening[2]
        if name is None:
            at = _declaration_end(html, opening)
            if opening[4]:
                yield Tag("!doctype", False, opening.start(), at)
            continue
        tag = _tag(html, opening)
        yield tag
        at = tag.end
        if tag.name == "plaintext" and not tag.closing:
            return
        if tag.name in _TEXT_ONLY and not tag.closing:
            at = _found(_TEXT_ONLY[tag.name].search(html, at)).start()


def _declaration_end(html: str, opening: re.Match[str]) -> int:
    if not opening[3]:
        end = html.find(">", opening.end())
        if end < 0:
            raise Unfinished
        return end + 1
    if short := _EMPTY_COMMENT.match(html, opening.end()):
        return short.end()
    return _found(_COMMENT_END.search(html, opening.end())).end()


def _tag(html: str, opening: re.Match[str]) -> Tag:
    attributes: list[Attribute] = []
    at = opening.end()
    while True:
        name = _found(_NAME.match(html, at))
        at = name.end()
        if name[1]:
            return Tag(opening[2].lower(), bool(opening[1]), opening.start(), at, tuple(attributes))
        written = ""
        if value := _VALUE.match(html, at):
            written = next(group for group in value.groups() if group is not None)
            at = value.end()
        elif _EQUALS.match(html, at):
            raise Unfinished  # the quotation mark at its end is missing
        attributes.append(Attribute(name[2].lower(), _unescaped(written), name.start(2), at))


def _unescaped(written: str) -> str:
    return unescape(written) if len(written) <= _LONGEST_REFERENCES else written


def _found(match: re.Match[str] | None) -> re.Match[str]:
    if match is None:
        raise Unfinished
    return match
