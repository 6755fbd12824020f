"""What all Ground Truth manifests share: JSON Lines, the source of an object, and names of attributes.

Rules are those of the SageMaker developer guide ("Input Data", "Output Data" and "Label Category
Configuration"): one JSON object per line, ``source-ref`` (an S3 URI) or ``source`` (inline text), at most
100,000 characters per line and 20,000 per attribute, no name that starts with ``$``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

SOURCE_REF = "source-ref"
SOURCE = "source"
MAX_LINE_CHARACTERS = 100_000
MAX_ATTRIBUTE_CHARACTERS = 20_000

_ATTRIBUTE_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,126}")
_MAX_ATTRIBUTE_NAME = 127


class JsonLineError(ValueError):
    """A line cannot be used; the text says why and the fix, and leaves file and line to the caller."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line

    def __reduce__(self) -> tuple[type[JsonLineError], tuple[int, str]]:
        return type(self), (self.line, str(self))


def json_objects(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each line's number and object; blank lines are skipped.

    Lines end with a line feed only, since JSON text may hold the other line breaks of Unicode.

    :raises JsonLineError: a line is not a JSON object, names a member twice, or holds NaN or Infinity
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip(" \t\r"):
            yield number, _json_object(number, line)


def check_object(line: int, record: Mapping[str, Any]) -> None:
    """Check one object of a manifest.

    :raises JsonLineError: no source, a source-ref that is not an S3 URI, or outside the limits
    """
    sources = [name for name in (SOURCE_REF, SOURCE) if name in record]
    if not sources:
        raise JsonLineError(
            line, "has neither source-ref nor source; add the S3 URI of the object, or its text"
        )
    for name in sources:
        if not isinstance(record[name], str) or not record[name]:
            raise JsonLineError(line, f"{name} is {record[name]!r}; give a text that is not empty")
    if SOURCE_REF in record and not record[SOURCE_REF].startswith("s3://"):
        raise JsonLineError(line, f"source-ref is {record[SOURCE_REF]!r}; give an S3 URI (s3://bucket/key)")
    for name in record:
        if name.startswith("$"):
            raise JsonLineError(line, f"the name {name!r} starts with $, which is reserved; rename it")


def attribute_problem(name: str, *, reference: bool = False) -> str | None:
    """What is wrong with a label attribute name, as Ground Truth's LabelAttributeName has it, or ``None``.

    :param reference: the labels are references (semantic segmentation), whose names must end with ``-ref``
    """
    if len(name) > _MAX_ATTRIBUTE_NAME or not _ATTRIBUTE_NAME.fullmatch(name):
        return (
            f"{name!r} is not a label attribute name; use up to {_MAX_ATTRIBUTE_NAME} letters, digits and "
            "hyphens, with a letter or digit first and last"
        )
    if name in {SOURCE, SOURCE_REF}:
        return f"{name!r} names the object itself in a manifest; choose another label attribute name"
    if name.endswith("-metadata"):
        return f"{name!r} ends with -metadata, which is kept for the label's metadata; choose another name"
    if name.endswith("-ref") and not reference:
        return f"{name!r} ends with -ref, which is kept for labels in files of their own; choose another name"
    if reference and not name.endswith("-ref"):
        return f"{name!r} must end with -ref, since these labels are files of their own"
    return None


def _json_object(number: int, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line, object_pairs_hook=_members, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise JsonLineError(
            number, f"is not JSON ({error.msg} at character {error.pos + 1}); give one JSON object per line"
        ) from None
    except (ValueError, RecursionError) as error:
        message = "is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise JsonLineError(number, f"{message}; give one plain JSON object per line") from None
    if not isinstance(value, dict):
        raise JsonLineError(number, "is not a JSON object; give one JSON object per line")
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"names {twice!r} twice")
    return members


def _no_constant(name: str) -> None:
    raise ValueError(f"holds {name}, which JSON does not have")
