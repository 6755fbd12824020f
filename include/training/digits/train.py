"""Train and serve a small neural network that reads digits of 8 x 8 pixels.

SageMaker script mode, for the scikit-learn container (scikit-learn 1.2 or later, Python 3.9 or later).

Training reads every CSV file of the channels ``train`` (needed) and ``test`` (optional): a header, 64 columns
of pixels from 0 to 16 row by row, and the label in ``--label_column`` or in the last column. Each image is
also learnt moved by one pixel in four directions, since people's digits are not centred alike. It prints
``name=value;`` lines for metric definitions and writes ``model.joblib`` and ``metadata.json``.

Serving takes ``application/json`` (``{"instances": [[...]]}`` or ``[[...]]``) and ``text/csv`` (no header),
and answers ``application/json``.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import os
import platform
import sys
import warnings
from pathlib import Path
from typing import Any, NamedTuple

MODEL_FILE, METADATA_FILE = "model.joblib", "metadata.json"
JSON, CSV = "application/json", "text/csv"
SIDE, DARKEST = 8, 16.0
MOVES = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))


class InputError(Exception):
    """Something given to the script cannot be used; the text names file, line and column, and the fix."""


class Table(NamedTuple):
    """Images as rows of 64 numbers, with a label each."""

    rows: list[list[float]]
    labels: list[str]


# --- training -------------------------------------------------------------------------------------------


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    """Read hyperparameters (SageMaker passes them with underscores) and the container's folders."""
    parser = argparse.ArgumentParser(description="Train a small neural network to read 8 x 8 digits.")
    parser.add_argument("--hidden_units", "--hidden-units", type=int, default=64)
    parser.add_argument("--max_iter", "--max-iter", type=int, default=400)
    parser.add_argument(
        "--alpha", type=float, default=0.1, help="L2 penalty; labels may be wrong here and there"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--label_column", "--label-column", default="", help="default: the last column")
    parser.add_argument("--train", default=os.environ.get("SM_CHANNEL_TRAIN"))
    parser.add_argument("--test", default=os.environ.get("SM_CHANNEL_TEST"))
    parser.add_argument("--model_dir", "--model-dir", default=os.environ.get("SM_MODEL_DIR"))
    return parser.parse_args(argv)


def train(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train, print and write; return the metadata."""
    if not arguments.train:
        raise InputError(
            "there is no channel 'train' (SM_CHANNEL_TRAIN is not set); add it to InputDataConfig"
        )
    if not arguments.model_dir:
        raise InputError("SM_MODEL_DIR is not set; give --model_dir")
    table = read_channel("train", arguments.train, arguments.label_column)
    if len(set(table.labels)) < 2:
        raise InputError(
            "channel 'train': all rows have the same label; a classifier needs two classes or more"
        )
    network = _fit(table, arguments)
    metrics = {"train_accuracy": _accuracy(network, table)}
    rows = {"train": len(table.rows)}
    if arguments.test:
        test = read_channel("test", arguments.test, arguments.label_column)
        metrics["test_accuracy"] = _accuracy(network, test)
        rows["test"] = len(test.rows)
    for name, value in metrics.items():
        print(f"{name}={value:.4f};", flush=True)
    import numpy
    import sklearn

    metadata = {
        "classes": [str(name) for name in network.classes_],
        "hyperparameters": {
            name: getattr(arguments, name) for name in ("hidden_units", "max_iter", "alpha", "seed")
        },
        "metrics": metrics,
        "rows": rows,
        "versions": {
            "python": platform.python_version(),
            "numpy": numpy.__version__,
            "scikit-learn": sklearn.__version__,
        },
    }
    _write(Path(arguments.model_dir), network, metadata)
    return metadata


def read_channel(channel: str, folder: str, label_column: str) -> Table:
    """Read all CSV files of a channel, in the order of their names, as one table."""
    path = Path(folder)
    files = sorted(each for each in path.glob("**/*.csv") if each.is_file()) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise InputError(f"channel {channel!r}: there is no CSV file in {path}; check the channel's S3 URI")
    table = Table([], [])
    for each in files:
        _read_file(each, label_column, table)
    return table


def _read_file(path: Path, label_column: str, table: Table) -> None:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            records = list(csv.reader(file, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path.name}: is not a CSV file in UTF-8 ({error}); write it again") from None
    header = records[0] if records else []
    if len(records) < 2:
        raise InputError(f"{path.name}: has no labelled rows; give some")
    label = label_column or header[-1]
    if header.count(label) != 1 or len(header) != SIDE * SIDE + 1:
        raise InputError(
            f"{path.name}: must have {SIDE * SIDE} columns of pixels and one named {label!r}, and has "
            f"{len(header)} columns; correct the batch's features, or label_column"
        )
    at = header.index(label)
    for line, record in enumerate(records[1:], start=2):
        if not record:
            continue
        pixels = [value for column, value in enumerate(record) if column != at]
        if len(record) != len(header) or not record[at].strip():
            raise InputError(
                f"{path.name}: line {line}: has no label or {len(record)} values; correct the row"
            )
        try:
            table.rows.append(_image(pixels))
        except ValueError as error:
            raise InputError(f"{path.name}: line {line}: {error}; correct the row") from None
        table.labels.append(record[at])


def _image(values: Any) -> list[float]:
    """64 pixels from 0 to 16; raises ValueError for anything else."""
    if not isinstance(values, list) or len(values) != SIDE * SIDE:
        raise ValueError(f"an image has {SIDE * SIDE} pixels")
    pixels = []
    for value in values:
        try:
            pixels.append(float(value))
        except (TypeError, ValueError):
            pixels.append(math.nan)
        if isinstance(value, bool) or not 0 <= pixels[-1] <= DARKEST:
            raise ValueError(f"{value!r} is not a pixel from 0 to {DARKEST:g}")
    return pixels


def _fit(table: Table, arguments: argparse.Namespace) -> Any:
    import numpy
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    images = numpy.array(table.rows).reshape(-1, SIDE, SIDE)
    padded = numpy.pad(images, ((0, 0), (1, 1), (1, 1)))
    moved = [padded[:, 1 + down : 1 + down + SIDE, 1 + right : 1 + right + SIDE] for down, right in MOVES]
    network = MLPClassifier(
        hidden_layer_sizes=(arguments.hidden_units,),
        alpha=arguments.alpha,
        max_iter=arguments.max_iter,
        random_state=arguments.seed,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        network.fit(numpy.concatenate(moved).reshape(-1, SIDE * SIDE) / DARKEST, table.labels * len(MOVES))
    if any(issubclass(each.category, ConvergenceWarning) for each in caught):
        text = f"warning: not converged after {arguments.max_iter} iterations; raise max_iter"
        print(text, file=sys.stderr)
    return network


def _scaled(rows: list[list[float]]) -> list[list[float]]:
    return [[pixel / DARKEST for pixel in row] for row in rows]


def _accuracy(network: Any, table: Table) -> float:
    return float(network.score(_scaled(table.rows), table.labels))


def _write(folder: Path, network: Any, metadata: dict[str, Any]) -> None:
    import joblib

    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(network, folder / MODEL_FILE)
    text = json.dumps(metadata, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    (folder / METADATA_FILE).write_text(text, encoding="utf-8")


# --- serving: the functions that SageMaker's scikit-learn server calls ------------------------------------


def model_fn(model_dir: str) -> Any:
    """Load the model."""
    import joblib

    return joblib.load(Path(model_dir) / MODEL_FILE)


def input_fn(body: bytes | str, content_type: str) -> list[list[float]]:
    """Read the images of a request.

    :raises ValueError: another content type, or images that are not 64 pixels
    """
    text = body.decode("utf-8-sig") if isinstance(body, (bytes, bytearray)) else body
    kind = content_type.split(";")[0].strip().lower()
    if kind == CSV:
        rows: Any = [record for record in csv.reader(io.StringIO(text, newline="")) if record]
    elif kind == JSON:
        rows = json.loads(text)
        rows = rows.get("instances") if isinstance(rows, dict) else rows
    else:
        raise ValueError(f"the content type {content_type!r} is not supported; send {JSON} or {CSV}")
    if not isinstance(rows, list) or not rows:
        raise ValueError('the request has no images; send {"instances": [[...]]} or lines of CSV')
    return [_image(row) for row in rows]


def predict_fn(rows: list[list[float]], model: Any) -> list[dict[str, Any]]:
    """Give each image its most probable digit, and the probability of every digit."""
    classes = [str(name) for name in model.classes_]
    predictions = []
    for shares in model.predict_proba(_scaled(rows)):
        probabilities = {name: float(shares[at]) for at, name in enumerate(classes)}
        label = max(classes, key=lambda name: probabilities[name])
        each = {"label": label, "probability": probabilities[label], "probabilities": probabilities}
        predictions.append(each)
    return predictions


def output_fn(predictions: list[dict[str, Any]], accept: str) -> tuple[str, str]:
    """Write the answer; returns the body and its content type.

    :raises ValueError: another type is asked for
    """
    kinds = [kind.split(";")[0].strip().lower() for kind in (accept or JSON).split(",")]
    if any(kind in (JSON, "*/*", "application/*", "") for kind in kinds):
        return json.dumps({"predictions": predictions}, ensure_ascii=False), JSON
    raise ValueError(f"the type {accept!r} is not supported; accept {JSON}")


def main(argv: list[str]) -> int:
    """Run as a script; bad input is one line on standard error, which becomes the job's failure reason."""
    try:
        train(parse_arguments(argv))
    except InputError as error:
        print(f"train.py: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
