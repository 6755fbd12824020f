"""Items that the workers did not settle: labelled as well as possible, or asked about again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from groundswell.aws.runs import LabelingRun
from groundswell.aws.steps.labels import all_labels, consolidate, write_dataset
from groundswell.aws.steps.summary import summarise
from groundswell.ledger.claims import all_held
from groundswell.ledger.shards import read_items
from tests.groundswell.aws.desk import record
from tests.groundswell.aws.paper_desk import PaperDesk, document_of, rows_of

CONFIDENCE = {"rule": "confidence", "confidence": 0.9, "first": 2, "most": 4}
AGREE = {"rule": "agree", "agree": 3, "first": 3, "most": 4}
LEAD = {"rule": "lead", "lead": 2, "first": 2, "most": 4}
#: Two of three: no rule above is content with it, and one label is ahead.
DOUBTFUL = ["setosa", "virginica", "setosa"]
ITEMS = ["good", "doubtful", "tied", "unread"]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PaperDesk:
    return PaperDesk(tmp_path, monkeypatch)


def ended(desk: PaperDesk, redundancy: dict[str, Any], **batch: Any) -> LabelingRun:
    """A run that settled one item and gave up three."""
    run = desk.run(ITEMS, redundancy=redundancy, consolidation={"method": "majority"}, **batch)
    rows = [{"item": item, "hit": item, "hit_type": "T", "seats": 4, "expires": "2026"} for item in ITEMS]
    run.ledger.append("hits", rows)
    record(run, {"good": ["virginica"] * 3})
    given_up = {"doubtful": DOUBTFUL, "tied": ["setosa", "virginica"], "unread": [None, None]}
    record(run, given_up, outcome="gave_up")
    return run


def later(desk: PaperDesk, redundancy: dict[str, Any], *, relabel: bool = False) -> LabelingRun:
    return desk.start(desk.batch_file(ITEMS, redundancy=redundancy), relabel=relabel)


@pytest.mark.parametrize("rule", [CONFIDENCE, AGREE, LEAD], ids=lambda each: str(each["rule"]))
def test_with_label_the_best_label_counts_and_a_tie_never_does(desk: PaperDesk, rule: dict[str, Any]) -> None:
    wanted = {**rule, "unsettled": "label"}
    run = ended(desk, wanted)
    result = consolidate(run)
    assert (result["labelled"], result["unlabelled"], result["queued"]) == (2, 2, 0)
    rows = rows_of(run)
    assert {item: row["label"] for item, row in rows.items()} == {"good": "virginica", "doubtful": "setosa"}
    assert {item: row["outcome"] for item, row in rows.items()} == {"good": "settled", "doubtful": "gave_up"}
    assert rows["doubtful"]["confidence"] == pytest.approx(2 / 3, abs=0.2)
    assert rows["doubtful"]["provenance"] == "crowd"
    written = write_dataset(run)
    assert written["train_items"] == len(desk.read(written["manifest_uri"]).splitlines()) == 2
    held = all_held(run.store, run.batch.name)[run.run_id]
    assert held.keys() == {"good", "doubtful"}, "labelled for good; the others are anybody's"
    assert sorted(read_items(later(desk, wanted).ledger)) == ["tied", "unread"]


@pytest.mark.parametrize("rule", [{**CONFIDENCE, "unsettled": "again"}, AGREE, LEAD])
def test_with_again_the_next_run_asks(desk: PaperDesk, rule: dict[str, Any]) -> None:
    run = ended(desk, rule)
    assert consolidate(run)["labelled"] == 1
    assert document_of(run)["labelled_unsettled"] == 0
    assert sorted(read_items(later(desk, rule).ledger)) == sorted(set(ITEMS) - {"good"})


def test_how_many_they_are_is_told_wherever_the_run_is_told_about(desk: PaperDesk) -> None:
    run = ended(desk, CONFIDENCE)
    consolidate(run)
    document = document_of(run)
    assert (document["labelled"], document["labelled_unsettled"], document["unlabelled"]) == (2, 1, 2)
    [finding] = [each for each in document["findings"] if each["kind"] == "labelled_unsettled"]
    assert (finding["severity"], finding["items"]) == ("note", ["doubtful"])
    assert finding["text"].startswith("1 of 4 items have their best label though workers did not settle them")
    summary = summarise(run, lambda _: None, {})
    told = summary["consolidation"]
    assert (summary["items"], summary["settled"], summary["given_up"]) == (4, 1, 3)
    assert told["labelled"] == summary["settled"] + told["labelled_unsettled"]
    assert told["labelled"] + told["unlabelled"] == summary["items"]


def test_nothing_is_told_where_everything_settled(desk: PaperDesk) -> None:
    run = desk.run(["a"], redundancy=CONFIDENCE)
    record(run, {"a": ["setosa"] * 3})
    consolidate(run)
    assert document_of(run)["labelled_unsettled"] == 0
    assert "labelled_unsettled" not in {each["kind"] for each in document_of(run)["findings"]}


@pytest.mark.parametrize("outcome", ["budget", "expired", "lost"])
def test_what_ended_otherwise_is_asked_about_again(desk: PaperDesk, outcome: str) -> None:
    run = desk.run(["a"], redundancy=CONFIDENCE)
    record(run, {"a": DOUBTFUL}, outcome=outcome)
    assert consolidate(run)["labelled"] == 0
    assert list(read_items(desk.start(Path(run.batch_path)).ledger)) == ["a"]


def test_experts_come_first(desk: PaperDesk) -> None:
    run = ended(desk, {**CONFIDENCE, "unsettled": "label", "experts": True})
    result = consolidate(run)
    assert (result["labelled"], result["queued"]) == (1, 3)
    assert document_of(run)["labelled_unsettled"] == 0
    assert list(rows_of(run)) == ["good"]
    assert list(read_items(later(desk, {**CONFIDENCE, "experts": True}).ledger)) == []


def test_known_labels_are_not_counted_as_doubtful(desk: PaperDesk) -> None:
    known = desk.folder / "gold.csv"
    known.write_text("item,label\na,virginica\n")
    run = desk.run(["a"], redundancy=CONFIDENCE, consolidation={"gold": str(known)})
    record(run, {"a": DOUBTFUL}, outcome="gave_up")
    consolidate(run)
    assert (desk.labels_of(run), document_of(run)["labelled_unsettled"]) == ({"a": "virginica"}, 0)


def test_done_again_nothing_changes(desk: PaperDesk) -> None:
    run = ended(desk, CONFIDENCE)
    first = consolidate(run)
    written = write_dataset(run)
    assert consolidate(desk.again(run)) == first
    assert write_dataset(desk.again(run)) == written
    assert len(list(run.store.keys(f"{run.ledger.prefix}labels/"))) == 1


def test_the_choice_may_be_changed_when_the_run_is_over(desk: PaperDesk) -> None:
    """Edit the batch file and clear consolidate: nobody is asked."""
    run = ended(desk, AGREE)
    consolidate(run)
    assert desk.labels_of(run) == {"good": "virginica"}
    same = {"consolidation": {"method": "majority"}}
    for change, labels, queued in [
        ({"unsettled": "label"}, {"doubtful": "setosa"}, 0),
        ({"experts": True}, {}, 3),
        ({"unsettled": "label"}, {"doubtful": "setosa"}, 0),
        ({}, {}, 0),
    ]:
        desk.batch_file(ITEMS, redundancy={**AGREE, **change}, **same)
        assert consolidate(desk.again(run))["queued"] == queued, change
        assert desk.labels_of(run) == {"good": "virginica"} | labels, change
    desk.batch_file(ITEMS, redundancy=CONFIDENCE, **same)
    consolidate(desk.again(run))
    assert desk.labels_of(run) == {"good": "virginica"}, "the default of another rule is nobody's decision"


def test_a_doubtful_label_takes_no_place_of_a_settled_one(desk: PaperDesk) -> None:
    first = desk.run(["a", "b"], redundancy=CONFIDENCE)
    record(first, {"a": ["virginica"] * 3})
    record(first, {"b": DOUBTFUL}, outcome="gave_up")
    consolidate(first)
    second = desk.start(Path(first.batch_path), relabel=True)
    record(second, {"a": DOUBTFUL}, at="2026-02-01T00:00:00+00:00", outcome="gave_up")
    record(second, {"b": ["versicolor"] * 3}, at="2026-02-01T00:00:00+00:00")
    consolidate(second)
    assert desk.labels_of(second) == {"a": "virginica", "b": "versicolor"}
    assert [row["outcome"] for row in all_labels(second)] == ["settled", "settled"]
