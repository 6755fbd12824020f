"""Limits that the service model does not state: lengths, ranges and characters.

Source: the API reference of Mechanical Turk, the older editions (2008, 2014) for numbers that the last
one dropped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from workforce.market.errors import RequestError, invalid
from workforce.market.money import MOST_CENTS, dollars, parse_dollars

YEAR_S = 31_536_000
MONTH_S = 2_592_000
SHORTEST_S = 30
MOST_ASSIGNMENTS = 1_000_000_000
QUESTION_BYTES = 65_535
PAGE_MOST = 100
MESSAGE_CHARACTERS = 4096

_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def whole(params: Mapping[str, Any], field: str, least: int, most: int, default: int | None = None) -> int:
    """An integer parameter within its range; `default` where it may be absent."""
    value = params.get(field)
    if value is None:
        if default is None:
            raise invalid(field, "is required")
        return default
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid(field, "must be a whole number")
    if not least <= value <= most:
        raise invalid(field, f"must be between {least} and {most}, got {value}")
    return value


def text(params: Mapping[str, Any], field: str, most: int) -> str:
    """A required text of 1 to `most` characters."""
    value = optional_text(params, field, most)
    if not value:
        raise invalid(field, "is required and must not be empty")
    return value


def optional_text(params: Mapping[str, Any], field: str, most: int) -> str | None:
    """A text of at most `most` characters that a database can keep, or None."""
    value = params.get(field)
    if value is None:
        return None
    if not isinstance(value, str):
        raise invalid(field, "must be a string")
    if len(value) > most:
        raise invalid(field, f"must be at most {most} characters, got {len(value)}")
    if "\x00" in value or not _encodable(value):
        raise invalid(field, "contains a null character or an unpaired surrogate; remove it")
    return value


def dollar_cents(params: Mapping[str, Any], field: str, least_cents: int = 0) -> int:
    """An amount of US dollars in cents."""
    value = params.get(field)
    cents = parse_dollars(value) if isinstance(value, str) else None
    if cents is None:
        raise invalid(field, 'must be US dollars as a string with at most two decimals, such as "0.05"')
    if not least_cents <= cents <= MOST_CENTS:
        raise invalid(field, f"must be between {dollars(least_cents)} and {dollars(MOST_CENTS)}")
    return cents


def feedback(params: Mapping[str, Any], *, required: bool) -> str | None:
    """RequesterFeedback: at most 1024 characters, no control characters but tab and line ends."""
    value = optional_text(params, "RequesterFeedback", 1024)
    if value is None and required:
        raise invalid("RequesterFeedback", "is required")
    if value is not None:
        _check_characters(value, "RequesterFeedback")
    return value


def message(params: Mapping[str, Any], field: str, most: int = MESSAGE_CHARACTERS) -> str:
    """A required text to a worker, in the same characters as feedback, with something to read in it."""
    value = text(params, field, most)
    if not value.strip():
        raise invalid(field, "is required and must not be blank")
    _check_characters(value, field)
    return value


def question_text(params: Mapping[str, Any]) -> str:
    """The question XML, within its size."""
    value = params.get("Question")
    if not isinstance(value, str) or not value:
        raise invalid("Question", "is required, unless HITLayoutId is given")
    if not _encodable(value):
        raise invalid("Question", "contains an unpaired surrogate; remove it")
    size = len(value.encode())
    if size > QUESTION_BYTES:
        raise invalid("Question", f"must be at most {QUESTION_BYTES} bytes of UTF-8, got {size}")
    return value


def page_size(params: Mapping[str, Any], default: int) -> int:
    """MaxResults."""
    return whole(params, "MaxResults", 1, PAGE_MOST, default)


def object_id(params: Mapping[str, Any], field: str) -> str:
    """An identifier; its pattern is the service model's concern."""
    return text(params, field, 64)


def token(params: Mapping[str, Any]) -> str | None:
    """UniqueRequestToken, 1 to 64 characters, or None."""
    value = optional_text(params, "UniqueRequestToken", 64)
    if value == "":
        raise RequestError("UniqueRequestToken: must have 1 to 64 characters, got none")
    return value


def _check_characters(value: str, field: str) -> None:
    if _FORBIDDEN.search(value):
        raise invalid(field, "contains a control character (ASCII 0-8, 11, 12, 14-31); remove it")


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
