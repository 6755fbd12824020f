"""What crowd-kit makes of the cases on standard input; runs in the peers' environment, prints JSON."""

from __future__ import annotations

import json
import math
import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd  # noqa: TID253
from crowdkit.aggregation import (
    ROVER,
    BinaryRelevance,
    BradleyTerry,
    DawidSkene,
    MajorityVote,
    NoisyBradleyTerry,
    OneCoinDawidSkene,
    SegmentationMajorityVote,
    Wawa,
)
from crowdkit.metrics.data import alpha_krippendorff

COLUMNS = ["task", "worker", "label"]


def main() -> None:
    """Answer all cases."""
    warnings.simplefilter("ignore")
    cases = json.load(sys.stdin)
    results = {
        "crowds": {
            name: of_crowd(pd.DataFrame(rows, columns=COLUMNS)) for name, rows in cases["crowds"].items()
        },
        "one coin": of_one_coin(pd.DataFrame(cases["one coin"], columns=COLUMNS)),
        "pairs": of_pairs(cases["pairs"], cases["pairs with average"]),
        "texts": of_texts(pd.DataFrame(cases["texts"], columns=["task", "worker", "text"])),
        "masks": of_masks(cases["masks"]),
        "sets": of_sets(pd.DataFrame(cases["sets"], columns=COLUMNS)),
    }
    json.dump(results, sys.stdout)


def of_crowd(table: pd.DataFrame) -> dict[str, Any]:
    """Return the results for tasks, workers and labels in the order of their names."""
    vote, wawa = MajorityVote(), Wawa()
    result = {
        "majority": vote.fit_predict(table).sort_index().tolist(),
        "shares": posterior(vote),
        "wawa": wawa.fit_predict(table).sort_index().tolist(),
        "wawa_skill": wawa.skills_.sort_index().tolist(),
        "wawa_shares": posterior(wawa),
        "alpha": alpha_krippendorff(table),
    }
    for rounds in (1, 3, 30):
        # Never done before the last round
        model = DawidSkene(n_iter=rounds, tol=-math.inf).fit(table)
        result[f"dawid_skene_{rounds}"] = posterior(model)
    return result


def of_one_coin(table: pd.DataFrame) -> dict[str, Any]:
    """Return posterior and skill; apart, since it takes a second per crowd."""
    model = OneCoinDawidSkene(n_iter=20, tol=-math.inf).fit(table)
    return {"posterior": posterior(model), "skill": model.skills_.sort_index().tolist()}


def posterior(model: Any) -> list[list[float]]:
    """Return tasks x labels."""
    table = model.probas_.sort_index()
    values: list[list[float]] = table[sorted(table.columns)].fillna(0.0).to_numpy().tolist()
    return values


def of_pairs(rows: list[list[Any]], with_average: list[list[Any]]) -> dict[str, Any]:
    """Return scores by item, of both models."""
    columns = ["worker", "left", "right", "label"]
    # It compares a round with itself, so that any positive tolerance ends it after the second
    plain = BradleyTerry(n_iter=3000, tol=-1.0).fit(pd.DataFrame(with_average, columns=columns))
    noisy = NoisyBradleyTerry().fit(pd.DataFrame(rows, columns=columns))
    return {"bradley_terry": plain.scores_.to_dict(), "noisy": noisy.scores_.to_dict()}


def of_texts(table: pd.DataFrame) -> dict[str, str]:
    """Return the aligned text by task."""
    texts: dict[str, str] = ROVER(str.split, " ".join).fit_predict(table).to_dict()
    return texts


def of_masks(masks: list[list[list[int]]]) -> list[list[int]]:
    """Return the mask that at least half of the workers drew."""
    rows = [["t", worker, np.array(mask)] for worker, mask in enumerate(masks)]
    table = pd.DataFrame(rows, columns=["task", "worker", "segmentation"])
    found: list[list[int]] = SegmentationMajorityVote().fit_predict(table)["t"].astype(int).tolist()
    return found


def of_sets(table: pd.DataFrame) -> dict[str, list[str]]:
    """Return the labels of each task that has several."""
    sets: dict[str, list[str]] = BinaryRelevance(MajorityVote()).fit_predict(table).to_dict()
    return sets


if __name__ == "__main__":
    main()
