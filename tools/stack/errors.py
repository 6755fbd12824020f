"""What the stack says when it cannot go on."""

from __future__ import annotations


class StackError(Exception):
    """Starting or stopping failed; the message is one line and says the fix."""
