"""What a run began with: the batch file and the worker page, kept beside the ledger.

Files are edited while runs are under way. A run that changed its reward, labels or page in the middle would
publish what nobody approved and could not be explained afterwards, so it goes on with what it began with.
What operators do have to change under way is taken from the file as it is now: see :func:`with_live_options`.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import yaml

from groundswell.batches.model import Batch
from groundswell.batches.sections import Connections
from groundswell.errors import BatchError
from groundswell.ledger import Ledger
from groundswell.ledger.ledger import decode, encode


def _key(ledger: Ledger) -> str:
    return f"{ledger.prefix}batch.jsonl"


def keep(ledger: Ledger, live: Batch) -> None:
    """Keep batch file and template as they are now, unless the run has kept them already."""
    row = {"yaml": live.file.read_text("utf-8"), "template": live.task.template.read_text("utf-8")}
    row["home"] = live.state
    ledger.store.put_if_absent(_key(ledger), encode([row]))


def kept(ledger: Ledger, live: Batch) -> Batch | None:
    """Return the batch as the run began with it, or None before :func:`keep`."""
    found = _read(ledger, live)
    if found is None:
        return None
    batch, template = found
    batch = batch.model_copy(
        update={"task": batch.task.model_copy(update={"template": _template(batch, template)})}
    )
    batch._file = live.file
    return with_live_options(batch, live)


def options_of(ledger: Ledger, live: Batch) -> Batch | None:
    """Return the batch file as the run began with it, without its worker page; None before :func:`keep`."""
    found = _read(ledger, live)
    return None if found is None else found[0]


def _read(ledger: Ledger, live: Batch) -> tuple[Batch, str] | None:
    """Return the batch file and the text of the worker page."""
    body = ledger.store.get(_key(ledger))
    if body is None:
        return None
    [row] = decode(body, _key(ledger))
    return Batch.parse(row["yaml"], live.file), row["template"]


def connection_of(ledger: Ledger) -> str | None:
    """Return the workforce's connection that a run began with, or None where it kept no batch file."""
    body = ledger.store.get(_key(ledger))
    if body is None:
        return None
    [row] = decode(body, _key(ledger))
    return str((yaml.safe_load(row["yaml"]).get("connections") or {}).get("mturk", Connections().mturk))


def home_of(ledger: Ledger, live: Batch) -> str:
    """Return where ledgers were kept when the run began; "" for a run of before that was written down.

    It stays, wherever the ledger is restored: what is made of it at the workforce must be found again. Where
    what the run began with is lost, the batch file says where ledgers are kept, and were then most likely.
    """
    body = ledger.store.get(_key(ledger))
    if body is None:
        return live.state
    [row] = decode(body, _key(ledger))
    return str(row.get("home", ""))


def with_live_options(batch: Batch, live: Batch) -> Batch:
    """
    Return the batch with what may be changed while a run is under way.

    That is spend, polling, connections, consolidation, and of redundancy: most, experts and unsettled. These
    stop or stretch a run, or read its answers in another way; none of them changes what workers see or what
    was approved per answer.
    """
    update: dict[str, Any] = {
        name: getattr(live, name) for name in ("spend", "polling", "connections", "consolidation")
    }
    redundancy = update["redundancy"] = batch.redundancy.ending_as(live.redundancy)
    try:
        most = {**redundancy.model_dump(), "most": live.redundancy.most}
        update["redundancy"] = type(redundancy).model_validate(most)
    except ValueError:
        pass  # it does not fit the rule, or the seats that the HITs were made with
    copy = batch.model_copy(update=update)
    copy._file = batch.file
    return copy


def _template(batch: Batch, text: str) -> Path:
    """Return a file with the template's text: the batch's own, or a copy where that has changed."""
    try:
        if batch.task.template.read_text("utf-8") == text:
            return batch.task.template
    except (OSError, UnicodeDecodeError):
        pass  # gone or damaged since: the copy serves
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    path = Path(tempfile.mkdtemp(prefix="groundswell-template-")) / f"{digest}.liquid.html"
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise BatchError(f"{path}: the run's worker page cannot be unpacked: {error}") from error
    return path
