"""The requester's side: the operations of the API behind `call`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.exc import OperationalError, TimeoutError

from workforce.market.accounts import AccountService
from workforce.market.bonuses import Bonuses
from workforce.market.changes import Changes
from workforce.market.creation import Creation
from workforce.market.errors import NotImplementedYet, ServiceFault
from workforce.market.grants import Grants
from workforce.market.lists import Lists
from workforce.market.messages import Notices
from workforce.market.qualification_types import QualificationTypes
from workforce.market.timers import Timers
from workforce.market.tokens import Tokens
from workforce.market.unit import Context

_Operation = Callable[[str, Mapping[str, Any], int], dict[str, Any]]


class RequesterService:
    """Runs API operations for requester accounts."""

    def __init__(self, context: Context, timers: Timers) -> None:
        self.accounts = AccountService(context)
        self._context = context
        self._timers = timers
        tokens = Tokens(context)
        creation, lists = Creation(context, tokens), Lists(context)
        changes = Changes(context, tokens, timers)
        bonuses = Bonuses(context, tokens)
        types, grants = QualificationTypes(context), Grants(context)
        self._operations: dict[str, _Operation] = {
            "CreateHITType": creation.hit_type,
            "CreateHIT": creation.hit,
            "CreateHITWithHITType": creation.hit_with_type,
            "GetHIT": lists.hit,
            "ListHITs": lists.hits,
            "ListReviewableHITs": lists.reviewable,
            "ListAssignmentsForHIT": lists.assignments,
            "GetAssignment": lists.assignment,
            "GetAccountBalance": lists.balance,
            "ApproveAssignment": changes.approve,
            "RejectAssignment": changes.reject,
            "CreateAdditionalAssignmentsForHIT": changes.extend,
            "UpdateExpirationForHIT": changes.update_expiration,
            "UpdateHITReviewStatus": changes.review_status,
            "DeleteHIT": changes.delete,
            "SendBonus": bonuses.send,
            "ListBonusPayments": bonuses.payments,
            "NotifyWorkers": Notices(context).notify,
            "CreateQualificationType": types.create,
            "GetQualificationType": types.get,
            "ListQualificationTypes": types.found,
            "UpdateQualificationType": types.update,
            "DeleteQualificationType": types.delete,
            "ListHITsForQualificationType": types.hits,
            "AssociateQualificationWithWorker": grants.associate,
            "DisassociateQualificationFromWorker": grants.disassociate,
            "GetQualificationScore": grants.score,
            "ListWorkersWithQualificationType": grants.workers,
        }

    @property
    def operations(self) -> frozenset[str]:
        """The names of the operations that are implemented."""
        return frozenset(self._operations)

    def call(self, operation: str, account: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Run one API operation, for example "CreateHIT", for an account.

        Parameters and result are in the API's shapes, with aware datetimes. Raises RequestError for what the
        caller did wrong, NotImplementedYet for an operation this server lacks, and ServiceFault when the
        database does not answer.
        """
        run = self._operations.get(operation)
        if run is None:
            raise NotImplementedYet(f"The operation {operation}")
        now_ms = self._context.now_ms()
        try:
            self._timers.run(now_ms)
            return run(account, params, now_ms)
        except (OperationalError, TimeoutError) as error:
            raise ServiceFault(
                "Amazon Mechanical Turk is temporarily unable to process your request. Try your call again."
            ) from error
