"""Judging the items of a wave at once: by the batch's rule, and by what is known about the workers."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from groundswell.aws.known import known_labels
from groundswell.aws.runs import LabelingRun
from groundswell.aws.skill import EarlierSkill
from groundswell.consolidation.stopping import Decision, StoppingRule
from groundswell.consolidation.stopping.rules import CODES
from groundswell.errors import GroundswellError
from groundswell.ledger import RunState

if TYPE_CHECKING:
    from groundswell.consolidation.data import Answers
    from groundswell.consolidation.stopping.early import EarlyModel

#: What is known about the workers is worked out again when the answers have grown by this share.
GROWN = 0.05

log = logging.getLogger(__name__)


class Jury:
    """
    Says of many items at once whether they are settled.

    numpy is imported with the first judgement: a DAG file that names an operator must not wait for it.

    :param run: the run.
    :param state: the folded ledger; it may grow.
    :param rule: the batch's rule.
    """

    def __init__(self, run: LabelingRun, state: RunState, rule: StoppingRule) -> None:
        self.run = run
        self.state = state
        self.rule = rule
        self._model: EarlyModel | None = None
        self._fitted_on = (0, 0)
        self._read: tuple[Mapping[str, str], EarlierSkill | None] | None = None

    def judge(self, asked: Mapping[str, int]) -> dict[str, Decision]:
        """
        Return what to do about each item, by its newest answers.

        An answer whose payment is withheld counts until a person rejects it: most are honest, and an item
        that waited for the review would keep its other workers' answers from being of use.

        :param asked: item -> seats that were paid or are open, without those of rejected answers.
        """
        if not asked:
            return {}
        import numpy as np

        from groundswell.consolidation.stopping import Standing

        standing = Standing(
            answers=self._answers(asked),
            asked=np.fromiter(asked.values(), dtype=np.int32, count=len(asked)),
            model=self._fitted() if self.rule.needs_model else None,
        )
        codes = self.rule.judge(standing)
        return {item: CODES[code] for item, code in zip(asked, codes.tolist(), strict=True)}

    def _answers(self, items: Iterable[str]) -> Answers:
        from groundswell.consolidation.data import Answers

        names = list(items)
        rows = ((item, row["worker"], row["label"]) for item in names for row in self.state.counted(item))
        return Answers.from_rows(rows, labels=self.run.batch.task.labels, tasks=names)

    def _fitted(self) -> EarlyModel:
        """Return what is known about the workers; worked out again once it is worth it."""
        from groundswell.consolidation.data import gold_of
        from groundswell.consolidation.stopping.early import EarlyModel

        answers, rejected = len(self.state.answers), len(self.state.rejections)
        fitted, then_rejected = self._fitted_on
        if self._model is None or answers > fitted * (1 + GROWN) or rejected != then_rejected:
            everything, (known, earlier) = self._answers(self.state.hits), self._context()
            self._model = EarlyModel.fit(
                everything,
                gold=gold_of(everything, known) if known else None,
                earlier=earlier.of(everything) if earlier else None,
            )
            self._fitted_on = answers, rejected
        return self._model

    def _context(self) -> tuple[Mapping[str, str], EarlierSkill | None]:
        """Return item -> known label, and what earlier runs say about the workers; read once."""
        if self._read is None:
            try:
                known: Mapping[str, str] = known_labels(self.run)
            except GroundswellError as error:
                # Workers wait for their pay: load_dataset has looked at the file, and consolidate will
                log.warning("known labels are not used: %s", error)
                known = {}
            self._read = known, EarlierSkill.read(self.run, self.state)
        return self._read
