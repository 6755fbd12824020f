"""Rows to the structures of the API."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, select

from workforce.market.hit import Hit
from workforce.market.money import dollars
from workforce.market.records import HIT_COLUMNS, Assignment
from workforce.store.tables import hit_types, hits, questions
from workforce.store.times import from_ms_whole

_WIDTH = len(HIT_COLUMNS)
# in the order of the fields of `Shown`
SHOWN_COLUMNS = (
    hit_types.c.group_id,
    hit_types.c.title,
    hit_types.c.description,
    hit_types.c.keywords,
    hit_types.c.requirements,
)
FULL_HIT: Select[Any] = (
    select(*HIT_COLUMNS, *SHOWN_COLUMNS, questions.c.body)
    .join_from(hits, hit_types)
    .join(questions, questions.c.hit_seq == hits.c.seq)
)
_ONE = FULL_HIT.where(hits.c.seq == bindparam("seq"))


class Shown(NamedTuple):
    """What a HIT's type adds to its structure; `requirements` is JSON."""

    group_id: str
    title: str
    description: str
    keywords: str | None
    requirements: str


def hit_shapes(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """HIT structures of rows of `FULL_HIT`."""
    return [shape_of(Hit(*row[:_WIDTH]), Shown(*row[_WIDTH:-1]), row[-1]) for row in rows]


def hit_shape(connection: Connection, seq: int) -> dict[str, Any]:
    """The HIT structure of one HIT."""
    return hit_shapes(connection.execute(_ONE, {"seq": seq}))[0]


def shape_of(hit: Hit, shown: Shown, question: str) -> dict[str, Any]:
    """The HIT structure of a HIT in memory."""
    shape = {
        "HITId": hit.hit_id,
        "HITTypeId": hit.hit_type_id,
        "HITGroupId": shown.group_id,
        "CreationTime": from_ms_whole(hit.created_ms),
        "Title": shown.title,
        "Description": shown.description,
        "Question": question,
        "Keywords": shown.keywords,
        "HITStatus": hit.status,
        "MaxAssignments": hit.max_assignments,
        "Reward": dollars(hit.reward_cents),
        "AutoApprovalDelayInSeconds": hit.auto_approval_s,
        "Expiration": from_ms_whole(hit.expiration_ms),
        "AssignmentDurationInSeconds": hit.duration_s,
        "RequesterAnnotation": hit.annotation,
        "QualificationRequirements": json.loads(shown.requirements),
        "HITReviewStatus": "NotReviewed",
        "NumberOfAssignmentsPending": hit.pending,
        "NumberOfAssignmentsAvailable": hit.available,
        "NumberOfAssignmentsCompleted": hit.completed,
    }
    return _present(shape)


def assignment_shape(hit_id: str, assignment: Assignment) -> dict[str, Any]:
    """The Assignment structure of submitted work."""
    moments = {
        "AutoApprovalTime": assignment.auto_approval_ms,
        "AcceptTime": assignment.accepted_ms,
        "SubmitTime": assignment.submitted_ms,
        "ApprovalTime": assignment.approved_ms,
        "RejectionTime": assignment.rejected_ms,
        "Deadline": assignment.deadline_ms,
    }
    shape = {
        "AssignmentId": assignment.assignment_id,
        "WorkerId": assignment.worker_id,
        "HITId": hit_id,
        "AssignmentStatus": assignment.status,
        **{name: None if value is None else from_ms_whole(value) for name, value in moments.items()},
        "Answer": assignment.answer,
        "RequesterFeedback": assignment.feedback,
    }
    return _present(shape)


def _present(shape: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shape.items() if value is not None}
