"""Reads a JSON document by a botocore shape: converts values and collects broken constraints."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from workforce.api import patterns

_INTEGER_BITS = {"integer": 32, "long": 64}
_SHOWN_CHARACTERS = 200
_SHOWN_PROBLEMS = 20
_KINDS: dict[type, str] = {
    str: "STRING_VALUE",
    int: "NUMBER_VALUE",
    float: "NUMBER_VALUE",
    list: "START_ARRAY",
}


class ValidationFailed(Exception):
    """The request breaks the service's model.

    ``code`` is AWS's error code for it, ``messages`` has one sentence for each broken constraint.
    """

    code = "ValidationException"

    def __init__(self, messages: list[str]) -> None:
        self.messages = messages
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """All problems in AWS's own wording."""
        noun = "error" if len(self.messages) == 1 else "errors"
        shown = "; ".join(self.messages[:_SHOWN_PROBLEMS])
        return f"{len(self.messages)} validation {noun} detected: {shown}"


class SerializationFailed(ValidationFailed):
    """The body is no JSON object, or a value has the wrong JSON type.

    ``member`` is the path of the value, None when the document itself is unreadable.
    """

    code = "SerializationException"

    def __init__(self, problem: str, member: str | None = None) -> None:
        self.member = member
        super().__init__([problem])

    @property
    def message(self) -> str:
        """The problem, without a count: the reader stops at the first."""
        return self.messages[0]


class UnknownOperation(ValidationFailed):
    """The service has no such operation."""

    code = "UnknownOperationException"

    @property
    def message(self) -> str:
        """The problem in one sentence."""
        return self.messages[0]


def java_member_name(name: str) -> str:
    """Return the name as AWS's messages write it: ``MaxResults`` is 'maxResults'."""
    return name[:1].lower() + name[1:]


class ShapeReader:
    """One pass over one document; ``problems`` holds the broken constraints afterwards."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._readers: dict[str, Callable[[Any, Any, str], Any]] = {
            "structure": self._structure,
            "list": self._list,
            "map": self._map,
            "string": self._string,
            "character": self._string,
            "integer": self._integer,
            "long": self._integer,
            "float": self._float,
            "double": self._float,
            "boolean": self._boolean,
            "timestamp": self._timestamp,
            "blob": self._blob,
        }

    def read(self, shape: Any, value: Any, path: str = "") -> Any:
        """Convert ``value``; raises SerializationFailed on a wrong JSON type."""
        return self._readers[shape.type_name](shape, value, path)

    def _fail(self, path: str, value: Any, constraint: str, shape: Any = None) -> None:
        if shape is not None and shape.metadata.get("sensitive"):
            shown = "Value"
        elif value is None:
            shown = "Value null"
        else:
            text = _printed(value)
            shown = f"Value '{text[:_SHOWN_CHARACTERS]}{'...' if len(text) > _SHOWN_CHARACTERS else ''}'"
        self.problems.append(f"{shown} at '{path}' failed to satisfy constraint: {constraint}")

    def _structure(self, shape: Any, value: Any, path: str) -> Any:
        _expect(value, dict, "a structure", path)
        if getattr(shape, "is_document_type", False):
            return value
        prefix = f"{path}." if path else ""
        out: dict[str, Any] = {}
        for name, member in shape.members.items():
            given = value.get(member.serialization.get("name", name))
            member_path = prefix + java_member_name(name)
            if given is not None:
                out[name] = self.read(member, given, member_path)
            elif name in shape.required_members:
                self._fail(member_path, None, "Member must not be null")
        if getattr(shape, "is_tagged_union", False) and len(out) != 1:
            self._fail(path, ", ".join(out), "Union must have exactly one member set")
        return out

    def _list(self, shape: Any, value: Any, path: str) -> list[Any]:
        _expect(value, list, "a list", path)
        self._check_size(shape, value, path, "length")
        out = []
        for number, item in enumerate(value, start=1):
            item_path = f"{path}.{number}.member"
            if item is None:
                self._fail(item_path, None, "Member must not be null")
            else:
                out.append(self.read(shape.member, item, item_path))
        return out

    def _map(self, shape: Any, value: Any, path: str) -> dict[str, Any]:
        _expect(value, dict, "a map", path)
        self._check_size(shape, value, path, "length")
        out = {}
        for key, item in value.items():
            self._string(shape.key, key, f"{path}.key")
            item_path = f"{path}.{key[:_SHOWN_CHARACTERS]}.member"
            if item is None:
                self._fail(item_path, None, "Member must not be null")
            else:
                out[key] = self.read(shape.value, item, item_path)
        return out

    def _string(self, shape: Any, value: Any, path: str) -> str:
        _expect(value, str, "a String", path)
        text: str = value
        if not _storable(text):
            raise SerializationFailed(f"String at '{path}' has a NUL or an unpaired surrogate", path)
        if not self._check_size(shape, text, path, "length"):
            return text  # a value that is far too long is not worth a regular expression
        pattern = shape.metadata.get("pattern")
        if pattern and not patterns.matches(pattern, text):
            constraint = f"Member must satisfy regular expression pattern: {pattern}"
            self._fail(path, text, constraint, shape)
        allowed = shape.metadata.get("enum")
        if allowed and text not in allowed:
            constraint = f"Member must satisfy enum value set: [{', '.join(allowed)}]"
            self._fail(path, text, constraint, shape)
        return text

    def _integer(self, shape: Any, value: Any, path: str) -> int:
        article = "an Integer" if shape.type_name == "integer" else "a Long"
        whole = isinstance(value, float) and value.is_integer()
        if isinstance(value, bool) or not (isinstance(value, int) or whole):
            raise _conversion(value, article, path)
        number = int(value)
        limit = 2 ** (_INTEGER_BITS[shape.type_name] - 1)
        if not -limit <= number < limit:
            raise SerializationFailed(f"{number} at '{path}' is out of range for {article}", path)
        self._check_size(shape, number, path, "value")
        return number

    def _float(self, shape: Any, value: Any, path: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _conversion(value, f"a {shape.type_name.capitalize()}", path)
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isinf(number):
            raise SerializationFailed(f"The number at '{path}' is out of range", path)
        self._check_size(shape, number, path, "value")
        return number

    def _boolean(self, shape: Any, value: Any, path: str) -> bool:
        _expect(value, bool, "a Boolean", path)
        return bool(value)

    def _timestamp(self, shape: Any, value: Any, path: str) -> datetime:
        try:
            return _moment(value)
        except (ValueError, TypeError, OverflowError, OSError) as error:
            problem = f"{_kind(value)} can not be converted to a Timestamp at '{path}'"
            raise SerializationFailed(problem, path) from error

    def _blob(self, shape: Any, value: Any, path: str) -> bytes:
        _expect(value, str, "a Blob", path)
        try:
            content = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise SerializationFailed(f"The Blob at '{path}' is not base64", path) from error
        self._check_size(shape, content, path, "length")
        return content

    def _check_size(self, shape: Any, value: Any, path: str, what: str) -> bool:
        size = value if what == "value" else len(value)
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if low is not None and size < low:
            self._fail(path, value, f"Member must have {what} greater than or equal to {low}", shape)
        if high is not None and size > high:
            self._fail(path, value, f"Member must have {what} less than or equal to {high}", shape)
        return high is None or size <= high


def _storable(text: str) -> bool:
    if "\x00" in text:
        return False
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _printed(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}={item}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(str(item) for item in value) + "]"
    return str(value)


def _expect(value: Any, kind: type, article: str, path: str) -> None:
    if not isinstance(value, kind):
        raise _conversion(value, article, path)


def _conversion(value: Any, article: str, path: str) -> SerializationFailed:
    where = f" at '{path}'" if path else ""
    return SerializationFailed(f"{_kind(value)} can not be converted to {article}{where}", path or None)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "TRUE_VALUE" if value else "FALSE_VALUE"
    if value is None:
        return "NULL_VALUE"
    return _KINDS.get(type(value), "START_OBJECT")


def _moment(value: Any) -> datetime:
    """Read epoch seconds (whole or with a fraction), ISO 8601 or RFC 822 as an aware UTC datetime."""
    if isinstance(value, bool):
        raise TypeError("a boolean is no timestamp")
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, tz=UTC)
    if not isinstance(value, str):
        raise TypeError("not a timestamp")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = parsedate_to_datetime(value)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
