"""The kinds of values that batch options take, as annotated types for the models."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from groundswell.batches.units import parse_duration, parse_money

_S3_URI = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[^\x00-\x1f\x7f]*)?")
_STATE_ADVICE = "write s3://bucket/prefix, file:///absolute/path, or a path relative to the batch file"
_T = TypeVar("_T")


def _listed(value: object) -> object:
    """YAML gives lists; a frozen model holds tuples."""
    return tuple(value) if isinstance(value, list) else value


def _base(info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    return folder if isinstance(folder, Path) else Path.cwd()


def _local(value: object, info: ValidationInfo) -> object:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} is not a path; write one relative to the batch file")
    if "://" in value:
        raise ValueError(f"{value!r} must be a path on disk, relative to the batch file")
    if "\x00" in value:
        raise ValueError(f"{value!r} is not a path")
    return Path(_base(info), value).resolve()


def _location(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str) and value.startswith("s3://"):
        return _s3_uri(value)
    return str(_local(value, info))


def folder_of(uri: str) -> Path:
    """Return the folder that ``file:///…`` names, with what is escaped in it."""
    return Path(url2pathname(urlsplit(uri).path))


def _state(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} is neither s3://bucket/prefix nor a folder; {_STATE_ADVICE}")
    if value.startswith("s3://"):
        return _s3_uri(value)
    if value.startswith("file://"):
        parts = urlsplit(value)
        if parts.netloc or parts.query or parts.fragment or not parts.path.startswith("/"):
            raise ValueError(f"{value!r} does not name a folder of this machine; write file:///absolute/path")
        value = str(folder_of(value))
    if "://" in value or "\x00" in value:
        raise ValueError(f"{value!r} is neither s3://bucket/prefix nor a folder; {_STATE_ADVICE}")
    return Path(_base(info), value).resolve().as_uri()


def _s3_uri(value: str) -> str:
    if _S3_URI.fullmatch(value) is None:
        raise ValueError(f"{value!r} is not an S3 URI; write s3://bucket or s3://bucket/prefix")
    return value.rstrip("/")


def _key(value: str) -> str:
    parts = value.split("/")
    if not value or "" in parts or ".." in parts or "." in parts or not value.isprintable():
        raise ValueError(
            f"{value!r} is not a name below output.uri; write one such as trainingdata/train.csv"
        )
    return value


def _line(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise ValueError(f"{value!r} is empty or has control characters; write one line of plain text")
    return value


def _text(value: str) -> str:
    if not value.replace("\n", "").replace("\t", "").isprintable():
        raise ValueError("has control characters; write plain text")
    return value


def matching(pattern: str, advice: str) -> AfterValidator:
    """A validator for strings that match ``pattern`` from end to end; ``advice`` says how to write one."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if compiled.fullmatch(value) is None:
            raise ValueError(f"{value!r} does not fit; {advice}")
        return value

    return AfterValidator(check)


def between(low: timedelta, high: timedelta, words: str) -> AfterValidator:
    """A validator for durations; ``words`` names the range."""

    def check(value: timedelta) -> timedelta:
        if not low <= value <= high:
            raise ValueError(f"must be {words}")
        return value

    return AfterValidator(check)


def unique(what: str) -> Callable[[tuple[_T, ...]], tuple[_T, ...]]:
    """A check that no entry of a list is there twice."""

    def check(values: tuple[_T, ...]) -> tuple[_T, ...]:
        for position, value in enumerate(values):
            if value in values[:position]:
                raise ValueError(f"{what} {value!r} is there twice; remove one of them")
        return values

    return check


Listed = BeforeValidator(_listed)
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Money = Annotated[Decimal, BeforeValidator(parse_money)]
LocalPath = Annotated[Path, BeforeValidator(_local)]
"""A path on disk, made absolute from the folder of the batch file."""
Location = Annotated[str, BeforeValidator(_location)]
"""An absolute path on disk, or an S3 URI."""
StateUri = Annotated[str, BeforeValidator(_state)]
"""An S3 URI, or ``file:///…`` of a folder; a path is made absolute from the folder of the batch file."""
S3Uri = Annotated[str, AfterValidator(_s3_uri)]
"""``s3://bucket`` or ``s3://bucket/prefix``, without a slash at the end."""
ObjectKey = Annotated[str, AfterValidator(_key)]
Line = Annotated[str, AfterValidator(_line)]
Text = Annotated[str, AfterValidator(_text)]
Name = Annotated[
    str,
    matching(
        r"(?=.{1,63}\Z)[a-z0-9](?:-*[a-z0-9])*",
        "use 1 to 63 lower-case letters, digits and hyphens between them: iris-2027",
    ),
]
AwsName = Annotated[
    str,
    matching(
        r"(?=.{1,63}\Z)[a-zA-Z0-9](?:-*[a-zA-Z0-9])*", "use 1 to 63 letters, digits and hyphens between them"
    ),
]
