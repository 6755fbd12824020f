"""Findings: silent on healthy crowds, loud on made faults."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from groundswell.consolidation import guessing
from groundswell.consolidation.classification.majority import majority
from groundswell.consolidation.data import Answers, Consensus
from groundswell.consolidation.findings import LISTED, Finding, look
from groundswell.consolidation.tally import Tally

SEEDS = range(12)
REAL = Path(__file__).parents[4] / "shared/data/crowd"
# What a batch may well have without anybody being at fault
ORDINARY = {"ties", "single_answer", "little_known_workers"}


@dataclass(frozen=True, eq=False)
class Made:
    """Answers with the truth they were made from."""

    answers: Answers
    truth: NDArray[np.int32]

    def with_labels(self, label: NDArray[np.int64]) -> Answers:
        return replace(self.answers, label=label.astype(np.int32))


def healthy(seed: int, *, labels: int = 0, tasks: int = 0, workers: int = 0, per: int = 0) -> Made:
    """People of different skill and diligence; items of different difficulty; favourite mistakes."""
    r = np.random.default_rng(seed)
    labels = labels or int(r.choice([2, 3, 5, 10]))
    tasks = tasks or int(r.choice([60, 300, 800]))
    workers = workers or int(r.choice([12, 40, 120]))
    per = per or int(r.choice([3, 5, 9]))
    truth = r.choice(labels, tasks, p=r.dirichlet(np.full(labels, 4.0)))
    skill = np.maximum(r.beta(12, 3, workers), 0.65)
    ease = r.beta(6, 2, tasks)
    busy = r.gamma(2.0, 1.0, workers) + 0.1
    task = np.repeat(np.arange(tasks), per)
    worker = np.concatenate(
        [r.choice(workers, per, replace=False, p=busy / busy.sum()) for _ in range(tasks)]
    )
    right = r.random(len(task)) < skill[worker] * (0.85 + 0.15 * ease[task])
    away = np.where(r.random(len(task)) < 0.4, 1, r.integers(1, max(2, labels), len(task)))
    label = np.where(right, truth[task], (truth[task] + away) % labels)
    return Made(_answers(task, worker, label, tasks, workers, labels), truth.astype(np.int32))


def _answers(
    task: NDArray[np.int64], worker: NDArray[np.int64], label: NDArray[np.int64], *sizes: int
) -> Answers:
    names = [tuple(f"{what}{at}" for at in range(size)) for what, size in zip("twk", sizes, strict=True)]
    return Answers(*(each.astype(np.int32) for each in (task, worker, label)), *names)


def saying(answers: Answers, label: NDArray[np.int32], method: str = "default") -> Consensus:
    """A result with these labels."""
    return replace(majority(answers), label=label, tied=np.zeros(len(label), dtype=np.bool_), method=method)


def found(findings: tuple[Finding, ...], kind: str) -> Finding:
    [finding] = [each for each in findings if each.kind == kind]
    return finding


@pytest.mark.parametrize("seed", SEEDS)
def test_a_healthy_crowd_gives_no_alarm(seed: int) -> None:
    made = healthy(seed)
    for consensus in (majority(made.answers), saying(made.answers, made.truth)):
        assert {each.kind for each in look(made.answers, consensus)} <= ORDINARY


def test_items_in_another_order_are_found_the_same() -> None:
    made = healthy(3, labels=3, tasks=300, workers=12, per=5)
    label = np.where(made.answers.worker == 4, 1, made.answers.label)
    answers = made.with_labels(label)
    order = np.random.default_rng(0).permutation(len(answers))
    mixed = replace(answers, task=answers.task[order], worker=answers.worker[order], label=label[order])
    assert look(answers, majority(answers)) == look(mixed, majority(mixed)) != ()


def busiest(answers: Answers) -> int:
    return int(np.bincount(answers.worker).argmax())


@pytest.mark.parametrize("labels", [2, 4])
@pytest.mark.parametrize("how", ["at random", "always the same"])
def test_a_guesser_is_named(labels: int, how: str) -> None:
    named = 0
    for seed in range(6):
        made = healthy(seed, labels=labels, tasks=800, workers=16, per=8)
        who, r = busiest(made.answers), np.random.default_rng(seed)
        guess = (
            r.integers(0, labels, len(made.answers)) if how == "at random" else np.zeros(len(made.answers))
        )
        answers = made.with_labels(np.where(made.answers.worker == who, guess, made.answers.label))
        findings = [each for each in look(answers, majority(answers)) if each.kind == "guessing_workers"]
        assert all(each.workers == (f"w{who}",) for each in findings)
        named += len(findings)
    assert named >= 4


def test_who_says_the_opposite_is_named() -> None:
    made = healthy(1, labels=2, tasks=600, workers=20, per=6)
    who = busiest(made.answers)
    answers = made.with_labels(
        np.where(made.answers.worker == who, 1 - made.answers.label, made.answers.label)
    )
    assert found(look(answers, majority(answers)), "inverted_workers").workers == (f"w{who}",)


def test_workers_are_looked_at_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = healthy(3, labels=3, tasks=100, workers=12, per=5).answers
    tally, label = Tally.of(answers), majority(answers).label
    whole = guessing.agreement(answers, tally, label)
    monkeypatch.setattr(guessing, "_BLOCK", 37)
    blocks = guessing.agreement(answers, tally, label)
    assert np.allclose(whole.beyond_chance, blocks.beyond_chance, equal_nan=True)
    assert np.allclose(whole.guesses, blocks.guesses, equal_nan=True)


def test_who_works_only_beside_a_guesser_is_not_named() -> None:
    """Three people alone on 60 items: one guesses, one does not care. Nothing tells who of them is right."""
    truth = np.random.default_rng(1).integers(0, 2, 60)
    task, worker = np.repeat(np.arange(60), 3), np.tile(np.arange(3), 60)
    label = np.where(worker == 0, truth[task], np.where(worker == 1, 0, 1))
    answers = _answers(task, worker, label, 60, 3, 2)
    assert "guessing_workers" not in {each.kind for each in look(answers, majority(answers))}


def copied(made: Made, by: int, source: int) -> Answers:
    """Let a worker give whatever another gave, where both answered."""
    answers = made.answers
    given = {int(t): int(k) for t, w, k in _rows(answers) if w == source}
    label = [given.get(int(t), int(k)) if w == by else int(k) for t, w, k in _rows(answers)]
    return made.with_labels(np.array(label))


def _rows(answers: Answers) -> list[tuple[int, int, int]]:
    return list(zip(answers.task.tolist(), answers.worker.tolist(), answers.label.tolist(), strict=True))


@pytest.mark.parametrize("labels", [2, 5])
def test_copies_are_named_and_nobody_else(labels: int) -> None:
    named = 0
    for seed in range(6):
        answers = copied(healthy(seed, labels=labels, tasks=500, workers=14, per=7), by=1, source=0)
        findings = [each for each in look(answers, majority(answers)) if each.kind == "copied_answers"]
        assert all(set(each.workers) == {"w0", "w1"} for each in findings)
        named += len(findings)
    assert named >= 4


def test_people_who_all_confuse_the_same_two_labels_do_not_copy() -> None:
    r = np.random.default_rng(5)
    truth = r.integers(0, 4, 400)
    task, worker = np.repeat(np.arange(400), 6), np.tile(np.arange(12), 200)
    confused = (truth[task] == 2) & (worker < 4) & (r.random(len(task)) < 0.8)
    right = r.random(len(task)) < 0.9
    label = np.where(confused, 3, np.where(right, truth[task], r.integers(0, 4, len(task))))
    answers = _answers(task, worker, label, 400, 12, 4)
    assert "copied_answers" not in {each.kind for each in look(answers, majority(answers))}


def test_constant_answers_are_no_copies() -> None:
    made = healthy(2, labels=2, tasks=400, workers=12, per=6)
    answers = made.with_labels(np.where(made.answers.worker < 2, 0, made.answers.label))
    assert "copied_answers" not in {each.kind for each in look(answers, saying(answers, made.truth))}


def test_a_class_that_vanishes_is_told() -> None:
    made = healthy(4, labels=4, tasks=300, workers=40, per=5)
    lost = np.where(made.truth == 2, 1, made.truth).astype(np.int32)
    finding = found(look(made.answers, saying(made.answers, lost)), "class_shrank")
    assert "'k2'" in finding.text
    assert finding.severity == "warning"
    assert len(set(finding.items) & {f"t{at}" for at in np.flatnonzero(made.truth == 2)}) >= 15


def test_a_rare_class_that_mistakes_blow_up_may_shrink() -> None:
    """5 % are "yes", a quarter of the answers are wrong: most "yes" answers are mistakes."""
    r = np.random.default_rng(8)
    truth = (r.random(1000) < 0.05).astype(np.int32)
    task, worker = np.repeat(np.arange(1000), 3), r.permuted(np.tile(np.arange(30), 100))
    label = np.where(r.random(3000) < 0.75, truth[task], 1 - truth[task])
    answers = _answers(task, worker, label, 1000, 30, 2)
    assert "class_shrank" not in {each.kind for each in look(answers, saying(answers, truth))}


def test_a_method_that_overrules_most_workers_is_told() -> None:
    made = healthy(6, labels=3, tasks=300, workers=40, per=5)
    label = made.truth.copy()
    label[:60] = (label[:60] + 1) % 3
    finding = found(look(made.answers, saying(made.answers, label, "one_coin")), "overrules_votes")
    assert "one_coin" in finding.text
    assert "majority" in finding.text
    assert len(finding.items) == LISTED


def test_a_result_worse_than_the_vote_on_known_items_is_told() -> None:
    made = healthy(6, labels=3, tasks=300, workers=40, per=9)
    label = made.truth.copy()
    label[:12] = (label[:12] + 1) % 3
    gold = np.where(np.arange(300) < 60, made.truth, -1).astype(np.int32)
    assert (
        found(look(made.answers, saying(made.answers, label), gold=gold), "worse_than_votes").items[0] == "t0"
    )
    assert "worse_than_votes" not in {
        each.kind for each in look(made.answers, saying(made.answers, made.truth), gold=gold)
    }


def test_noise_has_no_agreement() -> None:
    made = healthy(9, labels=4, tasks=300, workers=40, per=5)
    answers = made.with_labels(np.random.default_rng(0).integers(0, 4, len(made.answers)))
    assert found(look(answers, majority(answers)), "low_agreement").severity == "warning"


def test_what_is_missing_is_counted() -> None:
    task = np.array([0] * 3 + list(range(1, 41)) + list(range(1, 31)))
    worker = np.array([0, 1, 2] + [3] * 40 + [4] * 30)
    label = np.array([0, 0, 0] + [0] * 40 + [1] * 30)
    answers = _answers(task, worker, label, 45, 5, 2)
    findings = look(answers, majority(answers))
    assert len(findings[0].items) <= LISTED
    assert found(findings, "ties").text.startswith("30 of 45 items (66.7%)")
    assert found(findings, "no_answer").items == ("t41", "t42", "t43", "t44")
    assert found(findings, "single_answer").items == tuple(f"t{at}" for at in range(31, 41))
    assert found(findings, "one_worker").workers == ("w3",)
    assert [each.severity for each in findings] == sorted((each.severity for each in findings), reverse=True)


def test_two_labels_of_one_worker_for_one_item_are_told() -> None:
    answers = _answers(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), 2, 2, 2)
    finding = found(look(answers, majority(answers)), "several_answers")
    assert (finding.items, finding.workers) == (("t0",), ("w0",))


@pytest.mark.parametrize(("tasks", "workers", "labels"), [(0, 0, 0), (3, 0, 2), (2, 1, 1), (1, 2, 2)])
def test_next_to_nothing_is_no_error(tasks: int, workers: int, labels: int) -> None:
    rows = [(t, w, 0) for t in range(tasks) for w in range(workers)]
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    answers = _answers(*columns, tasks, workers, labels)
    assert {each.kind for each in look(answers, majority(answers))} <= {"no_answer", "single_answer"}


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no real crowd answers in {REAL}")
@pytest.mark.parametrize(
    ("name", "guessers", "chance"),
    [("rte", {"7", "8", "9"}, 0.55), ("music", {"11", "35"}, 0.12), ("dog", set(), 0)],
)
def test_guessers_of_real_crowds_are_those_whom_the_truth_names(
    name: str, guessers: set[str], chance: float
) -> None:
    """By the known truth those named are right 50 % of the time with two labels and 10 % with ten."""
    rows = np.loadtxt(REAL / name / "answers.csv", delimiter=",", skiprows=1, dtype=str)
    answers = Answers.from_rows(map(tuple, rows), labels=sorted(set(rows[:, 2])))
    named = {w for each in look(answers, majority(answers)) if "guess" in each.kind for w in each.workers}
    assert named == guessers
    truth = dict(np.loadtxt(REAL / name / "truth.csv", delimiter=",", skiprows=1, dtype=str))
    for worker in named:
        own = rows[rows[:, 1] == worker]
        assert np.mean([truth[task] == label for task, _, label in own]) < chance
