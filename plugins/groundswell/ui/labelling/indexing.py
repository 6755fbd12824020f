"""The index of a run, brought up to date a little at each look, so that no page keeps its reader waiting."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from groundswell.ui.labelling.reading import Run, reading
from groundswell.ui.sources import Sources
from groundswell.views.index import RunIndex, Synced

#: Seconds that one look may spend on bringing the index up to date.
_PATIENCE = 1.5


@dataclass(frozen=True)
class Indexed:
    """
    An index, and how far it is.

    :param index: answers questions about items.
    :param synced: how far it is.
    """

    index: RunIndex
    synced: Synced

    @property
    def usable(self) -> bool:
        """Whether it has been complete once: before that, lists would lack what is not read yet."""
        return self.synced.as_of is not None

    @property
    def share(self) -> float:
        """The share of the record that it has taken in."""
        return self.synced.parts / self.synced.of if self.synced.of else 0.0


def indexed(sources: Sources, run: Run) -> Indexed:
    """Return the index of a run, brought up to date as far as a look has time for. Blocks for that long."""
    with reading("the index"):
        index = RunIndex(index_path(sources.cache, run))
        return Indexed(index, index.sync(run.ledger, _PATIENCE))


def index_path(folder: Path, run: Run) -> Path:
    """Return the file of a run's index; makes its folder, which holds workers' ids, private."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
    name = sha256(f"{run.batch.state}\n{run.batch.name}\n{run.run_id}".encode()).hexdigest()[:32]
    return folder / f"{name}.sqlite"
