"""Numbers of seats and of reservations where money, rejections and a stop meet."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from groundswell.aws.reviewing import apply_reviews, propose_rejections, record_decision
from groundswell.aws.runs import LabelingRun
from tests.groundswell.aws.desk import Desk
from tests.groundswell.aws.workbench import Killed

pytestmark = pytest.mark.contract

REVIEW = {"agreement_below": 0.5, "minimum_answers": 5, "feedback": "It cannot be read."}


def no_money(*_: Any, **__: Any) -> None:
    raise ClientError(
        {
            "Error": {"Code": "RequestError", "Message": "no money"},
            "Message": "no money",
            "TurkErrorCode": "AWS.MechanicalTurk.InsufficientFunds",
        },
        "CreateAdditionalAssignmentsForHIT",
    )


def hit_of(desk: Desk, run: LabelingRun, item: str) -> dict[str, Any]:
    [hit] = desk.hits_of(run, item)
    return dict(desk.call("GetHIT", HITId=hit)["HIT"])


@pytest.mark.parametrize("killed", [False, True], ids=["", "killed"])
def test_a_rejected_seat_is_opened_where_another_was_reserved_in_vain(desk: Desk, killed: bool) -> None:
    script = {"a": ["setosa", "virginica", "?", "setosa"]}
    redundancy = {"rule": "agree", "agree": 2, "first": 3, "most": 5}
    run = desk.run(["a"], review=REVIEW, redundancy=redundancy)
    desk.publish(run)
    desk.answer(run, script, invalid="?")
    with desk.monkeypatch.context() as patch:
        patch.setattr(run.mturk, "add_seats", no_money)
        assert desk.collect(desk.again(run)).given_up == 1
    [bad] = [row for row in run.ledger.fold().answers.values() if row["label"] is None]
    propose_rejections(desk.again(run))
    record_decision(desk.again(run), [bad["worker"]], by="rita", at="2026-01-01T00:00:00+00:00")
    if killed:
        with desk.monkeypatch.context() as patch:
            patch.setattr(run.mturk, "set_expiration", no_money)
            patch.setattr(run.mturk, "add_seats", die_after(run.mturk.add_seats))
            with pytest.raises(Killed):
                apply_reviews(desk.again(run), [bad["worker"]], "rita")
    apply_reviews(desk.again(run), [bad["worker"]], "rita")
    hit = hit_of(desk, run, "a")
    assert (hit["MaxAssignments"], run.ledger.fold().seats["a"]) == (4, 4)
    desk.answer(run, script)
    progress = desk.collect(desk.again(run))
    assert (progress.settled, progress.open) == (1, 0)


def test_a_ledger_from_before_the_review_opens_no_second_seat(desk: Desk) -> None:
    script = {"a": ["setosa", "setosa", "?"]}
    redundancy = {"rule": "agree", "agree": 2, "first": 3, "most": 5}
    run = desk.run(["a"], review=REVIEW, redundancy=redundancy, task__lifetime="3d")
    desk.publish(run)
    desk.answer(run, script, invalid="?")
    desk.collect(desk.again(run))
    [bad] = [row for row in run.ledger.fold().answers.values() if row["label"] is None]
    propose_rejections(desk.again(run))
    record_decision(desk.again(run), [bad["worker"]], by="rita", at="2026-01-01T00:00:00+00:00")
    backup = {path: path.read_bytes() for path in (desk.folder / "store").rglob("*.json*")}
    apply_reviews(desk.again(run), [bad["worker"]], "rita")
    for path in (desk.folder / "store").rglob("*.json*"):
        if path not in backup:
            path.unlink()
    desk.clock.offset = timedelta(hours=30)
    try:
        apply_reviews(desk.again(run), [bad["worker"]], "rita")
        assert (hit_of(desk, run, "a")["MaxAssignments"], run.ledger.fold().seats["a"]) == (4, 4)
    finally:
        desk.clock.offset = timedelta()


def die_after(call: Any) -> Any:
    def dying(*named: Any, **options: Any) -> None:
        call(*named, **options)
        raise Killed

    return dying


def test_a_lost_reservation_does_not_keep_others_from_being_made(desk: Desk) -> None:
    run = desk.run(["a", "b"])
    desk.publish(run)
    for item in "ab":
        desk.answer(run, {item: ["setosa", "virginica"]})
        desk.collect(desk.again(run))
    first, _ = sorted((desk.folder / "store" / run.ledger.prefix / "reservations").iterdir())
    first.unlink()
    desk.answer(run, {"a": ["setosa", "virginica", "versicolor"]})
    desk.monkeypatch.setattr("groundswell.ledger.ledger.Ledger.write", limited(5))
    desk.collect(desk.again(run))
    assert run.ledger.fold().seats == {"a": 4, "b": 3}


def limited(times: int) -> Any:
    from groundswell.ledger import Ledger

    write, left = Ledger.write, [times]

    def counted(*named: Any) -> bool:
        left[0] -= 1
        assert left[0], "it goes round in circles"
        return write(*named)

    return counted
