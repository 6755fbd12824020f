from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.consolidation.agreement import agreement
from groundswell.consolidation.data import Answers, Earlier
from groundswell.consolidation.span_clusters import Spans, clusters
from groundswell.consolidation.span_marks import SpanAnswers, SpanConsensus, tokens_of
from groundswell.consolidation.spans import spans
from groundswell.errors import AnswerError

LABELS = ("PER", "LOC", "ORG")
TEXT = "Dr. Ada Lovelace met Charles Babbage in London."
Rows = list[tuple[str, str, list[tuple[int, int, str]]]]


def build(rows: Rows, **options: Any) -> SpanAnswers:
    return SpanAnswers.from_rows(rows, labels=LABELS, **options)


def result(rows: Rows, **options: Any) -> SpanConsensus:
    return spans(build(rows), label_method="majority", **options)


def one_text(*marks: list[tuple[int, int, str]]) -> Rows:
    return [("t", f"w{w}", list(found)) for w, found in enumerate(marks)]


marks_strategy = st.lists(
    st.tuples(st.integers(0, 11), st.integers(1, 6), st.sampled_from(LABELS)).map(
        lambda mark: (mark[0], min(12, mark[0] + mark[1]), mark[2])
    ),
    max_size=3,
)
rows_strategy = st.dictionaries(
    st.tuples(st.sampled_from(["t1", "t2"]), st.sampled_from(["w1", "w2", "w3", "w4"])),
    marks_strategy,
    max_size=8,
).map(lambda looks: [(task, worker, marks) for (task, worker), marks in looks.items()])


def test_what_all_mark_is_the_result() -> None:
    marks = [(4, 16, "PER"), (21, 36, "PER"), (40, 46, "LOC")]
    found = spans(build(one_text(marks, marks, marks), texts={"t": TEXT}))
    assert found.spans_of(0) == tuple(marks)
    assert found.support.tolist() == [3, 3, 3]
    assert found.f1_exact == found.f1_overlap == found.agreement.alpha == 1.0
    assert (found.worker_skill > 0.8).all()
    assert found.confidence_is == "score"
    assert not found.tied.any()


def test_a_span_exists_if_half_of_those_who_looked_marked_it() -> None:
    two_of_four = one_text([(0, 5, "PER")], [(0, 5, "PER")], [], [])
    assert result(two_of_four).spans_of(0) == ((0, 5, "PER"),)
    two_of_five = one_text([(0, 5, "PER")], [(0, 5, "PER")], [], [], [])
    assert result(two_of_five).spans_of(0) == ()


def test_confidence_counts_support_fit_and_label() -> None:
    found = result(one_text([(0, 10, "PER")], [(0, 10, "PER")], [(0, 8, "LOC")], []))
    fit = found.confidence[0] / (3 / 5 * 2 / 3)
    # The mean overlap of two members at 1 and one at 0.8; the one farther off weighs a little less.
    assert 0.93 < fit < 0.96


def test_boundaries_by_mode_and_by_median() -> None:
    rows = one_text([(0, 10, "PER")], [(0, 12, "PER")], [(2, 14, "PER")], [(3, 14, "PER")], [(4, 15, "PER")])
    assert result(rows, boundary="mode").spans_of(0) == ((0, 14, "PER"),)
    assert result(rows, boundary="median").spans_of(0) == ((2, 14, "PER"),)


def test_the_outer_boundary_is_taken_where_nothing_else_decides() -> None:
    rows = one_text([(2, 10, "PER")], [(0, 12, "PER")])
    for boundary in ("mode", "median"):
        assert result(rows, boundary=boundary).spans_of(0) == ((0, 12, "PER"),)


def test_a_worker_who_is_near_elsewhere_decides_the_boundary() -> None:
    rows: Rows = []
    for t in range(12):
        for worker, off in (("a", 0), ("b", 0), ("c", 3)):
            rows.append((f"t{t:02}", worker, [(10, 20 + off, "PER")]))
    rows += [("x", "c", [(10, 23, "PER")]), ("x", "a", [(10, 20, "PER")])]
    found = result(rows)
    assert found.spans_of(12) == ((10, 20, "PER"),)


def test_crossing_boundaries_fall_back_to_a_members_span() -> None:
    # By mode: starts 5 (twice) against 0, ends 5 (twice) against 10.
    rows = one_text([(0, 10, "PER")], [(5, 10, "PER")], [(5, 9, "PER")], [(0, 5, "PER")], [(1, 5, "PER")])
    for found in (result(rows, boundary="mode"), result(rows, boundary="median")):
        assert all(start < end for start, end, _ in found.spans_of(0))


def test_nested_spans_stay_apart() -> None:
    marks = [(0, 30, "ORG"), (10, 30, "LOC"), (10, 16, "PER")]
    found = result(one_text(marks, marks[::-1], marks))
    assert found.spans_of(0) == tuple(marks[:1] + sorted(marks[1:], key=lambda mark: mark[1]))


def test_two_labels_on_one_stretch_are_two_spans() -> None:
    marks = [(0, 8, "PER"), (0, 8, "ORG")]
    found = result(one_text(marks, marks, [(0, 8, "ORG")]))
    assert found.spans_of(0) == ((0, 8, "PER"), (0, 8, "ORG"))
    assert found.support.tolist() == [2, 3]


def test_flat_keeps_the_surest_of_those_that_overlap() -> None:
    rows = one_text([(0, 10, "PER"), (8, 20, "ORG")], [(0, 10, "PER"), (8, 20, "ORG")], [(8, 20, "ORG")])
    assert len(result(rows).task) == 2
    assert result(rows, flat=True).spans_of(0) == ((8, 20, "ORG"),)


def test_labels_are_consolidated_and_a_tie_is_said() -> None:
    found = result(one_text([(0, 5, "PER")], [(0, 5, "LOC")]))
    assert found.spans_of(0) == ((0, 5, None),)
    assert found.tied.tolist() == [True]
    assert result(one_text([(0, 5, "PER")], [(0, 5, "LOC")], [(0, 5, "LOC")])).spans_of(0) == ((0, 5, "LOC"),)


def test_skill_compares_with_the_others_only() -> None:
    rows: Rows = []
    for t in range(20):
        rows += [(f"t{t}", w, [(0, 5, "PER"), (10, 15, "PER")]) for w in "abc"]
        rows.append((f"t{t}", "lazy", []))
        rows.append((f"t{t}", "busy", [(0, 5, "PER"), (10, 15, "PER"), (20, 25, "PER"), (30, 40, "ORG")]))
    answers = build(rows)
    found = spans(answers)
    skill = dict(zip(answers.worker_names, found.worker_skill, strict=True))
    assert skill["a"] == skill["b"] == skill["c"] > 0.95
    assert skill["lazy"] == pytest.approx(0.5, abs=0.01)
    assert skill["busy"] == pytest.approx(0.5, abs=0.01)
    assert (found.skill_low < found.worker_skill).all()
    assert (found.worker_skill < found.skill_high).all()
    alone = result([("t", "a", [(0, 5, "PER")])])
    assert np.isnan(alone.worker_skill).all()
    assert alone.confidence[0] == pytest.approx(0.5)


def test_skill_of_earlier_batches_enters() -> None:
    answers = build([("t", "a", [(0, 5, "PER")])])
    found = spans(answers, earlier=Earlier(np.array([9.0]), np.array([1.0])))
    assert found.worker_skill[0] == pytest.approx(9.5 / 11)
    with pytest.raises(AnswerError, match="is for 2 workers"):
        spans(answers, earlier=Earlier(np.zeros(2), np.zeros(2)))


@pytest.mark.parametrize("method", ["majority", "dawid_skene"])
@pytest.mark.parametrize(
    "rows",
    [[], [("t1", "a", [])], [("t1", "a", [(0, 1, "PER")])], [("t1", "a", []), ("t1", "b", [(3, 4, "LOC")])]],
)
def test_little_input_is_defined(rows: Rows, method: str) -> None:
    found = spans(build(rows, tasks=("t0", "t1")), label_method=method)
    assert found.n_answers.tolist() == [0, len(rows)]
    assert np.isfinite(found.confidence).all()
    assert found.spans_of(0) == ()


def test_copies_of_one_worker_are_taken_at_their_word() -> None:
    found = result(one_text(*([[(0, 5, "PER")]] * 6)))
    assert found.confidence[0] == pytest.approx(6 / 7)


@given(rows=rows_strategy, boundary=st.sampled_from(["mode", "median"]), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_neither_order_nor_names_nor_place_show(rows: Rows, boundary: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one = result(rows, boundary=boundary)
    mixed = [(t, w, [m[i] for i in rng.permutation(len(m))] + m[:1]) for t, w, m in rows]
    other = result([mixed[i] for i in rng.permutation(len(mixed))], boundary=boundary)
    names = dict(
        zip(["w1", "w2", "w3", "w4"], rng.permutation(["z1", "z2", "z3", "z4"]).tolist(), strict=True)
    )
    renamed = result([(t, names[w], m) for t, w, m in rows], boundary=boundary)
    moved = result([(t, w, [(s + 7, e + 7, k) for s, e, k in m]) for t, w, m in rows], boundary=boundary)
    n_tasks = len(one.n_answers)
    for task in range(n_tasks):
        assert other.spans_of(task) == renamed.spans_of(task) == one.spans_of(task)
        assert moved.spans_of(task) == tuple((s + 7, e + 7, k) for s, e, k in one.spans_of(task))
    assert renamed.confidence == pytest.approx(one.confidence)


@given(rows=rows_strategy)
@settings(max_examples=30, deadline=None)
def test_every_span_is_one_that_half_of_the_lookers_support(rows: Rows) -> None:
    answers = build(rows)
    found = spans(answers, label_method="majority")
    assert (2 * found.support >= found.seen).all()
    assert (found.support <= found.seen).all()
    assert (found.start < found.end).all()
    assert ((found.confidence > 0) & (found.confidence < 1)).all()
    given_starts = {(t, s) for t, _, marks in rows for s, _, _ in marks}
    given_ends = {(t, e) for t, _, marks in rows for _, e, _ in marks}
    for task, start, end in zip(found.task, found.start, found.end, strict=True):
        assert (answers.task_names[task], start) in given_starts
        assert (answers.task_names[task], end) in given_ends


@given(rows=rows_strategy, threshold=st.sampled_from([0.2, 0.5, 1.0]))
@settings(max_examples=50, deadline=None)
def test_clusters_are_those_of_the_definition(rows: Rows, threshold: float) -> None:
    marked = sorted({(t, w, s, e, k) for t, w, marks in rows for s, e, k in marks})

    def overlap(a: Any, b: Any) -> float:
        if a[0] != b[0] or a[1] == b[1]:
            return 0.0
        either = set(range(a[2], a[3])) | set(range(b[2], b[3]))
        share = len(set(range(a[2], a[3])) & set(range(b[2], b[3]))) / len(either)
        return share if share >= threshold else 0.0

    def fitting(centre: Any, free: set[Any]) -> list[Any]:
        best = []
        for worker in sorted({span[1] for span in free}):
            near = [span for span in free if span[1] == worker and overlap(centre, span)]
            if near:
                best.append(
                    min(
                        near,
                        key=lambda x: (
                            -overlap(centre, x),
                            x[4] != centre[4],
                            x[2],
                            -x[3],
                            LABELS.index(x[4]),
                        ),
                    )
                )
        return best

    free, expected = set(marked), set()
    while free:
        centre = min(
            free,
            key=lambda x: (
                -round(sum(overlap(x, y) for y in fitting(x, free)), 12),
                -sum(y[4] == x[4] for y in fitting(x, free)),
                x[2], -x[3], LABELS.index(x[4]), x[0], x[1],
            ),
        )  # fmt: skip
        star = frozenset([centre, *fitting(centre, free)])
        expected.add(star)
        free -= star
    if not marked:
        return
    names = sorted({span[0] for span in marked})
    workers = sorted({span[1] for span in marked})
    columns = zip(
        *((names.index(t), workers.index(w), s, e, LABELS.index(k)) for t, w, s, e, k in marked), strict=True
    )
    number = clusters(Spans(*(np.array(column, dtype=np.int64) for column in columns)), threshold, names)
    found = {
        frozenset(span for span, c in zip(marked, number, strict=True) if c == k)
        for k in set(number.tolist())
    }
    assert found == expected


@given(rows=rows_strategy)
@settings(max_examples=30, deadline=None)
def test_agreement_is_that_of_all_characters_one_by_one(rows: Rows) -> None:
    texts = {"t1": "x" * 12, "t2": "x" * 15}
    answers = build(rows, texts=texts)
    found = spans(answers, label_method="majority")
    by_character = []
    for task, worker, marks in rows:
        for at in range(len(texts[task])):
            over = sorted((e - s, LABELS.index(k)) for s, e, k in marks if s <= at < e)
            by_character.append((f"{task} {at:02}", worker, LABELS[over[0][1]] if over else "none"))
    exact = agreement(Answers.from_rows(by_character, labels=(*LABELS, "none")))
    assert found.agreement.alpha == pytest.approx(exact.alpha, abs=1e-9, nan_ok=True)
    assert found.agreement.n_answers == exact.n_answers
    both = equal = 0
    looks = {(t, w): set(m) for t, w, m in rows}
    for (task, one), mine in looks.items():
        for (other_task, other), theirs in looks.items():
            if task == other_task and one < other:
                both += len(mine) + len(theirs)
                equal += 2 * len(mine & theirs)
    assert found.f1_exact == pytest.approx(equal / both if both else math.nan, nan_ok=True)
    if both:
        assert found.f1_overlap >= found.f1_exact - 1e-12


def test_tokens_decide_overlap_and_boundaries() -> None:
    texts = {"t": TEXT}
    # Half a word, a trailing space, a full stop: the same tokens.
    rows = one_text([(4, 16, "PER")], [(5, 17, "PER")], [(4, 15, "PER")])
    found = spans(build(rows, texts=texts, unit="tokens"))
    assert found.spans_of(0) == ((4, 16, "PER"),)
    assert found.f1_exact == 1.0
    assert [TEXT[s:e] for s, e in tokens_of(TEXT)] == [
        "Dr", ".", "Ada", "Lovelace", "met", "Charles", "Babbage", "in", "London", ".",
    ]  # fmt: skip


def test_tokens_of_other_scripts() -> None:
    def words(text: str) -> list[str]:
        return [text[s:e] for s, e in tokens_of(text)]

    assert words("") == words(" \t\n　") == []
    assert words("हिन्दी में") == ["हिन्दी", "में"]
    assert words("東京 Tower") == ["東", "京", "Tower"]
    assert words("cafe\u0301!") == ["cafe\u0301", "!"]


@pytest.mark.parametrize(
    ("mark", "says"),
    [
        ((3, 3, "PER"), "marked 3 to 3, which holds no character"),
        ((5, 2, "PER"), "holds no character"),
        ((40, 48, "PER"), "is outside the text of 47 characters"),
        ((-1, 4, "PER"), "outside the text"),
        ((0, math.nan, "PER"), "whole numbers"),
        ((0.0, 4.0, "PER"), "whole numbers"),
        ((0, "4", "PER"), "whole numbers"),
        ((0, 4), "give .start, end, label."),
        (7, "give .start, end, label."),
        ((0, 4, "CAT"), "gave the label 'CAT'"),
        ((0, 4, None), "gave the label None"),
    ],
)
def test_bad_spans_are_refused_by_name(mark: Any, says: str) -> None:
    with pytest.raises(AnswerError, match=says) as caught:
        build([("t", "w", [mark])], texts={"t": TEXT})
    assert "item 't': worker 'w'" in str(caught.value)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (("t", "w", "PER"), "is not a list of spans"),
        (("t", "w", math.nan), "is not a list of spans"),
        (("t", "w", None), "is not a list of spans"),
        (("x", "w", []), "not in the list of items"),
        (("t", "", []), "the worker is empty"),
        ((None, "w", []), "the item is no text"),
    ],
)
def test_bad_rows_are_refused_by_name(row: Any, says: str) -> None:
    with pytest.raises(AnswerError, match=says):
        build([row], tasks=("t",))


def test_bad_spans_can_be_repaired_and_counted() -> None:
    marks = [(-3, 4, "PER"), (40, 99, "LOC"), (50, 60, "LOC"), (3, 3, "PER"), (5, 2, "PER"), (3, 4, "ORG")]
    for unit, dropped in (("characters", 3), ("tokens", 4)):
        answers = build(
            [("t", "w", marks), ("t", "v", [])], texts={"t": "Dr. " + "x" * 43}, repair=True, unit=unit
        )
        assert (answers.cut, answers.dropped) == (2, dropped)
        assert Counter(answers.end.tolist())[47] == 1
        found = spans(answers)
        assert any(f"{dropped} were left out" in finding.text for finding in found.findings)


def test_an_unknown_length_has_no_end_but_a_start() -> None:
    assert len(build([("t", "w", [(0, 10**9, "PER")])])) == 1
    with pytest.raises(AnswerError, match="outside any text"):
        build([("t", "w", [(-1, 10**9, "PER")])])
    with pytest.raises(AnswerError, match="tokens need its text"):
        build([("t", "w", [])], unit="tokens")


@pytest.mark.parametrize(
    "options",
    [{"overlap": 0.0}, {"overlap": 1.1}, {"overlap": math.nan}, {"boundary": "x"}, {"label_method": "x"}],
)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(AnswerError, match="spans: "):
        spans(build([]), **options)


def test_arrays_that_contradict_are_refused() -> None:
    zero, none = np.zeros(1, np.int32), np.zeros(0, np.int32)
    names: Any = (("t",), ("w",), LABELS)
    for changed in (
        {"look": zero + 1},
        {"end": zero},
        {"end": zero + 9},
        {"label": zero + 3},
        {"start": zero - 1},
    ):
        good: dict[str, Any] = {"look": zero, "start": zero.astype(np.int64), "end": zero + 5, "label": zero}
        SpanAnswers(zero, zero, *good.values(), *names, np.array([5]))
        with pytest.raises(AnswerError):
            SpanAnswers(zero, zero, *{**good, **changed}.values(), *names, np.array([5]))
    with pytest.raises(AnswerError, match="there twice"):
        SpanAnswers(
            np.zeros(2, np.int32), np.zeros(2, np.int32), none, none, none, none, *names, np.array([5])
        )


def test_thousands_of_spans_in_one_text_are_no_trouble_and_millions_of_pairs_are_refused() -> None:
    rows = one_text(*([[(10 * i, 10 * i + 5, "PER") for i in range(500)]] * 3))
    assert len(result(rows).task) == 500
    size = 10_000
    spread = np.arange(size, dtype=np.int64)
    nested = Spans(spread * 0, spread % 2, spread, spread + size, spread * 0)
    with pytest.raises(AnswerError, match="pairs of its spans overlap"):
        clusters(nested, 0.5, ("t",))
