"""What workers see of the market: plain, frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

AssignmentState = Literal["Accepted", "Submitted", "Approved", "Rejected", "Returned", "Abandoned"]
QuestionKind = Literal["html", "external", "form"]


@dataclass(frozen=True)
class HitListing:
    """One HIT as the list of available work shows it; money in cents, time in seconds."""

    hit_id: str
    hit_type_id: str
    title: str
    description: str
    keywords: str
    reward_cents: int
    duration_s: int
    expiration: datetime
    seats_available: int
    requester_name: str
    qualified: bool = True  # whether the worker who asked may accept it


@dataclass(frozen=True)
class AssignmentView:
    """One worker's turn at a HIT; `deadline` is accept time plus the HIT's assignment duration."""

    assignment_id: str
    hit_id: str
    worker_id: str
    status: AssignmentState
    accepted_at: datetime
    deadline: datetime
    submitted_at: datetime | None = None
    feedback: str | None = None  # the requester's, once it is approved or rejected


@dataclass(frozen=True)
class RejectionView:
    """Rejected work as its worker sees it, with what the requester said."""

    assignment_id: str
    title: str
    requester_name: str
    reward_cents: int
    rejected_at: datetime
    feedback: str
    kept: bool  # its HIT is not deleted


@dataclass(frozen=True)
class BonusView:
    """A bonus as its worker sees it."""

    assignment_id: str
    title: str
    requester_name: str
    cents: int
    reason: str
    given_at: datetime
    kept: bool  # the HIT is not deleted


@dataclass(frozen=True)
class MessageView:
    """A message from a requester; `number` names it among the worker's own."""

    number: int
    requester_name: str
    subject: str
    text: str
    sent_at: datetime
    unread: bool


@dataclass(frozen=True)
class WorkerView:
    """A worker that the market knows."""

    worker_id: str
    created_at: datetime


@dataclass(frozen=True)
class Earnings:
    """A worker's record: counts of assignments, and cents awaiting approval and paid."""

    submitted: int
    approved: int
    rejected: int
    pending_cents: int
    paid_cents: int


@dataclass(frozen=True)
class Question:
    """What to put before a worker.

    `content` holds HTML for kind "html" and the QuestionForm XML for kind "form"; `url` is set for
    kind "external". A `frame_height` of 0 pixels means: fill the window.
    """

    kind: QuestionKind
    content: str
    url: str
    frame_height: int
