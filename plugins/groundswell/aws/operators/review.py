"""Asking a person whose answers to reject."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator

from groundswell.aws.reviewing import decision_on, record_decision
from groundswell.aws.runs import open_run

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReviewApprovalOperator(HITLOperator):
    """
    Airflow's own approval task over the proposals of a review, with one option per worker.

    "Pay everybody" is the default, and what happens where nobody answers in time. Where nothing is proposed
    the task goes on at once. Whatever is answered, what is downstream runs. The answer is recorded in the
    ledger of the run: without that record nothing is rejected. It stands for these proposals, also where
    Airflow fails the task after the answer (apache/airflow 71580, 72716) or somebody clears it; who wants to
    decide anew clears propose_rejections as well.

    :param batch_path: The batch file. (templated)
    :param proposals: What propose_rejections returned. (templated)
    :param run_id: The run. (templated)
    """

    PAY_EVERYBODY = "Pay everybody"

    template_fields = (*HITLOperator.template_fields, "batch_path", "run_id", "proposals")
    ui_color = "#f3e3c3"

    def __init__(
        self,
        *,
        batch_path: str,
        proposals: Any,
        run_id: str = "{{ run_id }}",
        subject: str = "Reject answers, or pay everybody",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            subject=subject,
            options=[self.PAY_EVERYBODY],
            defaults=[self.PAY_EVERYBODY],
            multiple=True,
            **kwargs,
        )
        self.batch_path = batch_path
        self.proposals = proposals
        self.run_id = run_id

    def execute(self, context: Context) -> Any:
        """Ask, or go on at once; return ``{"workers", "by"}``."""
        if not self.proposals or not self.proposals["approval"]:
            # There are none at all where somebody has marked propose_rejections as a success
            self.log.info("nothing to decide: %s", self.proposals and self.proposals["text"])
            return {"workers": [], "by": None}
        with open_run(self.batch_path, self.run_id) as run:
            decided = decision_on(run, self.proposals)
        if decided is not None:
            self.log.info("decided before: %s", decided)
            return decided
        self.body = self.proposals["text"]
        self._offer()
        left = datetime.fromisoformat(self.proposals["answer_by"]) - datetime.now(UTC)
        # A late attempt still asks, shortly, rather than leave everybody's payment to a failed task
        self.response_timeout = max(left, timedelta(minutes=1))
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Record who answered what; return ``{"workers", "by"}``."""
        self._offer()
        answer = super().execute_complete(context=context, event=event)
        chosen = answer["chosen_options"]
        by = _name(answer["responded_by_user"])
        offered = self._offered()
        # Who chooses both to pay everybody and to reject has made a slip, and a rejection hurts somebody
        workers = [] if self.PAY_EVERYBODY in chosen or by is None else [offered[each] for each in chosen]
        at = answer["responded_at"]
        with open_run(self.batch_path, self.run_id) as run:
            record_decision(
                run,
                workers,
                by=by,
                at=at.astimezone(UTC).isoformat(timespec="seconds"),
                proposed_at=self.proposals["at"],
            )
        self.log.info("%s: %s", by or "nobody answered in time", ", ".join(chosen))
        return {"workers": workers, "by": by}

    def _offered(self) -> dict[str, str]:
        """Return option -> worker."""
        return {
            f"Reject {each['answers']} of {each['worker']}": each["worker"]
            for each in self.proposals["workers"]
        }

    def _offer(self) -> None:
        """Offer a choice per worker: a task that is resumed was made anew, with the default option only."""
        self.options = [self.PAY_EVERYBODY, *self._offered()]


def _name(user: Any) -> str | None:
    """Return who answered; None where Airflow took the default after the time."""
    if not user:
        return None
    return str(user.get("name") or user.get("id")) if isinstance(user, dict) else str(user)
