"""Writing and reading the parts of one run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from groundswell.errors import LedgerError
from groundswell.ledger.state import RunState
from groundswell.ledger.store import PartStore

#: The kinds of parts, in the order in which a run first writes them.
KINDS = (
    "items",
    "shards",
    "spend",
    "approvals",
    "intents",
    "hits",
    "answers",
    "withheld",
    "payments",
    "rejections",
    "reservations",
    "extensions",
    "outcomes",
    "bonuses",
    "notices",
    "expirations",
    "deletions",
    "labels",
    "resources",
)
#: The kinds that make up :class:`~groundswell.ledger.state.RunState`.
FOLDED = tuple(kind for kind in KINDS if kind not in {"items", "shards", "labels"})

#: Parts that are read at once: the store is far away, and each part is small.
READERS = 8

Row = Mapping[str, Any]


class Ledger:
    """The immutable parts of one run under ``<batch>/<run id>/`` of a store.

    A part is a JSON Lines object ``<kind>/<name>.jsonl``, written once. The state of the run is the fold of
    its parts, which tolerates duplicates and any order (:class:`~groundswell.ledger.state.RunState`).
    """

    def __init__(self, store: PartStore, batch: str, run_id: str) -> None:
        if run_id in {".", ".."} or "/../" in f"/{run_id}/":
            raise LedgerError(f"run id {run_id!r} cannot name a ledger; trigger the run under another id")
        self.store = store
        self.batch = batch
        self.run_id = run_id
        self.prefix = f"{batch}/{run_id}/"

    def key(self, kind: str, name: str) -> str:
        """Return the key of a part. Raises LedgerError for an unknown kind."""
        if kind not in KINDS:
            raise LedgerError(f"a ledger has no parts of kind {kind!r}; it has {', '.join(KINDS)}")
        return f"{self.prefix}{kind}/{name}.jsonl"

    def append(self, kind: str, rows: Iterable[Row]) -> str | None:
        """Write rows as one part named by its content, so that writing it twice is a no-op.

        Returns the key, or None where there were no rows.
        """
        body = encode(rows)
        if not body:
            return None
        key = self.key(kind, hashlib.sha256(body).hexdigest()[:32])
        self.store.put_if_absent(key, body)
        return key

    def record(self, kind: str, rows: Sequence[Row], state: RunState) -> None:
        """Append rows as one part, and take them into a folded state."""
        if key := self.append(kind, rows):
            state.parts.add(key)
        for row in rows:
            state.add(kind, row)

    def write(self, kind: str, name: str, rows: Iterable[Row]) -> bool:
        """Write a named part unless it exists; return whether this call wrote it."""
        return self.store.put_if_absent(self.key(kind, name), encode(rows))

    def rows(self, *kinds: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield (kind, row) of every part of these kinds (all that RunState folds where none is named)."""
        for kind in kinds or FOLDED:
            for _, row in self._read(list(self.store.keys(f"{self.prefix}{kind}/"))):
                yield kind, row

    def _read(self, keys: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield (key, row) of these parts."""
        with ThreadPoolExecutor(READERS) as readers:
            for key, body in zip(keys, readers.map(self.store.get, keys), strict=True):
                if body is not None:
                    for row in decode(body, key):
                        yield key, row

    def fold(self, *kinds: str) -> RunState:
        """Return the state of the run as its parts (of these kinds) tell it."""
        state = RunState()
        for kind in kinds or FOLDED:
            self._take(state, kind, list(self.store.keys(f"{self.prefix}{kind}/")))
        return state

    def refresh(self, state: RunState) -> None:
        """Take into a folded state what others have written since; what was read is never edited."""
        new: dict[str, list[str]] = {}
        for key in self.store.keys(self.prefix):
            kind, _, name = key.removeprefix(self.prefix).partition("/")
            if kind in FOLDED and "/" not in name and key not in state.parts:
                new.setdefault(kind, []).append(key)
        for kind in FOLDED:
            if kind in new:
                self._take(state, kind, new[kind])

    def _take(self, state: RunState, kind: str, keys: Sequence[str]) -> None:
        for key, row in self._read(keys):
            state.parts.add(key)
            try:
                state.add(kind, row)
            except KeyError as error:
                raise LedgerError(
                    f"{self.prefix}: a part of kind {kind} lacks {error}; restore it from a backup or version"
                ) from error

    def put_document(self, name: str, document: Mapping[str, Any]) -> str:
        """Replace a document for people (progress, summary); return its URI."""
        key = f"{self.prefix}{name}"
        self.store.put(key, json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True).encode())
        return self.store.uri(key)

    def get_document(self, name: str) -> dict[str, Any] | None:
        """Return a document written by :meth:`put_document`, or None. Raises LedgerError if it is damaged."""
        key = f"{self.prefix}{name}"
        body = self.store.get(key)
        try:
            found = None if body is None else json.loads(body)
        except ValueError as error:
            raise LedgerError(f"{key} is damaged ({error}); restore it from a backup or version") from error
        if found is not None and not isinstance(found, dict):
            raise LedgerError(f"{key} is damaged (no mapping); restore it from a backup or version")
        return found


def encode(rows: Iterable[Row]) -> bytes:
    """Return rows as JSON Lines in ASCII, keys sorted so that equal rows are equal bytes.

    ASCII, because a worker's answer may hold what UTF-8 cannot carry (a lone surrogate) or what some readers
    take for the end of a line (U+2028).
    """
    return "".join(json.dumps(row, sort_keys=True, ensure_ascii=True) + "\n" for row in rows).encode()


def decode(body: bytes, key: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a part. Raises LedgerError naming the part and line that is damaged."""
    for number, line in enumerate(body.split(b"\n"), start=1):
        if not line:
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise LedgerError(
                f"{key} line {number} is not JSON ({error}); restore this object from a backup or version"
            ) from error
        yield row
