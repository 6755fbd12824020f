from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.consolidation.label_sets import SetAnswers, SetConsensus
from groundswell.consolidation.multilabel import multilabel
from groundswell.errors import AnswerError

LABELS = ("cat", "dog", "fox", "owl")
ALL_METHODS = ("joint", "majority", "dawid_skene")
Rows = list[tuple[str, str, tuple[str, ...]]]


def build(rows: Rows, **options: Any) -> SetAnswers:
    return SetAnswers.from_rows(rows, labels=LABELS, **options)


def sets(consensus: SetConsensus) -> list[set[str]]:
    return [set(consensus.labels_of(task)) for task in range(len(consensus.n_answers))]


def crowd(seed: int, tasks: int = 120, per_task: int = 5, workers: int = 12) -> tuple[Rows, list[set[str]]]:
    """Workers who miss many labels and add few, a third of them careless."""
    rng = np.random.default_rng(seed)
    truth = rng.random((tasks, 4)) < [0.5, 0.3, 0.2, 0.1]
    hits = np.where(np.arange(workers) % 3 == 0, 0.3, 0.8)
    alarms = np.where(np.arange(workers) % 3 == 0, 0.3, 0.05)
    rows: Rows = []
    for t in range(tasks):
        for w in rng.choice(workers, per_task, replace=False):
            named = rng.random(4) < np.where(truth[t], hits[w], alarms[w])
            rows.append((f"t{t:03}", f"w{w:02}", tuple(np.array(LABELS)[named])))
    return rows, [set(np.array(LABELS)[row]) for row in truth]


def jaccard(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 1.0


rows_strategy = st.lists(
    st.tuples(
        st.sampled_from(["t1", "t2", "t3", "t4"]),
        st.sampled_from(["w1", "w2", "w3"]),
        st.sets(st.sampled_from(LABELS)).map(lambda chosen: tuple(sorted(chosen))),
    ),
    max_size=12,
)


@pytest.mark.parametrize("method", ALL_METHODS)
def test_what_all_workers_name_is_the_result(method: str) -> None:
    truth = [{"cat"}, {"cat", "dog"}, {"owl"}, set(), {"dog", "fox"}, {"fox"}] * 4
    rows = [(f"t{t:02}", f"w{w}", tuple(names)) for t, names in enumerate(truth) for w in range(5)]
    found = multilabel(build(rows), method=method)
    assert sets(found) == truth
    assert found.empty.tolist() == [not names for names in truth]
    assert not found.tied.any()
    assert found.method == method
    assert found.confidence_is == "score"
    assert (found.worker_skill > 0.9).all()
    assert (found.skill_low < found.worker_skill).all()
    assert (found.worker_skill < found.skill_high).all()
    assert found.set_agreement.alpha == 1.0
    assert [stats.alpha for stats in found.agreement] == [1.0] * 4


def test_the_vote_takes_labels_that_more_than_half_name() -> None:
    found = multilabel(
        build([("t", "a", ("cat", "dog")), ("t", "b", ("cat",)), ("t", "c", ("cat", "dog", "fox"))]),
        method="majority",
    )
    assert sets(found) == [{"cat", "dog"}]
    assert found.posterior.toarray()[0] == pytest.approx([1, 2 / 3, 1 / 3, 0])
    assert found.label_confidence == pytest.approx([1, 2 / 3])
    assert found.confidence[0] == pytest.approx(1 * 2 / 3 * 2 / 3 * 3 / 4)


def test_the_model_finds_more_than_the_vote_and_knows_the_careless() -> None:
    better = 0
    for seed in range(3):
        rows, truth = crowd(seed)
        answers = build(rows)
        by_model, by_vote = multilabel(answers), multilabel(answers, method="majority")
        mean = [
            np.mean([jaccard(a, b) for a, b in zip(sets(found), truth, strict=True)])
            for found in (by_model, by_vote)
        ]
        better += mean[0] > mean[1] + 0.05
        careless = np.arange(12) % 3 == 0
        assert by_model.worker_skill[careless].max() < by_model.worker_skill[~careless].min()
        assert by_model.sensitivity[careless].max() < by_model.sensitivity[~careless].min()
        assert by_model.specificity[careless].max() < by_model.specificity[~careless].min()
    assert better == 3


def test_a_perfect_worker_never_hurts() -> None:
    for seed in range(3):
        rows, truth = crowd(seed, tasks=80, per_task=3)
        perfect = [(f"t{t:03}", "perfect", tuple(sorted(names))) for t, names in enumerate(truth)]
        without, with_one = (sets(multilabel(build(r))) for r in (rows, rows + perfect))
        score = [np.mean([jaccard(a, b) for a, b in zip(s, truth, strict=True)]) for s in (without, with_one)]
        assert score[1] >= score[0]


def test_known_sets_are_kept_and_show_the_skill() -> None:
    rows, truth = crowd(7, tasks=60, per_task=3)
    gold = {f"t{t:03}": truth[t] for t in range(40)}
    found = multilabel(build(rows), gold=gold)
    assert sets(found)[:40] == truth[:40]
    assert (found.confidence[:40] == 1).all()
    nobody_named = multilabel(build([("t", "a", ("cat",))]), gold={"t": ["owl"], "elsewhere": ["no label"]})
    assert sets(nobody_named) == [{"owl"}]
    assert multilabel(build([("t", "a", ("cat",))]), gold={"t": []}).empty.tolist() == [True]


def test_counts_of_earlier_batches_decide_between_two_workers() -> None:
    rows: Rows = [("t", "a", ("cat",)), ("t", "b", ("dog",))]
    good, bad = (90.0, 10.0, 2.0, 98.0), (30.0, 70.0, 60.0, 40.0)
    assert sets(multilabel(build(rows), earlier=np.array([good, bad]))) == [{"cat"}]
    assert sets(multilabel(build(rows), earlier=np.array([bad, good]))) == [{"dog"}]


@pytest.mark.parametrize("method", ["joint", "majority"])
def test_a_set_is_empty_only_on_purpose(method: str) -> None:
    rows: Rows = [
        ("most say none", "a", ()),
        ("most say none", "b", ()),
        ("most say none", "c", ("cat",)),
        ("all name something", "a", ("cat",)),
        ("all name something", "b", ("dog",)),
        ("all name something", "c", ("fox",)),
        ("one leads", "a", ("cat",)),
        ("one leads", "b", ("cat",)),
        ("one leads", "c", ("dog",)),
        ("one leads", "d", ("fox",)),
        ("one leads", "e", ("owl",)),
    ]
    found = multilabel(
        build(rows, tasks=("most say none", "all name something", "one leads", "unseen")), method="majority"
    )
    assert sets(found) == [set(), set(), {"cat"}, set()]
    assert found.empty.tolist() == [True, False, False, False]
    assert found.tied.tolist() == [False, True, False, False]
    assert found.n_answers.tolist() == [3, 3, 5, 0]
    assert found.confidence[3] == 0


def test_a_label_at_one_half_is_a_tie_and_left_out() -> None:
    found = multilabel(build([("t", "a", ("cat", "dog")), ("t", "b", ("cat",))]), method="majority")
    assert sets(found) == [{"cat"}]
    assert found.tied.tolist() == [True]


@pytest.mark.parametrize("method", ALL_METHODS)
@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("t1", "w1", ())],
        [("t1", "w1", ("cat",))],
        [("t1", "w1", ("cat",)), ("t2", "w1", ()), ("t3", "w2", ("dog", "owl"))],
        [(f"t{t}", f"w{w}", ()) for t in range(3) for w in range(3)],
        [(f"t{t}", f"w{w}", LABELS) for t in range(3) for w in range(3)],
    ],
)
def test_little_or_uniform_input_is_defined(rows: Rows, method: str) -> None:
    found = multilabel(build(rows, tasks=("t0", "t1", "t2", "t3")), method=method)
    assert np.isfinite(found.confidence).all()
    assert ((found.confidence >= 0) & (found.confidence <= 1)).all()
    named = [set().union(*(names for task, _, names in rows if task == f"t{t}")) for t in range(4)]
    assert all(got <= names for got, names in zip(sets(found), named, strict=True))
    alone = [
        w
        for w in {row[1] for row in rows}
        if all(sum(other[0] == row[0] for other in rows) == 1 for row in rows if row[1] == w)
    ]
    assert np.isnan(found.worker_skill).sum() >= len(alone)


def test_one_label_and_no_label_at_all() -> None:
    one = SetAnswers.from_rows([("t", "a", ["cat"]), ("t", "b", ["cat"])], labels=["cat"])
    assert multilabel(one).labels_of(0) == ("cat",)
    none = SetAnswers.from_rows([("t", "a", []), ("t", "b", [])], labels=[])
    assert multilabel(none).empty.tolist() == [True]


@pytest.mark.parametrize("method", ["joint", "majority"])
@given(rows=rows_strategy, seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_neither_order_nor_names_show(rows: Rows, seed: int, method: str) -> None:
    rng = np.random.default_rng(seed)
    one = multilabel(build(rows), method=method)
    mixed = [rows[i] for i in rng.permutation(len(rows))]
    assert sets(multilabel(build([*mixed, *mixed[:2]]), method=method)) == sets(one)
    new = dict(zip(LABELS, rng.permutation(LABELS).tolist(), strict=True))
    names = {"w1": "z", "w2": "y", "w3": "x"}
    renamed = [(task, names[w], tuple(sorted(new[label] for label in chosen))) for task, w, chosen in rows]
    other = multilabel(build(renamed), method=method)
    assert sets(other) == [{new[label] for label in chosen} for chosen in sets(one)]
    assert other.confidence == pytest.approx(one.confidence)
    assert np.sort(other.worker_skill) == pytest.approx(np.sort(one.worker_skill), nan_ok=True)


def test_the_first_round_of_one_label_is_bayes_rule() -> None:
    """With skill known to the last digit, the score is prior odds times likelihood ratios."""
    rows: Rows = [("t", "a", ("cat",)), ("t", "b", ())]
    fixed = np.array([(8e8, 2e8, 1e8, 9e8), (6e8, 4e8, 2e8, 8e8)])
    found = multilabel(SetAnswers.from_rows(rows, labels=["cat"]), earlier=fixed)
    score = 0.5
    for _ in range(5):
        prior = (score + score) / 2

        # One answer of each worker hardly moves rates known from a billion answers; at this label, the
        # ten pseudo-answers of the rates still give way to it.
        def rate(mean: float, times: float, tries: float) -> float:
            return (times + 10 * mean) / (tries + 10)

        sens = (rate(0.8, score, score), rate(0.6, 0, score))
        alarm = (rate(0.1, 1 - score, 1 - score), rate(0.2, 0, 1 - score))
        odds = prior / (1 - prior) * sens[0] / alarm[0] * (1 - sens[1]) / (1 - alarm[1])
        score = odds / (1 + odds)
    assert found.posterior.toarray()[0, 0] == pytest.approx(score, abs=1e-6)


def test_a_label_that_shrinks_is_reported() -> None:
    rows: Rows = [(f"t{t:02}", w, ("cat",)) for t in range(40) for w in "abc"]
    gold = {f"t{t:02}": ["cat"] for t in range(20)}
    # Whenever a and b name the dog, the known sets say it is not there.
    rows = [(t, w, (*names, "dog") if w in "ab" else names) for t, w, names in rows]
    found = multilabel(build(rows), gold=gold)
    shrank = [finding for finding in found.findings if finding.kind == "class_shrank"]
    assert len(shrank) == 1
    assert "'dog' is in 0 results" in shrank[0].text


def test_too_few_answers_are_reported() -> None:
    found = multilabel(build([("t1", "a", ("cat",))], tasks=("t1", "t2")))
    assert {finding.kind: finding.items for finding in found.findings} == {
        "no_answer": ("t2",),
        "single_answer": ("t1",),
    }


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (("t1", "w", ("bird",)), "item 't1': worker 'w' gave the label 'bird', which is not one of"),
        (("t1", "w", (math.nan,)), "gave the label nan"),
        (("t1", "w", "cat"), "is not a list of labels"),
        (("t1", "w", math.nan), "is not a list of labels"),
        (("t1", "w", None), "is not a list of labels"),
        (("t9", "w", ("cat",)), "not in the list of items"),
        (("t1", "", ("cat",)), "the worker is empty"),
        ((math.nan, "w", ("cat",)), "the item is no text"),
    ],
)
def test_bad_rows_are_refused_by_name(row: Any, says: str) -> None:
    with pytest.raises(AnswerError, match=says):
        build([row], tasks=("t1",))


def test_bad_options_are_refused() -> None:
    answers = build([("t", "w", ("cat",))])
    with pytest.raises(AnswerError, match="'magic' is not a method"):
        multilabel(answers, method="magic")
    with pytest.raises(AnswerError, match="gave the label 'bird'"):
        multilabel(answers, gold={"t": ["bird"]})
    with pytest.raises(AnswerError, match="four counts"):
        multilabel(answers, earlier=np.zeros((2, 4)))
    with pytest.raises(AnswerError, match="negative or not finite"):
        multilabel(answers, earlier=np.full((1, 4), math.nan))


@pytest.mark.parametrize(
    ("start", "label", "says"),
    [
        ([0, 1], [4], "position 4"),
        ([0, 1], [-1], "position -1"),
        ([0, 2], [1], "start does not divide"),
        ([0, 2], [1, 0], "not ascending"),
        ([0, 2], [1, 1], "not ascending"),
    ],
)
def test_arrays_that_contradict_are_refused(start: list[int], label: list[int], says: str) -> None:
    zero = np.zeros(1, np.int32)
    with pytest.raises(AnswerError, match=says):
        SetAnswers(zero, zero, np.array(start), np.array(label, dtype=np.int32), ("t",), ("w",), LABELS)
