"""The index of a run, brought up to date a little at each look, so that no page keeps its reader waiting."""

from __future__ import annotations

from dataclasses import dataclass

from groundswell.ui.labelling.reading import Reader, Run, reading
from groundswell.ui.problems import NotFound
from groundswell.views.cache import IndexCache
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
        """The share of the work that is done; not all of it before all items are added up."""
        return self.synced.share if self.usable else min(self.synced.share, 0.99)


def indexed(reader: Reader, run: Run) -> Indexed:
    """Return the index of a run, brought up to date as far as a look has time for. Blocks for that long."""
    with reading("the index"):
        cache = IndexCache(reader.sources.cache, pseudonym=reader.pseudonym())
        name = (run.batch.state, run.batch.name, run.run_id)
        # Whatever stands in an address must not leave files behind
        if not cache.holds(*name) and reader.overview(run) is None:
            raise NotFound("run", run.run_id, "It has not written anything yet.")
        index = cache.index(*name)
        return Indexed(index, index.sync(run.ledger, _PATIENCE))
