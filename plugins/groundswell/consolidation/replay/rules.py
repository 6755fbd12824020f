"""Rules for people: their text, and the grids of rules that are compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from groundswell.consolidation.stopping import (
    DEFAULT_CONFIDENCE,
    DEFAULT_FIRST,
    Agree,
    Confidence,
    Lead,
    StoppingRule,
    rule_from,
)
from groundswell.errors import BatchError

FAMILIES = ("fixed", "agree", "lead", "confidence")
"""The rules, from the simplest on."""

_CONFIDENCES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.99, 0.999)


def parse_rule(text: str) -> StoppingRule:
    """Read a rule from JSON, such as ``{"rule": "agree", "agree": 2, "first": 2, "most": 5}``.

    :raises BatchError: it is no JSON object, or no rule
    """
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BatchError(f"rule: {text[:80]!r} is not JSON: {error}") from None
    if not isinstance(config, dict):
        raise BatchError(f'rule: {text[:80]!r} is not an object such as {{"rule": "fixed", "first": 3}}')
    return rule_from(config)


def family_of(rule: StoppingRule) -> str:
    """Return the name of a rule's family."""
    return type(rule).__name__.lower()


def knob_of(rule: StoppingRule) -> float:
    """Return the number that a family is ordered by."""
    if isinstance(rule, Agree):
        return rule.agree
    if isinstance(rule, Lead):
        return rule.lead
    return rule.confidence if isinstance(rule, Confidence) else rule.first


def describe(rule: StoppingRule) -> str:
    """Return a rule as one line, such as ``agree 2, first 2, most 5``."""
    family = family_of(rule)
    if family == "fixed":
        return f"fixed {rule.first}" + (f", most {rule.most}" if rule.most != rule.first else "")
    return f"{family} {knob_of(rule)}, first {rule.first}, most {rule.most}"


def as_data(rule: StoppingRule) -> dict[str, Any]:
    """Return a rule as data that :func:`rule_from` reads."""
    family = family_of(rule)
    data: dict[str, Any] = {"rule": family}
    if family != "fixed":
        data[family] = getattr(rule, family)
    data |= {"first": rule.first, "most": rule.most}
    return data | ({"experts": True} if rule.experts else {})


def with_most(config: Mapping[str, Any], most: int) -> StoppingRule:
    """Read a rule that may lack ``most``; its other numbers are lowered to ``most`` where they are above it.

    So one rule can be compared over sets with many answers per item and with few.
    """
    options: dict[str, Any] = {"most": most, **config}
    for name in ("first", "agree", "lead"):
        if name in options:
            options[name] = min(options[name], options["most"])
    return rule_from(options)


def usual(most: int) -> list[StoppingRule]:
    """Return one rule of each family: those that are compared where nothing else is asked for."""
    return [
        with_most({"rule": "fixed", "first": most}, most),
        with_most({"rule": "agree", "agree": 2, "first": 2}, most),
        with_most({"rule": "lead", "lead": 2, "first": 2}, most),
        with_most({"rule": "confidence", "confidence": DEFAULT_CONFIDENCE, "first": DEFAULT_FIRST}, most),
    ]


def grid(most: int) -> list[StoppingRule]:
    """Return every family with its number turned from cheap to careful, up to ``most`` answers."""
    first = min(2, most)
    some = [count for count in (1, 2, 3, 4, 5, 7, 9, 12, 15, 20) if count < most] + [most]
    return [
        *(with_most({"rule": "fixed", "first": count}, most=count) for count in some),
        *(
            with_most({"rule": "agree", "agree": count, "first": first}, most)
            for count in some
            if 1 < count <= 7
        ),
        *(
            with_most({"rule": "lead", "lead": count, "first": first}, most)
            for count in (1, 2, 3, 4, 5)
            if count <= most
        ),
        *(with_most({"rule": "confidence", "confidence": c, "first": first}, most) for c in _CONFIDENCES),
    ]
