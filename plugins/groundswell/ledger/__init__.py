"""The append-only record of a labelling run, kept in object storage."""

from __future__ import annotations

from groundswell.ledger.ledger import Ledger
from groundswell.ledger.state import Outcome, RunState
from groundswell.ledger.store import FolderStore, PartStore
from groundswell.ledger.tokens import annotation, request_token, run_key

__all__ = [
    "FolderStore",
    "Ledger",
    "Outcome",
    "PartStore",
    "RunState",
    "annotation",
    "request_token",
    "run_key",
]
