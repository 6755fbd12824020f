"""Items whose label is known: read before anything is spent, told to the method, and labels themselves."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from groundswell.aws import judging
from groundswell.aws.judging import GROWN, Jury
from groundswell.aws.runs import LabelingRun
from groundswell.aws.steps.labels import all_labels, consolidate
from groundswell.consolidation.stopping import Decision, rule_from
from groundswell.consolidation.stopping.early import EarlyModel
from groundswell.errors import DatasetError
from groundswell.ledger import RunState
from tests.groundswell.aws.desk import record
from tests.groundswell.aws.paper_desk import PaperDesk, document_of, rows_of

CONFIDENCE = {"rule": "confidence", "confidence": 0.9, "first": 2, "most": 5}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PaperDesk:
    return PaperDesk(tmp_path, monkeypatch)


def gold(desk: PaperDesk, text: str) -> dict[str, Any]:
    path = desk.folder / "gold.csv"
    path.write_text(text)
    return {"method": "majority", "gold": str(path)}


def test_a_known_label_is_the_items_label_whatever_workers_say(desk: PaperDesk) -> None:
    known = gold(desk, "item,label,source\na,virginica,book\nelsewhere,setosa,book\n")
    run = desk.run(["a", "b", "c"], consolidation=known)
    record(run, {"a": ["setosa"] * 2, "b": ["setosa"] * 2})
    record(run, {"c": ["setosa", "virginica"]}, outcome="gave_up")
    assert consolidate(run)["labelled"] == 2
    rows = rows_of(run)
    assert (rows["a"]["label"], rows["a"]["provenance"], rows["a"]["confidence"]) == (
        "virginica",
        "gold",
        1.0,
    )
    assert (rows["b"]["label"], rows["b"]["provenance"]) == ("setosa", "crowd")
    document = document_of(run)
    assert document["labelled_by"] == {"crowd": 1, "gold": 1, "expert": 0}
    assert document["on_known"] == {"known": 1, "right": 0, "right_by_vote": 0}, "not told, it is wrong"


def test_with_enough_known_labels_confidence_is_a_probability(desk: PaperDesk) -> None:
    items = [f"i{number:02}" for number in range(60)]
    known = gold(desk, "item,label\n" + "".join(f"{item},setosa\n" for item in items[:40]))
    run = desk.run(items, consolidation=known)
    # of the known ones one in five is wrong, however sure three of three workers look
    wrong = {item: ["virginica"] * 3 for item in items[:40:5]}
    record(run, {item: ["setosa"] * 3 for item in items} | wrong)
    consolidate(run)
    document = document_of(run)
    assert document["confidence_is"] == "probability"
    assert document["on_known"] == {"known": 40, "right": 32, "right_by_vote": 32}
    rows = rows_of(run)
    assert rows["i50"]["confidence_is"] == "probability"
    assert rows["i50"]["confidence"] < 0.95, "the share of the votes says 1"
    assert (rows["i00"]["label"], rows["i00"]["confidence"]) == ("setosa", 1.0)


def test_with_few_known_labels_it_stays_a_score_and_says_so(desk: PaperDesk) -> None:
    run = desk.run(["a", "b"], consolidation=gold(desk, "item,label\na,setosa\n"))
    record(run, {"a": ["setosa"] * 2, "b": ["setosa"] * 2})
    consolidate(run)
    document = document_of(run)
    assert document["confidence_is"] == "score"
    assert "uncalibrated" in {each["kind"] for each in document["findings"]}


def test_without_known_labels_nothing_is_said_about_them(desk: PaperDesk) -> None:
    run = desk.run(["a"], consolidation={"method": "majority"})
    record(run, {"a": ["setosa"] * 2})
    consolidate(run)
    assert document_of(run)["on_known"] is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", r"gold\.csv: is empty; give a header line item,label"),
        (
            "item,label\na,rosa\n",
            r"gold\.csv: line 2: 'rosa' is not one of the labels; write one of 'setosa'",
        ),
        ("item,label\na,setosa\na,virginica\nb\n", r"gold\.csv: line 3: .*; keep one \(and 1 more\)"),
    ],
)
def test_what_cannot_be_used_is_told_before_anything_is_published(
    desk: PaperDesk, text: str, says: str
) -> None:
    with pytest.raises(DatasetError, match=says):
        desk.run(["a"], consolidation=gold(desk, text))


def test_a_file_that_goes_while_workers_answer_is_told_by_consolidate(desk: PaperDesk) -> None:
    run = desk.run(["a"], consolidation=gold(desk, "item,label\na,setosa\n"), redundancy=CONFIDENCE)
    record(run, {"a": ["setosa"] * 2})
    (desk.folder / "gold.csv").unlink()
    with pytest.raises(DatasetError, match=r"gold\.csv: cannot be read: No such file"):
        consolidate(desk.again(run))
    jury = Jury(desk.again(run), run.ledger.fold(), rule_from(CONFIDENCE))
    run.ledger.append("hits", [{"item": "a", "hit": "3A", "hit_type": "T", "seats": 2, "expires": "2026"}])
    assert jury.judge({"a": 2}).keys() == {"a"}, "collecting goes on without it"


def test_known_labels_that_are_added_later_count_when_the_run_is_labelled_again(desk: PaperDesk) -> None:
    run = desk.run(["a"], consolidation={"method": "majority"})
    record(run, {"a": ["setosa"] * 2})
    consolidate(run)
    desk.batch_file(["a"], consolidation=gold(desk, "item,label\na,virginica\n"))
    consolidate(desk.again(run))
    assert desk.labels_of(run) == {"a": "virginica"}


def test_gold_file_and_experts_who_differ_are_told(desk: PaperDesk) -> None:
    asked = {"rule": "agree", "agree": 2, "first": 2, "most": 4, "experts": True}
    run = desk.run(["a"], redundancy=asked, consolidation=gold(desk, "item,label\na,virginica\n"))
    record(run, {"a": ["setosa"] * 2})
    path = desk.path("s3://bucket/experts/iris/answers.csv")
    path.parent.mkdir(parents=True)
    path.write_text("item,label,by\na,setosa,Ada\n")
    consolidate(run)
    assert rows_of(run)["a"]["label"] == "virginica"
    [finding] = [each for each in document_of(run)["findings"] if each["kind"] == "known_labels_differ"]
    assert (finding["severity"], finding["items"]) == ("warning", ["a"])
    assert [(row["label"], row["provenance"]) for row in all_labels(run)] == [("virginica", "gold")]


# the model of the workers


def state_of(items: int, labels: tuple[str, ...]) -> RunState:
    state = RunState()
    for number in range(items):
        item = f"i{number:04}"
        state.add("hits", {"item": item, "hit": f"H{number}", "hit_type": "T", "seats": 2, "expires": ""})
        for worker, label in enumerate(labels):
            add_answer(state, item, worker, label)
    return state


def add_answer(state: RunState, item: str, worker: int, label: str) -> None:
    row = {"assignment": f"{item}-{worker}", "item": item, "worker": f"W{worker}"}
    state.add("answers", row | {"label": label, "submitted": f"2026-01-01T00:00:0{worker}+00:00"})


def run_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabelingRun:
    monkeypatch.setattr(judging, "known_labels", lambda _: {})
    labels = ("setosa", "versicolor", "virginica")
    batch = SimpleNamespace(
        task=SimpleNamespace(labels=labels), consolidation=SimpleNamespace(earlier_skill=False)
    )
    return SimpleNamespace(batch=batch)  # type: ignore[return-value]


def test_the_model_is_fitted_again_when_the_answers_have_grown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[int] = []
    fit = EarlyModel.fit.__func__  # type: ignore[attr-defined]

    def counted(kind: type[EarlyModel], answers: Any, **options: Any) -> EarlyModel:
        fitted.append(len(answers))
        return fit(kind, answers, **options)  # type: ignore[no-any-return]

    monkeypatch.setattr(EarlyModel, "fit", classmethod(counted))
    state = state_of(100, ("setosa", "setosa"))
    jury = Jury(run_of(tmp_path, monkeypatch), state, rule_from(CONFIDENCE))
    for start in range(0, 100, 10):
        jury.judge({f"i{number:04}": 2 for number in range(start, start + 10)})
    assert fitted == [200]
    for number in range(round(200 * GROWN)):
        add_answer(state, f"i{number:04}", 2, "setosa")
    jury.judge({"i0000": 3})
    assert fitted == [200], "by five in a hundred, and not by more"
    add_answer(state, "i0099", 2, "setosa")
    jury.judge({"i0000": 3})
    assert fitted == [200, 211]
    state.add("rejections", {"assignment": "i0000-0", "item": "i0000", "worker": "W0", "at": "2026"})
    assert jury.judge({"i0001": 2}) == {"i0001": Decision.SETTLED}
    assert fitted == [200, 211, 210], "a rejected answer tells nothing"


def test_an_items_newest_answers_count_between_two_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = state_of(100, ("setosa", "setosa"))
    state.add("hits", {"item": "new", "hit": "H", "hit_type": "T", "seats": 2, "expires": ""})
    add_answer(state, "new", 0, "setosa")
    add_answer(state, "new", 1, "virginica")
    jury = Jury(run_of(tmp_path, monkeypatch), state, rule_from(CONFIDENCE))
    assert jury.judge({"new": 2}) == {"new": Decision.ASK}
    for worker in (2, 3):
        add_answer(state, "new", worker, "setosa")
    assert jury.judge({"new": 4}) == {"new": Decision.SETTLED}


@pytest.mark.parametrize(
    "redundancy",
    [
        {"rule": "agree", "agree": 2, "first": 2, "most": 5},
        {"rule": "lead", "lead": 2, "first": 2, "most": 5},
        {"rule": "fixed", "first": 2},
    ],
    ids=lambda each: each["rule"],
)
def test_rules_that_count_need_no_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redundancy: dict[str, Any]
) -> None:
    monkeypatch.setattr(EarlyModel, "fit", None)
    jury = Jury(run_of(tmp_path, monkeypatch), state_of(1, ("setosa", "setosa")), rule_from(redundancy))
    assert jury.judge({"i0000": 2}) == {"i0000": Decision.SETTLED}
    assert jury.judge({}) == {}
