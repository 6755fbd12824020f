"""The sections about trends, pay and cost, and labels of people and machine."""

from __future__ import annotations

from collections.abc import Callable

from groundswell.reports.html import charts, formats, frames, tabling, wording
from groundswell.reports.html.charts import Bar, Mark
from groundswell.reports.html.frames import Row, text
from groundswell.reports.html.scope import Scope
from groundswell.reports.html.sections import MOST_BARS, Section
from groundswell.reports.html.tabling import measured

_COURSES = (
    ("seconds_median", "Median time per task"),
    ("tasks_per_hour", "Tasks per hour of active time"),
    ("agreement", "Agreement with the consensus"),
    ("accuracy", "Estimated accuracy"),
    ("cost_per_label", "Cost per settled label"),
    ("hourly_pay", "Pay per hour"),
)
_WEEKS_FROM = 3
"""Weeks from which courses are drawn by week: fewer are drawn by day."""
_SHARES = {"agreement", "accuracy"}
_SUNDAY = 6


def trends(scope: Scope) -> Section:
    """What was submitted per day, and how speed, quality and cost of each team went."""
    title = "The weeks before" if scope.one_day else "Trends"
    if len([day for day in scope.days if day in scope.daily]) < 3:
        said = "Trends need at least three days; there are not that many yet."
        return Section("trends", title, nothing=said)
    usual = scope.usual("submitted")
    amount = charts.columns(
        scope.days,
        {"Submitted": scope.over_days("submitted")},
        title="Submitted per day",
        unit="tasks, all teams",
        usual=Mark(usual.value, f"usual {formats.count(round(usual.value))}: median of {usual.words}")
        if usual
        else None,
        strong=scope.last if scope.one_day else None,
        wide=True,
    )
    return Section("trends", title, intro=[_whole_weeks(scope)], charts=[amount, *_courses(scope)])


def _courses(scope: Scope) -> list[str]:
    drawn = []
    weekly = len(scope.mondays) >= _WEEKS_FROM
    days = scope.mondays if weekly else scope.days
    order = [text(row, "team") for row in frames.biggest(scope.rows_by("team"), "submitted", "team")]
    for measure, title in _COURSES:
        found = scope.course_of("team", measure, weekly=weekly)
        known = {
            name or "Not named": found[name]
            for name in sorted(
                found, key=lambda name: (order.index(name) if name in order else len(order), name)
            )
            if any(value is not None for value in found[name])
        }
        if known:
            drawn.append(
                charts.lines(
                    days,
                    known,
                    title=title,
                    unit=next(iter(known)) if len(known) == 1 else "",
                    form=wording.measure(measure).form,
                    zero=measure not in _SHARES,
                    top=1.0 if measure in _SHARES else None,
                    heading="Week from" if weekly else "Day",
                )
            )
    return drawn


def _whole_weeks(scope: Scope) -> str:
    if len(scope.mondays) < _WEEKS_FROM:
        return "Lines are by team and day."
    ends = [
        end
        for end, cut in (("first", scope.days[0].weekday() != 0), ("last", scope.last.weekday() != _SUNDAY))
        if cut
    ]
    whole = (
        f"; the {' and the '.join(ends)} week {'is' if len(ends) == 1 else 'are'} not whole" if ends else ""
    )
    return f"Lines are by team and week, which is named by its Monday{whole}."


def pay(scope: Scope) -> Section:
    """What was earned and paid, and whose pay is low."""
    title = "Pay and cost"
    total = scope.total
    if wording.value("cost_cents", total) is None and wording.value("earned_cents", total) is None:
        said = (
            "What private teams are paid and cost is not in any source; pay and cost are known for the runs "
            "of this deployment, and there were none."
        )
        return Section("pay", title, nothing=said)
    drawn = [_bars(scope, "team", "hourly_pay", "Pay per hour by team", formats.dollars, scope.fair_pay)]
    drawn.append(_bars(scope, "job", "cost_per_label", "Cost per settled label by job", formats.dollars))
    drawn.append(_lowest(scope))
    found = [row for row in scope.rows_by("job") if wording.value("cost_cents", row) is not None]
    table = measured(
        frames.biggest(found, "cost_cents", "job"),
        ("earned_cents", "cost_cents", "hourly_pay", "cost_per_label", "settled_labels", "rejected"),
        caption="Pay and cost by job",
        stub="Job or batch",
        key="job",
        noun="jobs",
    )
    return Section(
        "pay", title, intro=_about_pay(scope), charts=[each for each in drawn if each], tables=[table]
    )


def _about_pay(scope: Scope) -> list[str]:
    total = scope.total
    earned, cost = frames.number(total, "earned_cents"), frames.number(total, "cost_cents")
    parts = [
        f"Workers earned {formats.cents(earned)}, bonuses included. With fees of "
        f"{formats.cents(cost - earned)} the work cost {formats.cents(cost)}."
    ]
    paid = [row for row in scope.workers if wording.value("hourly_pay", row) is not None]
    low = [row for row in paid if frames.number(row, "hourly_pay") < scope.fair_pay]
    if paid:
        fair = formats.dollars(scope.fair_pay)
        parts.append(
            f"{formats.count(len(low))} of {wording.many(len(paid), 'worker')} earned less than {fair} an "
            "hour, the fair pay that is set."
            if low
            else f"Nobody earned less than {fair} an hour, the fair pay that is set."
        )
    return parts


def _lowest(scope: Scope) -> str:
    """Draw the workers whose pay is below what is fair, the lowest first."""
    low = [row for row in scope.workers if wording.value("hourly_pay", row) is not None]
    low = [row for row in low if frames.number(row, "hourly_pay") < scope.fair_pay]
    low.sort(key=lambda row: (frames.number(row, "hourly_pay"), text(row, "worker")))
    if not low:
        return ""
    rows = [
        Bar(
            text(row, "worker"),
            wording.value("hourly_pay", row),
            note=f"an hour, {wording.many(frames.number(row, 'submitted'), 'task')}",
        )
        for row in low[:MOST_BARS]
    ]
    unit = f"the {len(rows)} lowest of {len(low)}" if len(low) > len(rows) else ""
    mark = Mark(scope.fair_pay, f"fair pay {formats.dollars(scope.fair_pay)}")
    title = "Workers below fair pay"
    return charts.bars(rows, title=title, unit=unit, form=formats.dollars, mark=mark, table=False)


def labels(scope: Scope) -> Section:
    """How many labels people and the machine made."""
    title = "Labels by people and machine"
    total = scope.total
    made = frames.number(total, "human_labels") + frames.number(total, "machine_labels")
    if not made:
        return Section("labels", title, nothing="No label was made.")
    found = [
        row
        for row in scope.rows_by("job")
        if frames.number(row, "human_labels") + frames.number(row, "machine_labels")
    ]
    table = measured(
        frames.biggest(found, "human_labels", "job"),
        tabling.LABELS,
        caption="Labels by job",
        stub="Job or batch",
        key="job",
        noun="jobs",
    )
    share = wording.value("machine_share", total)
    intro = [
        f"{wording.many(made, 'label')}, {formats.share(share)} of them by the machine."
        if share
        else f"{wording.many(made, 'label')}, all of them by people."
    ]
    drawn = []
    if len(scope.days) > 2 and len(scope.daily) > 2:
        drawn.append(
            charts.columns(
                scope.days,
                {
                    "By people": scope.over_days("human_labels"),
                    "By machine": scope.over_days("machine_labels"),
                },
                title="Labels per day",
                wide=True,
            )
        )
    return Section("labels", title, intro=intro, charts=drawn, tables=[table])


def _bars(
    scope: Scope,
    key: str,
    measure: str,
    title: str,
    form: Callable[[float | None], str],
    mark: float | None = None,
) -> str:
    found: list[Row] = [row for row in scope.rows_by(key) if wording.value(measure, row) is not None]
    shown = frames.biggest(found, measure, key)[:MOST_BARS]
    if not shown:
        return ""
    unit = f"the {len(shown)} highest of {len(found)}" if len(found) > len(shown) else ""
    rows = [Bar(text(row, key) or "Not named", wording.value(measure, row)) for row in shown]
    line = Mark(mark, f"fair pay {formats.dollars(mark)}") if mark else None
    return charts.bars(rows, title=title, unit=unit, form=form, mark=line, table=False)
