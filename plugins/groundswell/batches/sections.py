"""The sections of a batch file, one frozen model each.

Limits are those of the Mechanical Turk Requester API and of SageMaker's API reference.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from groundswell.batches.options import (
    AwsName,
    Duration,
    Line,
    Listed,
    LocalPath,
    Location,
    Money,
    ObjectKey,
    S3Uri,
    Text,
    between,
    matching,
    unique,
)
from groundswell.batches.units import to_cents

_ASSIGNMENT_TIME = between(timedelta(seconds=30), timedelta(days=365), "between 30s and 365d")
# Not 0: the run approves as it collects, and tells its HIT type from those of other runs by the delay
_APPROVAL_TIME = between(timedelta(hours=1), timedelta(days=30), "between 1h and 30d")
_POLL_TIME = between(timedelta(seconds=1), timedelta(days=365), "between 1s and 365d")
_ANSWER_TIME = between(timedelta(minutes=1), timedelta(days=30), "between 1m and 30d")
_RUNTIME = between(timedelta(seconds=1), timedelta(days=28), "between 1s and 28d")
_INSTANCE_TYPE = matching(r"ml\.[a-z0-9-]+\.[a-z0-9]+", "write an instance type such as ml.m5.large")
_LABEL_ATTRIBUTE = r"[a-zA-Z0-9](?:-*[a-zA-Z0-9]){0,126}"


class Section(BaseModel):
    """A part of a batch file: immutable, and with no option that is not listed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Connections(Section):
    """Airflow connections that the run uses."""

    mturk: Line = "mturk_default"
    aws: Line = "aws_default"


class Dataset(Section):
    """Where the items come from; ``path`` is absolute or an S3 URI."""

    path: Location
    format: Literal["csv", "jsonl", "manifest"]
    key: Line

    @property
    def local_path(self) -> Path | None:
        """The file on disk, or None if the dataset is in S3."""
        return None if self.path.startswith("s3://") else Path(self.path)


def _trimmed(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Labels are compared with answers, and white space around an answer does not count."""
    for label in labels:
        if label != label.strip():
            raise ValueError(f"label {label!r} has white space around it; remove it")
    return labels


class Task(Section):
    """What a worker sees, gets, and has time for."""

    template: LocalPath
    title: Annotated[Line, Field(max_length=128)]
    description: Annotated[Line, Field(max_length=2000)]
    keywords: Annotated[Text, Field(max_length=1000)] = ""
    question: Annotated[Line, Field(max_length=500)] = "Which label fits?"
    instructions: Text = ""
    language: Annotated[str, matching(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*", "write en, de, pt-BR")] = "en"
    labels: Annotated[
        tuple[Line, ...],
        Listed,
        Field(min_length=2),
        AfterValidator(_trimmed),
        AfterValidator(unique("label")),
    ]
    reward: Money
    lifetime: Annotated[Duration, _ASSIGNMENT_TIME]
    assignment_duration: Annotated[Duration, _ASSIGNMENT_TIME]
    auto_approval: Annotated[Duration, _APPROVAL_TIME] = timedelta(days=3)
    expected_time: Annotated[Duration, _POLL_TIME] | None = None
    frame_height: Annotated[int, Field(ge=0, le=100_000)] = 0
    image: Line | None = None
    image_folder: LocalPath | None = None

    @property
    def reward_cents(self) -> int:
        """Reward per assignment, in cents."""
        return to_cents(self.reward)

    @property
    def reward_dollars(self) -> str:
        """Reward as the Requester API wants it: "0.05"."""
        return f"{self.reward:.2f}"

    @property
    def lifetime_seconds(self) -> int:
        """LifetimeInSeconds of the HITs."""
        return int(self.lifetime.total_seconds())

    @property
    def assignment_duration_seconds(self) -> int:
        """AssignmentDurationInSeconds of the HIT type."""
        return int(self.assignment_duration.total_seconds())

    @property
    def expected_seconds(self) -> float | None:
        """Estimate of a worker's time per answer, in seconds."""
        return None if self.expected_time is None else self.expected_time.total_seconds()

    @property
    def auto_approval_seconds(self) -> int:
        """AutoApprovalDelayInSeconds of the HIT type."""
        return int(self.auto_approval.total_seconds())

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.reward <= Decimal(0):
            raise ValueError('reward: must be at least one cent; write "0.01" or more')
        if self.image_folder is not None and self.image is None:
            raise ValueError("image_folder: has no use without image; name the dataset's column in image")
        return self


class Spend(Section):
    """What the batch may cost, and when a person is asked.

    Attributes:
        budget: the most that a run may cost, unless a person approves more.
        approve_above: the worst-case cost above which a person is asked before anything is published.
        monthly_budget: the most that all runs planned in a calendar month (UTC) may cost; None: no limit.
        ask_overrun: ask a person for more money where it does not suffice; otherwise the run fails or gives
            items up.
        answer_within: how long the run waits for that person once workers have answered.
        minimum_hourly: warn where workers earn less than this per hour; None: never.
        shared_account: something else pays from the account, so its balance proves nothing.
    """

    budget: Money
    approve_above: Money
    monthly_budget: Money | None = None
    ask_overrun: bool = True
    answer_within: Annotated[Duration, _ANSWER_TIME] = timedelta(hours=24)
    minimum_hourly: Money | None = Decimal("8.00")
    shared_account: bool = False

    @property
    def budget_cents(self) -> int:
        """The most that a run may cost, in cents."""
        return to_cents(self.budget)

    @property
    def approve_above_cents(self) -> int:
        """The worst-case cost above which a person has to approve, in cents."""
        return to_cents(self.approve_above)

    @property
    def monthly_cents(self) -> int | None:
        """The most that the runs of a calendar month may cost, in cents; None: no limit."""
        return None if self.monthly_budget is None else to_cents(self.monthly_budget)

    @property
    def minimum_hourly_cents(self) -> int | None:
        """Pay per hour below which there is a warning, in cents; None: no warning."""
        return None if self.minimum_hourly is None else to_cents(self.minimum_hourly)


class Polling(Section):
    """How the run waits for workers.

    ``first_wave`` HITs must be reviewable before collecting starts; later waves have ``wave`` HITs, or as
    many as there are after ``max_wait``. All of it gives up after ``timeout``.
    """

    interval: Annotated[Duration, _POLL_TIME] = timedelta(seconds=15)
    first_wave: Annotated[int, Field(ge=1)] = 20
    wave: Annotated[int, Field(ge=1)] = 20
    max_wait: Annotated[Duration, _POLL_TIME] = timedelta(seconds=60)
    timeout: Annotated[Duration, _POLL_TIME]

    @property
    def interval_seconds(self) -> int:
        """Seconds between two looks."""
        return int(self.interval.total_seconds())

    @property
    def max_wait_seconds(self) -> int:
        """Seconds after which a smaller wave is taken as well."""
        return int(self.max_wait.total_seconds())


def _label_attribute(value: str) -> str:
    """Ground Truth's rule for LabelAttributeName of a classification job."""
    if value in {"source", "source-ref"}:
        raise ValueError(f"{value!r} is a name that manifests reserve; choose another, such as species")
    if value.endswith(("-metadata", "-ref")):
        raise ValueError(
            f"{value!r} may not end in -metadata or -ref in a classification manifest; rename it"
        )
    return value


class Output(Section):
    """Where the labelled dataset goes; ``train``, ``test`` and ``manifest`` are keys below ``uri``."""

    uri: S3Uri
    train: ObjectKey
    test: ObjectKey
    manifest: ObjectKey
    test_items: Annotated[int, Field(ge=0)]
    seed: int = 0
    csv_format: Literal["named", "tensorflow"] = "named"
    features: Annotated[tuple[Line, ...], Listed, AfterValidator(unique("column"))] = ()
    label_attribute: Annotated[
        str,
        matching(_LABEL_ATTRIBUTE, "use up to 127 letters, digits and hyphens between them: species"),
        AfterValidator(_label_attribute),
    ]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len({self.train, self.test, self.manifest}) < 3:
            raise ValueError("train: train, test and manifest must have three different names; rename one")
        if self.label_attribute in self.features:
            raise ValueError(
                f"label_attribute: {self.label_attribute!r} is among the features as well; rename it"
            )
        return self

    def object_uri(self, key: str) -> str:
        """The S3 URI of a key of this output."""
        return f"{self.uri}/{key}"


class Training(Section):
    """A SageMaker training job in script mode; ``source`` is the folder with the code."""

    source: LocalPath
    entry_point: Annotated[str, matching(r"[A-Za-z0-9_]+\.py", "name a Python file in source: train.py")]
    image: Line
    instance_type: Annotated[str, _INSTANCE_TYPE]
    instance_count: Annotated[int, Field(ge=1)] = 1
    volume_gb: Annotated[int, Field(ge=1)] = 10
    max_runtime: Annotated[Duration, _RUNTIME]
    role: Annotated[
        str,
        matching(
            r"arn:aws[a-z-]*:iam::[0-9]{12}:role/.+", "write arn:aws:iam::<12-digit account>:role/<name>"
        ),
    ]
    hyperparameters: dict[str, str | int | float | bool] = Field(default_factory=dict)

    @property
    def max_runtime_seconds(self) -> int:
        """MaxRuntimeInSeconds of the job's stopping condition."""
        return int(self.max_runtime.total_seconds())


class Endpoint(Section):
    """The SageMaker endpoint that serves the trained model."""

    name: AwsName
    instance_type: Annotated[str, _INSTANCE_TYPE]
    instance_count: Annotated[int, Field(ge=1)] = 1


class Evaluation(Section):
    """When the model is good enough, and inputs to show a prediction for."""

    minimum_accuracy: Annotated[float, Field(ge=0, le=1)]
    predict: Annotated[tuple[Annotated[tuple[float, ...], Listed], ...], Listed] = ()
