"""Everything that the page of a run tells, put together from its documents."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from groundswell.ui.labelling import standing, timeline
from groundswell.ui.labelling.reading import Reader, Run
from groundswell.ui.labelling.standing import State
from groundswell.views.overview import RunOverview

#: Differences between ledger and workforce that the page lists.
_DIFFERENCES = 50
#: The worker of a bonus, as the comparison of ledger and workforce says where it is.
_WORKER = re.compile(r"(?<=, worker )\S+")


def describe(reader: Reader, run: Run, found: RunOverview, state: State) -> dict[str, Any]:
    """Return what the template of a run shows."""
    consolidation = reader.document(run, "consolidation.json")
    summary = reader.document(run, "summary.json") if found.finished else {}
    return {
        "found": found,
        "state": state,
        "total": standing.total(found),
        "done": standing.done_share(found),
        "given_up": standing.given_up(found),
        "given_up_by": _by_reason(found),
        "warnings": standing.warnings(found, state),
        "charts": _charts(found),
        "consolidation": consolidation,
        "findings": _findings(consolidation, reader.pseudonym()),
        "reconciliation": _reconciliation(reader, run),
        "money": _money(reader, run),
        "outputs": _outputs(summary),
        "summary": summary,
        "quiet_after": standing.quiet_after(run.batch),
    }


def _by_reason(found: RunOverview) -> list[tuple[str, str, str, int]]:
    """Return the reasons for giving items up, in words, the most frequent first."""
    rows = sorted(found.given_up.items(), key=lambda pair: (-pair[1], pair[0]))
    return [(reason, *standing.REASONS.get(reason, (reason, "")), count) for reason, count in rows]


def _charts(found: RunOverview) -> list[Any]:
    points = found.timeline
    if len(points) < 2:
        return []
    return [
        timeline.chart(points, timeline.ANSWERS),
        timeline.chart(
            points, timeline.SETTLED, limit=standing.total(found) or None, limit_name="all items,"
        ),
        timeline.chart(
            points, timeline.SPENT, limit=found.budget_cents, limit_name="budget", limit_kind="limit"
        ),
    ]


def _findings(consolidation: Mapping[str, Any], pseudonym: Callable[[str], str]) -> list[dict[str, Any]]:
    """Return what is odd, warnings first; workers are named by pseudonyms, as everywhere on the pages."""
    rows = [each for each in consolidation.get("findings") or () if isinstance(each, dict)]
    for each in rows:
        each["text"] = _masked_text(str(each.get("text", "")), each.get("workers") or (), pseudonym)
    return sorted(rows, key=lambda each: each.get("severity") != "warning")


def _masked_text(text: str, workers: Iterable[Any], pseudonym: Callable[[str], str]) -> str:
    # In one go, the longest first: a pseudonym or another id may have an id in it
    ids = sorted(filter(None, map(str, workers)), key=len, reverse=True)
    return re.sub("|".join(map(re.escape, ids)), lambda found: pseudonym(found[0]), text) if ids else text


def _reconciliation(reader: Reader, run: Run) -> dict[str, Any] | None:
    found = reader.document(run, "reconciliation.json")
    if not found:
        return None
    rows = [each for each in found.get("rows") or () if isinstance(each, dict)]
    pseudonym = reader.pseudonym()
    for each in rows:
        each["where"] = _WORKER.sub(lambda match: pseudonym(match[0]), str(each.get("where", "")))
    return {
        "rows": rows[:_DIFFERENCES],
        "more": max(0, len(rows) - _DIFFERENCES),
        "notes": list(found.get("notes") or ()),
        "hits": found.get("hits"),
        "updated": found.get("updated"),
    }


def _money(reader: Reader, run: Run) -> dict[str, Any]:
    """Return the plan as it was approved (the first one), and who allowed what."""
    plans: list[dict[str, Any]] = []
    approvals: list[dict[str, Any]] = []
    for kind, row in reader.rows(run, "spend", "approvals"):
        (plans if kind == "spend" else approvals).append(row)
    plans.sort(key=lambda row: str(row.get("at", "")))
    approvals.sort(key=lambda row: str(row.get("at", "")))
    return {"plan": plans[0] if plans else None, "approvals": approvals}


def _outputs(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = (
        ("labels_uri", "Labels"),
        ("train_uri", "Training data"),
        ("test_uri", "Test data"),
        ("manifest_uri", "Augmented manifest"),
    )
    return [(name, str(summary[key])) for key, name in names if summary.get(key)]
