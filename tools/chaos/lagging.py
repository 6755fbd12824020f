"""What a requester sees while the service's indexes lag behind: the newest things are missing from lists."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from tools.chaos.wire import Request, Response, refusal
from tools.chaos.world import World
from workforce.store import Store
from workforce.store.tables import assignments, hits
from workforce.store.times import to_ms

_NULL = "This operation can be called with a status of: null"


class Lag:
    """
    Hides what is new.

    :param seconds: what is younger than this may be hidden.
    """

    def __init__(self, store: Store, world: World, seconds: float) -> None:
        self._store = store
        self._world = world
        self._ms = int(seconds * 1000)

    @property
    def _since_ms(self) -> int:
        return to_ms(self._world.now()) - self._ms

    def refused(self, request: Request) -> Response | None:
        """Return the refusal of an approval whose assignment is not visible yet, or None."""
        if request.operation != "ApproveAssignment":
            return None
        submitted = assignments.c.submitted_ms
        query = select(submitted).where(
            assignments.c.assignment_id == str(request.parameters.get("AssignmentId")),
            assignments.c.status == "Submitted",
        )
        with self._store.read() as connection:
            at_ms = connection.execute(query).scalar_one_or_none()
        return refusal(400, "RequestError", _NULL) if at_ms and at_ms > self._since_ms else None

    def seen(self, request: Request, response: Response) -> Response:
        """Return the response without what is new; the same object where nothing is."""
        hide = {
            "ListHITs": self._old_hits,
            "ListReviewableHITs": self._long_reviewable,
            "ListAssignmentsForHIT": self._old_submissions,
        }.get(request.operation)
        if hide is None:
            return response
        document = response.document
        name = "Assignments" if "Assignments" in document else "HITs"
        kept = hide(document[name])
        if len(kept) == len(document[name]):
            return response
        return response.with_document(document | {name: kept, "NumResults": len(kept)})

    def _old_hits(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row for row in rows if row["CreationTime"] * 1000 <= self._since_ms]

    def _old_submissions(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row for row in rows if row["SubmitTime"] * 1000 <= self._since_ms]

    def _long_reviewable(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        ids = [row["HITId"] for row in rows]
        query = select(hits.c.hit_id).where(hits.c.hit_id.in_(ids), hits.c.reviewable_ms <= self._since_ms)
        with self._store.read() as connection:
            old = set(connection.execute(query).scalars())
        return [row for row in rows if row["HITId"] in old]
