"""The guard against class collapse, on posteriors made by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from groundswell.consolidation.classification.guard import KEPT, LEAST_LEAD, Guard, told
from groundswell.consolidation.data import Answers
from groundswell.consolidation.tally import Tally

YES, NO = 0, 1


def votes(*items: tuple[int, int]) -> Answers:
    """Make items with so many votes for yes and for no, each of another worker."""
    labels = [label for yes, no in items for label in [YES] * yes + [NO] * no]
    task = [at for at, item in enumerate(items) for _ in range(sum(item))]
    n = len(task)
    return Answers(
        np.array(task, dtype=np.int32),
        np.arange(n, dtype=np.int32),
        np.array(labels, dtype=np.int32),
        [f"t{at}" for at in range(len(items))],
        [f"w{at}" for at in range(n)],
        ("yes", "no"),
    )


def guard_of(answers: Answers, known: dict[int, int] | None = None) -> Guard:
    gold = np.full(len(answers.task_names), -1, dtype=np.int32)
    for task, label in (known or {}).items():
        gold[task] = label
    return Guard(Tally.of(answers), gold)


def all_yes(n_tasks: int) -> np.ndarray:
    return np.tile([1.0, 0.0], (n_tasks, 1))


def test_a_class_that_wins_votes_and_vanishes_has_collapsed() -> None:
    answers = votes((3, 0), (3, 0), (0, 3), (1, 3), (0, 2))
    (collapse,) = guard_of(answers).collapses(all_yes(5))
    assert (collapse.label, collapse.won, collapse.kept) == (NO, 3, 0.0)
    assert collapse.items == (2, 3, 4)  # by lead, then by position


def test_the_vote_itself_has_no_collapse() -> None:
    answers = votes((3, 0), (0, 3), (0, 3), (2, 1))
    posterior = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    assert guard_of(answers).collapses(posterior) == ()


def test_a_rare_class_that_is_named_by_mistake_may_shrink_to_nothing() -> None:
    # a quarter of the answers, and hardly an item: a share of the answers would call it a collapse
    answers = votes(*[(3, 1)] * 40, (0, 1))
    assert guard_of(answers).collapses(all_yes(41)) == ()


@pytest.mark.parametrize(("kept", "collapsed"), [(KEPT - 0.01, True), (KEPT + 0.01, False)])
def test_what_is_left_of_the_lead_decides(kept: float, collapsed: bool) -> None:
    answers = votes((0, 3), (0, 3), (3, 0))
    posterior = np.array([[1 - kept, kept], [1 - kept, kept], [1.0, 0.0]])
    assert bool(guard_of(answers).collapses(posterior)) is collapsed


def test_items_count_by_their_lead() -> None:
    answers = votes((0, 9), (1, 2), (1, 2), (1, 2))
    # three narrow items lost and the clear one kept: 9 of 12 of the lead is left
    assert guard_of(answers).collapses(np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])) == ()


@pytest.mark.parametrize(("lead", "collapsed"), [(LEAST_LEAD - 1, False), (LEAST_LEAD, True)])
def test_little_evidence_is_none(lead: int, collapsed: bool) -> None:
    answers = votes((0, lead), (3, 0))
    assert bool(guard_of(answers).collapses(all_yes(2))) is collapsed


def test_ties_single_answers_and_known_labels_say_nothing() -> None:
    answers = votes((2, 2), *[(0, 1)] * 9, (0, 9), (3, 0))
    assert guard_of(answers, {10: NO}).collapses(all_yes(12)) == ()
    assert guard_of(answers).collapses(all_yes(12)) != ()


def test_a_class_may_vanish_whose_leads_are_known_to_be_mistakes() -> None:
    answers = votes(*[(0, 3)] * 20)
    posterior = all_yes(20)
    assert guard_of(answers).collapses(posterior) != ()
    assert guard_of(answers, {0: YES}).collapses(posterior) != ()  # one item is not enough
    half = dict.fromkeys(range(5), YES) | dict.fromkeys(range(5, 10), NO)
    assert guard_of(answers, half).collapses(posterior) != ()
    assert guard_of(answers, dict.fromkeys(range(10), YES)).collapses(posterior) == ()


def test_sparse_posteriors_are_read_alike() -> None:
    answers = votes((3, 0), (0, 3), (1, 3))
    dense = all_yes(3)
    assert guard_of(answers).collapses(sp.csr_array(dense)) == guard_of(answers).collapses(dense)


def test_no_answers() -> None:
    assert guard_of(votes((0, 0), (0, 0))).collapses(all_yes(2)) == ()


def test_the_finding_names_the_method_the_label_and_the_items() -> None:
    answers = votes((3, 0), (0, 3), (0, 3))
    (collapse,) = guard_of(answers).collapses(all_yes(3))
    finding = told("one_coin", collapse, answers)
    assert finding.kind == "class_collapse"
    assert finding.items == ("t1", "t2")
    for part in ("one_coin", "'no'", "2 items", "0%"):
        assert part in finding.text
