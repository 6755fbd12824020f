"""What the Requester API does to and for workers: paying, rejecting, bonuses, messages, qualifications."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from groundswell.aws.exceptions import already_processed, turk_message

PAGE = 100  # the API's maximum, also of workers in one message
_NAME_TAKEN = "already created a QualificationType with this name"

Verdict = Literal["rejected", "approved"]


class MTurkWorkersMixin:
    """
    The part of :class:`~groundswell.aws.hooks.mturk.MTurkHook` that deals with workers.

    Every method may be called again, and says what came of it then; only a message may reach a worker twice.
    """

    if TYPE_CHECKING:
        conn: Any
        log: Any

    def approve(self, assignment_id: str) -> None:
        """
        Approve an assignment, which pays the worker; one that is approved already is left as it is.

        .. seealso::
            - :external+boto3:py:meth:`MTurk.Client.approve_assignment`
        """
        try:
            self.conn.approve_assignment(AssignmentId=assignment_id)
        except ClientError as error:
            if self._status_beyond(assignment_id, error) != "Approved":
                raise

    def override(self, assignment_id: str, feedback: str) -> None:
        """
        Approve an assignment that was rejected by mistake, which pays the worker.

        The service does this within 30 days of the submission, and as long as the HIT is not deleted.

        .. seealso::
            - :external+boto3:py:meth:`MTurk.Client.approve_assignment`

        :param feedback: what the worker reads about it, 1,024 characters at most.
        """
        try:
            self.conn.approve_assignment(
                AssignmentId=assignment_id, RequesterFeedback=feedback, OverrideRejection=True
            )
        except ClientError as error:
            if self._status_beyond(assignment_id, error) != "Approved":
                raise

    def reject(self, assignment_id: str, feedback: str) -> Verdict:
        """
        Reject an assignment; one that is rejected already is left as it is.

        .. seealso::
            - :external+boto3:py:meth:`MTurk.Client.reject_assignment`

        :param feedback: why, for the worker; 1,024 characters at most.
        :return: ``approved`` where it was approved before, also by the service itself after its time.
        """
        try:
            self.conn.reject_assignment(AssignmentId=assignment_id, RequesterFeedback=feedback)
        except ClientError as error:
            status = self._status_beyond(assignment_id, error)
            if status == "Approved":
                return "approved"
            if status != "Rejected":
                raise
        return "rejected"

    def _status_beyond(self, assignment_id: str, error: ClientError) -> str | None:
        """Return the status of an assignment that a call found not to be Submitted; None for other errors."""
        # The same is said of approved, rejected and not yet visible ones: read the truth
        if "status of: Submitted" not in turk_message(error):
            return None
        try:
            assignment = self.conn.get_assignment(AssignmentId=assignment_id)["Assignment"]
        except ClientError:
            return None  # submitted, but not visible yet: the caller sees the first error and tries again
        return str(assignment["AssignmentStatus"])

    def assignment(self, assignment_id: str) -> dict[str, Any] | None:
        """
        Return a submitted, approved or rejected assignment; None where there is none of this id.

        .. seealso::
            - :external+boto3:py:meth:`MTurk.Client.get_assignment`
        """
        try:
            return dict(self.conn.get_assignment(AssignmentId=assignment_id)["Assignment"])
        except ClientError as error:
            message = turk_message(error)
            if "does not exist" in message or "called with a status of: " in message:
                return None
            raise

    def send_bonus(self, *, token: str, worker_id: str, assignment_id: str, cents: int, reason: str) -> None:
        """
        Pay a worker more than the reward, once per token; the fee on it is 20 %.

        .. seealso::
            - :external+boto3:py:meth:`MTurk.Client.send_bonus`

        :param token: the ``UniqueRequestToken``. How long the service remembers it is not documented: where
            an earlier attempt may be a day old, look at :meth:`bonuses` first.
        :param reason: what the worker reads.
        """
        try:
            self.conn.send_bonus(
                WorkerId=worker_id,
                AssignmentId=assignment_id,
                BonusAmount=f"{cents // 100}.{cents % 100:02d}",
                Reason=reason,
                UniqueRequestToken=token,
            )
        except ClientError as error:
            if not already_processed(error):
                raise
            self.log.info("the bonus for worker %s was sent by an earlier attempt", worker_id)

    def bonuses(self, *, hit_id: str | None = None, assignment_id: str | None = None) -> list[dict[str, Any]]:
        """
        Return the bonuses that were sent for a HIT or for one assignment.

        .. seealso::
            - :external+boto3:py:meth:`MTurk.Client.list_bonus_payments`
        """
        of = {"HITId": hit_id} if hit_id else {"AssignmentId": assignment_id}
        pages = self.conn.get_paginator("list_bonus_payments").paginate(
            **of, PaginationConfig={"PageSize": PAGE}
        )
        return [bonus for page in pages for bonus in page["BonusPayments"]]

    def notify(self, worker_ids: Sequence[str], subject: str, text: str) -> list[dict[str, Any]]:
        """
        Send a message to workers whose work was approved or rejected before; return who was not reached.

        The API has no token for it: called again, it sends again.

        .. seealso::
            - :external+boto3:py:meth:`MTurk.Client.notify_workers`

        :param subject: 200 characters at most.
        :param text: 4,096 characters at most.
        :return: the ``NotifyWorkersFailureStatuses``: workers with code and message.
        """
        failures: list[dict[str, Any]] = []
        everybody = list(dict.fromkeys(worker_ids))
        for start in range(0, len(everybody), PAGE):
            workers = everybody[start : start + PAGE]
            response = self.conn.notify_workers(Subject=subject, MessageText=text, WorkerIds=workers)
            failures += response.get("NotifyWorkersFailureStatuses", [])
        return failures

    def create_qualification_type(self, name: str, description: str) -> str:
        """
        Return the id of the account's qualification type of this name, made if there is none.

        .. seealso::
            - :external+boto3:py:meth:`MTurk.Client.create_qualification_type`
        """
        try:
            made = self.conn.create_qualification_type(
                Name=name, Description=description, QualificationTypeStatus="Active"
            )
        except ClientError as error:
            if _NAME_TAKEN not in turk_message(error):
                raise
            found = self._qualification_type_named(name)
            if found is None:
                raise  # made just now and not listed yet, or deleted within the last two days
            return found
        return str(made["QualificationType"]["QualificationTypeId"])

    def _qualification_type_named(self, name: str) -> str | None:
        pages = self.conn.get_paginator("list_qualification_types").paginate(
            Query=name,
            MustBeRequestable=False,
            MustBeOwnedByCaller=True,
            PaginationConfig={"PageSize": PAGE},
        )
        for page in pages:
            for each in page["QualificationTypes"]:
                if each["Name"] == name:  # the query finds parts of names as well
                    return str(each["QualificationTypeId"])
        return None

    def grant(self, qualification_type_id: str, worker_id: str, *, tell: bool = True) -> None:
        """
        Give a worker a qualification, with the value 1.

        .. seealso::
            - :external+boto3:py:meth:`MTurk.Client.associate_qualification_with_worker`

        :param tell: whether the service sends the worker a message about it.
        """
        self.conn.associate_qualification_with_worker(
            QualificationTypeId=qualification_type_id,
            WorkerId=worker_id,
            IntegerValue=1,
            SendNotification=tell,
        )

    def delete_qualification_type(self, qualification_type_id: str) -> None:
        """
        Delete a qualification type, and with it what was granted; one that is gone is a success.

        .. seealso::
            - :external+boto3:py:meth:`MTurk.Client.delete_qualification_type`
        """
        try:
            self.conn.delete_qualification_type(QualificationTypeId=qualification_type_id)
        except ClientError as error:
            message = turk_message(error)
            if "does not exist" not in message and "status of: Active" not in message:
                raise
