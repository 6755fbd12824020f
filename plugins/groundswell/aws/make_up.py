"""A HIT for one worker, to pay somebody who has no assignment: nobody else can see or take it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from groundswell.aws.runs import COMPENSATIONS, LabelingRun, now_text
from groundswell.batches.units import dollars
from groundswell.errors import CompensationError
from groundswell.ledger import Ledger, annotation, request_token, run_key
from groundswell.review.cases import Case
from groundswell.templates import render
from groundswell.templates.render import TaskText, html_question

log = logging.getLogger(__name__)

#: How long the worker has to take the payment.
LIFETIME = timedelta(days=14)
_TIME = timedelta(hours=1)
_PAGE = Path(render.__file__).with_name("make_up.liquid.html")

Row = Mapping[str, Any]


def offer(run: LabelingRun, ledger: Ledger, case: Case, fixed: Row) -> dict[str, Any]:
    """
    Publish the HIT, once, and tell the worker; return its row in the ledger.

    The qualification has the case in its name, so that a later attempt finds it; the HIT is found by its
    annotation where the service may have forgotten the token.
    """
    known = ledger.fold("hits").hits.get(case.worker)
    if known is not None:
        return known
    mark = annotation(COMPENSATIONS, ledger.run_id, case.worker)
    hit = run.mturk.hits_by_annotation().get(mark)
    qualification = run.mturk.create_qualification_type(
        f"Compensation {run_key(ledger.run_id)}",
        f"Lets you take the task that pays you {dollars(int(fixed['cents']))} (case {case.case}).",
    )
    run.mturk.grant(qualification, case.worker)
    hit_type = run.mturk.create_hit_type(**_properties(case, fixed, qualification))
    if hit is None:
        hit = run.mturk.create_hit(
            token=request_token(COMPENSATIONS, ledger.run_id, case.worker, "make_up", 0),
            HITTypeId=hit_type,
            MaxAssignments=1,
            LifetimeInSeconds=int(LIFETIME.total_seconds()),
            Question=html_question(_page(run, case, fixed), 0),
            RequesterAnnotation=mark,
        )
    expires = (datetime.now(UTC) + LIFETIME).isoformat(timespec="seconds")
    row = {"item": case.worker, "hit": hit, "hit_type": hit_type, "seats": 1, "expires": expires}
    row["qualification_type"] = qualification
    ledger.append("hits", [row])
    return row


def _properties(case: Case, fixed: Row, qualification: str) -> dict[str, Any]:
    cents = int(fixed["cents"])
    return {
        "Title": f"Your compensation, case {case.case}",
        "Description": case.reason,
        "Keywords": "compensation",
        "Reward": f"{cents // 100}.{cents % 100:02d}",
        "AssignmentDurationInSeconds": int(_TIME.total_seconds()),
        "AutoApprovalDelayInSeconds": int(timedelta(days=1).total_seconds()),
        "QualificationRequirements": [
            {
                "QualificationTypeId": qualification,
                "Comparator": "Exists",
                "ActionsGuarded": "DiscoverPreviewAndAccept",
            }
        ],
    }


def _page(run: LabelingRun, case: Case, fixed: Row) -> str:
    return render.render_page(
        _PAGE,
        item={"reason": case.reason, "amount": dollars(int(fixed["cents"]))},
        item_id=case.case,
        task=TaskText(
            title="Your compensation",
            description=case.reason,
            labels=(),
            language=run.live.task.language,
        ),
        image_src=None,
    )


def settle(run: LabelingRun, ledger: Ledger, case: Case, fixed: Row) -> dict[str, Any]:
    """
    Pay what the worker handed in, then delete the HIT and the qualification type.

    :raises CompensationError: after cleaning up, where the worker did not take it in time; before, where the
        worker may still do so.
    """
    state = ledger.fold()
    row = state.hits.get(case.worker)
    if row is None:
        raise CompensationError(f"case {case.case} has no make-up HIT yet; clear the task that pays")
    cents = int(fixed["cents"]) + int(fixed["fee_cents"])
    if case.worker not in state.deleted:
        for each in run.mturk.assignments(row["hit"]):
            if each["AssignmentStatus"] == "Submitted":
                run.mturk.approve(each["AssignmentId"])
            elif each["AssignmentStatus"] != "Approved":
                continue  # somebody rejected it by hand
            if each["AssignmentId"] not in state.payments:
                payment = {"assignment": each["AssignmentId"], "item": case.worker, "cents": cents}
                ledger.record("payments", [payment | {"at": now_text()}], state)
        result = run.mturk.delete_hit(row["hit"])
        if result in {"held", "unreviewed"}:
            raise CompensationError(
                f"case {case.case}: worker {case.worker} can still take the make-up HIT {row['hit']}; "
                "clear the waiting task"
            )
        ledger.record("deletions", [{"item": case.worker, "hit": row["hit"]}], state)
    run.mturk.delete_qualification_type(row["qualification_type"])
    if not state.payments:
        raise CompensationError(
            f"case {case.case}: worker {case.worker} did not take the make-up HIT in {LIFETIME.days} days, "
            "or somebody rejected it; nothing was paid. To offer it again, choose another case id"
        )
    return {"paid_cents": state.spent_cents}
