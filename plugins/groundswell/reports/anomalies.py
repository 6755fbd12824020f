"""What a person should look at: workers who stand out from the job's others or from their own last days.

Every finding compares like with like, needs enough tasks, and says its numbers. None is a verdict: long gaps
are no finding at all, as pauses are everybody's right, and money is never withheld for one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from groundswell.reports import schema
from groundswell.reports.counting import Finest
from groundswell.reports.measures import Bools, Ints, group
from groundswell.reports.names import FORGOTTEN

if TYPE_CHECKING:
    import pandas as pd

MANY = 4
"""Workers that a job needs, each with enough tasks, before one of them can stand out."""
SURE = 1e-3
"""How unlikely chance must be before a share counts as lower than another (one-sided binomial tail)."""
ROUNDING = 1.0
"""Seconds by which a task's time may be off, as the log tells both of its ends in whole seconds."""
ENOUGH_DAYS = 5
"""Active days that a worker needs before a day of few tasks says anything."""
_WARNING, _NOTICE = "warning", "notice"


@dataclass(frozen=True)
class Thresholds:
    """When something stands out.

    :param minimum_tasks: fewer submitted tasks of a worker in a job on the day say nothing
    :param fast_share: too fast: a median time below this share of the middle one of the job's workers
    :param uniform_spread: too uniform: an interquartile range of seconds below this share of the median,
        while that of the job's middle worker is three times as wide or more
    :param uniform_seconds: at a shorter median, times in whole seconds are alike by themselves
    :param same_share: same answers: one label in more than this share of answers, which others give much less
    :param drop_share: sudden drop: two active days in a row with fewer tasks than this share of what is
        usual, fewer than half of the smallest two, and unusual for how much the worker's days differ; and the
        others' work did not drop as well
    :param usual_days: usual is the median over this many days before, the active ones
    :param agreement_below: low agreement: below this share of judged answers,
    :param agreement_gap: and surely more than this below the others'; for drops, below the worker's own
    """

    minimum_tasks: int = 20
    fast_share: float = 0.33
    uniform_spread: float = 0.1
    uniform_seconds: float = 5.0
    same_share: float = 0.95
    drop_share: float = 0.5
    usual_days: int = 14
    agreement_below: float = 0.6
    agreement_gap: float = 0.15


@dataclass(frozen=True)
class Finding:
    """A row of the anomalies table without its day."""

    worker: str
    team: str
    job: str
    kind: str
    reason: str
    severity: str
    value: float
    usual: float
    tasks: int


@dataclass(frozen=True)
class Answers:
    """How often which label was given: counts (int64[m]) per row of the finest table and label code."""

    row: Ints
    label: Ints
    count: Ints


def find(
    rows: Finest,
    answers: Answers,
    history: Sequence[tuple[date, pd.DataFrame]],
    day: date,
    *,
    thresholds: Thresholds,
    fair_pay: float | None,
    complete: bool,
) -> pd.DataFrame:
    """Return the anomalies table of a day.

    :param history: the workers tables of earlier days; those outside the usual days are passed over
    :param fair_pay: dollars per hour, None for no such warning
    :param complete: whether the day is over; before, fewer tasks than usual say nothing
    """
    found = [
        *_by_time(rows, thresholds),
        *_by_answers(rows, answers, thresholds),
        *_by_agreement(rows, thresholds),
        *_by_pay(rows, thresholds, fair_pay),
        *_by_history(rows, _usual(history, day, thresholds), thresholds, complete),
    ]
    found.sort(key=lambda one: (one.severity == _NOTICE, one.worker, one.team, one.job, one.kind))
    fields = ("worker", "team", "job", "kind", "reason", "severity", "value", "usual", "tasks")
    columns: dict[str, Any] = {name: [getattr(one, name) for one in found] for name in fields}
    return schema.ANOMALIES.frame({"day": [day.isoformat()] * len(found), **columns})


def _people(rows: Finest) -> Bools:
    worker = rows.keys[4]
    people: Bools = (worker != "") & (worker != FORGOTTEN)
    return people


def _jobs(rows: Finest, among: Bools) -> Iterator[tuple[str, Ints]]:
    """Yield each job with the rows of it that are among these, where there are enough of them."""
    if not among.any():
        return
    places = np.flatnonzero(among)
    named, of = group([rows.keys[0][places], rows.keys[2][places], rows.keys[3][places]])
    order = np.argsort(of, kind="stable")
    for code, part in enumerate(np.split(places[order], np.cumsum(np.bincount(of))[:-1])):
        if len(part) >= MANY:
            yield named[1][code], part


def _by_time(rows: Finest, limits: Thresholds) -> Iterator[Finding]:
    from groundswell.reports import bins

    size = len(rows)
    order = np.argsort(rows.row, kind="stable")
    row, seconds = rows.row[order], rows.seconds[order]
    low, median, high = (bins.exact(seconds, row, q, size) for q in (0.25, 0.5, 0.75))
    count = np.bincount(row, minlength=size)
    spread = np.divide(high - low, median, where=median > 0, out=np.zeros(size))
    for job, places in _jobs(rows, _people(rows) & (count >= limits.minimum_tasks)):
        usual, usual_spread = float(np.median(median[places])), float(np.median(spread[places]))
        for place in places[median[places] + ROUNDING < limits.fast_share * usual]:
            reason = (
                f"Took {_say(median[place])} s per task of {job} (median of {count[place]} tasks); "
                f"the middle one of {len(places)} workers took {_say(usual)} s."
            )
            yield _found(rows, place, "too_fast", reason, median[place], usual, count[place])
        if usual_spread < 3 * limits.uniform_spread:
            continue
        even = (spread[places] < limits.uniform_spread) & (median[places] >= limits.uniform_seconds)
        for place in places[even]:
            reason = (
                f"Half of {count[place]} tasks of {job} took between {_say(low[place])} and "
                f"{_say(high[place])} s, a range of {_percent(spread[place])} of the median; "
                f"that of the middle one of {len(places)} workers is {_percent(usual_spread)}."
            )
            yield _found(rows, place, "too_uniform", reason, spread[place], usual_spread, count[place])


def _by_answers(rows: Finest, answers: Answers, limits: Thresholds) -> Iterator[Finding]:
    size = len(rows)
    total = np.zeros(size, np.int64)
    np.add.at(total, answers.row, answers.count)
    top, label = np.zeros(size, np.int64), np.full(size, -1)
    order = np.lexsort((-answers.label, answers.count))  # the most frequent label last
    top[answers.row[order]], label[answers.row[order]] = answers.count[order], answers.label[order]
    for job, places in _jobs(rows, _people(rows) & (total >= limits.minimum_tasks)):
        for place in places[top[places] > limits.same_share * total[places]]:
            others = np.isin(answers.row, places[places != place])
            same = int(answers.count[others & (answers.label == label[place])].sum())
            usual = same / int(answers.count[others].sum())
            share = top[place] / total[place]
            if usual > 0.8 or _tail(total[place] - top[place], total[place], 1 - usual) > SURE:
                continue
            reason = (
                f"Gave one answer to {_percent(share)} of {total[place]} tasks of {job}; "
                f"others give it to {_percent(usual)}."
            )
            yield _found(rows, place, "same_answers", reason, share, usual, total[place])


def _by_agreement(rows: Finest, limits: Thresholds) -> Iterator[Finding]:
    judged, agreed = rows.sums.values["judged"], rows.sums.values["agreed"]
    for job, places in _jobs(rows, _people(rows) & (judged >= limits.minimum_tasks)):
        of, good = int(judged[places].sum()), int(agreed[places].sum())
        share = agreed[places] / judged[places]
        for place in places[share < limits.agreement_below]:
            mine, here = int(agreed[place]), int(judged[place])
            usual = (good - mine) / (of - here)
            if _tail(mine, here, usual - limits.agreement_gap) > SURE:
                continue
            reason = (
                f"Agreed with the consensus in {_percent(mine / here)} of {here} answers to {job}; "
                f"the others did in {_percent(usual)}."
            )
            yield _found(rows, place, "low_agreement", reason, mine / here, usual, here)


def _by_pay(rows: Finest, limits: Thresholds, fair_pay: float | None) -> Iterator[Finding]:
    if fair_pay is None or not len(rows):
        return
    named, to = group([rows.keys[1], rows.keys[2]])
    sums = rows.sums.regrouped(to, len(named[0]))
    seconds, cents = sums.column("pay_seconds"), sums.column("pay_cents")
    for place in np.flatnonzero((seconds > 0) & (sums.values["submitted"] >= limits.minimum_tasks)):
        pay = cents[place] / 100 / (seconds[place] / 3600)
        if pay < fair_pay:
            team, job = named[0][place], named[1][place]
            count = int(sums.values["submitted"][place])
            reason = (
                f"An hour of {job} earned {pay:.2f} dollars ({count} tasks), less than the {fair_pay:.2f} "
                "that are set as fair."
            )
            yield Finding("", team, job, "low_pay", reason, _WARNING, _round(pay), fair_pay, count)


@dataclass(frozen=True)
class _Usual:
    """The last days of a worker: tasks per active day, and answers that were judged."""

    tasks: Sequence[float]
    judged: int
    agreed: int


def _usual(
    history: Sequence[tuple[date, pd.DataFrame]], day: date, limits: Thresholds
) -> Mapping[str, _Usual]:
    import pandas as pd

    first = day - timedelta(days=limits.usual_days)
    names = ["worker", "submitted", "judged", "agreed"]
    frames = [frame[names].assign(day=then) for then, frame in history if first <= then < day]
    if not frames:
        return {}
    days = pd.concat(frames).groupby(["worker", "day"])[names[1:]].sum().fillna(0).reset_index()
    days = days[days["submitted"] > 0]
    return {
        worker: _Usual(
            part["submitted"].astype(float).tolist(), int(part["judged"].sum()), int(part["agreed"].sum())
        )
        for worker, part in days.groupby("worker")
    }


def _by_history(
    rows: Finest, usual: Mapping[str, _Usual], limits: Thresholds, complete: bool
) -> Iterator[Finding]:
    if not usual or not _people(rows).any():
        return
    places = np.flatnonzero(_people(rows))
    named, to = group([rows.keys[4][places]])
    totals = {name: np.zeros(len(named[0]), np.int64) for name in ("submitted", "judged", "agreed")}
    for name, into in totals.items():
        np.add.at(into, to, rows.sums.values[name][places])
    today = {worker: tuple(int(totals[n][at]) for n in totals) for at, worker in enumerate(named[0])}
    today = {worker: counts for worker, counts in today.items() if counts[0] and worker in usual}
    if complete:
        yield from _fewer_tasks({worker: counts[0] for worker, counts in today.items()}, usual, limits)
    yield from _less_agreement({w: counts[1:] for w, counts in today.items() if counts[1]}, usual, limits)


def _fewer_tasks(
    today: Mapping[str, int], usual: Mapping[str, _Usual], limits: Thresholds
) -> Iterator[Finding]:
    """Find those who did much less than usual, when others did not."""
    shares = {}
    for worker, tasks in today.items():
        days = np.array([*usual[worker].tasks, tasks])
        # Two active days together, as a night's work falls on two
        *before, now = (days[:-1] + days[1:]) / 2
        middle = float(np.median(before)) if len(before) >= ENOUGH_DAYS else 0.0
        if middle >= limits.minimum_tasks:
            # A worker whose days differ much has to fall further
            noise = max(float(np.std(np.log(before), ddof=1)), 0.25)
            limit = min(limits.drop_share, 0.5 * min(before) / middle, float(np.exp(-4 * noise)))
            shares[worker] = (now / middle, middle, limit, int(days[-2]))
    if len(shares) < MANY:
        return
    crowd = min(1.0, float(np.median([share for share, *_ in shares.values()])))
    for worker, (share, middle, limit, last) in sorted(shares.items()):
        if share < limit * crowd:
            tasks = today[worker]
            reason = (
                f"Submitted {tasks} tasks, and {last} on the last active day before; in the last "
                f"{limits.usual_days} days the usual number was {_say(middle)}."
            )
            yield Finding(worker, "", "", "sudden_drop", reason, _NOTICE, tasks, _round(middle), tasks)


def _less_agreement(
    today: Mapping[str, tuple[int, ...]], usual: Mapping[str, _Usual], limits: Thresholds
) -> Iterator[Finding]:
    """Find those who agree much less than before, beyond what the whole crowd's agreement fell by."""
    now = np.array(list(today.values()), np.int64).reshape(-1, 2).sum(axis=0)
    before = (
        np.array([(usual[w].judged, usual[w].agreed) for w in today], np.int64).reshape(-1, 2).sum(axis=0)
    )
    if len(today) < MANY or not before[0]:
        return
    fallen = min(0.0, now[1] / now[0] - before[1] / before[0])
    for worker, (judged, agreed) in sorted(today.items()):
        known = usual[worker]
        if judged < limits.minimum_tasks or known.judged < 3 * limits.minimum_tasks:
            continue
        own = known.agreed / known.judged
        expected = max(own + fallen, 0.0)
        if _tail(agreed, judged, expected - limits.agreement_gap) > SURE:
            continue
        reason = (
            f"Agreed with the consensus in {_percent(agreed / judged)} of {judged} answers; in the last "
            f"{limits.usual_days} days it was {_percent(own)} of {known.judged}."
        )
        yield Finding(
            worker, "", "", "agreement_drop", reason, _WARNING, _round(agreed / judged), _round(own), judged
        )


def _found(
    rows: Finest, place: int, kind: str, reason: str, value: float, usual: float, tasks: int
) -> Finding:
    _, team, job, _, worker = (key[place] for key in rows.keys)
    return Finding(worker, team, job, kind, reason, _WARNING, _round(value), _round(usual), int(tasks))


def _tail(good: int, of: int, share: float) -> float:
    """Return the chance of at most ``good`` in ``of`` at this share."""
    from scipy.stats import binom

    return float(binom.cdf(good, of, min(max(share, 0.0), 1.0)))


def _say(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _round(value: float) -> float:
    return round(float(value), 6)
