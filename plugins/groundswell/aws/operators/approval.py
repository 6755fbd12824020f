"""Asking a person before much money is spent, or more than was meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator

from groundswell.aws.runs import open_run
from groundswell.aws.steps import spend

if TYPE_CHECKING:
    from airflow.sdk import Context


#: The document beside the ledger that has what a person was asked last.
_SHOWN = "overrun.json"


class SpendApprovalOperator(ApprovalOperator):
    """
    Airflow's own approval task, skipped over where the plan does not need it; then the spend is reserved.

    Rejecting skips what is downstream; nothing was published then. A plan that a person approved before (the
    task is cleared or tried again) is reserved again without asking.

    :param batch_path: The batch file. (templated)
    :param plan: What plan_spend returned: ``approval`` says whether to ask, ``text`` is shown. (templated)
    :param run_id: The run. (templated)
    """

    template_fields = (*ApprovalOperator.template_fields, "batch_path", "plan", "run_id")
    ui_color = "#f3e3c3"

    def __init__(self, *, batch_path: str, plan: Any, run_id: str = "{{ run_id }}", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.batch_path = batch_path
        self.run_id = run_id

    def execute(self, context: Context) -> Any:
        """Ask, or go on at once."""
        if not self.plan["approval"]:
            return self._go_on(spend.AUTOMATIC)
        with self._open() as run:
            earlier = spend.approved_by(run, self.plan)
        if earlier is not None:
            self.log.info("this plan was approved before")
            return self._go_on(earlier)
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Reserve what was approved; skip what is downstream where it was not."""
        result = super().execute_complete(context, event)
        if self.APPROVE in result["chosen_options"]:
            self._reserve(responder(event))
        return result

    def _go_on(self, by: str) -> dict[str, Any]:
        self._reserve(by)
        return {"chosen_options": [self.APPROVE], "responded_by_user": None}

    def _reserve(self, by: str) -> None:
        with self._open() as run:
            spend.reserve(run, self.plan, by)

    def _open(self) -> Any:
        return open_run(self.batch_path, self.run_id, "mturk")


class OverrunApprovalOperator(ApprovalOperator):
    """
    Ask a person for more money where items were given up for want of it; go on in any case.

    Approving raises the run's limit by exactly what the text says, so that the next collecting task asks
    about these items again. Rejecting, or no answer within ``spend.answer_within``, skips nothing.

    :param batch_path: The batch file. (templated)
    :param run_id: The run. (templated)
    """

    template_fields = (*ApprovalOperator.template_fields, "batch_path", "run_id")
    ui_color = "#f3e3c3"

    def __init__(self, *, batch_path: str, run_id: str = "{{ run_id }}", **kwargs: Any) -> None:
        kwargs.setdefault("subject", "Approve more spend")
        super().__init__(defaults=self.REJECT, **kwargs)
        self.batch_path = batch_path
        self.run_id = run_id

    def execute(self, context: Context) -> Any:
        """Ask, or go on at once where there is nothing to ask for."""
        with self._open() as run:
            plan = spend.plan_overrun(run)
            if not plan["approval"]:
                self.log.info("nothing to approve: %s", plan["text"])
                return {"chosen_options": [], "responded_by_user": None}
            # This object is made anew for the answer, which is about what was shown
            run.ledger.put_document(_SHOWN, plan)
            self.response_timeout = run.batch.spend.answer_within
        self.body = plan["body"]
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Raise the limit if that was approved."""
        # Not the approval's own, which skips what is downstream of a rejection
        result = HITLOperator.execute_complete(self, context, event)
        if self.APPROVE in result["chosen_options"]:
            with self._open() as run:
                spend.grant_overrun(run, run.ledger.get_document(_SHOWN) or {}, responder(event))
        else:
            self.log.info("not approved: the run goes on with the labels that there are")
        return result

    def _open(self) -> Any:
        return open_run(self.batch_path, self.run_id, "mturk")


def responder(event: Mapping[str, Any]) -> str:
    """Return who answered an approval task, as Airflow tells it."""
    user = event.get("responded_by_user")
    if isinstance(user, Mapping):
        name = user.get("name") or user.get("id")
    else:
        name = getattr(user, "name", None) or getattr(user, "id", None)
    return str(name) if name else "a person whom Airflow does not name"
