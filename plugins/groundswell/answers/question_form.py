"""The answer document of an assignment (QuestionFormAnswers, 2005-10-01) as a dictionary.

The document is made from what a stranger typed, so it is read without a DTD: no entity, internal or external,
is ever expanded.
"""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

import xmltodict

from groundswell.answers.values import Fields, show
from groundswell.errors import AnswerError

ANSWERS_SCHEMA = (
    "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2005-10-01/QuestionFormAnswers.xsd"
)
MAX_ANSWER_BYTES = 4_000_000
"""Far above what the API delivers; guards the memory of the reader."""

_SEPARATOR = " "
_PREFIX = f"{ANSWERS_SCHEMA}{_SEPARATOR}"
_VALUES = (
    "FreeText",
    "SelectionIdentifier",
    "OtherSelectionText",
    "UploadedFileKey",
    "UploadedFileSizeInBytes",
)


class _NoDtd:
    """Stands in for the ``expat`` module: its parsers refuse a document type, and so all entities."""

    @staticmethod
    def ParserCreate(encoding: str | None, namespace_separator: str | None) -> Any:
        parser = expat.ParserCreate(encoding, namespace_separator)
        parser.StartDoctypeDeclHandler = _refuse_dtd
        return parser


def _refuse_dtd(*_: object) -> None:
    raise AnswerError("the answer has a document type declaration, which is not allowed")


def parse_answer(xml: str) -> Fields:
    """Read the ``Answer`` of an assignment.

    Returns:
        A value for each QuestionIdentifier: text as it was entered ("" if the field was left empty), a list
        of the ticked choices (with the text of "other" at its end, if there is one), the key of an uploaded
        file, or None if the answer says nothing at all.

    Raises:
        AnswerError: if the document is not well-formed, has a DTD, or is not a QuestionFormAnswers document.
    """
    document = _read(xml)
    root = f"{_PREFIX}QuestionFormAnswers"
    if root not in document:
        raise AnswerError("the answer is not a QuestionFormAnswers document of 2005-10-01")
    fields: Fields = {}
    for answer in _children(document[root], "Answer"):
        name, value = _field(answer)
        if name in fields:
            raise AnswerError(f"the answer has the field {show(name)} twice")
        fields[name] = value
    return fields


def _read(xml: str) -> dict[str, Any]:
    try:
        document = xml.encode("utf-8")
    except UnicodeEncodeError:
        raise AnswerError("the answer has characters that are not Unicode") from None
    if len(document) > MAX_ANSWER_BYTES:
        raise AnswerError(f"the answer has {len(document):,} bytes, more than {MAX_ANSWER_BYTES:,}")
    try:
        # given as str, so the declared encoding (samples in the wild say ASCII) no longer matters
        parsed: dict[str, Any] = xmltodict.parse(
            document,
            encoding="utf-8",
            expat=_NoDtd,
            process_namespaces=True,
            namespace_separator=_SEPARATOR,
            xml_attribs=False,
            strip_whitespace=False,
        )
    except expat.ExpatError as error:
        raise AnswerError(f"the answer is not well-formed XML: {error}") from None
    except ValueError as error:
        raise AnswerError(f"the answer cannot be read: {show(str(error))}") from None
    return parsed


def _children(parent: object, name: str) -> list[Any]:
    """The child elements of that name; a parent without any may hold white space only."""
    if parent is None or (isinstance(parent, str) and not parent.strip()):
        return []
    if not isinstance(parent, dict):
        raise AnswerError(f"the answer has text where fields belong: {show(parent)}")
    found = parent.get(f"{_PREFIX}{name}", [])
    return found if isinstance(found, list) else [found]


def _field(answer: object) -> tuple[str, str | list[str] | None]:
    names = _texts(answer, "QuestionIdentifier")
    if len(names) != 1 or not names[0].strip():
        raise AnswerError("the answer has a field without a QuestionIdentifier")
    name = names[0].strip()
    texts = {value: _texts(answer, value) for value in _VALUES}
    if len(texts["FreeText"]) > 1 or len(texts["UploadedFileKey"]) > 1:
        raise AnswerError(f"the answer has more than one value for {show(name)}")
    if texts["FreeText"]:
        return name, texts["FreeText"][0]
    if texts["UploadedFileKey"]:
        return name, texts["UploadedFileKey"][0]
    choices = texts["SelectionIdentifier"] + texts["OtherSelectionText"]
    return name, choices or None


def _texts(answer: object, name: str) -> list[str]:
    texts = ["" if text is None else text for text in _children(answer, name)]
    for text in texts:
        if not isinstance(text, str):
            raise AnswerError(f"the answer has elements inside {name}, which takes text only")
    return texts
