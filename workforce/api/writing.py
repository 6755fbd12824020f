"""Writes Python values as the JSON that AWS's Java services send."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import format_datetime
from typing import Any


def java_double(number: float) -> str:
    """Return the number as Java's ``Double.toString`` prints it: 1558393704 is ``1.558393704E9``."""
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        return repr(float(number))
    exact = Decimal(repr(float(number)))
    digits = "".join(map(str, exact.as_tuple().digits)).rstrip("0")
    sign = "-" if number < 0 else ""
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{exact.adjusted()}"


def json_text(shape: Any, value: Any) -> str:
    """Return compact JSON of ``value`` with the members of the shape only; None is left out."""
    kind = shape.type_name
    if kind == "structure":
        return value_text(value) if getattr(shape, "is_document_type", False) else _structure(shape, value)
    if kind == "list":
        return "[" + ",".join(json_text(shape.member, item) for item in value if item is not None) + "]"
    if kind == "map":
        present = ((key, item) for key, item in value.items() if item is not None)
        return "{" + ",".join(f"{value_text(str(k))}:{json_text(shape.value, v)}" for k, v in present) + "}"
    if kind == "timestamp":
        return _timestamp(shape, value)
    if kind == "blob":
        content = value.encode() if isinstance(value, str) else value
        return value_text(base64.b64encode(content).decode())
    return _scalar(kind, value)


def value_text(value: Any) -> str:
    """Return compact JSON with slashes and non-ASCII characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _structure(shape: Any, value: Mapping[str, Any]) -> str:
    parts = []
    for name, member in shape.members.items():
        item = value.get(name)
        if item is not None:
            parts.append(f"{value_text(member.serialization.get('name', name))}:{json_text(member, item)}")
    return "{" + ",".join(parts) + "}"


def _scalar(kind: str, value: Any) -> str:
    if kind == "boolean":
        return "true" if value else "false"
    if kind in ("integer", "long"):
        return str(int(value))
    if kind in ("float", "double"):
        return value_text(float(value))
    return value_text(str(value))


def _timestamp(shape: Any, value: datetime | float) -> str:
    moment = value if isinstance(value, datetime) else datetime.fromtimestamp(value, tz=UTC)
    if moment.tzinfo is None:
        raise ValueError("a timestamp in a response must be aware of its time zone")
    form = shape.serialization.get("timestampFormat", "unixTimestamp")
    if form == "iso8601":
        return value_text(moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    if form == "rfc822":
        return value_text(format_datetime(moment.astimezone(UTC), usegmt=True))
    return java_double(round(moment.timestamp(), 3))
