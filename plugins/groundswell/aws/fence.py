"""No call is sent on the strength of what was read too long ago.

A process may stop between reading and calling (a suspended machine, a paused container, a network that
hangs), be taken for dead and replaced, and go on hours later. What it does then rests on a token that the
service has forgotten, or on items that others have dealt with since. So such calls get a moment after which
they are not signed any more; and what was signed, the service itself refuses after minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk.exceptions import AirflowException

#: How long a call may rest on what was read before it. Long enough for a call that is throttled.
READ_LIFE = timedelta(minutes=20)

_deadline: ContextVar[datetime | None] = ContextVar("deadline", default=None)


class ReadTooLongAgo(AirflowException):
    """Raised instead of sending a call too late; the task is to be tried again, and reads again then."""


@contextmanager
def signed_before(client: Any, deadline: datetime) -> Iterator[None]:
    """
    Let no mutating call inside be signed at or after a moment.

    :param client: the boto3 client of the workforce.
    :param deadline: an aware datetime, by this machine's clock, as the signature is.
    :raises ReadTooLongAgo: from the call.
    """
    # At the signature, and not before the call: a process may stop anywhere in between
    client.meta.events.register("before-sign.mturk", _refuse_late, unique_id="groundswell-fence")
    before = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(before)


def _refuse_late(operation_name: str = "", **_: Any) -> None:
    deadline = _deadline.get()
    if deadline is None or operation_name.startswith(("Get", "List")) or datetime.now(UTC) < deadline:
        return
    raise ReadTooLongAgo(
        f"{operation_name} is not sent: it rests on what was read before this process stopped for a while; "
        "the next try reads again"
    )
