"""The documents that a run leaves beside its ledger in S3, and what the demo makes of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import yaml


class Documents:
    """Reads a run's progress and summary, and any object that they name."""

    def __init__(self, s3: Any, state_uri: str, batch: str, run_id: str) -> None:
        self._s3 = s3
        self._prefix = f"{state_uri.rstrip('/')}/{batch}/{run_id}"

    def progress(self) -> dict[str, Any] | None:
        """progress.json, or None before the first wave."""
        return self._document("progress.json")

    def summary(self) -> dict[str, Any] | None:
        """summary.json, or None when the run did not get that far."""
        return self._document("summary.json")

    def labels(self, uri: str) -> dict[str, str]:
        """Item -> label from the run's labels (JSON Lines)."""
        text = self._text(uri) or ""
        rows = (json.loads(line) for line in text.splitlines() if line.strip())
        return {str(row["item"]): str(row["label"]) for row in rows}

    def _document(self, name: str) -> dict[str, Any] | None:
        text = self._text(f"{self._prefix}/{name}")
        return cast("dict[str, Any]", json.loads(text)) if text else None

    def _text(self, uri: str) -> str | None:
        parts = urlsplit(uri)
        key = uri.removeprefix(f"s3://{parts.netloc}/")
        try:
            answer = self._s3.get_object(Bucket=parts.netloc, Key=key)
        except self._s3.exceptions.NoSuchKey:
            return None
        return cast("str", answer["Body"].read().decode())


def batch_settings(path: Path) -> tuple[str, str]:
    """Name and state URI of a batch file."""
    content = yaml.safe_load(path.read_text())
    return str(content["name"]), str(content["state"])


def read_answer_key(path: Path) -> dict[str, str]:
    """Item -> true label. Only the crowd and this demo may look into it, never the pipeline."""
    with path.open(newline="") as file:
        return {row["item"]: row["label"] for row in csv.DictReader(_without_comments(file.read()))}


def accuracy(labels: Mapping[str, str], truth: Mapping[str, str]) -> tuple[int, int]:
    """How many labels are right, of how many that can be judged."""
    judged = [item for item in labels if item in truth]
    return sum(labels[item] == truth[item] for item in judged), len(judged)


def _without_comments(text: str) -> io.StringIO:
    return io.StringIO("".join(line for line in text.splitlines(keepends=True) if not line.startswith("#")))
