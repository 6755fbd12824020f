"""What an answer consists of, and how a stranger's value is shown in a message."""

from __future__ import annotations

from typing import TypeAlias

Fields: TypeAlias = dict[str, str | list[str] | None]
"""The answer by field: text, the ticked choices, or None."""

_SHOWN = 60


def show(value: object) -> str:
    """A shortened repr: printable characters on one line, safe to log, store and show as plain text."""
    # a long value is cut first, so that its repr is cheap whatever its size
    text = repr(value[:_SHOWN]) if isinstance(value, str) else repr(value)
    if len(text) > _SHOWN or (isinstance(value, str) and len(value) > _SHOWN):
        text = f"{text[: _SHOWN - 3]}..."
    return text
