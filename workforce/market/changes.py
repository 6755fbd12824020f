"""What a requester does to a HIT or an assignment after it was made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select

from workforce.market import limits
from workforce.market.accounts import is_funded
from workforce.market.errors import (
    PREFIX,
    RequestError,
    insufficient_funds,
    invalid,
    wrong_assignment_state,
    wrong_hit_state,
)
from workforce.market.hit import DISPOSED, REVIEWABLE, REVIEWING, Hit
from workforce.market.money import MANY_ASSIGNMENTS
from workforce.market.owned import own_assignment, own_hit
from workforce.market.records import REJECTED, SUBMITTED, Assignment, save_hit
from workforce.market.review import approve, reject
from workforce.market.timers import Timers
from workforce.market.tokens import Tokens
from workforce.market.unit import Context, Unit
from workforce.store.tables import accounts
from workforce.store.times import DAY_MS, SECOND_MS, to_ms, whole_second_ms

_ANY_LIVE = "Assignable, Unassignable, Reviewable, Reviewing"


class Changes:
    """The operations that change a HIT or an assignment."""

    def __init__(self, context: Context, tokens: Tokens, timers: Timers) -> None:
        self._context = context
        self._tokens = tokens
        self._timers = timers

    def extend(self, account: str, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """CreateAdditionalAssignmentsForHIT: more seats; the expiration stays as it is."""
        seats = limits.whole(params, "NumberOfAdditionalAssignments", 1, limits.MOST_ASSIGNMENTS)
        token = limits.token(params)
        with self._context.unit(now_ms) as unit:
            hit = self._own(unit, account, params)
            self._tokens.claim_request(unit, account, "CreateAdditionalAssignmentsForHIT", token)
            _check_live(hit)
            _check_seats(hit, seats)
            if hit.expired and hit.funded:
                # nothing is held until its time is extended too, but the requester must be able to pay
                _check_funds(unit, account, seats * hit.seat_cents)
            hit.extend(seats)
            save_hit(unit, self._context.settings, hit)
        return {}

    def update_expiration(self, account: str, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """UpdateExpirationForHIT: a later moment, or one that is over to expire the HIT now."""
        moment = params.get("ExpireAt")
        if not isinstance(moment, datetime) or moment.tzinfo is None:
            raise invalid("ExpireAt", "is required, as a time")
        expire_ms = whole_second_ms(to_ms(moment))
        with self._context.unit(now_ms) as unit:
            hit = self._own(unit, account, params)
            _check_live(hit)
            if expire_ms <= now_ms:
                if hit.expired:
                    return {}
                hit.expire(whole_second_ms(now_ms))
            else:
                self._tokens.claim_expiration(unit, account, hit.hit_id, expire_ms)
                _check_later(hit, expire_ms, now_ms)
                hit.prolong(expire_ms)
            save_hit(unit, self._context.settings, hit)
        self._timers.wake()
        return {}

    def review_status(self, account: str, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """UpdateHITReviewStatus: Reviewable to Reviewing, or back with Revert."""
        revert = bool(params.get("Revert", False))
        needed = REVIEWING if revert else REVIEWABLE
        with self._context.unit(now_ms) as unit:
            hit = self._own(unit, account, params)
            if hit.status != needed:
                raise wrong_hit_state(hit.status, needed)
            hit.reviewing = not revert
            save_hit(unit, self._context.settings, hit)
        return {}

    def delete(self, account: str, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """DeleteHIT: only what is Reviewable or Reviewing, with every submission reviewed."""
        with self._context.unit(now_ms) as unit:
            hit = self._own(unit, account, params)
            if hit.status not in (REVIEWABLE, REVIEWING) or hit.submitted:
                raise wrong_hit_state(hit.status, "Reviewing, Reviewable")
            hit.dispose(now_ms)
            save_hit(unit, self._context.settings, hit)
        return {}

    def approve(self, account: str, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """ApproveAssignment; with OverrideRejection also rejected work, within 30 days of its submission."""
        feedback = limits.feedback(params, required=False)
        override = bool(params.get("OverrideRejection", False))
        with self._context.unit(now_ms) as unit:
            hit, assignment = self._own_assignment(unit, account, params)
            if assignment.status == REJECTED and override:
                self._check_override(hit, assignment, now_ms)
            elif assignment.status != SUBMITTED:
                raise _not_submitted(assignment)
            approve(unit, hit, assignment, feedback, now_ms)
            save_hit(unit, self._context.settings, hit)
        return {}

    def reject(self, account: str, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
        """RejectAssignment."""
        feedback = limits.feedback(params, required=True)
        with self._context.unit(now_ms) as unit:
            hit, assignment = self._own_assignment(unit, account, params)
            if assignment.status != SUBMITTED:
                raise _not_submitted(assignment)
            reject(unit, hit, assignment, feedback, now_ms)
            save_hit(unit, self._context.settings, hit)
        return {}

    def _check_override(self, hit: Hit, assignment: Assignment, now_ms: int) -> None:
        if hit.status == DISPOSED:
            raise wrong_hit_state(DISPOSED, _ANY_LIVE)
        days = self._context.settings.override_rejection_days
        if now_ms - (assignment.submitted_ms or 0) > days * DAY_MS:
            raise wrong_assignment_state("Submitted")

    def _own(self, unit: Unit, account: str, params: Mapping[str, Any]) -> Hit:
        is_funded(unit.connection, account)
        return own_hit(unit.connection, account, params, lock=True)

    def _own_assignment(self, unit: Unit, account: str, params: Mapping[str, Any]) -> tuple[Hit, Assignment]:
        is_funded(unit.connection, account)
        return own_assignment(unit.connection, account, params)


def _not_submitted(assignment: Assignment) -> RequestError:
    # work that was never handed in has no status a requester could see
    return wrong_assignment_state("null" if assignment.submitted_ms is None else "Submitted")


def _check_live(hit: Hit) -> None:
    if hit.status == DISPOSED:
        raise wrong_hit_state(DISPOSED, _ANY_LIVE)


def _check_seats(hit: Hit, seats: int) -> None:
    total = hit.max_assignments + seats
    if hit.created_seats < MANY_ASSIGNMENTS <= total:
        raise RequestError(
            f"A HIT created with fewer than {MANY_ASSIGNMENTS} assignments cannot be extended to "
            f"{MANY_ASSIGNMENTS} or more; this HIT has {hit.max_assignments}, {seats} were asked for.",
            f"{PREFIX}InvalidMaximumAssignmentsIncrease",
        )
    if total > limits.MOST_ASSIGNMENTS:
        raise invalid(
            "NumberOfAdditionalAssignments", f"the HIT would have more than {limits.MOST_ASSIGNMENTS}"
        )


def _check_later(hit: Hit, expire_ms: int, now_ms: int) -> None:
    if expire_ms <= hit.expiration_ms:
        raise invalid(
            "ExpireAt",
            "the expiration of a HIT can only be moved to a later time than its current one, or to a time "
            "in the past to expire the HIT now",
        )
    if expire_ms > max(now_ms, hit.expiration_ms) + limits.YEAR_S * SECOND_MS:
        raise invalid("ExpireAt", f"a HIT can be extended by at most {limits.YEAR_S} seconds at a time")


def _check_funds(unit: Unit, account: str, cents: int) -> None:
    query = select(accounts.c.available_cents).where(accounts.c.account_id == account)
    if unit.connection.execute(query).scalar_one() < cents:
        raise insufficient_funds()
