"""What can go wrong in the core, as exceptions whose text is meant for people.

Every message names the file, line, item or field, and says the fix, on one line where possible. Callers in
``groundswell.aws`` turn these into failures that Airflow does not retry: none of them heals by waiting.
"""

from __future__ import annotations


class GroundswellError(Exception):
    """Base of all errors that the core raises on purpose; ``str(error)`` can be shown to a user."""


class BatchError(GroundswellError):
    """A batch file cannot be read, or an option in it is unknown, wrong or contradicts another."""


class DatasetError(GroundswellError):
    """A dataset, or an image that it points to, is missing, malformed or outside its limits."""


class TemplateError(GroundswellError):
    """A worker page template lacks something, cannot be rendered, or renders too large a page."""


class AnswerError(GroundswellError):
    """A worker's answer cannot be read or is outside the allowed set.

    The message is short, has printable characters only, and is safe to log, store and show.
    """


class SpendError(GroundswellError):
    """The planned cost does not fit the budget or the balance."""


class SpendStopped(SpendError):
    """A person has stopped the spending of this run."""


class MonthFull(SpendError):
    """Other runs hold what is left of the month's budget."""


class ReviewError(GroundswellError):
    """Answers were to be rejected without what it takes: a person's word, or a section ``review``."""


class CompensationError(GroundswellError):
    """A worker cannot be compensated as asked: something is missing, wrong, or was done before."""


class ReportError(GroundswellError):
    """The settings of the worker metrics are wrong, or a report cannot be made, kept or found."""


class LedgerError(GroundswellError):
    """The record of a run is missing, malformed or contradicts itself."""


class ManifestError(GroundswellError):
    """A manifest cannot be read or written."""
