"""What an answer consists of, and how a stranger's value is shown in a message."""

from __future__ import annotations

from typing import TypeAlias

Fields: TypeAlias = dict[str, str | list[str] | None]
"""The answer by field: text, the ticked choices, or None."""

_SHOWN = 60


def show(value: object) -> str:
    """A shortened repr: printable characters on one line, safe to log, store and show as plain text."""
    if isinstance(value, list):
        # three are enough to see, and what is nested deeper could exhaust the stack
        text = f"[{', '.join(_show_one(entry) for entry in value[:3])}{', ...' if len(value) > 3 else ''}]"
    else:
        text = _show_one(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _show_one(value: object) -> str:
    if isinstance(value, str):
        # cut before the repr, so that it is cheap whatever the length
        return repr(value) if len(value) <= _SHOWN else f"{value[:_SHOWN]!r}..."
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    return "[...]" if isinstance(value, list) else "{...}"
