"""Train and serve a small neural network on a table of numbers with a class label.

SageMaker script mode, for the scikit-learn container (scikit-learn 1.2 or later, Python 3.9 or later).

Training reads every CSV file of the channels ``train`` (needed) and ``test`` (optional), in one of two forms:
named columns (a header, the label in ``--label_column`` or in the last column), or the TensorFlow form (the
header ``rows,features,class names…``, the class index last). It prints ``name=value;`` lines for metric
definitions and writes ``model.joblib`` and ``metadata.json``.

Serving takes ``application/json`` (``{"instances": [[…]]}`` or ``[[…]]``) and ``text/csv`` (no header), and
answers ``application/json`` or ``text/csv`` (``label,probability`` per row).
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

MODEL_FILE = "model.joblib"
METADATA_FILE = "metadata.json"
JSON = "application/json"
CSV = "text/csv"


class InputError(Exception):
    """Something given to the script cannot be used; the text names file, line and column, and the fix."""


class Table(NamedTuple):
    """Rows of numbers with a class each. ``classes`` is what the file announces, or ``None``."""

    name: str
    features: list[str]
    rows: list[list[float]]
    labels: list[str]
    classes: list[str] | None


# --- training -------------------------------------------------------------------------------------------


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    """Read hyperparameters (SageMaker passes them with underscores) and the container's folders."""
    parser = argparse.ArgumentParser(description="Train a small neural network on labelled rows of numbers.")
    parser.add_argument("--hidden_units", "--hidden-units", type=_sizes, default=[16], metavar="N[,N…]")
    parser.add_argument("--max_iter", "--max-iter", type=_positive, default=2000)
    parser.add_argument("--alpha", type=float, default=0.01, help="L2 penalty")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--label_column", "--label-column", default="", help="default: the last column")
    parser.add_argument("--features", default="", help="comma-separated; default: all but the label")
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
    wanted = [name.strip() for name in arguments.features.split(",") if name.strip()]
    table = read_channel("train", arguments.train, arguments.label_column, wanted)
    classes = _classes(table)
    network = _fit(table, arguments)
    metrics = {"train_accuracy": _accuracy(network, table)}
    rows = {"train": len(table.rows)}
    if arguments.test:
        test = read_channel("test", arguments.test, arguments.label_column, wanted)
        _check_test(test, table, classes)
        metrics["test_accuracy"] = _accuracy(network, test)
        rows["test"] = len(test.rows)
    for name, value in metrics.items():
        print(f"{name}={value:.4f};", flush=True)
    metadata = {
        "features": table.features,
        "classes": [str(name) for name in network.classes_],
        "hyperparameters": {
            name: getattr(arguments, name) for name in ("hidden_units", "max_iter", "alpha", "seed")
        },
        "metrics": metrics,
        "rows": rows,
        "versions": _versions(),
    }
    _write(Path(arguments.model_dir), network, metadata)
    return metadata


def read_channel(channel: str, folder: str, label_column: str, wanted: list[str]) -> Table:
    """Read all CSV files of a channel, in the order of their names, as one table."""
    path = Path(folder)
    files = sorted(each for each in path.glob("**/*.csv") if each.is_file()) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise InputError(
            f"channel {channel!r}: there is no CSV file in {path}; check the channel's S3 URI, and "
            "that names end with .csv"
        )
    tables = [read_table(each, label_column, wanted) for each in files]
    first = tables[0]
    for other in tables[1:]:
        if (other.features, other.classes) != (first.features, first.classes):
            raise InputError(
                f"{other.name}: has other columns or classes than {first.name}; give all files of a channel "
                "the same header"
            )
        first.rows.extend(other.rows)
        first.labels.extend(other.labels)
    return first


def read_table(path: Path, label_column: str, wanted: list[str]) -> Table:
    """Read one CSV file in either form."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        records = _records(text)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path.name}: is not a CSV file in UTF-8 ({error}); write it again") from None
    if len(records) < 2:
        what = "has a header and no rows" if records else "is empty"
        raise InputError(f"{path.name}: {what}; give labelled rows")
    _, header = records.pop(0)
    if len(header) > 2 and header[0].isdecimal() and header[1].isdecimal():
        return _tensorflow_table(path.name, header, records)
    return _named_table(path.name, header, records, label_column, wanted)


def _records(text: str) -> list[tuple[int, list[str]]]:
    """Split into records, each with the number of its (last) line."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    return [(reader.line_num, record) for record in reader if any(cell.strip() for cell in record)]


def _tensorflow_table(name: str, header: list[str], records: list[tuple[int, list[str]]]) -> Table:
    width, classes = int(header[1]), header[2:]
    features = [f"feature_{position}" for position in range(1, width + 1)]
    rows, labels = [], []
    for line, record in records:
        _check_width(name, line, record, width + 1)
        given = record[width]
        if not given.isdecimal() or int(given) >= len(classes):
            raise InputError(
                f"{name}: line {line}: {given!r} is not a class from 0 to {len(classes) - 1}; correct it"
            )
        rows.append([_number(name, line, features[at], record[at]) for at in range(width)])
        labels.append(classes[int(given)])
    return Table(name, features, rows, labels, classes)


def _named_table(
    name: str, header: list[str], records: list[tuple[int, list[str]]], label_column: str, wanted: list[str]
) -> Table:
    label = label_column or header[-1]
    features = wanted or [column for column in header if column != label]
    for column in [label, *features]:
        if header.count(column) != 1:
            problem = "is there more than once" if column in header else "is missing"
            raise InputError(
                f"{name}: the column {column!r} {problem}; the file has {', '.join(header)}; correct "
                "label_column or features, or the file"
            )
    if label in features or not features:
        raise InputError(
            f"{name}: {label!r} is the label, and there must be features beside it; correct them"
        )
    at = [header.index(column) for column in features]
    rows, labels = [], []
    for line, record in records:
        _check_width(name, line, record, len(header))
        rows.append([_number(name, line, header[position], record[position]) for position in at])
        labels.append(record[header.index(label)])
        if not labels[-1].strip():
            raise InputError(f"{name}: line {line}: {label!r} is empty; label the row, or leave it out")
    return Table(name, features, rows, labels, None)


def _check_width(name: str, line: int, record: list[str], width: int) -> None:
    if len(record) != width:
        raise InputError(f"{name}: line {line}: has {len(record)} values instead of {width}; correct the row")


def _number(name: str, line: int, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(
            f"{name}: line {line}: {column!r} is {text!r}, which is not a finite number; correct it, or "
            "leave the column out of features"
        )
    return value


def _classes(table: Table) -> list[str]:
    present = sorted(set(table.labels))
    if len(present) < 2:
        raise InputError(
            f"channel 'train': all {len(table.labels)} rows have the label {present[0]!r}; a classifier "
            "needs rows of at least two classes"
        )
    return present


def _check_test(test: Table, table: Table, classes: list[str]) -> None:
    if test.features != table.features:
        raise InputError(
            f"{test.name}: the features are {', '.join(test.features)} and those of channel 'train' are "
            f"{', '.join(table.features)}; give both the same columns"
        )
    unseen = sorted(set(test.labels) - set(classes))
    if unseen:
        print(
            f"warning: the classes {unseen} are in channel 'test' only, and count as errors", file=sys.stderr
        )


def _fit(table: Table, arguments: argparse.Namespace) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    network = Pipeline(
        [
            ("scale", StandardScaler()),
            (
                "network",
                MLPClassifier(
                    hidden_layer_sizes=tuple(arguments.hidden_units),
                    alpha=arguments.alpha,
                    max_iter=arguments.max_iter,
                    random_state=arguments.seed,
                ),
            ),
        ]
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        network.fit(table.rows, table.labels)
    if any(issubclass(each.category, ConvergenceWarning) for each in caught):
        print(
            f"warning: not converged after {arguments.max_iter} iterations; raise max_iter", file=sys.stderr
        )
    return network


def _accuracy(network: Any, table: Table) -> float:
    return float(network.score(table.rows, table.labels))


def _write(folder: Path, network: Any, metadata: dict[str, Any]) -> None:
    import joblib

    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(network, folder / MODEL_FILE)
    text = json.dumps(metadata, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    (folder / METADATA_FILE).write_text(text, encoding="utf-8")


def _versions() -> dict[str, str]:
    import numpy
    import sklearn

    return {
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "scikit-learn": sklearn.__version__,
    }


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return value


def _sizes(text: str) -> list[int]:
    return [_positive(part) for part in text.strip("[]").split(",")]


# --- serving: the functions that SageMaker's scikit-learn server calls ------------------------------------


def model_fn(model_dir: str) -> dict[str, Any]:
    """Load the model and what is known about it."""
    import joblib

    folder = Path(model_dir)
    return {
        "network": joblib.load(folder / MODEL_FILE),
        "metadata": json.loads((folder / METADATA_FILE).read_text(encoding="utf-8")),
    }


def input_fn(body: bytes | str, content_type: str) -> list[list[float]]:
    """Read the rows of a request.

    :raises ValueError: another content type, or rows that are not lists of numbers
    """
    text = body.decode("utf-8-sig") if isinstance(body, (bytes, bytearray)) else body
    kind = _media_type(content_type)
    if kind == CSV:
        rows: Any = [record for _, record in _records(text)]
    elif kind == JSON:
        try:
            rows = json.loads(text)
        except ValueError as error:
            raise ValueError(f"the request is not JSON ({error})") from None
        rows = rows.get("instances") if isinstance(rows, dict) else rows
    else:
        raise ValueError(f"the content type {content_type!r} is not supported; send {JSON} or {CSV}")
    if not isinstance(rows, list) or not rows:
        raise ValueError('the request has no rows; send {"instances": [[…]]} or lines of CSV')
    return [_request_row(number, row) for number, row in enumerate(rows, start=1)]


def predict_fn(rows: list[list[float]], model: dict[str, Any]) -> list[dict[str, Any]]:
    """Give each row its most probable class, and the probability of every class.

    :raises ValueError: a row has another length than the model's features
    """
    features = model["metadata"]["features"]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(features):
            raise ValueError(
                f"row {number} has {len(row)} values and the model takes {len(features)}: "
                + ", ".join(features)
            )
    network = model["network"]
    classes = [str(name) for name in network.classes_]
    predictions = []
    for shares in network.predict_proba(rows):
        probabilities = {name: float(shares[at]) for at, name in enumerate(classes)}
        label = max(classes, key=lambda name: probabilities[name])
        each = {"label": label, "probability": probabilities[label], "probabilities": probabilities}
        predictions.append(each)
    return predictions


def output_fn(predictions: list[dict[str, Any]], accept: str) -> tuple[str, str]:
    """Write the answer; returns the body and its content type.

    :raises ValueError: another type is asked for
    """
    kinds = [_media_type(kind) for kind in (accept or JSON).split(",")]
    if any(kind in (JSON, "*/*", "application/*", "") for kind in kinds):
        return json.dumps({"predictions": predictions}, ensure_ascii=False), JSON
    if CSV in kinds or "text/*" in kinds:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerows([each["label"], each["probability"]] for each in predictions)
        return out.getvalue(), CSV
    raise ValueError(f"the type {accept!r} is not supported; accept {JSON} or {CSV}")


def _media_type(value: str) -> str:
    return value.split(";")[0].strip().lower()


def _request_row(number: int, row: Any) -> list[float]:
    if not isinstance(row, list):
        raise ValueError(f"row {number} is not a list of numbers")
    values = []
    for value in row:
        try:
            values.append(float(value))
        except (TypeError, ValueError):
            raise ValueError(f"row {number} holds {value!r}, which is not a number") from None
        if isinstance(value, bool) or not math.isfinite(values[-1]):
            raise ValueError(f"row {number} holds {value!r}, which is not a finite number")
    return values


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
