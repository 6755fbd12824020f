"""Question XML: what a HIT asks, checked when the HIT is made."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from workforce.market.errors import PREFIX, RequestError
from workforce.market.views import Question, QuestionKind

_SCHEMAS = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/"
HTML_QUESTION = f"{_SCHEMAS}2011-11-11/HTMLQuestion.xsd"
EXTERNAL_QUESTION = f"{_SCHEMAS}2006-07-14/ExternalQuestion.xsd"
QUESTION_FORM = f"{_SCHEMAS}2017-11-06/QuestionForm.xsd"
QUESTION_FORM_2005 = f"{_SCHEMAS}2005-10-01/QuestionForm.xsd"

_ROOTS: dict[str, QuestionKind] = {
    f"{{{HTML_QUESTION}}}HTMLQuestion": "html",
    f"{{{EXTERNAL_QUESTION}}}ExternalQuestion": "external",
    f"{{{QUESTION_FORM}}}QuestionForm": "form",
    f"{{{QUESTION_FORM_2005}}}QuestionForm": "form",
}
_HOST_NAME = re.compile(r"[A-Za-z0-9.-]{1,253}")
_CONTENT = {"html": "HTMLContent", "external": "ExternalURL"}


def parse_question(xml: str) -> Question:
    """Read and check question XML; raises RequestError (XMLParseError) with what is wrong.

    A DOCTYPE, entities and external references are refused.
    """
    try:
        root: Element = fromstring(xml, forbid_dtd=True)
    except (ParseError, ValueError, DefusedXmlException) as error:
        raise _bad(f"it is not well-formed XML: {_one_line(error)}") from error
    kind = _ROOTS.get(root.tag)
    if kind is None:
        raise _bad(
            f"the root element is {_shown(root.tag)}; it must be HTMLQuestion in {HTML_QUESTION}, "
            f"ExternalQuestion in {EXTERNAL_QUESTION} or QuestionForm in {QUESTION_FORM}"
        )
    if kind == "form":
        _check_form(root)
        return Question("form", xml, "", 0)
    content, height = _pair(root, _CONTENT[kind])
    if kind == "external":
        return Question("external", "", _https(content), height)
    return Question("html", content, "", height)


def _pair(root: Element, first: str) -> tuple[str, int]:
    """The text of the first element and the frame height: both required, in this order, nothing else."""
    namespace = root.tag[: root.tag.index("}") + 1]
    name = root.tag[len(namespace) :]
    if [child.tag for child in root] != [namespace + first, f"{namespace}FrameHeight"]:
        found = ", ".join(_shown(child.tag) for child in root) or "nothing"
        raise _bad(f"{name} must hold {first} and then FrameHeight, both in its namespace; it holds {found}")
    for child in root:
        if len(child):
            inner = _shown(child[0].tag)
            raise _bad(f"{_shown(child.tag)} holds the element {inner}; wrap its text in a CDATA section")
    content = root[0].text or ""
    if not content.strip():
        raise _bad(f"{first} is empty")
    return content, _height((root[1].text or "").strip())


def _height(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise _bad(f"FrameHeight must be a whole number of pixels, 0 to fill the window; it is {text[:40]!r}")
    return int(text)


def _https(text: str) -> str:
    url = text.strip()
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port  # reading the port is what checks it
    except ValueError as error:
        raise _bad(f"ExternalURL is not a URL: {_one_line(error)}; it is {url[:80]!r}") from error
    if parts.scheme != "https" or not host or any(c.isspace() or not c.isprintable() for c in url):
        raise _bad(f"ExternalURL must be an https URL; it is {url[:80]!r}")
    if "@" in parts.netloc:
        raise _bad("ExternalURL holds a user name or password; leave out what stands before the @")
    if not _is_host(host):
        raise _bad(
            f"ExternalURL has the host {host[:80]!r}; it must be an IP address or a name of letters, digits, "
            "dots and hyphens (write an international name in its xn-- form)"
        )
    return url


def _is_host(text: str) -> bool:
    if _HOST_NAME.fullmatch(text):
        return True
    try:
        return ipaddress.ip_address(text).version == 6 and "%" not in text
    except ValueError:
        return False


def _check_form(root: Element) -> None:
    namespace = root.tag[: root.tag.index("}") + 1]
    allowed = {f"{namespace}Overview", f"{namespace}Question"}
    for child in root:
        if child.tag not in allowed:
            raise _bad(f"QuestionForm holds {_shown(child.tag)}; only Overview and Question may be there")
    identifiers = [q.findtext(f"{namespace}QuestionIdentifier") for q in root.iter(f"{namespace}Question")]
    if not identifiers:
        raise _bad("QuestionForm holds no Question")
    if not all(identifiers):
        raise _bad("a Question of the QuestionForm has no QuestionIdentifier")
    if len(set(identifiers)) != len(identifiers):
        raise _bad("two Questions of the QuestionForm have the same QuestionIdentifier")


def _shown(tag: object) -> str:
    text = str(tag)
    namespace, _, name = text[1:].rpartition("}") if text.startswith("{") else ("", "", text)
    return f"{name[:60]} (namespace {namespace[:120] or 'none'})"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _bad(problem: str) -> RequestError:
    return RequestError(
        f"There was an error parsing the XML question or answer data in your request. "
        f"Please make sure the data is well-formed and validates against the appropriate schema. "
        f"Details: Question: {problem}",
        f"{PREFIX}XMLParseError",
    )
