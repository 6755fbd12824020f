"""What the index of a run costs: building it, its size, and how long a page waits for it."""

from __future__ import annotations

import json
import random
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.labelling_page import big_ledger
from groundswell.ledger import FolderStore, Ledger
from groundswell.views.index import RunIndex
from groundswell.views.overview import overviews
from groundswell.views.paging import SORTS

#: Seconds that a page gives the index per look, and random questions of each kind.
PATIENCE, QUESTIONS = 2.0, 200


def measure(folder: Path, items: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Index the ledger in a folder and ask questions; return what that took. Seconds and bytes."""
    ledger = Ledger(FolderStore(folder / "store"), big_ledger.BATCH, big_ledger.RUN)
    index = RunIndex(folder / "index.sqlite", recheck=0)
    note = folder / "index.json"
    if not note.exists():
        built = _build(RunIndex(index.path), ledger, say) | {"rss_after_index": _peak_bytes()}
        note.write_text(json.dumps(built))
    found: dict[str, Any] = json.loads(note.read_text()) | {"items": items}
    counts = index.counts()
    found |= {
        "answers": counts.answers,
        "settled": counts.by_status["settled"],
        "agreement": counts.agreement,
    }
    found["file"] = index.path.stat().st_size
    names = big_ledger.some_names(items, 1_000)
    found["questions"] = {}
    for kind, question in _questions(index, ledger, names).items():
        took = [_timed(question) for _ in range(QUESTIONS)]
        found["questions"][kind] = {"p50": _share(took, 0.5), "p95": _share(took, 0.95), "max": max(took)}
        say(f"{kind}: {_share(took, 0.5) * 1000:.1f} ms, {_share(took, 0.95) * 1000:.1f} ms")
    found["overviews"] = _share(
        [_timed(lambda: overviews(ledger.store, big_ledger.BATCH)) for _ in range(20)], 0.5
    )
    found |= _go_on(index, ledger, names)
    found["rss"] = _peak_bytes()
    return found


def _build(index: RunIndex, ledger: Ledger, say: Callable[[str], None]) -> dict[str, Any]:
    began, cpu, looks = time.perf_counter(), time.process_time(), []
    while True:
        each = time.perf_counter()
        synced = index.sync(ledger, seconds=PATIENCE)
        looks.append(time.perf_counter() - each)
        if synced.complete:
            break
        if len(looks) % 10 == 0:
            say(f"{time.perf_counter() - began:.0f} s: {synced.share:.0%}")
    return {
        "index_seconds": time.perf_counter() - began,
        "index_cpu": time.process_time() - cpu,
        "looks": len(looks),
        "longest_look": max(looks),
    }


def _go_on(index: RunIndex, ledger: Ledger, names: Sequence[str]) -> dict[str, Any]:
    """Return what one more part of 50 answers takes, with the look at what there is."""
    final = _share([_timed(lambda: RunIndex(index.path).sync(ledger)) for _ in range(20)], 0.5)
    took = []
    for number in range(10):
        rows = big_ledger.new_answers(number, names[number * 50 : number * 50 + 50])
        ledger.append("answers", rows)
        ledger.put_document("progress.json", {"updated": f"2026-06-01T00:00:{number:02d}+00:00"})
        took.append(_timed(lambda: index.sync(ledger, seconds=60)))
    return {"final_look": final, "more_answers": _share(took, 0.5), "more_answers_max": max(took)}


def _questions(index: RunIndex, ledger: Ledger, names: Sequence[str]) -> dict[str, Callable[[], object]]:
    dice = random.Random(2)

    def filters() -> dict[str, Any]:
        return {
            "status": dice.choice([None, "settled", "gave_up"]),
            "label": dice.choice([None, None, *big_ledger.LABELS]),
            "sort": dice.choice(SORTS),
            "descending": dice.random() < 0.5,
        }

    def deep() -> object:
        asked = filters()
        total = index.items(**asked, size=1).total
        return index.items(**asked, page=dice.randrange(1, max(2, total // 50)))

    return {
        "the numbers at the head (counts)": index.counts,
        "first page, any filter and sort": lambda: index.items(**filters()),
        "one of pages 2 to 20": lambda: index.items(**filters(), page=dice.randrange(2, 21)),
        "any page up to the last": deep,
        "search by the beginning of an id": lambda: index.items(
            search=dice.choice(names)[: dice.randrange(8, 15)], **filters()
        ),
        "search by a beginning that all have": lambda: index.items(search="PHOTO", **filters()),
        "search by a part of an id": lambda: index.items(search=dice.choice(names)[-4:], **filters()),
        "one item with answers and columns": lambda: index.item(dice.choice(names), ledger),
        "an item that there is not": lambda: index.item("nobody", ledger),
        "all workers": index.workers,
    }


def _timed(question: Callable[[], object]) -> float:
    began = time.perf_counter()
    question()
    return time.perf_counter() - began


def _share(took: Sequence[float], share: float) -> float:
    return sorted(took)[min(len(took) - 1, int(share * len(took)))]


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
