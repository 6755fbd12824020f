"""A tiny scikit-learn job that also reports what it found in its container."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import joblib
import numpy
from sklearn.linear_model import LogisticRegression  # noqa: TID253  # this runs in the container


def model_fn(model_dir: str) -> LogisticRegression:
    return joblib.load(Path(model_dir) / "model.joblib")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int)
    arguments = parser.parse_args()
    folder = Path(os.environ["SM_CHANNEL_TRAIN"])
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    data = numpy.loadtxt(folder / "points.csv", delimiter=",", skiprows=1)
    model = LogisticRegression().fit(data[:, :2], data[:, 2])
    for step in range(arguments.rounds):
        print(f"step {step} accuracy={step / arguments.rounds:.2f}")
    print(f"final accuracy={model.score(data[:, :2], data[:, 2]):.2f}")
    print("überschrift ✓")
    sys.stdout.flush()
    sys.stdout.buffer.write(b"not utf-8: \xff\n\nafter an empty line\n")
    sys.stdout.flush()
    joblib.dump(model, Path(os.environ["SM_MODEL_DIR"]) / "model.joblib")
    report = {
        "files": files,
        "rounds": arguments.rounds,
        "current_host": os.environ["SM_CURRENT_HOST"],
        "channels": json.loads(os.environ["SM_CHANNELS"]),
        "job": os.environ["TRAINING_JOB_NAME"],
        "arn": os.environ["TRAINING_JOB_ARN"],
        "own": os.environ["OWN_VARIABLE"],
        "leaked": os.environ.get("A_SECRET_OF_THE_SERVER"),
    }
    (Path(os.environ["SM_OUTPUT_DATA_DIR"]) / "report.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main()
