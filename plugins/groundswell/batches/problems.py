"""Pydantic's findings about a batch file in the words of the person who wrote the file."""

from __future__ import annotations

import difflib
import types
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

_SHOWN = 80


def describe_problems(path: Path, model: type[BaseModel], error: ValidationError) -> str:
    """One line per problem: file, option, what is wrong, and the fix."""
    lines: dict[str, None] = {}
    for details in error.errors(include_url=False):
        option, what = _describe(model, details)
        lines[f"{path}: {option}: {what}" if option else f"{path}: {what}"] = None
    return "\n".join(lines)


def _describe(model: type[BaseModel], details: ErrorDetails) -> tuple[str, str]:
    location, section = _place(model, details["loc"])
    option = ".".join(str(part) for part in location)
    kind = details["type"]
    if kind == "value_error":
        return _own_words(option, str(details["ctx"]["error"]), is_section=isinstance(details["input"], dict))
    if kind == "extra_forbidden":
        return option, _unknown(str(location[-1]), list(section.model_fields))
    if kind == "missing":
        return option, "is missing; add it"
    if kind == "union_tag_invalid":
        name = details["ctx"]["discriminator"].strip("'")
        return f"{option}.{name}", _one_of_tags(details, name)
    words = _WORDS.get(kind)
    return option, words(details) if words else f"{details['msg']}, not {_show(details['input'])}"


def _place(model: type[BaseModel], location: Iterable[int | str]) -> tuple[list[int | str], type[BaseModel]]:
    """Return where a problem is, without what Pydantic adds to it, and the section in which that is.

    Pydantic puts names of union members into locations: those of Python types, which no option is called
    like, and the tag of a section that may be one of several, which an option may well be called like.
    """
    place: list[int | str] = []
    section: type[BaseModel] = model
    choices: dict[object, type[BaseModel]] = {}
    for part in location:
        if choices:
            section, choices = choices.get(part, section), {}
        elif part not in {"str", "int", "float", "bool", "[key]"}:
            place.append(part)
            field = section.model_fields.get(str(part))
            members = list(_sections(field.annotation)) if field else []
            if field and field.discriminator:
                choices = _by_tag(members, str(field.discriminator))
            elif members:
                section = members[0]
    return place, section


def _by_tag(members: Iterable[type[BaseModel]], name: str) -> dict[object, type[BaseModel]]:
    """Return the sections by the value of the option that tells them apart."""
    return {tag: each for each in members for tag in get_args(each.model_fields[name].annotation)}


def _own_words(option: str, message: str, *, is_section: bool) -> tuple[str, str]:
    """A section's own check starts with the name of the option, which belongs to the location."""
    name, separator, rest = message.partition(": ")
    if is_section and separator and name.replace(".", "").replace("_", "").isalnum():
        return (f"{option}.{name}" if option else name), rest
    return option, message


def _unknown(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"unknown option; did you mean {close[0]}?"
    return f"unknown option; remove it, the options here are {', '.join(known)}"


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in {Union, types.UnionType}:
        for member in get_args(annotation):
            yield from _sections(member)


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _not_text(details: ErrorDetails) -> str:
    value = details["input"]
    if isinstance(value, bool | int | float):
        return f"{_show(value)} is not text; write it in quotes"
    return f"{_show(value)} is not text; write some"


def _too_many(details: ErrorDetails) -> str:
    limit = details["ctx"]["max_length"]
    return f"is {len(details['input'])} characters long; shorten it to {limit} or fewer"


def _one_of(details: ErrorDetails) -> str:
    return f"{_show(details['input'])} is not known; write {details['ctx']['expected']}"


def _one_of_tags(details: ErrorDetails, name: str) -> str:
    given = details["input"]
    given = given.get(name) if isinstance(given, dict) else given
    *tags, last = details["ctx"]["expected_tags"].split(", ")
    return f"{_show(given)} is not known; write {', '.join(tags)} or {last}"


def _limit(words: str, bound: str) -> Callable[[ErrorDetails], str]:
    return lambda details: (
        f"{_show(details['input'])} is {words} {details['ctx'][bound]}; "
        f"set it to {details['ctx'][bound]} or {'less' if words == 'above' else 'more'}"
    )


def _not(words: str) -> Callable[[ErrorDetails], str]:
    return lambda details: f"{_show(details['input'])} is not {words}"


_WORDS: dict[str, Callable[[ErrorDetails], str]] = {
    "string_type": _not_text,
    "string_too_long": _too_many,
    "too_long": _too_many,
    "literal_error": _one_of,
    "greater_than_equal": _limit("below", "ge"),
    "less_than_equal": _limit("above", "le"),
    "less_than": lambda details: f"{_show(details['input'])} is not below {details['ctx']['lt']}; lower it",
    "bool_type": _not("true or false; write one of them"),
    "int_type": _not("a whole number; write one without quotes"),
    "int_from_float": _not("a whole number; write one without quotes"),
    "float_type": _not("a number; write one without quotes"),
    "tuple_type": _not("a list; write [first, second]"),
    "dict_type": _not("a mapping; write `name: value` lines"),
    "model_type": _not("a mapping; write `name: value` lines"),
    "model_attributes_type": _not("a mapping; write `name: value` lines"),
    "invalid_key": lambda details: f"the name {_show(details['input'])} is not text; write it in quotes",
    "too_short": lambda details: (
        f"has {details['ctx']['actual_length']} entries; give {details['ctx']['min_length']} or more"
    ),
}
