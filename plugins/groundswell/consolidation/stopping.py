"""Stopping rules: is an item's answer settled, should one more worker be asked, or is it time to give up.

A rule is a pure function of an item's answers, so a run can be replayed with another rule without asking
anybody. Rules are data: :func:`rule_from` reads the ``redundancy`` option of a batch file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from groundswell.errors import BatchError


class Decision(str, Enum):  # noqa: UP042 - the text of a member is its value in logs and JSON
    """What to do with an item."""

    SETTLED = "settled"
    ASK = "ask"
    GIVE_UP = "give_up"

    def __str__(self) -> str:
        return self.value


class StoppingRule(Protocol):
    """What a rule offers to whoever publishes and collects."""

    @property
    def first(self) -> int:
        """Workers to ask at the start."""

    @property
    def most(self) -> int:
        """Workers to ask at most."""

    def decide(self, labels: Sequence[str], asked: int) -> Decision:
        """Decide about one item.

        :param labels: the valid answers so far, in any order
        :param asked: seats that were paid or are open. Ask one more worker only when none is open: a seat
            that was paid for an answer which cannot be used counts here and not in ``labels``.
        """


@dataclass(frozen=True)
class Agree:
    """Ask one more worker as long as no label was given ``agree`` times.

    Settled needs a single leader: two labels with ``agree`` answers each are a tie, and one more worker is
    asked. Gives up when ``most`` seats are used, or when the seats that are left could no longer bring any
    label to ``agree``, so that no answer is bought which cannot settle the item.

    :raises BatchError: a number is below 1, or ``first`` or ``agree`` is above ``most``
    """

    agree: int
    first: int
    most: int

    def __post_init__(self) -> None:
        _check_counts({"agree": self.agree, "first": self.first, "most": self.most})
        _check_not_above("agree", self.agree, self.most)
        _check_not_above("first", self.first, self.most)

    def decide(self, labels: Sequence[str], asked: int) -> Decision:
        """Decide about one item; see :meth:`StoppingRule.decide`."""
        support = [votes for _, votes in Counter(labels).most_common(2)] + [0, 0]
        leader, runner_up = support[:2]
        if leader >= self.agree and leader > runner_up:
            return Decision.SETTLED
        left = self.most - asked
        if left <= 0 or leader + left < self.agree:
            return Decision.GIVE_UP
        return Decision.ASK


@dataclass(frozen=True)
class Fixed:
    """Take ``first`` valid answers per item, whatever they say; consolidation reports a tie.

    :param most: seats in all, above ``first`` only to replace answers that cannot be used
    :raises BatchError: a number is below 1, or ``first`` is above ``most``
    """

    first: int
    most: int

    def __post_init__(self) -> None:
        _check_counts({"first": self.first, "most": self.most})
        _check_not_above("first", self.first, self.most)

    def decide(self, labels: Sequence[str], asked: int) -> Decision:
        """Decide about one item; see :meth:`StoppingRule.decide`."""
        if len(labels) >= self.first:
            return Decision.SETTLED
        # Like Agree: buy nothing that cannot complete the item.
        return Decision.ASK if len(labels) + self.most - asked >= self.first else Decision.GIVE_UP


def rule_from(config: Mapping[str, Any]) -> StoppingRule:
    """Read a rule from data such as ``{"rule": "agree", "agree": 2, "first": 2, "most": 5}``.

    ``fixed`` takes ``first`` and, if unusable answers are to be replaced, ``most``.

    :raises BatchError: an unknown rule or option, one that is missing, or numbers that contradict
    """
    options = dict(config)
    name = options.pop("rule", None)
    if not isinstance(name, str) or name not in _RULES:
        raise BatchError(f"redundancy: rule: {name!r} is not a rule; use one of: {', '.join(sorted(_RULES))}")
    build, required, optional = _RULES[name]
    unknown = sorted(set(options) - {*required, *optional}, key=str)
    if unknown:
        raise BatchError(
            f"redundancy: {unknown[0]}: the rule {name!r} has no such option; "
            f"it takes {', '.join([*required, *optional])}"
        )
    missing = [option for option in required if option not in options]
    if missing:
        raise BatchError(f"redundancy: {missing[0]}: is missing; the rule {name!r} needs it")
    _check_counts(options)
    return build(**options)


def _fixed(first: int, most: int | None = None) -> Fixed:
    return Fixed(first=first, most=first if most is None else most)


_RULES: dict[str, tuple[Callable[..., StoppingRule], tuple[str, ...], tuple[str, ...]]] = {
    "agree": (Agree, ("agree", "first", "most"), ()),
    "fixed": (_fixed, ("first",), ("most",)),
}


def _check_counts(options: Mapping[str, object]) -> None:
    for option, value in options.items():
        # bool is an int to Python, and `first: yes` is a slip that should not mean 1
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise BatchError(f"redundancy: {option}: {value!r} is not a whole number from 1; give how many")


def _check_not_above(option: str, value: int, most: int) -> None:
    if value > most:
        raise BatchError(
            f"redundancy: {option}: {value} is above most ({most}); raise most, or lower {option}"
        )
