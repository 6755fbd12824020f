"""Turns pydantic's findings into one sentence with field and fix."""

from __future__ import annotations

import difflib
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

_LIMITS = {
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be {ge:g} or more",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be {le:g} or less",
}


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """Name the first thing that is wrong in a file that was validated against `model`."""
    details = error.errors()
    return _sentence(details[0], model, len(details) - 1)


def _sentence(detail: ErrorDetails, model: type[BaseModel], others: int) -> str:
    place = _place(detail["loc"])
    more = f" (and {others} more after it)" if others else ""
    return f"{place}: {_what(detail, model)}{more}" if place else f"{_what(detail, model)}{more}"


def _place(loc: tuple[int | str, ...]) -> str:
    place = ""
    for part in loc:
        if isinstance(part, int):
            place += f"[{part}]"
        elif "[" not in part and part not in {"float", "[key]"}:  # names of union branches are no fields
            place += f".{part}" if place else part
    return place


def _what(detail: ErrorDetails, model: type[BaseModel]) -> str:
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind == "missing":
        return "is missing; add it"
    if kind == "extra_forbidden":
        return _unknown(detail["loc"], model)
    if kind == "value_error":
        return str(context["error"])
    if kind in _LIMITS:
        return f"{value!r} {_LIMITS[kind].format(**context)}; correct the number"
    return f"{detail['msg'][:1].lower()}{detail['msg'][1:]}, but is {_short(value)}; correct it"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _unknown(loc: tuple[int | str, ...], model: type[BaseModel]) -> str:
    name = str(loc[-1])
    known = sorted(_fields_at(loc[:-1], model))
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"is no option; did you mean {close[0]}?"
    return f"is no option; remove it or use one of {', '.join(known)}"


def _fields_at(loc: tuple[int | str, ...], model: type[BaseModel]) -> list[str]:
    """The options of the part of the file at `loc`."""
    current = model
    for part in loc:
        field = current.model_fields.get(part) if isinstance(part, str) else None
        inner = _model_in(field.annotation) if field else None
        current = inner or current
    return list(current.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
