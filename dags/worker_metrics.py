"""
Who labelled how much, how fast, how well, and what it cost: a report for each day, team, job and worker.

Every run writes the day of its data interval, and anew those days before it that late events have changed, or
runs of batches that went on: a label, a payment or a rejection of today may be about an answer of last month.
A day that is written anew says so, and what changed. Numbers come from the log of worker events, the metrics
of work teams, Cognito, SageMaker's labeling jobs, and the ledgers of the batches; where they disagree, both
are shown. The settings are in `include/reports/worker_metrics.yaml`.

To write days again, trigger it with `from_day` and `to_day`; a backfill makes days that had no run. Today can
be written before it is over; the report then says that it is provisional.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import (
    DAG,
    Asset,
    CronDataIntervalTimetable,
    Param,
    TriggerRule,
    chain,
    get_current_context,
    task,
)
from airflow.sdk.exceptions import AirflowFailException

from groundswell.reports.settings import ReportSettings

SETTINGS = Path(__file__).parents[1] / "include" / "reports" / "worker_metrics.yaml"
DAG_ID = "worker_metrics"
PARAMS = {
    "from_day": Param(
        None,
        type=["null", "string"],
        format="date",
        title="From",
        description_md="The first day to write, in the report's time zone. Empty: what is due.",
    ),
    "to_day": Param(
        None,
        type=["null", "string"],
        format="date",
        title="To",
        description_md="The last day to write. Empty: yesterday, where the first is given.",
    ),
}

Entry = dict[str, Any]


def is_last_try(ti: Any) -> bool:
    """Return whether a task is not tried again: one batch that does not answer then holds up no other."""
    return bool(ti.try_number > ti.max_tries)


@task
def window(params: Any = None, dag_run: Any = None, ti: Any = None) -> list[Entry]:
    """Which days are written: those of the data interval and the days before that may have changed."""
    from groundswell.aws.reporting.looking import plan_window
    from groundswell.aws.reporting.opening import open_reports

    start, end = dag_run.data_interval_start, dag_run.data_interval_end
    with open_reports(SETTINGS) as reports:
        interval = None if start is None or end is None else (start, end)
        now = datetime.now(UTC)
        return plan_window(reports, params, interval, now, last_try=is_last_try(ti)).as_xcom()


@task
def collect_activity(days: list[Entry]) -> Entry:
    """Events of private workers, from the log group; those known already are not kept twice."""
    from groundswell.aws.reporting.collecting import collect_activity as collect
    from groundswell.aws.reporting.opening import open_reports

    with open_reports(SETTINGS) as reports:
        return collect(reports, days)


@task
def collect_workteam(days: list[Entry]) -> Entry:
    """Metrics per team and worker, from CloudWatch."""
    from groundswell.aws.reporting.collecting import collect_workteam as collect
    from groundswell.aws.reporting.opening import open_reports

    with open_reports(SETTINGS) as reports:
        return collect(reports, days)


@task
def collect_jobs(days: list[Entry]) -> Entry:
    """Labels by people and by the machine, from SageMaker's labeling jobs and their metrics."""
    from groundswell.aws.reporting.collecting import collect_jobs as collect
    from groundswell.aws.reporting.opening import open_reports

    with open_reports(SETTINGS) as reports:
        return collect(reports, days)


@task
def collect_ledgers(days: list[Entry], ti: Any = None) -> Entry:
    """Assignments of the batches, from the ledgers of their runs."""
    from groundswell.aws.reporting.collecting import collect_ledgers as collect
    from groundswell.aws.reporting.opening import open_reports

    with open_reports(SETTINGS) as reports:
        return collect(reports, days, last_try=is_last_try(ti))


@task
def collect_names(days: list[Entry]) -> Entry:
    """Look the workers up in Cognito. Names are kept only where the settings show them."""
    from groundswell.aws.reporting.collecting import collect_names as collect
    from groundswell.aws.reporting.opening import open_reports

    with open_reports(SETTINGS) as reports:
        return collect(reports, days)


@task
def changed_days(days: list[Entry]) -> list[Entry]:
    """The days that are due, and of those before them the ones for which something else was collected now."""
    from groundswell.aws.reporting.opening import open_reports
    from groundswell.aws.reporting.reporting import days_to_write

    with open_reports(SETTINGS) as reports:
        return days_to_write(reports, days)


# One after another: what is unusual about a day is told from the days before it
@task(
    max_active_tis_per_dagrun=1,
    map_index_template="{{ reported }}",
    doc_md="Measures, tables and the report of one day. The same inputs write nothing; others, a revision.",
)
def report_day(day: Entry) -> Entry:
    """Compute and write one day."""
    from groundswell.aws.reporting.opening import open_reports
    from groundswell.aws.reporting.reporting import report_day as report

    get_current_context()["reported"] = day["day"]  # type: ignore[typeddict-unknown-key]
    with open_reports(SETTINGS) as reports:
        return report(reports, day)


# Also where a day failed, or a source: months, what is too old, and whoever waits for the asset do not wait
# for it. Of a task that fails Airflow tells no asset event: what is wrong is for the next one to fail with
@task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
def publish(
    written: list[Entry], changed: list[Entry] | None, days: list[Entry], outlet_events: Any = None
) -> Entry:
    """Reports of the months, what is too old goes, and an asset event tells which days were written."""
    from groundswell.aws.reporting.looking import mark_reported
    from groundswell.aws.reporting.opening import open_reports
    from groundswell.aws.reporting.publishing import missing
    from groundswell.aws.reporting.publishing import publish as finish

    done, wanted = list(written), changed or days
    with open_reports(SETTINGS) as reports:
        if not missing(done, wanted):
            mark_reported(reports, days)
        result = finish(reports, done, datetime.now(UTC), wanted=wanted)
        asset = report_asset(reports.settings)
    outlet_events[asset].extra = {name: result[name] for name in ("days", "revised", "failed", "anomalies")}
    return result


@task
def verify(result: Entry) -> None:
    """Fails where a day was not written, or a day or month is damaged, and says which; all else is done."""
    from groundswell.aws.reporting.publishing import verify as check

    check(result)


@task(
    map_index_template="{{ notifier }}",
    doc_md="Tell people of the new report, through one notifier of the settings. The report is there anyway.",
)
def notify(number: int, result: Entry) -> Entry:
    """Tell people through one notifier."""
    from groundswell.aws.reporting.notifying import notify as tell
    from groundswell.aws.reporting.opening import open_reports

    with open_reports(SETTINGS) as reports:
        return tell(reports, number, result, get_current_context())


def report_asset(settings: ReportSettings) -> Asset:
    """Return the asset that other DAGs are scheduled by: the reports of all days."""
    return Asset(name="reports/worker_metrics", uri=f"{settings.uri}/days")


def worker_metrics_dag(settings: ReportSettings) -> DAG:
    """Return the DAG of the reports."""
    with DAG(
        dag_id=DAG_ID,
        description=settings.description,
        doc_md=__doc__,
        schedule=CronDataIntervalTimetable(settings.schedule, timezone=settings.time_zone),
        start_date=datetime.combine(settings.start, time(), tzinfo=settings.zone),
        catchup=settings.catch_up,
        max_active_runs=1,  # windows of days overlap, and a day is told from those before it
        params=PARAMS,
        tags=list(settings.tags),
        default_args={"owner": settings.owner, "retries": 3, "retry_delay": timedelta(minutes=1)},
    ) as dag:
        days = window()
        activity, ledgers = collect_activity(days), collect_ledgers(days)
        # Events tell which metrics, jobs and names to ask for
        told_by_events = [collect_workteam(days), collect_jobs(days), collect_names(days)]
        # A run of weeks touches as many days, of which it changes few: each is a task
        changed = changed_days(days)
        written = report_day.expand(day=changed)
        published = publish.override(outlets=[report_asset(settings)])(written, changed, days)
        chain(activity, told_by_events, changed)
        chain(ledgers, changed)
        verify(published)
        if settings.notify:
            notify.partial(result=published).expand(number=list(range(len(settings.notify))))
    return dag


def broken_dag(error: Exception) -> DAG:
    """
    Return a DAG that says what is wrong with the settings file.

    It has an id of its own: under the reports' it would replace the DAG of a run that is under way.
    """

    @task(retries=0)
    def read_settings() -> None:
        raise AirflowFailException(str(error))

    with DAG(
        dag_id=f"broken_{DAG_ID}",
        dag_display_name=f"broken: {SETTINGS.name}",
        description=f"{SETTINGS.name} cannot be read: see the task's log",
        doc_md=f"**{SETTINGS.name} cannot be read.**\n\n```\n{error}\n```",
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        tags=["broken-settings-file"],
    ) as dag:
        read_settings()
    return dag


try:
    worker_metrics = worker_metrics_dag(ReportSettings.load(SETTINGS))
except Exception as wrong:  # whatever it is, people look for it in the list of DAGs
    worker_metrics = broken_dag(wrong)
