"""One HIT: its counters, its status by formula, and what each event does to them. No database here."""

from __future__ import annotations

from dataclasses import dataclass, field

from workforce.store.times import DAY_MS

ASSIGNABLE, UNASSIGNABLE = "Assignable", "Unassignable"
REVIEWABLE, REVIEWING, DISPOSED = "Reviewable", "Reviewing", "Disposed"


@dataclass
class Hit:
    """A HIT as the database has it, with the properties of its type that its life depends on.

    Money is in cents, instants in milliseconds. `expired` says that expiry has been carried out;
    `submitted` counts only what awaits review.
    """

    seq: int
    hit_id: str
    account_id: str
    hit_type_id: str
    created_ms: int
    expiration_ms: int
    reward_cents: int
    fee_cents: int
    funded: bool
    created_seats: int
    max_assignments: int
    pending: int
    submitted: int
    approved: int
    rejected: int
    expired: bool
    reviewing: bool
    reviewable_ms: int | None
    deleted_ms: int | None
    annotation: str | None
    duration_s: int
    auto_approval_s: int
    _held_before: int = field(default=0, init=False)
    _paid_cents: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._held_before = self.liability_cents

    @property
    def seat_cents(self) -> int:
        """What one approved assignment costs the requester."""
        return self.reward_cents + self.fee_cents

    @property
    def available(self) -> int:
        """Seats nobody took; a rejected assignment keeps its seat. Not zeroed by expiry."""
        return self.max_assignments - self.pending - self.submitted - self.approved - self.rejected

    @property
    def completed(self) -> int:
        """Assignments approved or rejected."""
        return self.approved + self.rejected

    @property
    def liability_cents(self) -> int:
        """What may still have to be paid: work under way or awaiting review, and seats that can be taken."""
        if not self.funded:
            return 0
        open_seats = 0 if self.expired else self.available
        return self.seat_cents * (self.pending + self.submitted + open_seats)

    def take_hold_change(self) -> int:
        """Cents to hold in addition (or, negative, to let go) since the last time this was asked.

        What was paid meanwhile has left the hold by itself.
        """
        change = self.liability_cents - self._held_before + self._paid_cents
        self._held_before, self._paid_cents = self.liability_cents, 0
        return change

    @property
    def status(self) -> str:
        """The HITStatus that follows from the counters and flags."""
        if self.deleted_ms is not None:
            return DISPOSED
        closed = self.expired or self.available == 0
        if closed and self.pending == 0:
            return REVIEWING if self.reviewing else REVIEWABLE
        return UNASSIGNABLE if closed else ASSIGNABLE

    def due_ms(self, disposal_days: int) -> int | None:
        """When time alone will next change this HIT: its expiry or its disposal."""
        if self.deleted_ms is not None:
            return None
        moments = [] if self.expired else [self.expiration_ms]
        if self.reviewable_ms is not None and self.submitted == 0:
            moments.append(self.reviewable_ms + disposal_days * DAY_MS)
        return min(moments, default=None)

    def accept(self) -> None:
        """A worker takes a seat."""
        self.pending += 1

    def give_up(self) -> None:
        """A worker returns or abandons the seat."""
        self.pending -= 1

    def submit(self) -> None:
        """A worker hands in the work."""
        self.pending -= 1
        self.submitted += 1

    def approve(self) -> None:
        """Submitted work is approved."""
        self.submitted -= 1
        self.approved += 1
        self._pay()

    def reject(self) -> None:
        """Submitted work is rejected."""
        self.submitted -= 1
        self.rejected += 1

    def override(self) -> None:
        """Rejected work is approved after all."""
        self.rejected -= 1
        self.approved += 1
        self._pay()

    def _pay(self) -> None:
        if self.funded:
            self._paid_cents += self.seat_cents

    def expire(self, at_ms: int) -> None:
        """No seat can be taken from `at_ms` on."""
        self.expired = True
        self.expiration_ms = min(self.expiration_ms, at_ms)

    def prolong(self, expiration_ms: int) -> None:
        """Seats can be taken until a later moment."""
        self.expired = False
        self.expiration_ms = expiration_ms

    def extend(self, seats: int) -> None:
        """More assignments are wanted; the expiration stays."""
        self.max_assignments += seats

    def dispose(self, at_ms: int) -> None:
        """The requester has no more use for it."""
        self.deleted_ms = at_ms

    def settle(self, now_ms: int) -> None:
        """After an event: keep the moment since when it is reviewable, drop the flag when it is not.

        A HIT that is extended has to come back as Reviewable, not as Reviewing, or a requester who looks
        for finished work would never see it again.
        """
        if self.status not in (REVIEWABLE, REVIEWING, DISPOSED):
            self.reviewable_ms = None
            self.reviewing = False
        elif self.reviewable_ms is None:
            self.reviewable_ms = now_ms
