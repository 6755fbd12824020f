"""The answer key: what the simulated workers would answer if they never erred."""

from __future__ import annotations

import csv
from pathlib import Path

from workforce.crowd.errors import CrowdFileError


def read_answer_key(path: Path, *, item: str, label: str) -> dict[str, str]:
    """Labels by item id from a CSV file with a header; raises CrowdFileError naming the line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            header = reader.fieldnames or []
            for column in (item, label):
                if column not in header:
                    raise CrowdFileError(
                        f"{path}: line 1: no column {column!r} in the header;"
                        f" add it or name another under answer_key (there: {', '.join(header) or 'nothing'})"
                    )
            key: dict[str, str] = {}
            for row in reader:
                _take(path, reader.line_num, key, row[item], row[label])
    except FileNotFoundError as error:
        raise CrowdFileError(f"{path}: there is no such answer key; correct answer_key.file") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CrowdFileError(f"{path}: cannot be read ({error}); make it a UTF-8 CSV file") from error
    if not key:
        raise CrowdFileError(f"{path}: holds no answers; add a line per item")
    return key


def _take(path: Path, line: int, key: dict[str, str], item: str | None, label: str | None) -> None:
    if not item or not label:
        raise CrowdFileError(f"{path}: line {line}: item or label is empty; fill both in")
    if item in key:
        raise CrowdFileError(f"{path}: line {line}: item {item!r} was there before; keep one of the lines")
    key[item] = label
