"""The workers' side of the market."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from workforce.market.views import AssignmentView, Earnings, HitListing, Question, WorkerView


class WorkerService:
    """What a worker can do."""

    def ensure_worker(self, worker_id: str, now: datetime | None = None) -> WorkerView:
        """Make the worker known; raises MarketError unless the id matches ^A[A-Z0-9]{1,63}$."""
        raise NotImplementedError

    def available(self, worker_id: str, *, limit: int = 100, offset: int = 0) -> list[HitListing]:
        """HITs this worker may accept now."""
        raise NotImplementedError

    def listing(self, hit_id: str) -> HitListing:
        """One HIT, whoever may accept it."""
        raise NotImplementedError

    def question(self, hit_id: str) -> Question:
        """What to show for a HIT."""
        raise NotImplementedError

    def accept(self, worker_id: str, hit_id: str) -> AssignmentView:
        """Take a seat; raises MarketError when there is none for this worker."""
        raise NotImplementedError

    def held(self, worker_id: str) -> list[AssignmentView]:
        """Assignments accepted, not submitted, not past the deadline."""
        raise NotImplementedError

    def assignment(self, worker_id: str, assignment_id: str) -> AssignmentView:
        """One of this worker's assignments, in any state."""
        raise NotImplementedError

    def submit(
        self, assignment_id: str, fields: Sequence[tuple[str, str]], *, worker_id: str | None = None
    ) -> AssignmentView:
        """Hand in the answers."""
        raise NotImplementedError

    def give_back(self, worker_id: str, assignment_id: str) -> None:
        """Return an accepted assignment; its seat becomes free."""
        raise NotImplementedError

    def earnings(self, worker_id: str) -> Earnings:
        """The worker's record over all requesters."""
        raise NotImplementedError
