"""The section ``redundancy`` of a batch file: how many workers are asked, and when an answer is settled.

The rules themselves are in :mod:`groundswell.consolidation.stopping`; here they are options with limits.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from groundswell.batches.pricing import LARGE_HIT
from groundswell.batches.sections import Section
from groundswell.consolidation.stopping import DEFAULT_CONFIDENCE, DEFAULT_FIRST

#: MaxAssignments of a HIT may be anything up to 1e9; nobody means more than this.
_LIMIT = 1000

_Count = Annotated[int, Field(ge=1, le=_LIMIT)]

#: What becomes of items that are given up: the next run asks anew, or they get their best label.
_Unsettled = Literal["again", "label"]


class _Asking(Section):
    """What all rules share."""

    experts: bool = False

    @property
    def config(self) -> dict[str, Any]:
        """The rule as data, as :func:`groundswell.consolidation.stopping.rule_from` and records take it."""
        return self.model_dump(exclude={"unsettled"} if self.experts else {"unsettled", "experts"})

    @property
    def labels_unsettled(self) -> bool:
        """Whether items that are given up get their best label; what goes to the experts does not."""
        return getattr(self, "unsettled", "again") == "label" and not self.experts

    def ending_as(self, other: _Asking) -> Self:
        """Return this rule with what another says about items that are given up; it asks as before."""
        # The default of another rule is nobody's decision about this one
        names = {"experts", "unsettled"} if type(other) is type(self) else {"experts"}
        return self.model_copy(update=other.model_dump(include=names))

    def _check_seats(self, first: int, most: int) -> None:
        if first > most:
            raise ValueError(f"first: {first} is above most ({most}); lower first or raise most")
        if first < LARGE_HIT <= most:
            raise ValueError(
                f"most: {most} is above {LARGE_HIT - 1}: a HIT created with fewer than {LARGE_HIT} "
                f"assignments can never reach {LARGE_HIT}; set most to {LARGE_HIT - 1} or less, "
                f"or first to {LARGE_HIT} or more"
            )


class AgreeRule(_Asking):
    """Settled when ``agree`` workers gave the same label, and no other label has as many.

    Attributes:
        agree: how many workers must give the same label.
        first: workers that are asked at first.
        most: workers that are asked at most.
        experts: items that are given up go to the experts' queue.
        unsettled: what becomes of items that are given up and go to no expert.
    """

    rule: Literal["agree"] = "agree"
    agree: _Count
    first: _Count
    most: _Count
    unsettled: _Unsettled = "again"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.agree > self.most:
            raise ValueError(
                f"agree: {self.agree} workers cannot agree when at most {self.most} are asked (most); "
                "lower agree or raise most"
            )
        self._check_seats(self.first, self.most)
        return self


class LeadRule(_Asking):
    """Settled when a label is ahead of every other by ``lead`` answers.

    Attributes:
        lead: by how many answers a label must be ahead.
        first: workers that are asked at first.
        most: workers that are asked at most.
        experts: items that are given up go to the experts' queue.
        unsettled: what becomes of items that are given up and go to no expert.
    """

    rule: Literal["lead"]
    lead: _Count
    first: _Count
    most: _Count
    unsettled: _Unsettled = "again"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.lead > self.most:
            raise ValueError(
                f"lead: no label can be {self.lead} answers ahead when at most {self.most} are asked (most); "
                "lower lead or raise most"
            )
        self._check_seats(self.first, self.most)
        return self


class ConfidenceRule(_Asking):
    """Settled when the likeliest label, by what is known about the workers, is this likely.

    Attributes:
        confidence: how likely a label must be. A knob between cost and accuracy, not the share that is right.
        first: workers that are asked at first.
        most: workers that are asked at most.
        experts: items that are given up go to the experts' queue.
        unsettled: what becomes of items that are given up and go to no expert.
    """

    rule: Literal["confidence"]
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = DEFAULT_CONFIDENCE
    first: _Count = DEFAULT_FIRST
    most: _Count
    unsettled: _Unsettled = "label"

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_seats(self.first, self.most)
        return self


class FixedRule(_Asking):
    """Settled when there are ``first`` readable answers, whatever they say.

    Attributes:
        first: answers that are wanted.
        most: workers that are asked at most, above ``first`` only to replace answers that cannot be read.
        experts: items that are given up, and ties, go to the experts' queue.
    """

    rule: Literal["fixed"]
    first: _Count
    most: _Count

    @model_validator(mode="before")
    @classmethod
    def _as_many(cls, value: Any) -> Any:
        """Take ``first`` for ``most`` where that is not given."""
        if not isinstance(value, dict) or "most" in value:
            return value
        # Where first is missing or wrong, that alone is said
        return {**value, "most": value["first"] if _is_count(value.get("first")) else _LIMIT}

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_seats(self.first, self.most)
        return self


def _is_count(value: Any) -> bool:
    return type(value) is int and 1 <= value <= _LIMIT


def _named(value: Any) -> Any:
    """Take the rule for ``agree`` where none is named."""
    return value if not isinstance(value, dict) or "rule" in value else {"rule": "agree", **value}


Redundancy = Annotated[
    AgreeRule | LeadRule | ConfidenceRule | FixedRule,
    Field(discriminator="rule"),
    BeforeValidator(_named),
]
"""One of the four rules, by its name."""
