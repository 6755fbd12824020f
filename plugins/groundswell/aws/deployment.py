"""Telling a run's HITs from those of another deployment's run with the same batch name and run id.

Staging beside production, say: a schedule gives both the same run ids, and tokens and annotations are made of
batch, run and item alone. On one account each would take the other's HITs for its own, whatever page and
reward they have. So a run's HIT type also says where the run's ledger lay when the run began.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from groundswell.aws.runs import LabelingRun
from groundswell.errors import LedgerError

_MAXIMUM_AUTO_APPROVAL = 2_592_000
_SPREAD = 3_600
_DELAY = "AutoApprovalDelayInSeconds"


def approval_delay(run: LabelingRun) -> int:
    """
    Return the auto-approval delay of the run's HITs in seconds: the batch's, lengthened by up to an hour.

    By how much depends on run id and deployment. It is the one property of a HIT type that no worker sees and
    that does not matter here, since answers are approved at once. Where the batch has none, it stays 0, and
    deployments cannot be told apart.
    """
    delay: int = run.batch.task.auto_approval_seconds
    if not delay:
        return 0
    # The deployment's part is the same in all of its runs: two of them differ always, or once in 3,600 never
    part = int(sha256(run.home.encode()).hexdigest(), 16) if run.home else 0
    return min(delay, _MAXIMUM_AUTO_APPROVAL - _SPREAD) + (int(run.key, 16) + part) % _SPREAD


def is_ours(run: LabelingRun, hit: Mapping[str, Any]) -> bool:
    """Return whether a HIT with an annotation of the run can be this deployment's."""
    delay = approval_delay(run)
    return int(hit.get(_DELAY, delay)) == delay


def require_ours(run: LabelingRun, item: str, hit: Mapping[str, Any]) -> None:
    """
    Refuse to take a HIT for the run's own that another deployment has made.

    :raises LedgerError: saying what to change.
    """
    if not is_ours(run, hit):
        raise LedgerError(
            f"HIT {hit['HITId']} asks about item {item!r} for run {run.run_id!r} of a batch "
            f"{run.live.name!r} whose state is not {run.live.state}: another deployment uses this account "
            "with the same batch name and run id. It is left alone and nothing is published beside it; give "
            "the batch another name in one of the deployments, or each of them an account. If there is no "
            "other, state was moved and the run's ledger lost: set state back"
        )
