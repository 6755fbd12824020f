"""Rules compared on recorded answers, over several orders in which the answers might have come in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from groundswell.batches.pricing import fee_cents
from groundswell.consolidation.replay.accuracy import Accuracy, accuracy, methods
from groundswell.consolidation.replay.recorded import Recorded
from groundswell.consolidation.replay.rules import grid, usual
from groundswell.consolidation.replay.simulation import drawn_order, recorded_order, replay
from groundswell.consolidation.stopping import GIVE_UP, SETTLED, Confidence, Fixed, StoppingRule

ORDERS = 6
REWARD_CENTS = 5


@dataclass(frozen=True)
class Row:
    """What one rule would have bought: means over the orders.

    :param rule: the rule
    :param items: items of the record
    :param answers: answers bought
    :param answers_sd: their standard deviation over the orders
    :param cents: cost of the answers, the marketplace's fees included
    :param settled: items that were settled
    :param given_up: items that were given up
    :param ran_out: items about which the rule would have asked on, or asked more workers at first, where the
        record has no further answer. Some of them may be settled by what there is. Where there are many, the
        rule would have cost more, and might have been more accurate.
    :param accuracy: by the method that labels the items; empty where no truth is known
    :param accuracy_sd: the standard deviation of :attr:`.Accuracy.everything` over the orders
    """

    rule: StoppingRule
    items: int
    answers: float
    answers_sd: float
    cents: float
    settled: float
    given_up: float
    ran_out: float
    accuracy: Mapping[str, Accuracy]
    accuracy_sd: Mapping[str, float]

    @property
    def per_item(self) -> float:
        """Answers per item."""
        return self.answers / max(self.items, 1)

    @property
    def cents_per_item(self) -> float:
        """Cost per item, in cents."""
        return self.cents / max(self.items, 1)


@dataclass(frozen=True)
class Comparison:
    """Rules on one set of recorded answers.

    :param name: of the set
    :param most: answers that a rule might ask for
    :param everything: the first ``most`` answers of every item
    :param rows: one for each rule
    :param sweep: ``confidence`` from 0.5 to 0.999, for :func:`same_spend`
    """

    name: str
    most: int
    everything: Row
    rows: tuple[Row, ...]
    sweep: tuple[Row, ...]


def compare(
    recorded: Recorded,
    rules: Iterable[StoppingRule],
    *,
    orders: int = ORDERS,
    seed: int = 0,
    reward_cents: int = REWARD_CENTS,
    label_by: tuple[str, ...] | None = None,
    done: Callable[[], None] = lambda: None,
) -> list[Row]:
    """Replay each rule in the same orders of the answers; return a row for each.

    :param orders: how many orders are drawn; 0: the one in which the answers were submitted
    :param seed: of the orders
    :param reward_cents: what a worker gets per answer
    :param label_by: methods that label what was bought: names of ``classification.METHODS``, or ``early``
    :param done: is called after each replay
    :raises ValueError: ``orders`` is 0, and it is not recorded when the answers were submitted
    """
    turns = _turns(recorded, orders, seed)
    return [_row(recorded, rule, turns, reward_cents, methods(label_by), done) for rule in rules]


def table(
    sets: Mapping[str, Recorded],
    rules: Callable[[int], Sequence[StoppingRule]] = usual,
    *,
    orders: int = ORDERS,
    seed: int = 0,
    label_by: tuple[str, ...] | None = None,
) -> list[Comparison]:
    """Compare rules on several sets.

    :param sets: recorded answers by name
    :param rules: from the number of answers that may be asked for (:attr:`.Recorded.typical`) to the rules
    """
    return [
        _comparison(name, recorded, rules, orders=orders, seed=seed, label_by=label_by)
        for name, recorded in sets.items()
    ]


def same_spend(rows: Sequence[Row], per_item: float, method: str) -> float | None:
    """Return how accurate a family of rules is for so many answers per item, between its nearest two.

    :param rows: of one family
    :return: the accuracy of all items; ``None`` outside what the rows spend
    """
    spent = sorted((row.per_item, row.accuracy[method].everything) for row in rows)
    if not spent or not spent[0][0] <= per_item <= spent[-1][0]:
        return None
    return float(np.interp(per_item, *np.array(spent).T))


def _comparison(
    name: str,
    recorded: Recorded,
    rules: Callable[[int], Sequence[StoppingRule]],
    *,
    orders: int,
    seed: int,
    label_by: tuple[str, ...] | None,
) -> Comparison:
    most = recorded.typical
    sweep = [rule for rule in grid(most) if isinstance(rule, Confidence)]
    wanted = [Fixed(first=most, most=most), *rules(most), *sweep]
    everything, *rows = compare(recorded, wanted, orders=orders, seed=seed, label_by=label_by)
    cut = len(rows) - len(sweep)
    return Comparison(name, most, everything, tuple(rows[:cut]), tuple(rows[cut:]))


def _turns(recorded: Recorded, orders: int, seed: int) -> list[NDArray[np.int64]]:
    if orders:
        return [drawn_order(recorded.answers, seed + number) for number in range(orders)]
    if recorded.submitted is None:
        raise ValueError("it is not recorded when the answers were submitted; draw an order instead")
    return [recorded_order(recorded.answers, recorded.submitted)]


def _row(
    recorded: Recorded,
    rule: StoppingRule,
    turns: Sequence[NDArray[np.int64]],
    reward_cents: int,
    label_by: tuple[str, ...],
    done: Callable[[], None],
) -> Row:
    counts, right = [], []
    for turn in turns:
        bought = replay(recorded.answers, rule, turn)
        ends = (bought.code == SETTLED, bought.code == GIVE_UP, bought.ran_out)
        counts.append([len(bought.answers), *(int(end.sum()) for end in ends)])
        if (recorded.truth >= 0).any():
            right.append([accuracy(bought.answers, bought.code, recorded.truth, name) for name in label_by])
        done()
    answers, settled, given_up, ran_out = np.mean(counts, axis=0).tolist()
    # orders x methods x (settled, everything)
    shares = np.array(right) if right else np.empty((0, 0, 2))
    known = range(shares.shape[1])
    return Row(
        rule=rule,
        items=len(recorded.answers.task_names),
        answers=answers,
        answers_sd=float(np.std([count[0] for count in counts])),
        # By `first`, because the tier of the fee is fixed when the HIT is created
        cents=answers * (reward_cents + fee_cents(reward_cents, rule.first)),
        settled=settled,
        given_up=given_up,
        ran_out=ran_out,
        accuracy={label_by[m]: Accuracy(*_means(shares[:, m])) for m in known},
        accuracy_sd={label_by[m]: float(shares[:, m, 1].std()) for m in known},
    )


def _means(shares: NDArray[np.float64]) -> list[float]:
    """Return the means over orders of those that have a share."""
    means = [column[~np.isnan(column)] for column in shares.T]
    return [float(column.mean()) if len(column) else float("nan") for column in means]
