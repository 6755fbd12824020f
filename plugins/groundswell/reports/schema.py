"""The tables of the reports: their columns, types and meanings. Files and documentation follow from here.

Texts are never null ("" is "does not apply"). A number that is not known, or that would be a share of
nothing, is null: never 0, never NaN. Additive numbers (see :data:`ADDITIVE`) are whole multiples of a
millionth, so that sums come out the same in any order.
"""

from __future__ import annotations

from groundswell.reports.columns import Column, Table

FORMULAS = 2
"""Raised whenever a measure is computed otherwise than before: days that are looked at are then made anew."""

_TYPE_WORDS = {
    "text": "text",
    "int": "whole number",
    "float": "number",
    "flag": "true or false",
    "time": "time (UTC)",
    "day": "date",
}

_SOURCE = Column("source", "text", "Where the events come from: worker_activity (log) or ledger (own runs).")
_TEAM = Column("team", "text", 'The last part of the work team\'s ARN; "public" for the workforce.')
_JOB = Column("job", "text", "The labeling job; for ledgers the batch.")
_TASK_TYPE = Column("task_type", "text", 'What is asked, such as image-classification; "unknown" otherwise.')
_DAY = Column("day", "day", "The day in the report's time zone.")

ACTIVITY = Table(
    "activity",
    "One row per event of a worker on a task. Private: it holds raw worker ids.",
    (
        _SOURCE,
        Column("kind", "text", "accepted, submitted, returned or declined."),
        Column("at", "time", "When that was."),
        Column("accepted_at", "time", "When the task had been accepted; null where not known."),
        Column("seconds", "float", "From accepted to submitted; null where unknown or negative.", unit="s"),
        Column("worker", "text", "The raw id: Cognito's sub, or the workforce's worker id."),
        Column("pool", "text", "The Cognito user pool."),
        _TEAM,
        _JOB,
        Column("run", "text", "The id of the run (ledgers)."),
        _TASK_TYPE,
        Column("task", "text", "The assignment."),
        Column("item", "text", "The item."),
        Column("paid", "flag", "Ledgers: the answer was paid for."),
        Column("rejected", "flag", "Ledgers: the answer was rejected."),
        Column("reward_cents", "float", "Ledgers: what the worker earned, bonuses included.", unit="cents"),
        Column("cost_cents", "float", "Ledgers: what that cost, fees included.", unit="cents"),
        Column("readable", "flag", "Ledgers: the answer could be read."),
        Column("agreed", "flag", "Ledgers: the answer equals the item's consolidated label; null: no label."),
        Column("right", "float", "Ledgers: posterior probability of the label given, 0 to 1."),
        Column("gold_right", "flag", "Ledgers: the answer equals the known label; null: none is known."),
        Column("settles", "flag", "Ledgers: the last counted answer of an item that got a label."),
        Column("answer", "text", 'Ledgers: the label given where it is one of a few categories, else "".'),
    ),
    ("source", "kind", "at", "worker", "job", "task"),
)
"""Events. Rows of the log leave the columns of ledgers null; every ledger column is about a submitted row."""

WORKTEAM = Table(
    "workteam",
    "Totals of a day from the metrics that SageMaker publishes. Private: it holds raw worker ids.",
    (
        _DAY,
        Column("job", "text", 'The labeling job; "" where the metric does not name it.'),
        Column("team", "text", 'The work team; "" where the metric does not name it.'),
        Column("worker", "text", 'The raw id; "" where the metric does not name it.'),
        Column(
            "measure",
            "text",
            "accepted, submitted, returned, declined, active_seconds or active_workers.",
        ),
        Column("value", "float", "The sum over the day."),
        Column("dimensions", "text", "The dimensions of the metric that was used."),
    ),
    ("day", "job", "team", "worker", "measure"),
)

JOBS = Table(
    "jobs",
    "Labels that a labeling job made on a day; a list of mappings with these names is taken as well.",
    (
        _DAY,
        _JOB,
        _TEAM,
        _TASK_TYPE,
        Column("status", "text", "Its state, such as InProgress or Completed."),
        Column("human_labels", "int", "Labels by people on that day (no total of days before)."),
        Column("machine_labels", "int", "Labels by the machine on that day."),
    ),
    ("day", "job"),
)

PROBLEMS = Table(
    "problems",
    "What could not be used as it was: counted, never fatal.",
    (
        _DAY,
        Column("source", "text", "Where it was found."),
        Column("kind", "text", "What is wrong, in a few words."),
        Column("count", "int", "How often."),
        Column("example", "text", "One of them, ids masked."),
        Column("what_to_do", "text", "What an operator can do."),
    ),
    ("day", "source", "kind", "example", "what_to_do"),
)

KEYS: tuple[Column, ...] = (
    _DAY,
    _SOURCE,
    _TEAM,
    _JOB,
    _TASK_TYPE,
    Column("worker", "text", 'The pseudonym; "" for what belongs to no single worker; "forgotten".'),
    Column("name", "text", 'The name, only where the deployment shows names; otherwise "".'),
)
"""What a row of the workers table is about."""

MEASURES: tuple[Column, ...] = (
    Column("accepted", "int", "Tasks that were accepted.", unit="tasks"),
    Column("submitted", "int", "Tasks that were submitted.", unit="tasks"),
    Column("returned", "int", "Tasks that were given back; null where only a ledger knows.", unit="tasks"),
    Column("declined", "int", "Tasks that were declined; null where only a ledger knows.", unit="tasks"),
    Column(
        "active_seconds",
        "float",
        "Time at work. A total of the metric that no single row can carry, such as that of a team, is a row "
        "of its own: what the metric says beyond (or, below zero, short of) the other rows that it is about.",
        "TimeSpent where there is such a metric, otherwise the sum of seconds per task",
        "s",
    ),
    Column(
        "active_tasks",
        "int",
        "Submitted tasks whose time is in active_seconds. By events: those whose time is known. By the "
        "metric: what TasksSubmitted counts of the same; where it counts none, all that events count. A row "
        "of what a total says beyond other rows has the rest of its tasks, which may be below zero.",
        unit="tasks",
    ),
    Column(
        "active_by_events",
        "float",
        "How much of active_seconds is the time of events; below zero in a row that holds what a metric's "
        "total says beyond events.",
        unit="s",
    ),
    Column(
        "active_from",
        "text",
        "Where active_seconds is from: metric; events; mixed; rest, which is what a metric's total says "
        'beyond the events of other rows; or "" for nothing.',
    ),
    Column("seconds_total", "float", "Time from accepting to submitting.", "sum(seconds)", "s"),
    Column(
        "seconds_median",
        "float",
        "Half of the submitted tasks took at most this long. Exact within a day; over several days from "
        "bins, at most 1 % off.",
        "quantile(seconds, 0.5), linear between the two nearest (type 7 of Hyndman and Fan 1996)",
        "s",
    ),
    Column(
        "seconds_p90",
        "float",
        "Nine in ten submitted tasks took at most this long; as exact as the median.",
        "quantile(seconds, 0.9), as the median",
        "s",
    ),
    Column(
        "seconds_per_task",
        "float",
        "Time at work per task; null for a rest.",
        "active_seconds / active_tasks",
        "s",
    ),
    Column(
        "tasks_per_hour",
        "float",
        "Tasks per hour at work; null for a rest.",
        "active_tasks / (active_seconds / 3600)",
    ),
    Column(
        "judged", "int", "Answers that can be read, to items that have a consolidated label.", unit="answers"
    ),
    Column("agreed", "int", "Judged answers that equal that label.", unit="answers"),
    Column("agreement", "float", "Share of judged answers that agree with the consensus.", "agreed / judged"),
    Column(
        "right_expected",
        "float",
        "How many of the judged answers one expects to be right.",
        "sum(posterior probability of the answer given, in the item's consolidated row; where that has none, "
        "1 for agreeing with the label)",
        "answers",
    ),
    Column(
        "accuracy",
        "float",
        "Estimated share of right answers. It trusts the consolidation; it is no measured truth.",
        "right_expected / judged",
    ),
    Column(
        "accuracy_low",
        "float",
        "Lower end of the 90 % Jeffreys interval of accuracy.",
        "Beta(right_expected + 1/2, judged - right_expected + 1/2), 5 % quantile; 0 where right_expected "
        "is 0",
    ),
    Column(
        "accuracy_high",
        "float",
        "Upper end of that interval.",
        "the same, 95 % quantile; 1 where right_expected is judged",
    ),
    Column("gold_seen", "int", "Answers that can be read, to items whose label was known.", unit="answers"),
    Column("gold_right", "int", "Those that equal the known label.", unit="answers"),
    Column("gold_score", "float", "Share of known items answered right.", "gold_right / gold_seen"),
    Column("earned_cents", "float", "What the workers earned, bonuses included.", unit="cents"),
    Column(
        "pay_seconds",
        "float",
        "Time, from accepting to submitting, of the answers that are paid or rejected; those still waiting "
        "for pay are left out, and those whose time is not known.",
        unit="s",
    ),
    Column("pay_cents", "float", "What exactly these answers earned, their bonuses included.", unit="cents"),
    Column(
        "hourly_pay",
        "float",
        "What an hour of paid or rejected work earned.",
        "(pay_cents / 100) / (pay_seconds / 3600)",
        "dollars per hour",
    ),
    Column("cost_cents", "float", "What the answers cost, fees included.", unit="cents"),
    Column("settled_labels", "int", "Items whose last counted answer came here.", unit="labels"),
    Column(
        "cost_per_label",
        "float",
        "What a settled label cost.",
        "(cost_cents / 100) / settled_labels",
        "dollars per label",
    ),
    Column(
        "human_labels", "int", "Labels by people: settled ones, and those of labeling jobs.", unit="labels"
    ),
    Column("machine_labels", "int", "Labels that a labeling job's machine made.", unit="labels"),
    Column(
        "machine_share",
        "float",
        "Share of labels by the machine.",
        "machine_labels / (human_labels + machine_labels)",
    ),
    Column("rejected", "int", "Answers that were rejected.", unit="answers"),
    Column("unreadable", "int", "Answers that could not be read.", unit="answers"),
    Column(
        "bins",
        "text",
        "Histogram of seconds as bin:count pairs; bins are 2 % wide (bin 0 is below 0.01 s, bin k begins at "
        "0.01 s x 1.02^(k-1)).",
        parquet_only=True,
    ),
)

ADDITIVE: tuple[str, ...] = (
    "accepted",
    "submitted",
    "returned",
    "declined",
    "active_seconds",
    "active_tasks",
    "active_by_events",
    "seconds_total",
    "judged",
    "agreed",
    "right_expected",
    "gold_seen",
    "gold_right",
    "earned_cents",
    "pay_seconds",
    "pay_cents",
    "cost_cents",
    "settled_labels",
    "human_labels",
    "machine_labels",
    "rejected",
    "unreadable",
)
"""Measures that are sums: the rest follows from them, the bins, and nothing else."""

WORKERS = Table(
    "workers",
    "The finest grain: one row per day, source, team, job, task type and worker. Rows without worker hold "
    "what belongs to no single one: labels of a labeling job, time that a metric gives for a team or job.",
    (*KEYS, *MEASURES),
    ("day", "source", "team", "job", "task_type", "worker"),
)

LEVELS: dict[str, tuple[str, ...]] = {
    "all": (),
    "source": ("source",),
    "team": ("team",),
    "job": ("job",),
    "task_type": ("task_type",),
    "worker": ("worker",),
    "source_team": ("source", "team"),
    "team_job": ("team", "job"),
}
"""The levels of the summary and the key columns of each."""

SUMMARY = Table(
    "summary",
    'The rows of the workers table added up per level; key columns that are no part of the level are "".',
    (
        KEYS[0],
        Column("level", "text", f"What is added up: {', '.join(LEVELS)}."),
        *KEYS[1:],
        *MEASURES,
    ),
    ("day", "level", "source", "team", "job", "task_type", "worker"),
)

SOURCES = Table(
    "sources",
    "Events of the log against the metrics, which SageMaker counts on its own; both are best effort. A row "
    "without worker compares a whole team and job; a worker has rows where both name the worker.",
    (
        _DAY,
        _TEAM,
        _JOB,
        Column("worker", "text", 'The pseudonym; "" for the team and job as a whole.'),
        Column(
            "measure",
            "text",
            "accepted, submitted, returned, declined; active_seconds, where the metric leaves pauses out.",
        ),
        Column("by_events", "float", "What the events say; null where there are none, or none with a time."),
        Column(
            "by_metric",
            "float",
            "What the metric says; null where there is none. CloudWatch keeps no zeros: a count that is "
            "missing beside others is 0.",
        ),
        Column("difference", "float", "Zero where both agree.", "by_events - by_metric"),
    ),
    ("day", "team", "job", "worker", "measure"),
)

ANOMALIES = Table(
    "anomalies",
    "What a person should look at; a hint, never a verdict.",
    (
        _DAY,
        Column("worker", "text", 'The pseudonym; "" where it is about the job.'),
        _TEAM,
        _JOB,
        Column(
            "kind",
            "text",
            "too_fast, too_uniform, same_answers, sudden_drop, agreement_drop, low_agreement or low_pay.",
        ),
        Column("reason", "text", "A plain sentence with the numbers."),
        Column("severity", "text", "warning: look today; notice: look when there is time."),
        Column("value", "float", "The number that stands out."),
        Column("usual", "float", "What it is compared with."),
        Column("tasks", "int", "How many tasks that rests on.", unit="tasks"),
    ),
    ("day", "worker", "team", "job", "kind"),
)

TABLES: tuple[Table, ...] = (WORKERS, SUMMARY, SOURCES, ANOMALIES, PROBLEMS)
"""What is published per day."""


def measure(name: str) -> Column:
    """Return the measure of this name.

    :raises KeyError: there is none
    """
    return {column.name: column for column in MEASURES}[name]


def describe() -> str:
    """Return all published tables and the formula of every measure as Markdown."""
    return "\n\n".join(_section(table) for table in TABLES) + "\n"


def _section(table: Table) -> str:
    head = f"### {table.name}\n\n{table.about}\nOne row per {', '.join(table.key)}.\n"
    lines = ["| column | type | unit | meaning | formula |", "| --- | --- | --- | --- | --- |"]
    lines += [_line(column) for column in table]
    return head + "\n" + "\n".join(lines)


def _line(column: Column) -> str:
    meaning = column.meaning + (" Parquet only." if column.parquet_only else "")
    formula = f"`{column.formula}`" if column.formula else ""
    cells = (f"`{column.name}`", _TYPE_WORDS[column.kind], column.unit, meaning, formula)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
