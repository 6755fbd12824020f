"""The four rules: ``agree``, ``lead``, ``confidence`` and ``fixed``.

Every rule judges many items at once (:meth:`StoppingRule.judge`); those that only count answers also decide
about one item's labels (``decide``), and both ways give the same result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from groundswell.errors import BatchError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from groundswell.consolidation.data import Answers
    from groundswell.consolidation.stopping.early import EarlyModel

SETTLED, ASK, GIVE_UP = 0, 1, 2
"""What :meth:`StoppingRule.judge` returns per item: positions in :data:`CODES`."""

DEFAULT_CONFIDENCE = 0.96
"""Confidence to ask for where a batch names none.

By the median over real and made crowds, labels are then right half a percent more often than by a vote
on all recorded answers, and over 40 % fewer answers are bought.
"""

DEFAULT_FIRST = 2
"""Workers that ``confidence`` asks at the start where a batch names no number."""

_LIMIT = 10**9
"""MTurk asks no more workers about one HIT; larger numbers would not fit into 32 bits either."""

_PAIR = 2
"""Answers without which no worker's skill can be compared with anybody's."""


class Decision(str, Enum):  # noqa: UP042 - the text of a member is its value in logs and JSON
    """What to do with an item."""

    SETTLED = "settled"
    ASK = "ask"
    GIVE_UP = "give_up"

    def __str__(self) -> str:
        return self.value


CODES = (Decision.SETTLED, Decision.ASK, Decision.GIVE_UP)
"""``CODES[code]`` is the decision that a code of :meth:`StoppingRule.judge` stands for."""


@dataclass(frozen=True, eq=False)
class Standing:
    """How many items stand, to be judged at once.

    :param answers: the valid answers so far; its tasks are the items judged, those without an answer included
    :param asked: per task, seats that were paid or are open. Ask one more worker only when none is open: a
        seat that was paid for an answer which cannot be used counts here and not in ``answers``.
    :param model: what is known about the workers, for rules that need it
    :raises ValueError: ``asked`` has not one entry per task
    """

    answers: Answers
    asked: NDArray[np.int32]
    model: EarlyModel | None = None

    def __post_init__(self) -> None:
        if len(self.asked) != len(self.answers.task_names):
            raise ValueError(
                f"asked has {len(self.asked)} entries, and there are {len(self.answers.task_names)} tasks"
            )


class StoppingRule(Protocol):
    """What a rule offers to whoever publishes and collects."""

    @property
    def first(self) -> int:
        """Workers to ask at the start."""

    @property
    def most(self) -> int:
        """Workers to ask at most."""

    @property
    def experts(self) -> bool:
        """Whether items that are given up go to the queue of the experts."""

    @property
    def needs_model(self) -> bool:
        """Whether :meth:`judge` needs ``standing.model``."""

    def judge(self, standing: Standing) -> NDArray[np.int8]:
        """Decide about many items at once: a code of :data:`CODES` for each task of ``standing``."""

    def decide(self, labels: Sequence[str], asked: int) -> Decision:
        """Decide about one item by its labels alone.

        :param labels: the valid answers so far, in any order
        :param asked: as in :class:`Standing`
        :raises TypeError: the rule needs a model of the workers (``needs_model``)
        """

    def agreed(self, labels: Sequence[str]) -> bool:
        """Whether these labels say clearly enough what is right to hold it against who said otherwise."""


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
    experts: bool = False

    def __post_init__(self) -> None:
        check_counts({"agree": self.agree, "first": self.first, "most": self.most})
        _check_not_above("agree", self.agree, self.most)
        _check_not_above("first", self.first, self.most)

    @property
    def needs_model(self) -> bool:
        """No: answers are counted."""
        return False

    def judge(self, standing: Standing) -> NDArray[np.int8]:
        """Decide about many items; see :meth:`StoppingRule.judge`."""
        from groundswell.consolidation.stopping.counting import codes, support

        votes = support(standing.answers)
        left = self.most - standing.asked
        return codes(
            settled=(votes.leader >= self.agree) & (votes.leader > votes.runner_up),
            hopeless=(left <= 0) | (votes.leader + left < self.agree),
        )

    def decide(self, labels: Sequence[str], asked: int) -> Decision:
        """Decide about one item; see :meth:`StoppingRule.decide`."""
        leader, _ = _support(labels)
        if self.agreed(labels):
            return Decision.SETTLED
        left = self.most - asked
        return Decision.GIVE_UP if left <= 0 or leader + left < self.agree else Decision.ASK

    def agreed(self, labels: Sequence[str]) -> bool:
        """Whether a single leader has ``agree`` answers."""
        leader, runner_up = _support(labels)
        return leader >= self.agree and leader > runner_up


@dataclass(frozen=True)
class Lead:
    """Ask one more worker as long as no label is ahead of every other by ``lead`` answers.

    For two labels and workers of equal skill this is Wald's sequential probability ratio test: the posterior
    depends on the difference of the votes only. Gives up when ``most`` seats are used, or when the seats that
    are left could no longer bring the leader far enough ahead.

    :raises BatchError: a number is below 1, or ``first`` or ``lead`` is above ``most``
    """

    lead: int
    first: int
    most: int
    experts: bool = False

    def __post_init__(self) -> None:
        check_counts({"lead": self.lead, "first": self.first, "most": self.most})
        _check_not_above("lead", self.lead, self.most)
        _check_not_above("first", self.first, self.most)

    @property
    def needs_model(self) -> bool:
        """No: answers are counted."""
        return False

    def judge(self, standing: Standing) -> NDArray[np.int8]:
        """Decide about many items; see :meth:`StoppingRule.judge`."""
        from groundswell.consolidation.stopping.counting import codes, support

        votes = support(standing.answers)
        left = self.most - standing.asked
        ahead = votes.leader - votes.runner_up
        return codes(settled=ahead >= self.lead, hopeless=(left <= 0) | (ahead + left < self.lead))

    def decide(self, labels: Sequence[str], asked: int) -> Decision:
        """Decide about one item; see :meth:`StoppingRule.decide`."""
        if self.agreed(labels):
            return Decision.SETTLED
        leader, runner_up = _support(labels)
        left = self.most - asked
        return Decision.GIVE_UP if left <= 0 or leader - runner_up + left < self.lead else Decision.ASK

    def agreed(self, labels: Sequence[str]) -> bool:
        """Whether a label is ahead by ``lead`` answers."""
        leader, runner_up = _support(labels)
        return leader - runner_up >= self.lead


@dataclass(frozen=True)
class Fixed:
    """Take ``first`` valid answers per item, whatever they say; consolidation reports a tie.

    :param most: seats in all, above ``first`` only to replace answers that cannot be used
    :raises BatchError: a number is below 1, or ``first`` is above ``most``
    """

    first: int
    most: int
    experts: bool = False

    def __post_init__(self) -> None:
        check_counts({"first": self.first, "most": self.most})
        _check_not_above("first", self.first, self.most)

    @property
    def needs_model(self) -> bool:
        """No: answers are counted."""
        return False

    def judge(self, standing: Standing) -> NDArray[np.int8]:
        """Decide about many items; see :meth:`StoppingRule.judge`."""
        from groundswell.consolidation.stopping.counting import codes, per_task

        answers = per_task(standing.answers)
        reachable = answers + self.most - standing.asked
        return codes(settled=answers >= self.first, hopeless=reachable < self.first)

    def decide(self, labels: Sequence[str], asked: int) -> Decision:
        """Decide about one item; see :meth:`StoppingRule.decide`."""
        if len(labels) >= self.first:
            return Decision.SETTLED
        # Like Agree: buy nothing that cannot complete the item.
        return Decision.ASK if len(labels) + self.most - asked >= self.first else Decision.GIVE_UP

    def agreed(self, labels: Sequence[str]) -> bool:
        """Whether there are as many answers as were wanted, whatever they say."""
        return len(labels) >= self.first


@dataclass(frozen=True)
class Confidence:
    """Ask one more worker as long as the likeliest label is less likely than ``confidence``.

    The posterior is that of an early-stopped Dawid-Skene model with priors, refitted as answers come in, so
    that a good worker's answer counts for more than a poor one's: see
    :class:`~groundswell.consolidation.stopping.early.EarlyModel`. It is overconfident where workers share
    their mistakes: ``confidence`` is a knob between cost and accuracy, not the share that will be right.

    Gives up when ``most`` seats are used, or when the seats that are left could not change the label any
    more. An item with a single answer settles only if its worker's skill is known, and otherwise is asked
    about again for as long as seats are left.

    :raises BatchError: a count is below 1, ``first`` is above ``most``, or ``confidence`` is not from 0.5 to
        below 1
    """

    most: int
    first: int = DEFAULT_FIRST
    confidence: float = DEFAULT_CONFIDENCE
    experts: bool = False

    def __post_init__(self) -> None:
        check_counts({"first": self.first, "most": self.most})
        check_confidence(self.confidence)
        _check_not_above("first", self.first, self.most)

    @property
    def needs_model(self) -> bool:
        """Yes: it asks how likely the leading label is."""
        return True

    def judge(self, standing: Standing) -> NDArray[np.int8]:
        """Decide about many items; see :meth:`StoppingRule.judge`.

        :raises ValueError: ``standing.model`` is missing
        """
        from groundswell.consolidation.stopping.counting import codes

        if standing.model is None:
            raise ValueError("the rule 'confidence' needs a model of the workers: EarlyModel.fit(answers)")
        outlook = standing.model.outlook(standing.answers)
        left = self.most - standing.asked
        return codes(
            settled=outlook.trusted & (outlook.confidence >= self.confidence),
            hopeless=(left <= 0) | (outlook.trusted & (outlook.answers_to_flip > left)),
        )

    def decide(self, labels: Sequence[str], asked: int) -> Decision:
        """Refuse: labels alone do not say how likely one of them is."""
        raise TypeError("the rule 'confidence' needs to know who answered; use judge()")

    def agreed(self, labels: Sequence[str]) -> bool:
        """Whether at least two answers back a single leader."""
        leader, runner_up = _support(labels)
        return leader >= _PAIR and leader > runner_up


def _support(labels: Sequence[str]) -> tuple[int, int]:
    """Return how many answers the best and the second-best label have."""
    leader, runner_up, *_ = [votes for _, votes in Counter(labels).most_common(2)] + [0, 0]
    return leader, runner_up


def check_counts(options: dict[str, object]) -> None:
    """Check that every option is a whole number from 1 to a thousand million.

    :raises BatchError: one is not
    """
    for option, value in options.items():
        # bool is an int to Python, and `first: yes` is a slip that should not mean 1
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise BatchError(f"redundancy: {option}: {value!r} is not a whole number from 1; give how many")
        if value > _LIMIT:
            raise BatchError(f"redundancy: {option}: {value} is above {_LIMIT:,}; nobody has so many workers")


def check_confidence(value: object) -> None:
    """Check that a confidence can be reached and rules out that another label is likelier.

    :raises BatchError: it is no number from 0.5 to below 1
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0.5 <= value < 1:  # type: ignore[operator] # it is a number here
        raise BatchError(
            f"redundancy: confidence: {value!r} is not a number from 0.5 to below 1; "
            f"give how likely a label must be, such as {DEFAULT_CONFIDENCE}"
        )


def _check_not_above(option: str, value: int, most: int) -> None:
    if value > most:
        raise BatchError(
            f"redundancy: {option}: {value} is above most ({most}); raise most, or lower {option}"
        )
