"""The section ``review`` of a batch file: whose answers are looked at by a person before they are paid."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from groundswell.batches.options import Duration, Line, between
from groundswell.batches.sections import Section, Task

#: RejectAssignment's limit for ``RequesterFeedback``, in characters.
FEEDBACK_LIMIT = 1024

_ANSWER_TIME = between(timedelta(minutes=1), timedelta(days=29), "between 1m and 29d")


class Review(Section):
    """Which answers wait for a person, how many may be rejected at most, and what their workers are told.

    Without the section every answer is approved as soon as it is collected.

    Attributes:
        agreement_below: a worker whose agreement with the other workers is below this share is looked at.
        minimum_answers: but not before this many of the worker's answers could be compared.
        unreadable: whether answers that cannot be read wait for the review as well.
        most_per_worker: answers of one worker that may be rejected in a run, at most.
        most_per_run: answers that may be rejected in a run, at most.
        answer_within: how long a person has; after that everybody is paid.
        feedback: the reason that a worker reads whose answer is rejected.
    """

    agreement_below: Annotated[float, Field(ge=0, le=1)] = 0.5
    minimum_answers: Annotated[int, Field(ge=2)] = 5
    unreadable: bool = True
    most_per_worker: Annotated[int, Field(ge=0)] = 3
    most_per_run: Annotated[int, Field(ge=0, le=100)] = 10
    answer_within: Annotated[Duration, _ANSWER_TIME] = timedelta(hours=24)
    feedback: Annotated[Line, Field(max_length=FEEDBACK_LIMIT)]

    def check_time(self, task: Task) -> None:
        """Make sure that the review ends before the workforce approves by itself.

        Raises:
            ValueError: if ``answer_within`` leaves no time before ``task.auto_approval``.
        """
        # Answers wait for the rest of the run first: half of the time is for that
        if self.answer_within * 2 > task.auto_approval:
            raise ValueError(
                "review.answer_within: is more than half of task.auto_approval, after which the workforce "
                "approves by itself; shorten answer_within, or lengthen task.auto_approval (30d at most)"
            )
