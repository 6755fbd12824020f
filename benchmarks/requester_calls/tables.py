"""The tables of the benchmark's result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.requester_calls.measure import Measured, cells, markdown, table
from benchmarks.requester_calls.sides import Outcome, Scenario

PURPOSES = {
    "looking for answers": (
        "GetHIT",
        "ListAssignmentsForHIT",
        "ListReviewableHITs",
        "ListHITs",
        "GetAssignment",
    ),
    "asking workers": (
        "GetAccountBalance",
        "CreateHITType",
        "CreateHIT",
        "CreateHITWithHITType",
        "CreateAdditionalAssignmentsForHIT",
    ),
    "paying": ("ApproveAssignment", "RejectAssignment"),
    "tidying up": ("UpdateHITReviewStatus", "UpdateExpirationForHIT", "DeleteHIT"),
}
LOOKING, TIDYING = PURPOSES["looking for answers"], PURPOSES["tidying up"]


@dataclass(frozen=True)
class Pair:
    """Both sides of one scenario."""

    scenario: Scenario
    script: Outcome
    ours: Outcome

    @property
    def ratio(self) -> float:
        """How many times as many calls the script makes per labelled item."""
        return self.script.per_item() / self.ours.per_item()


def comparison(pair: Pair, key: Mapping[str, str]) -> str:
    """Return the table of one scenario: calls per operation, then what they bought."""
    sides = (pair.script, pair.ours)
    measured = [
        Measured(name, each.books.calls, len(each.labels))
        for name, each in zip(("polling script", "Groundswell"), sides, strict=True)
    ]

    def row(name: str, show: Callable[[Outcome], tuple[str, str]]) -> list[str]:
        return [name, *(text for each in sides for text in show(each))]

    more = [[f"- {name}", *cells(measured, names)] for name, names in PURPOSES.items()]
    more += [
        ["script's calls to ours", f"{pair.ratio:.2f} : 1", "", "", ""],
        row("items labelled", lambda side: (str(len(side.labels)), "")),
        row("answers bought", lambda side: _with_rate(side.books.approved, side)),
        row("paid, fees included", lambda side: _money(side.books.cents, len(side.labels))),
        row("labels that are right", lambda side: (str(side.right(key)), _percent(side.right(key), side))),
        row("minutes, first HIT to last approval", lambda side: (f"{side.minutes:.1f}", "")),
        row("minutes that an answer waits for approval", lambda side: (f"{side.unpaid_minutes:.1f}", "")),
        row("worker side: assignments accepted", lambda side: _with_rate(side.books.accepted, side)),
        row("worker side: submitted", lambda side: _with_rate(side.books.submitted, side)),
        row("worker side: given back", lambda side: _with_rate(side.books.returned, side)),
    ]
    return table(measured, more)


def growth(pairs: Sequence[Pair]) -> str:
    """Return the table of all scenarios: how calls grow with the time that workers take."""
    header = [
        "workers take",
        "minutes: script",
        "ours",
        "calls per item: script",
        "ours",
        "looking: script",
        "ours",
        "ratio",
    ]
    rows = [
        [
            pace(pair.scenario),
            *(f"{side.minutes:.1f}" for side in (pair.script, pair.ours)),
            *(f"{side.per_item():.2f}" for side in (pair.script, pair.ours)),
            *(f"{side.per_item(*LOOKING):.2f}" for side in (pair.script, pair.ours)),
            f"{pair.ratio:.2f}",
        ]
        for pair in pairs
    ]
    return markdown(header, rows)


def pace(scenario: Scenario) -> str:
    """Say how long workers take."""
    return (
        "as long as in the crowd file"
        if scenario.slower == 1
        else f"{scenario.slower:g} times as long as in the crowd file"
    )


def _with_rate(number: int, side: Outcome) -> tuple[str, str]:
    return str(number), f"{number / len(side.labels):.2f}"


def _money(cents: int, items: int) -> tuple[str, str]:
    return f"${cents / 100:.2f}", f"${cents / 100 / items:.3f}"


def _percent(number: int, side: Outcome) -> str:
    return f"{number / len(side.labels):.1%}"
