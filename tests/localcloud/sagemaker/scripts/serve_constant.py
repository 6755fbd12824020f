"""Serves the text in the model's file; commands in the request make it misbehave."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any


def model_fn(model_dir: str) -> str:
    value = Path(model_dir, "value.txt").read_text()
    if value == "broken":
        raise RuntimeError("this model was saved by another version")
    return value


def input_fn(content: Any, content_type: str) -> Any:
    return content if isinstance(content, str) else content.decode()


def predict_fn(command: str, model: str) -> str:
    if command == "raise":
        raise ValueError("no prediction for this")
    if command == "die":
        os._exit(9)
    if command == "sleep":
        time.sleep(0.3)
    return model


def output_fn(prediction: str, accept: str) -> tuple[str, str]:
    return prediction, accept
