"""Asking a person before much money is spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class SpendApprovalOperator(ApprovalOperator):
    """
    Airflow's own approval task, skipped over where the plan does not need it.

    Rejecting skips what is downstream; nothing was published then.

    :param plan: What plan_spend returned: ``approval`` says whether to ask, ``text`` is shown. (templated)
    """

    template_fields = (*ApprovalOperator.template_fields, "plan")
    ui_color = "#f3e3c3"

    def __init__(self, *, plan: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan = plan

    def execute(self, context: Context) -> Any:
        """Ask, or go on at once."""
        if not self.plan["approval"]:
            self.log.info("no approval needed: %s", self.plan["text"])
            return {"chosen_options": [self.APPROVE], "responded_by_user": None}
        return super().execute(context)
