"""The settings of the worker metrics, ``include/reports/worker_metrics.yaml``, checked from end to end."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, PrivateAttr, ValidationError, model_validator

from groundswell.batches.model import Tag
from groundswell.batches.options import (
    Duration,
    Line,
    Listed,
    LocalPath,
    Money,
    Name,
    StateUri,
    between,
    matching,
    unique,
)
from groundswell.batches.problems import describe_problems
from groundswell.batches.sections import Section
from groundswell.batches.yaml_file import parse_yaml, read_text
from groundswell.errors import BatchError, ReportError
from groundswell.reports.days import start_of

_CRON = matching(
    r"[0-9A-Za-z*/,#?-]+(?: +[0-9A-Za-z*/,#?-]+){4}",
    'write a cron expression in quotes such as "0 6 * * *"',
)
_KEEP = between(timedelta(days=1), timedelta(days=36_500), "between 1d and 36500d")
_HALF_HOUR = timedelta(minutes=30)
_IMPORT_PATH = matching(
    r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+",
    "write the import path of a class, such as airflow.providers.smtp.notifications.smtp.SmtpNotifier",
)


def _zone(value: str) -> str:
    try:
        zone = ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"{value!r} is not a time zone; write an IANA name such as UTC or Europe/Berlin"
        ) from None
    for month in range(1, 13):  # of a year with and without summer time
        offset = datetime(2026, month, 1, tzinfo=zone).utcoffset() or timedelta(0)
        if offset % _HALF_HOUR:
            raise ValueError(
                f"{value!r} is not whole or half hours away from UTC, so that metrics cannot be cut into "
                "its days; write another zone"
            )
    return value


class Connections(Section):
    """The Airflow connection of logs, metrics, Cognito, SageMaker and S3."""

    aws: Line = "aws_default"


class WorkerActivitySource(Section):
    """The log group in which private workers' events are."""

    log_group: Annotated[
        str, matching(r"[A-Za-z0-9_/.#-]{1,512}", "write the name of a log group of CloudWatch Logs")
    ] = "/aws/sagemaker/groundtruth/WorkerActivity"


class WorkteamSource(Section):
    """The namespace of the metrics per team and worker."""

    namespace: Line = "AWS/SageMaker/Workteam"


class LabelingJobsSource(Section):
    """The namespace of the metrics per labeling job; the jobs themselves are asked of SageMaker."""

    namespace: Line = "AWS/SageMaker/LabelingJobs"


class Sources(Section):
    """Where the numbers come from; null (or false) leaves a source out.

    Attributes:
        batches: the folder of batch files whose ledgers are read, relative to the settings file.
    """

    worker_activity: WorkerActivitySource | None = WorkerActivitySource()
    workteam: WorkteamSource | None = WorkteamSource()
    labeling_jobs: LabelingJobsSource | None = LabelingJobsSource()
    cognito: bool = True
    batches: LocalPath | None = None


class Retention(Section):
    """How long personal data is kept.

    Attributes:
        inputs: raw events and ids; a day whose inputs are gone cannot be made again.
        workers: tables and reports that tell workers apart, by pseudonym or name. Group tables stay.
    """

    inputs: Annotated[Duration, _KEEP] = timedelta(days=120)
    workers: Annotated[Duration, _KEEP] = timedelta(days=730)


class Anomalies(Section):
    """When a worker's day is pointed out, as in :class:`groundswell.reports.anomalies.Thresholds`.

    Attributes:
        minimum_tasks: fewer submitted tasks of a worker in a job on the day say nothing.
        fast_share: too fast: a median time below this share of the middle one of the job's workers.
        uniform_spread: too uniform: an interquartile range of seconds below this share of the median.
        uniform_seconds: at a shorter median, times in whole seconds are alike by themselves.
        same_share: same answers: one label in more than this share of answers, which others give much less.
        drop_share: sudden drop: fewer tasks than this share of the worker's usual day.
        usual_days: the usual day is the median over this many days before, the active ones.
        agreement_below: low agreement: below this share of judged answers, and below the others'.
        agreement_gap: and by at least this much below; for drops, below the worker's own.
    """

    minimum_tasks: Annotated[int, Field(ge=1)] = 20
    fast_share: Annotated[float, Field(gt=0, lt=1)] = 0.33
    uniform_spread: Annotated[float, Field(gt=0, lt=1)] = 0.1
    uniform_seconds: Annotated[float, Field(ge=0)] = 5.0
    same_share: Annotated[float, Field(gt=0, le=1)] = 0.95
    drop_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    usual_days: Annotated[int, Field(ge=2, le=60)] = 14
    agreement_below: Annotated[float, Field(ge=0, le=1)] = 0.6
    agreement_gap: Annotated[float, Field(ge=0, le=1)] = 0.15


class Notify(Section):
    """A notifier of Airflow or one of its providers that tells of new reports.

    Attributes:
        notifier: the import path of its class.
        arguments: what it is made with; texts are templates and may use ``day``, ``days``, ``revised``,
            ``anomalies``, ``totals`` and ``report``.
        when: ``always``; ``revised``: a day was rewritten; ``anomalies``: the newest day has any.
    """

    notifier: Annotated[str, _IMPORT_PATH]
    arguments: dict[str, Any] = Field(default_factory=dict)
    when: Literal["always", "revised", "anomalies"] = "always"


class ReportSettings(Section):
    """Which numbers are reported, from which sources, where to, and for how long."""

    name: Name
    description: Line
    owner: Line = "groundswell"
    tags: Annotated[tuple[Tag, ...], Listed, AfterValidator(unique("tag"))] = ("reports",)
    schedule: Annotated[str, _CRON] = "0 6 * * *"
    time_zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    start: date
    catch_up: bool = True
    late_days: Annotated[int, Field(ge=0, le=14)] = 3
    uri: StateUri
    private_uri: StateUri | None = None
    connections: Connections = Connections()
    sources: Sources = Sources()
    names: Literal["pseudonymous", "shown"] = "pseudonymous"
    retention: Retention = Retention()
    fair_pay: Money = Decimal("15.00")
    anomalies: Anomalies = Anomalies()
    notify: Annotated[tuple[Notify, ...], Listed] = ()

    _file: Path = PrivateAttr(default=Path("worker_metrics"))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read and check the settings file ``path``; paths in it are relative to it.

        Raises:
            ReportError: names the file and each option that is wrong, with the fix, one problem per line.
        """
        try:
            return cls.parse(read_text(Path(path)), Path(path))
        except BatchError as error:
            raise ReportError(str(error)) from None

    @classmethod
    def parse(cls, text: str, path: Path) -> Self:
        """Check the text of the settings file ``path``.

        Raises:
            ReportError: as ``load``.
        """
        try:
            content = parse_yaml(text, path)
        except BatchError as error:
            raise ReportError(str(error)) from None
        if not isinstance(content, dict):
            raise ReportError(
                f"{path}: is {'empty' if content is None else 'not a mapping'}; write options as "
                "`name: value` lines, see the file that comes with the project"
            )
        try:
            settings = cls.model_validate(content, context={"folder": path.parent.absolute()})
        except ValidationError as error:
            # Paths and URIs are checked as those of batch files are, and their messages name such a file
            text = describe_problems(path, cls, error).replace("the batch file", "the settings file")
            raise ReportError(text) from None
        settings._file = path.absolute()
        return settings

    @property
    def file(self) -> Path:
        """The file that the settings were loaded from."""
        return self._file

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone of the report's days."""
        return ZoneInfo(self.time_zone)

    @property
    def private(self) -> str:
        """Where raw ids, names and the key of the pseudonyms are kept: ``<uri>/_private`` unless set."""
        return self.private_uri or f"{self.uri}/_private"

    @property
    def shows_names(self) -> bool:
        """Whether names of workers appear in tables and reports."""
        return self.names == "shown"

    def day_of(self, moment: datetime) -> date:
        """Return the day of a moment (with any zone) in the report's time zone."""
        return moment.astimezone(self.zone).date()

    def start_of(self, day: date) -> datetime:
        """Return when a day of the report begins, in UTC. It may be 23 or 25 hours long."""
        return start_of(day, self.zone)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.private == self.uri:
            raise ValueError("private_uri: is the same as uri, which others may read; write another place")
        if self.retention.workers < self.retention.inputs:
            raise ValueError(
                "retention.workers: is less than retention.inputs, which name workers as well; "
                "set it to as much or more"
            )
        if self.retention.inputs <= timedelta(days=self.late_days):
            raise ValueError(
                f"retention.inputs: late events change the {self.late_days} days before a report, "
                f"which needs their inputs; set it to {self.late_days + 1}d or more"
            )
        return self
