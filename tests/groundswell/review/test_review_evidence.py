"""Evidence about workers and proposals from it: pure functions of the record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.batches.reviewing import Review
from groundswell.consolidation.stopping import rule_from
from groundswell.ledger import RunState
from groundswell.review import Answers, propose, suspects
from groundswell.review.wording import MOST_ROWS, as_code, describe

RULE = rule_from({"rule": "agree", "agree": 2, "first": 2, "most": 5})
Given = Mapping[str, Mapping[str, str | None]]


def state_of(
    answers: Given, *, withheld: Sequence[str] = (), **kinds: Sequence[Mapping[str, Any]]
) -> RunState:
    """A run in which workers gave these labels, by item; None is an answer that cannot be read."""
    state = RunState()
    for item, given_by in answers.items():
        for number, (worker, label) in enumerate(given_by.items()):
            row = {"assignment": f"{item}-{worker}", "item": item, "worker": worker}
            if worker in withheld:
                state.add("withheld", row | {"reason": "test", "at": "2026-01-01"})
            state.add(
                "answers",
                row
                | {
                    "label": label,
                    "problem": None if label else "label: 'a|b`c' is not one of the labels",
                    "accepted": "2026-01-01T00:00:00+00:00",
                    "submitted": f"2026-01-01T00:00:{10 + number:02d}+00:00",
                },
            )
    for kind, rows in kinds.items():
        for each in rows:
            state.add(kind, each)
    return state


def items(count: int, **labels: str | None) -> Given:
    return {f"i{number}": labels for number in range(count)}


def review(**changes: Any) -> Review:
    return Review.model_validate({"minimum_answers": 2, "feedback": "It contradicts the others."} | changes)


def test_evidence_says_how_a_worker_answered() -> None:
    state = state_of(
        {**items(3, A1="cat", A2="cat", BAD="dog"), "x": {"A1": "cat", "A2": "cat", "BAD": None}}
    )
    answers = Answers(state, RULE)
    bad = answers.evidence("BAD")
    assert (bad.answers, bad.readable, bad.unreadable, bad.judged) == (4, 3, 1, 3)
    assert (bad.agreement, bad.by_chance, bad.median_seconds) == (0.0, 0.0, 12)
    honest = answers.evidence("A1")
    assert honest.judged == 4
    assert honest.agreement == pytest.approx((3 * 0.5 + 1) / 4), "the others are at odds where BAD took part"


def test_a_workers_own_answer_does_not_count_for_it() -> None:
    # Of two answers each settles the item with the other: both agree with the other one, not with themselves
    assert Answers(state_of(items(2, A1="cat", A2="cat")), RULE).evidence("A1").agreement == 1.0
    alone = Answers(state_of(items(2, A1="cat")), RULE).evidence("A1")
    assert (alone.judged, alone.agreement, alone.by_chance) == (0, None, None)


def test_items_that_are_not_settled_say_nothing() -> None:
    assert Answers(state_of(items(3, A1="cat", A2="dog")), RULE).evidence("A1").judged == 0
    tied = state_of(items(3, A1="cat", A2="dog", A3="cat", A4="dog"))
    assert Answers(tied, RULE).evidence("A1").judged == 0


def test_agreement_by_chance_is_that_of_the_same_labels_in_any_order() -> None:
    truth = ["cat", "dog", "cat", "dog"]
    state = state_of(
        {
            f"i{number}": {"A1": label, "A2": label, "GUESS": guess}
            for number, (label, guess) in enumerate(zip(truth, ["cat", "cat", "dog", "dog"], strict=True))
        }
    )
    guess = Answers(state, RULE).evidence("GUESS")
    assert (guess.agreement, guess.by_chance) == (0.5, 0.5)


def test_suspects_are_who_disagrees_often_enough_to_say_so() -> None:
    state = state_of(items(2, A1="cat", A2="cat", BAD="dog"))
    assert list(suspects(state, review(), RULE)) == ["BAD"]
    assert suspects(state, review(minimum_answers=3), RULE) == {}
    assert suspects(state, review(agreement_below=0.0), RULE) == {}
    unreadable = state_of(items(1, A1="cat", A2="cat", BAD=None))
    assert list(suspects(unreadable, review(), RULE)) == ["BAD"]
    assert suspects(unreadable, review(unreadable=False), RULE) == {}


def test_only_what_waits_and_contradicts_is_proposed() -> None:
    given_by = {**items(3, A1="cat", A2="cat", BAD="dog"), "good": {"A1": "cat", "A2": "cat", "BAD": "cat"}}
    found = propose(state_of(given_by, withheld=["BAD", "A1"]), review(), RULE)
    [proposal] = found.workers
    assert proposal.worker == "BAD"
    assert [each.item for each in proposal.answers] == ["i0", "i1", "i2"], "an answer that agrees is paid"
    assert (found.waiting, found.answers, found.cut) == (8, 3, 0)
    assert proposal.answers[0].others == (("cat", 2),)
    assert propose(state_of(given_by), review(), RULE).workers == (), "what is paid cannot be rejected"


def test_what_was_paid_or_rejected_is_not_proposed_again_and_counts_for_the_caps() -> None:
    state = state_of(
        items(4, A1="cat", A2="cat", BAD="dog"),
        withheld=["BAD"],
        payments=[{"assignment": "i0-BAD", "item": "i0", "cents": 6}],
        rejections=[{"assignment": "i1-BAD", "item": "i1", "worker": "BAD"}],
    )
    found = propose(state, review(most_per_worker=2), RULE)
    [proposal] = found.workers
    assert [each.assignment for each in proposal.answers] == ["i2-BAD"]
    assert (proposal.cut, found.cut) == (1, 1)


def test_the_most_evident_come_first_and_the_cut_is_told() -> None:
    answers: dict[str, dict[str, str | None]] = {
        f"i{number}": {"A1": "cat", "A2": "cat", "A3": "cat", "BAD": "dog"} for number in range(4)
    }
    answers |= {f"u{number}": {"A1": "cat", "A2": "cat", "SLOPPY": None} for number in range(2)}
    state = state_of(answers, withheld=["BAD", "SLOPPY"])
    found = propose(state, review(most_per_run=3), RULE)
    assert [(each.worker, len(each.answers), each.cut) for each in found.workers] == [
        ("SLOPPY", 2, 0),
        ("BAD", 1, 3),
    ]
    assert "3 more answers have the same evidence and are paid" in describe(found)
    assert "1 (3 more spared)" in describe(found)


labels = st.sampled_from(["cat", "dog", "cow", None])
workers = st.sampled_from([f"A{number}" for number in range(6)])
records = st.dictionaries(
    st.sampled_from([f"i{number}" for number in range(8)]),
    st.dictionaries(workers, labels, min_size=1, max_size=6),
    min_size=1,
)
caps = st.tuples(st.integers(0, 4), st.integers(0, 8))


@given(records, caps, st.randoms(use_true_random=False))
def test_proposals_keep_to_the_caps_and_to_what_waits(
    answers: Given, limits: tuple[int, int], order: Any
) -> None:
    per_worker, per_run = limits
    wanted = review(most_per_worker=per_worker, most_per_run=per_run)
    state = state_of(answers, withheld=[f"A{number}" for number in range(4)])
    found = propose(state, wanted, RULE)
    counts = Counter({each.worker: len(each.answers) for each in found.workers})
    assert found.answers == counts.total() <= per_run
    assert max(counts.values(), default=0) <= per_worker
    assert found.cut == 0 or found.answers == per_run or per_worker in counts.values() or per_worker == 0
    assert {each.assignment for worker in found.workers for each in worker.answers} <= set(state.withheld)
    assert all(each.why and each.answers for each in found.workers)
    # The record says the same in whatever order it is read
    mixed = list(answers.items())
    order.shuffle(mixed)
    assert propose(state_of(dict(mixed), withheld=[f"A{n}" for n in range(4)]), wanted, RULE) == found


@given(records)
def test_shares_are_shares(answers: Given) -> None:
    found = Answers(state_of(answers), RULE)
    for worker in found.workers:
        evidence = found.evidence(worker)
        assert 0 <= (evidence.agreement or 0) <= 1
        assert 0 <= (evidence.by_chance or 0) <= 1
        assert evidence.judged <= evidence.readable <= evidence.answers


@given(st.text(max_size=200))
def test_a_strangers_text_is_one_code_span_of_one_cell(text: str) -> None:
    shown = as_code(text)
    assert "\n" not in shown
    assert "|" not in shown
    if shown != "(nothing)":
        assert shown[0] == shown[-1] == "`"
        assert "`" not in shown[1:-1]
        assert shown.isprintable()


def test_what_strangers_wrote_cannot_break_the_text() -> None:
    hostile = "](javascript:alert(1)) <img src=x onerror=alert(1)> https://evil.example `code` | cell\n# head"
    state = state_of(
        {hostile: {"A1": "cat", "A2": "cat", "BAD": None}, **items(3, A1="cat", A2="cat", BAD="dog")},
        withheld=["BAD"],
    )
    text = describe(propose(state, review(), RULE))
    [row] = [line for line in text.splitlines() if line.startswith("| `BAD`")]
    assert row.count(" | ") == 7
    assert "\n# head" not in text
    outside = "".join(text.split("`")[::2])
    assert [part for part in ("<", "javascript", "https", "](") if part in outside] == []


def test_a_long_list_is_cut_and_says_so() -> None:
    given_by: dict[str, Mapping[str, str | None]] = {
        f"i{number}": {"A1": "cat", "A2": "cat", f"BAD{number}": None} for number in range(MOST_ROWS + 2)
    }
    state = state_of(given_by, withheld=[f"BAD{number}" for number in range(MOST_ROWS + 2)])
    found = propose(state, review(most_per_run=100), RULE)
    assert len(found.workers) == MOST_ROWS + 2
    text = describe(found)
    assert text.count("| `BAD") == MOST_ROWS
    assert "2 more workers are in the document" in text


def test_nothing_held_against_anybody() -> None:
    found = propose(state_of(items(2, A1="cat", A2="cat"), withheld=["A1"]), review(), RULE)
    assert (
        describe(found)
        == "2 answers wait for a decision before they are paid; nothing is held against any of them."
    )
