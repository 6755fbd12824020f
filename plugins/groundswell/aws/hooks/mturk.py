"""Amazon Mechanical Turk, and every workforce that speaks its Requester API."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.config import Config
from botocore.exceptions import ClientError

from groundswell.aws.exceptions import already_processed, turk_message
from groundswell.aws.fence import signed_before
from groundswell.aws.hooks.mturk_workers import MTurkWorkersMixin

PAGE = 100  # the API's maximum
_HIT_EXISTS = re.compile(r'HIT with ID "([A-Z0-9]+)" already exists')
_STATUS_NOW = re.compile(r"currently in the state '(\w+)'")

DeleteResult = Literal["deleted", "absent", "held", "unreviewed"]


class MTurkHook(MTurkWorkersMixin, AwsBaseHook):
    """
    Interact with Amazon Mechanical Turk, or with a workforce server that speaks its Requester API.

    Provide thin wrapper around :external+boto3:py:class:`boto3.client("mturk") <MTurk.Client>`. Every
    mutating method may be called again: what the API calls an error because the effect is already there
    ("already exists", "already been processed", "status of: Submitted") is a success here.

    Additional arguments (such as ``aws_conn_id``) may be specified and
    are passed down to the underlying AwsBaseHook.

    .. seealso::
        - :class:`airflow.providers.amazon.aws.hooks.base_aws.AwsBaseHook`
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "mturk"
        # The service throttles bursts of creations; AMTI and Mephisto raise the attempts for it as well.
        kwargs.setdefault("config", Config(retries={"mode": "standard", "max_attempts": 10}))
        super().__init__(*args, **kwargs)

    @cached_property
    def waiter_path(self) -> Path:
        """Waiters of this package; the base class looks inside the provider only."""
        return Path(__file__).parents[1] / "waiters" / "mturk.json"

    def signed_before(self, deadline: datetime) -> AbstractContextManager[None]:
        """Let no mutating call of this hook be signed at or after a moment; see :mod:`..fence`."""
        return signed_before(self.conn, deadline)

    def available_cents(self) -> int:
        """
        Return the balance that new HITs may use, in cents.

        .. seealso::
            - :external+boto3:py:meth:`MTurk.Client.get_account_balance`
        """
        return self.balance_cents()[0]

    def balance_cents(self) -> tuple[int, int]:
        """
        Return what new HITs may use and what is held for those in the market, in cents.

        .. seealso::
            - :external+boto3:py:meth:`MTurk.Client.get_account_balance`
        """
        balance = self.conn.get_account_balance()
        return _cents(balance["AvailableBalance"]), _cents(balance.get("OnHoldBalance", "0"))

    def create_hit_type(self, **properties: Any) -> str:
        """
        Return the id of the HIT type with these properties; the same properties give the same id.

        .. seealso::
            - :external+boto3:py:meth:`MTurk.Client.create_hit_type`
        """
        return str(self.conn.create_hit_type(**properties)["HITTypeId"])

    def create_hit(
        self, *, token: str, on_existing: Callable[[str], None] | None = None, **request: Any
    ) -> str:
        """
        Create a HIT of a HIT type, once per token; return its id.

        .. seealso::
            - :external+boto3:py:meth:`MTurk.Client.create_hit_with_hit_type`

        :param token: the ``UniqueRequestToken``. The service remembers it for 24 hours.
        :param on_existing: called with the id of the HIT that was created with this token before, if any;
            what it raises is raised.
        """
        try:
            response = self.conn.create_hit_with_hit_type(UniqueRequestToken=token, **request)
        except ClientError as error:
            match = _HIT_EXISTS.search(turk_message(error))
            if match is None:
                raise
            if on_existing is not None:
                on_existing(match[1])
            self.log.info("HIT %s was created by an earlier attempt", match[1])
            return match[1]
        return str(response["HIT"]["HITId"])

    def hits_by_annotation(self) -> dict[str, str]:
        """
        Return ``RequesterAnnotation`` -> HIT id for every HIT of the account that is not deleted.

        The way back to a HIT whose token has expired. It reads the whole account: for recovery only.

        .. seealso::
            - :external+boto3:py:meth:`MTurk.Client.list_hits`
        """
        return {
            hit["RequesterAnnotation"]: hit["HITId"] for hit in self.hits() if "RequesterAnnotation" in hit
        }

    def hits(self) -> Iterator[dict[str, Any]]:
        """
        Yield every HIT of the account that is not deleted. A new one may be missing for a minute.

        .. seealso::
            - :external+boto3:py:meth:`MTurk.Client.list_hits`
        """
        pages = self.conn.get_paginator("list_hits").paginate(PaginationConfig={"PageSize": PAGE})
        for page in pages:
            yield from page["HITs"]

    def get_hit(self, hit_id: str) -> dict[str, Any]:
        """
        Return the HIT.

        .. seealso::
            - :external+boto3:py:meth:`MTurk.Client.get_hit`
        """
        return dict(self.conn.get_hit(HITId=hit_id)["HIT"])

    def reviewable(self, hit_type_id: str) -> Iterator[str]:
        """
        Yield the ids of the reviewable HITs of a HIT type.

        .. seealso::
            - :external+boto3:py:meth:`MTurk.Client.list_reviewable_hits`
        """
        paginator = self.conn.get_paginator("list_reviewable_hits")
        for page in paginator.paginate(HITTypeId=hit_type_id, PaginationConfig={"PageSize": PAGE}):
            yield from (hit["HITId"] for hit in page["HITs"])

    def find_hit(self, hit_id: str) -> dict[str, Any] | None:
        """Return the HIT, or None where it was deleted, disposed, or never was."""
        try:
            hit = self.get_hit(hit_id)
        except ClientError as error:
            if "does not exist" in turk_message(error):
                return None
            raise
        return None if hit["HITStatus"] == "Disposed" else hit

    def is_gone(self, hit_id: str) -> bool:
        """Return whether the HIT was deleted, disposed, or never was."""
        return self.find_hit(hit_id) is None

    def now(self) -> datetime:
        """
        Return the time by the workforce's clock: expirations are judged by it, not by this machine's.

        Asked once per hook, by the ``Date`` of a response.
        """
        offset = self._clock_offset  # asking may take a while, so it comes first
        return datetime.now(UTC) + offset

    @cached_property
    def _clock_offset(self) -> timedelta:
        asked = datetime.now(UTC)
        headers = self.conn.get_account_balance()["ResponseMetadata"]["HTTPHeaders"]
        if "date" not in headers:
            return timedelta()
        there, answered = parsedate_to_datetime(headers["date"]), datetime.now(UTC)
        # The header has whole seconds, and a slow answer was dated some time before it came
        if asked - timedelta(seconds=2) <= there <= answered + timedelta(seconds=2):
            return timedelta()
        return there - answered

    async def areviewable(self, client: Any, hit_type_id: str) -> AsyncIterator[str]:
        """
        Yield the ids of the reviewable HITs of a HIT type.

        :param client: what ``async with await hook.get_async_conn() as client`` gave.
        """
        paginator = client.get_paginator("list_reviewable_hits")
        async for page in paginator.paginate(HITTypeId=hit_type_id, PaginationConfig={"PageSize": PAGE}):
            for hit in page["HITs"]:
                yield hit["HITId"]

    def assignments(self, hit_id: str) -> list[dict[str, Any]]:
        """
        Return the submitted, approved and rejected assignments of a HIT.

        .. seealso::
            - :external+boto3:py:meth:`MTurk.Client.list_assignments_for_hit`
        """
        # A HIT below the fee tier fits one page: paging further would be one more call per HIT, since
        # the API says "no more" only by an empty page.
        found: list[dict[str, Any]] = []
        request: dict[str, Any] = {"HITId": hit_id, "MaxResults": PAGE}
        while True:
            page = self.conn.list_assignments_for_hit(**request)
            found.extend(page["Assignments"])
            if len(page["Assignments"]) < PAGE or "NextToken" not in page:
                return found
            request["NextToken"] = page["NextToken"]

    def add_seats(self, hit_id: str, count: int, *, token: str) -> None:
        """
        Ask for more assignments of a HIT, once per token.

        .. seealso::
            - :external+boto3:py:meth:`MTurk.Client.create_additional_assignments_for_hit`
        """
        try:
            self.conn.create_additional_assignments_for_hit(
                HITId=hit_id, NumberOfAdditionalAssignments=count, UniqueRequestToken=token
            )
        except ClientError as error:
            if not already_processed(error):
                raise
            self.log.info("HIT %s was extended by an earlier attempt", hit_id)

    def set_expiration(self, hit_id: str, expires: datetime) -> None:
        """
        Move the expiration of a HIT; a moment that has passed expires it now.

        .. seealso::
            - :external+boto3:py:meth:`MTurk.Client.update_expiration_for_hit`
        """
        try:
            self.conn.update_expiration_for_hit(HITId=hit_id, ExpireAt=expires)
        except ClientError as error:
            # The service derives a token of its own from HIT and time (Dallinger issue 3109)
            if not already_processed(error):
                raise

    def expire(self, hit_id: str) -> None:
        """Take a HIT off the market now. Work that was accepted can still be submitted."""
        self.set_expiration(hit_id, datetime(2015, 1, 1, tzinfo=UTC))

    def mark_reviewing(self, hit_id: str) -> None:
        """
        Flag a reviewable HIT as dealt with, so that it leaves the list of reviewable HITs.

        .. seealso::
            - :external+boto3:py:meth:`MTurk.Client.update_hit_review_status`
        """
        try:
            self.conn.update_hit_review_status(HITId=hit_id, Revert=False)
        except ClientError as error:
            if self.get_hit(hit_id)["HITStatus"] not in {"Reviewing", "Disposed"}:
                raise
            self.log.debug("HIT %s was flagged before: %s", hit_id, turk_message(error))

    def revert_reviewing(self, hit_id: str) -> None:
        """
        Take the flag of a HIT that was dealt with away, so that it is listed again once it is reviewable.

        .. seealso::
            - :external+boto3:py:meth:`MTurk.Client.update_hit_review_status`
        """
        try:
            self.conn.update_hit_review_status(HITId=hit_id, Revert=True)
        except ClientError as error:
            if self.get_hit(hit_id)["HITStatus"] == "Reviewing":
                raise
            self.log.debug("HIT %s has no flag: %s", hit_id, turk_message(error))

    def delete_hit(self, hit_id: str) -> DeleteResult:
        """
        Delete a HIT if the service allows it; one that is gone is a success.

        .. seealso::
            - :external+boto3:py:meth:`MTurk.Client.delete_hit`

        :return: ``held`` while workers may take or hold it, ``unreviewed`` while answers wait for review.
        """
        try:
            self.conn.delete_hit(HITId=hit_id)
        except ClientError as error:
            message = turk_message(error)
            state = _STATUS_NOW.search(message)
            if (state and state[1] == "Disposed") or "does not exist" in message:
                return "absent"
            if state and state[1] in {"Assignable", "Unassignable"}:
                return "held"
            if state and state[1] in {"Reviewable", "Reviewing"}:
                return "unreviewed"  # the service contradicts itself here (boto3 issue 2107)
            raise
        return "deleted"


def _cents(amount: str) -> int:
    dollars, _, cents = amount.partition(".")
    return int(dollars) * 100 + int((cents + "00")[:2])
