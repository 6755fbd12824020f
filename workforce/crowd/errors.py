"""What can be wrong with a crowd file, or with a page that the crowd is asked to read."""

from __future__ import annotations


class CrowdFileError(Exception):
    """A crowd file or its answer key is wrong; the message names file and field and says the fix."""


class UnreadableTask(Exception):
    """A question that a simulated worker can make nothing of; the message says what is missing."""
