"""The label that a worker chose, out of the fields of an answer."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from groundswell.answers.values import show
from groundswell.errors import AnswerError

TASK_ANSWERS = "taskAnswers"
"""The one field into which a ``<crowd-form>`` collapses all of its fields."""


def label_of(fields: Mapping[str, str | list[str] | None], field: str, allowed: Collection[str]) -> str:
    """The label in ``field``.

    Looks for a form field of that name first, then into what a ``<crowd-form>`` submits:
    ``[{"label": "a"}]``, ``[{"label": {"label": "a"}}]`` and the flattened ``[{"label.label": "a"}]``. White
    space around a label does not count.

    Raises:
        AnswerError: if there is no label, more than one, or one that is not allowed.
    """
    value: object = fields.get(field)
    if field not in fields and TASK_ANSWERS in fields:
        value = _from_crowd_form(fields[TASK_ANSWERS], field)
    if isinstance(value, list):
        if len(value) > 1:
            raise AnswerError(f"{field}: has {len(value)} labels, {show(value)}, but takes one")
        value = value[0] if value else None
    if value is None:
        raise AnswerError(f"{field}: is missing")
    if not isinstance(value, str):
        raise AnswerError(f"{field}: is not text, but {show(value)}")
    label = value.strip()
    if not label:
        raise AnswerError(f"{field}: is empty")
    if label not in allowed:
        raise AnswerError(f"{field}: {show(label)} is not one of the labels")
    return label


def _from_crowd_form(value: object, field: str) -> object:
    """The value of ``field`` in the JSON of ``taskAnswers``; None if it is not there."""
    if not isinstance(value, str):
        raise AnswerError(f"{TASK_ANSWERS}: is not text")
    try:
        answers = json.loads(value)
    except (ValueError, RecursionError):
        raise AnswerError(f"{TASK_ANSWERS}: is not JSON: {show(value)}") from None
    if isinstance(answers, list) and len(answers) == 1:
        answers = answers[0]
    if not isinstance(answers, dict):
        raise AnswerError(f"{TASK_ANSWERS}: does not hold one object: {show(value)}")
    found = answers.get(field, answers.get(f"{field}.label"))
    return found.get("label") if isinstance(found, dict) else found
