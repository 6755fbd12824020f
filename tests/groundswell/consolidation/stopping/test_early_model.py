from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.consolidation.data import Answers, Earlier
from groundswell.consolidation.stopping import ASK, GIVE_UP, SETTLED, Confidence, Standing
from groundswell.consolidation.stopping.confusions import collapsed
from groundswell.consolidation.stopping.early import MANY_CLASSES, EarlyModel
from groundswell.errors import AnswerError


def crowd(
    seed: int = 1,
    *,
    tasks: int = 300,
    classes: int = 3,
    per_task: int = 4,
    right: float = 0.8,
    workers: int = 20,
) -> tuple[Answers, np.ndarray]:
    """Answers of workers whose answers are right with probabilities spread around ``right``."""
    g = np.random.default_rng(seed)
    truth = g.integers(0, classes, tasks)
    skill = np.clip(g.normal(right, 0.1, workers), 0.3, 0.98)
    task = np.repeat(np.arange(tasks), per_task)
    worker = np.concatenate([g.choice(workers, per_task, replace=False) for _ in range(tasks)])
    wrong = (truth[task] + g.integers(1, classes, len(task))) % classes
    label = np.where(g.random(len(task)) < skill[worker], truth[task], wrong)
    return make(task, worker, label, tasks, workers, classes), truth


def make(task: object, worker: object, label: object, tasks: int, workers: int, classes: int) -> Answers:
    return Answers(
        np.asarray(task, dtype=np.int32),
        np.asarray(worker, dtype=np.int32),
        np.asarray(label, dtype=np.int32),
        [f"t{t}" for t in range(tasks)],
        [f"w{w}" for w in range(workers)],
        [f"l{k}" for k in range(classes)],
    )


def renamed(answers: Answers, seed: int, tasks: np.ndarray) -> Answers:
    """The answers to these tasks, with everything but the labels in another order."""
    g = np.random.default_rng(seed)
    place = np.full(len(answers.task_names), -1)
    place[tasks] = np.arange(len(tasks))
    keep = g.permutation(np.flatnonzero(place[answers.task] >= 0))
    worker = g.permutation(len(answers.worker_names))
    return Answers(
        place[answers.task[keep]].astype(np.int32),
        np.argsort(worker)[answers.worker[keep]].astype(np.int32),
        answers.label[keep],
        [answers.task_names[t] for t in tasks],
        [answers.worker_names[w] for w in worker],
        answers.label_names,
    )


@pytest.mark.parametrize("classes", [2, 3, MANY_CLASSES + 4])
def test_a_part_of_the_items_is_judged_as_in_the_whole(classes: int) -> None:
    answers, _ = crowd(classes=classes)
    model = EarlyModel.fit(answers)
    tasks = np.random.default_rng(5).permutation(300)[:70]
    whole, part = model.outlook(answers), model.outlook(renamed(answers, 6, tasks))
    for name in ("label", "confidence", "trusted", "answers_to_flip"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[tasks])
    np.testing.assert_array_equal(
        model.posterior(renamed(answers, 6, tasks)), model.posterior(answers)[tasks]
    )


@pytest.mark.parametrize("classes", [2, 5, MANY_CLASSES + 4])
def test_the_order_of_rows_workers_and_classes_does_not_show(classes: int) -> None:
    answers, _ = crowd(classes=classes, tasks=120)
    other = renamed(answers, 3, np.random.default_rng(4).permutation(120))
    flipped = Answers(
        other.task,
        other.worker,
        (classes - 1 - other.label).astype(np.int32),
        other.task_names,
        other.worker_names,
        answers.label_names,
    )
    found = EarlyModel.fit(answers).posterior(answers)
    order = [list(other.task_names).index(name) for name in answers.task_names]
    np.testing.assert_array_equal(EarlyModel.fit(other).posterior(other)[order], found)
    np.testing.assert_array_equal(EarlyModel.fit(flipped).posterior(flipped)[order][:, ::-1], found)


@pytest.mark.parametrize("classes", [2, 4, MANY_CLASSES + 4])
def test_it_is_right_more_often_than_the_vote(classes: int) -> None:
    # Half of the crowd guesses, and each of the others is nearly always right
    g = np.random.default_rng(3)
    truth = g.integers(0, classes, 600)
    task = np.repeat(np.arange(600), 4)
    worker = np.concatenate([g.choice(20, 4, replace=False) for _ in range(600)])
    guess = g.integers(0, classes, len(task))
    label = np.where(worker < 10, truth[task], guess)
    answers = make(task, worker, label, 600, 20, classes)
    votes = np.bincount(task * classes + label, minlength=600 * classes).reshape(600, classes)
    vote_right = (votes.argmax(1) == truth).mean()
    label = EarlyModel.fit(answers).outlook(answers).label
    assert (label == truth).mean() > vote_right + 0.01


def test_posteriors_are_probabilities_and_agree_with_the_outlook() -> None:
    for classes in (2, 4, MANY_CLASSES + 4):
        answers, _ = crowd(classes=classes)
        model = EarlyModel.fit(answers)
        q, outlook = model.posterior(answers), model.outlook(answers)
        np.testing.assert_allclose(q.sum(axis=1), 1, atol=1e-7)
        np.testing.assert_allclose(q.max(axis=1), outlook.confidence, atol=1e-9)
        led = outlook.label >= 0
        np.testing.assert_array_equal(q.argmax(axis=1)[led], outlook.label[led])


def test_an_item_does_not_vouch_for_its_own_workers() -> None:
    # Nobody answered twice, so nothing is known about anybody, and every pair says equally much
    answers = make([0, 0, 1, 1], [0, 1, 2, 3], [0, 0, 1, 1], 2, 4, 2)
    strangers = make([0, 0, 1, 1], [4, 5, 6, 7], [0, 0, 1, 1], 2, 8, 2)
    model = EarlyModel.fit(answers)
    np.testing.assert_allclose(
        model.outlook(answers).confidence, model.outlook(strangers).confidence, atol=0.05
    )


def test_one_answer_settles_only_if_its_worker_is_known() -> None:
    answers = make([0], [0], [0], 1, 1, 2)
    asked = np.array([1], dtype=np.int32)
    rule = Confidence(most=5, confidence=0.6)
    unknown = EarlyModel.fit(answers)
    assert unknown.outlook(answers).confidence[0] > 0.6
    assert rule.judge(Standing(answers, asked, unknown)).tolist() == [ASK]
    known = EarlyModel.fit(answers, earlier=Earlier(np.array([40.0]), np.array([0.5])))
    assert known.outlook(answers).confidence[0] > unknown.outlook(answers).confidence[0]
    assert rule.judge(Standing(answers, asked, known)).tolist() == [SETTLED]


def test_earlier_skill_tells_whom_to_believe() -> None:
    answers = make([0, 0], [0, 1], [0, 1], 1, 2, 2)
    good, bad = Earlier(np.array([30.0, 5.0]), np.array([1.0, 5.0])), Earlier(np.zeros(2), np.zeros(2))
    assert EarlyModel.fit(answers, earlier=good).outlook(answers).label.tolist() == [0]
    # With nothing known about either, their labels are equal, and nothing is settled
    outlook = EarlyModel.fit(answers, earlier=bad).outlook(answers)
    assert outlook.label.tolist() == [-1]
    assert not outlook.trusted.any()


def test_confusions_of_earlier_batches_count() -> None:
    # This worker calls every dog a cat, and is right about cats
    confusion = np.array([[[30.0, 0.0], [30.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    answers = make([0, 0], [0, 1], [0, 1], 1, 2, 2)
    earlier = Earlier(np.array([30.0, 0.0]), np.array([30.0, 0.0]), confusion)
    assert EarlyModel.fit(answers, earlier=earlier).outlook(answers).label.tolist() == [1]


def test_gold_settles_its_items_and_teaches_who_is_good() -> None:
    g = np.random.default_rng(2)
    truth = g.integers(0, 2, 60)
    task = np.repeat(np.arange(60), 2)
    worker = np.tile([0, 1], 60)
    label = np.where(worker == 0, truth[task], g.integers(0, 2, len(task)))
    answers = make(task, worker, label, 60, 2, 2)
    gold = np.where(np.arange(60) < 20, truth, -1).astype(np.int32)
    outlook = EarlyModel.fit(answers, gold=gold).outlook(answers)
    np.testing.assert_array_equal(outlook.label[:20], truth[:20])
    assert (outlook.confidence[:20] == 1).all()
    assert outlook.trusted[:20].all()
    assert (outlook.label[20:] == truth[20:]).mean() > 0.9


def test_what_cannot_change_any_more_is_given_up() -> None:
    answers, _ = crowd(right=0.7, classes=2)
    model = EarlyModel.fit(answers)
    outlook = model.outlook(answers)
    rule = Confidence(most=5, confidence=0.9999999)
    codes = rule.judge(Standing(answers, np.full(300, 4, dtype=np.int32), model))
    np.testing.assert_array_equal(codes == GIVE_UP, outlook.answers_to_flip > 1)
    assert (codes == ASK).any()
    assert (codes == GIVE_UP).any()


def test_a_single_answer_of_a_stranger_is_not_given_up_while_another_can_be_asked() -> None:
    # Most items are of the first class, so that the next answer could not change the label
    g = np.random.default_rng(0)
    truth = (g.random(400) < 0.04).astype(int)
    task = np.repeat(np.arange(400), 3)
    worker = np.concatenate([g.choice(20, 3, replace=False) for _ in range(400)])
    label = np.where(g.random(1200) < 0.9, truth[task], 1 - truth[task])
    label[0] = 0
    keep = (task != 0) | (np.arange(1200) == 0)
    answers = make(task[keep], worker[keep], label[keep], 400, 20, 2)
    model = EarlyModel.fit(answers)
    assert model.outlook(answers).answers_to_flip[0] == 2
    # Four seats were paid for one answer that can be used
    asked = np.full(400, 4, dtype=np.int32)
    assert Confidence(most=5).judge(Standing(answers, asked, model))[0] == ASK
    assert Confidence(most=4).judge(Standing(answers, asked, model))[0] == GIVE_UP


@pytest.mark.parametrize("classes", [2, MANY_CLASSES + 1])
@pytest.mark.parametrize("wrong", [0.0, 1.0])
@pytest.mark.parametrize("count", [1e18, 1e300, 1.7e308])
def test_any_finite_earlier_skill_gives_finite_numbers(count: float, wrong: float, classes: int) -> None:
    answers = make([0, 0, 1, 2], [0, 1, 0, 1], [0, 0, 1, 0], 3, 2, classes)
    earlier = Earlier(np.array([count, 3.0]), np.array([wrong * count, 3.0]))
    cells = Earlier(earlier.right, earlier.wrong, np.full((2, classes, classes), count))
    for each in (earlier, cells):
        with np.errstate(all="raise", under="ignore"):
            model = EarlyModel.fit(answers, earlier=each)
            outlook = model.outlook(answers)
        assert np.isfinite(model.posterior(answers)).all()
        assert np.isfinite(outlook.confidence).all()
        assert not np.isnan(outlook.answers_to_flip).any()
    # The other worker's skill is not lost in the rounding of the first one's
    plain = EarlyModel.fit(answers, earlier=Earlier(np.array([50.0, 3.0]), np.array([50.0 * wrong, 3.0])))
    alone = EarlyModel.fit(answers, earlier=earlier)
    assert plain.outlook(answers).label[2] == alone.outlook(answers).label[2]


def test_nothing_is_bought_beyond_most() -> None:
    answers, _ = crowd(right=0.6)
    codes = Confidence(most=4, first=4).judge(
        Standing(answers, np.full(300, 4, dtype=np.int32), EarlyModel.fit(answers))
    )
    assert not (codes == ASK).any()


@pytest.mark.parametrize("tasks", [0, 3])
def test_without_labels_there_is_nothing_to_say(tasks: int) -> None:
    answers = make([], [], [], tasks, 2, 0)
    model = EarlyModel.fit(answers)
    assert model.posterior(answers).shape == (tasks, 0)
    assert model.outlook(answers).label.tolist() == [-1] * tasks
    codes = Confidence(most=3).judge(Standing(answers, np.zeros(tasks, dtype=np.int32), model))
    assert codes.tolist() == [ASK] * tasks


@pytest.mark.parametrize("classes", [1, 2, 3, MANY_CLASSES + 1])
@pytest.mark.parametrize("rows", [[], [(0, 0, 0)], [(0, 0, 0), (0, 1, 0)], [(1, 0, 0), (1, 0, 0)]])
def test_little_to_go_by(classes: int, rows: list[tuple[int, int, int]]) -> None:
    task, worker, label = np.array(rows, dtype=np.int32).reshape(-1, 3).T
    answers = make(task, worker, label, 3, 2, classes)
    model = EarlyModel.fit(answers)
    outlook = model.outlook(answers)
    answered = np.bincount(task, minlength=3) > 0
    assert np.isfinite(model.posterior(answers)).all()
    assert (outlook.label[~answered] == -1).all()
    assert (outlook.confidence[~answered] == 0).all()
    codes = Confidence(most=3).judge(
        Standing(answers, np.bincount(task, minlength=3).astype(np.int32), model)
    )
    assert (codes[~answered] == ASK).all()
    nobody = make([], [], [], 0, 0, classes)
    assert len(EarlyModel.fit(nobody).outlook(nobody).label) == 0


def test_a_class_has_collapsed_when_it_loses_most_of_what_it_clearly_leads() -> None:
    votes = np.array([[3.0, 0.0]] * 40 + [[0.0, 3.0]] * 6)
    kept, lost = np.full((46, 2), [0.9, 0.1]), np.full((46, 2), [0.9, 0.1])
    kept[40:] = [0.3, 0.7]
    lost[40:] = [0.7, 0.3]
    assert not collapsed(kept, votes)
    assert collapsed(lost, votes)
    # A few votes for a rare class may well be mistakes
    assert not collapsed(lost[:44], votes[:44])


def test_where_a_class_collapses_votes_count(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, _ = crowd(classes=2, right=0.75, per_task=3)
    monkeypatch.setattr("groundswell.consolidation.stopping.confusions.collapsed", lambda q, votes: True)
    label = EarlyModel.fit(answers).outlook(answers).label
    votes = np.bincount(answers.task * 2 + answers.label, minlength=600).reshape(300, 2)
    np.testing.assert_array_equal(label, votes.argmax(axis=1))


def test_other_labels_are_refused() -> None:
    answers, _ = crowd(classes=2)
    other, _ = crowd(classes=3)
    with pytest.raises(ValueError, match="the model has the labels"):
        EarlyModel.fit(answers).outlook(other)
    with pytest.raises(AnswerError, match="gold"):
        EarlyModel.fit(answers, gold=np.zeros(2, dtype=np.int32))
    with pytest.raises(AnswerError, match="earlier skill"):
        EarlyModel.fit(answers, earlier=Earlier(np.zeros(2), np.zeros(2)))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(0, 2)), max_size=30))
def test_any_answers_give_finite_numbers(rows: list[tuple[int, int, int]]) -> None:
    task, worker, label = np.array(sorted(set(rows)), dtype=np.int32).reshape(-1, 3).T
    answers = make(task, worker, label, 5, 6, 3)
    outlook = EarlyModel.fit(answers).outlook(answers)
    assert ((outlook.confidence >= 0) & (outlook.confidence <= 1)).all()
    assert not np.isnan(outlook.answers_to_flip).any()
    votes = np.bincount(task * 3 + label, minlength=15).reshape(5, 3)
    # A label that nobody gave leads nowhere, unless votes are split
    for t in range(5):
        if np.count_nonzero(votes[t]) == 1 and outlook.trusted[t]:
            assert votes[t, outlook.label[t]] > 0
