"""What to say about where a run stands: a state, what needs attention, and shares for the bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from groundswell.batches.model import Batch
from groundswell.ui import formats
from groundswell.ui.labelling.reading import BatchRuns
from groundswell.views.overview import RunOverview

#: A run under way that has written nothing for this long, and for this many of its longest waits, is stale.
_QUIET_SECONDS, _QUIET_WAITS = 600.0, 5
#: A share of unreadable answers from which on a person should look.
_UNREADABLE = 0.05

REASONS = {
    "gave_up": ("Workers did not agree", "the most answers that the rule allows, and still no agreement"),
    "expired": ("Nobody answered in time", "the HIT's lifetime ended with seats unfilled"),
    "budget": ("Money ran out", "one more answer would have passed the budget or the balance"),
    "lost": ("The HIT is gone", "it was deleted at the workforce, or lost with a backup"),
    "unknown": ("Reason not recorded", "the run's documents do not tell"),
}


@dataclass(frozen=True)
class State:
    """
    The state of a run in a word.

    :param key: waiting, underway, quiet, finished.
    :param label: the word.
    :param kind: how it is coloured: "", active, good, warn.
    """

    key: str
    label: str
    kind: str


WAITING = State("waiting", "Preparing", "active")
UNDER_WAY = State("underway", "Under way", "active")
QUIET = State("quiet", "No news", "warn")
FINISHED = State("finished", "Finished", "good")
STATES = (UNDER_WAY, QUIET, WAITING, FINISHED)


def state_of(run: RunOverview, batch: Batch) -> State:
    """Return the state of a run."""
    if run.finished:
        return FINISHED
    if run.updated is None:
        return WAITING
    return QUIET if (run.stale or 0.0) > quiet_after(batch) else UNDER_WAY


def quiet_after(batch: Batch) -> float:
    """Return after how many seconds without news a run under way is stale."""
    return max(_QUIET_SECONDS, _QUIET_WAITS * batch.polling.max_wait_seconds)


def done_share(run: RunOverview) -> float | None:
    """Return the share of items whose asking has ended; None where nothing is published yet."""
    whole = total(run)
    return (whole - run.open - _unpublished(run)) / whole if whole else None


def total(run: RunOverview) -> int:
    """Return the items of the run, those that are still to be published included."""
    return max(run.items, run.planned_items or 0)


def _unpublished(run: RunOverview) -> int:
    return total(run) - run.items


def given_up(run: RunOverview) -> int:
    """Return how many items ended without an agreement."""
    return sum(run.given_up.values())


def warnings(run: RunOverview, state: State) -> list[str]:
    """Return what a person should look at, in sentences."""
    found = []
    if run.problem:
        found.append(run.problem)
    if state is QUIET:
        found.append(
            f"Nothing new for {formats.seconds(run.stale)}: nobody may be answering, or the task has stopped."
        )
    if count := run.given_up.get("budget"):
        found.append(f"{formats.plural(count, 'item')} given up because the money ran out.")
    if count := run.given_up.get("lost"):
        found.append(f"{formats.plural(count, 'item')} whose HIT is gone from the workforce.")
    if run.answers and run.quarantined / run.answers >= _UNREADABLE:
        share = formats.percent(run.quarantined / run.answers)
        found.append(f"{share} of the answers cannot be read.")
    if run.budget_cents and run.spent_cents > run.budget_cents:
        found.append("More was spent than the budget.")
    if run.differences:
        places = formats.plural(run.differences, "place")
        found.append(f"Ledger and workforce differ in {places}: see Books on the page of the run.")
    return found


def ordered(batches: Sequence[BatchRuns]) -> list[BatchRuns]:
    """Return batches as people want them: what is under way first, then the newest, then the rest by name."""
    return sorted(batches, key=_rank)


def _rank(each: BatchRuns) -> tuple[int, str]:
    if each.runs:
        return int(each.runs[0].finished), each.file.name
    return (2 if each.problem else 3), each.file.name
