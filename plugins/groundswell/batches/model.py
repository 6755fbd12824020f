"""A batch file as an object that is checked from end to end."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, PrivateAttr, ValidationError, model_validator

from groundswell.batches.consolidating import Consolidation
from groundswell.batches.options import Line, Listed, Name, StateUri, matching, unique
from groundswell.batches.problems import describe_problems
from groundswell.batches.redundancy import Redundancy
from groundswell.batches.reviewing import Review
from groundswell.batches.sections import (
    Connections,
    Dataset,
    Endpoint,
    Evaluation,
    Output,
    Polling,
    Section,
    Spend,
    Task,
    Training,
)
from groundswell.batches.yaml_file import parse_yaml, read_text
from groundswell.errors import BatchError

_SCHEDULE = matching(
    r"@(?:once|hourly|daily|weekly|monthly|quarterly|yearly|annually)"
    r"|[0-9A-Za-z*/,#?-]+(?: +[0-9A-Za-z*/,#?-]+){4}",
    'write null, or a cron expression in quotes such as "0 6 * * *"',
)

Tag = Annotated[Line, Field(max_length=100)]


class Batch(Section):
    """What to label, for how much, by which rule, and where the result goes."""

    name: Name
    description: Line
    schedule: Annotated[str, _SCHEDULE] | None = None
    owner: Line = "groundswell"
    tags: Annotated[tuple[Tag, ...], Listed, AfterValidator(unique("tag"))] = ()
    state: StateUri
    connections: Connections = Connections()
    dataset: Dataset
    task: Task
    redundancy: Redundancy
    consolidation: Consolidation = Consolidation()
    spend: Spend
    polling: Polling
    shard_items: Annotated[int, Field(ge=1, le=100_000)] = 500
    output: Output
    training: Training | None = None
    endpoint: Endpoint | None = None
    evaluation: Evaluation | None = None
    review: Review | None = None

    _file: Path = PrivateAttr(default=Path("batch"))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read and check the batch file ``path``.

        Paths in it are taken relative to it. Whether the files that it names exist is not looked at here, so
        that Airflow can parse a DAG anywhere; ``check_files`` does that.

        Raises:
            BatchError: names the file and each option that is wrong, with the fix, one problem per line.
        """
        return cls.parse(read_text(Path(path)), Path(path))

    @classmethod
    def parse(cls, text: str, path: Path) -> Self:
        """Check the text of the batch file ``path``, which need not be what the file says now.

        Raises:
            BatchError: as ``load``.
        """
        content = parse_yaml(text, path)
        if not isinstance(content, dict):
            raise BatchError(
                f"{path}: is {'empty' if content is None else 'not a mapping'}; write options "
                "as `name: value` lines, see the batch files that come with the project"
            )
        try:
            batch = cls.model_validate(content, context={"folder": path.parent.absolute()})
        except ValidationError as error:
            raise BatchError(describe_problems(path, cls, error)) from None
        batch._file = path.absolute()
        return batch

    @property
    def file(self) -> Path:
        """The file that the batch was loaded from."""
        return self._file

    def exclusive(self) -> list[str]:
        """What no other batch may use as well, in words: each would overwrite or delete the other's."""
        names = [f"name {self.name!r}"]
        names += [
            f"output {self.output.object_uri(key)}"
            for key in (self.output.train, self.output.test, self.output.manifest)
        ]
        if self.endpoint is not None:
            names.append(f"endpoint.name {self.endpoint.name!r}")
        return names

    def template_hash(self) -> str:
        """SHA-256 of the worker page template, in hexadecimal, for provenance.

        Raises:
            BatchError: if the template cannot be read.
        """
        try:
            return hashlib.sha256(self.task.template.read_bytes()).hexdigest()
        except OSError as error:
            raise BatchError(
                f"{self._file}: task.template: {self.task.template} cannot be read: "
                f"{error.strerror or error}; fix the path, which is relative to the batch file"
            ) from None

    def check_files(self) -> None:
        """Look whether the files and folders on disk that the batch names exist.

        Raises:
            BatchError: names the batch file, and each option whose file is missing.
        """
        task, training = self.task, self.training
        wanted: list[tuple[str, Path | None, bool]] = [
            ("dataset.path", self.dataset.local_path, False),
            ("task.template", task.template, False),
            ("task.image_folder", task.image_folder, True),
            ("consolidation.gold", self.consolidation.local_gold, False),
            ("training.source", training.source if training else None, True),
            ("training.entry_point", training.source / training.entry_point if training else None, False),
        ]
        missing = [
            f"{self._file}: {option}: there is no {'folder' if folder else 'file'} {path}; "
            "create it, or fix the path, which is relative to the batch file"
            for option, path, folder in wanted
            if path is not None and not (path.is_dir() if folder else path.is_file())
        ]
        if missing:
            raise BatchError("\n".join(missing))

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.endpoint is not None and self.training is None:
            raise ValueError("endpoint: there is no model to serve; add training, or remove endpoint")
        if self.evaluation is not None and self.endpoint is None:
            raise ValueError("evaluation: there is no endpoint to ask; add endpoint, or remove evaluation")
        if self.dataset.key == self.output.label_attribute:
            raise ValueError("output.label_attribute: is also the dataset's key column; rename it")
        if self.training is not None and not self.output.features:
            raise ValueError("output.features: training needs at least one feature column; name them")
        self._check_predict()
        if self.review is not None:
            self.review.check_time(self.task)
        return self

    def _check_predict(self) -> None:
        features = self.output.features
        for row in self.evaluation.predict if self.evaluation else ():
            if len(row) != len(features):
                raise ValueError(
                    f"evaluation.predict: {list(row)} has {len(row)} values, but there are {len(features)} "
                    f"features ({', '.join(features)}); give one value for each"
                )


def batch_files(folder: Path) -> list[Path]:
    """The batch files in ``folder``, by name.

    Raises:
        BatchError: if the folder does not exist.
    """
    if not folder.is_dir():
        raise BatchError(f"{folder}: there is no such folder; create it, or fix the path")
    return sorted(path for path in folder.iterdir() if path.suffix in {".yaml", ".yml"} and path.is_file())


def find_batch(folder: Path, name: str) -> Path:
    """The file of the batch with this name; files that are wrong are passed over.

    Raises:
        BatchError: if no file has it; the message names those that there are.
    """
    names = []
    for path in batch_files(folder):
        try:
            batch = Batch.load(path)
        except BatchError:
            continue  # a broken file has a DAG of its own that says so
        if batch.name == name:
            return path
        names.append(batch.name)
    raise BatchError(f"batch: there is no batch {name!r}; there are: {', '.join(names) or 'none'}")


def load_batches(folder: Path) -> list[Batch]:
    """Load all batch files of a folder, in the order of their file names.

    Raises:
        BatchError: for the first file that is wrong, or if two files have one batch name.
    """
    batches: dict[str, Batch] = {}
    for path in batch_files(folder):
        batch = Batch.load(path)
        if batch.name in batches:
            raise BatchError(
                f"{path}: name: {batch.name!r} is taken by {batches[batch.name].file}; "
                "give each batch its own"
            )
        batches[batch.name] = batch
    return list(batches.values())
