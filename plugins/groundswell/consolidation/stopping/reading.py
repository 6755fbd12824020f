"""Reading a stopping rule from data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from groundswell.consolidation.stopping.rules import (
    Agree,
    Confidence,
    Fixed,
    Lead,
    StoppingRule,
    check_confidence,
    check_counts,
)
from groundswell.errors import BatchError


@dataclass(frozen=True)
class _Kind:
    """How a rule is built, and which options it takes besides ``experts``."""

    build: Callable[..., StoppingRule]
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


def rule_from(config: Mapping[str, Any]) -> StoppingRule:
    """Read a rule from data such as ``{"rule": "agree", "agree": 2, "first": 2, "most": 5}``.

    ``lead`` takes ``lead, first, most``. ``confidence`` takes ``most`` and, if the defaults do not suit,
    ``confidence`` and ``first``. ``fixed`` takes ``first`` and, if unusable answers are to be replaced,
    ``most``. Every rule takes ``experts``: whether items that are given up go to the queue of the experts.
    ``unsettled`` is passed over, so that the section of a batch file can be given as it is.

    :raises BatchError: an unknown rule or option, one that is missing, or numbers that contradict
    """
    options = dict(config)
    options.pop("unsettled", None)  # what becomes of the labels of items given up; no rule goes by it
    name = options.pop("rule", None)
    if not isinstance(name, str) or name not in _KINDS:
        raise BatchError(f"redundancy: rule: {name!r} is not a rule; use one of: {', '.join(sorted(_KINDS))}")
    kind = _KINDS[name]
    takes = [*kind.required, *kind.optional, "experts"]
    unknown = sorted(set(options) - set(takes), key=str)
    if unknown:
        raise BatchError(
            f"redundancy: {unknown[0]}: the rule {name!r} has no such option; it takes {', '.join(takes)}"
        )
    missing = [option for option in kind.required if option not in options]
    if missing:
        raise BatchError(f"redundancy: {missing[0]}: is missing; the rule {name!r} needs it")
    _check(options)
    return kind.build(**options)


def _check(options: dict[str, Any]) -> None:
    """Check the types before numbers are compared with each other."""
    counts = {option: value for option, value in options.items() if option not in {"confidence", "experts"}}
    check_counts(counts)
    if "confidence" in options:
        check_confidence(options["confidence"])
    experts = options.get("experts", False)
    if not isinstance(experts, bool):
        raise BatchError(f"redundancy: experts: {experts!r} is neither true nor false; give one of them")


def _fixed(first: int, most: int | None = None, experts: bool = False) -> Fixed:
    return Fixed(first=first, most=first if most is None else most, experts=experts)


_KINDS = {
    "agree": _Kind(Agree, ("agree", "first", "most")),
    "lead": _Kind(Lead, ("lead", "first", "most")),
    "confidence": _Kind(Confidence, ("most",), ("confidence", "first")),
    "fixed": _Kind(_fixed, ("first",), ("most",)),
}
