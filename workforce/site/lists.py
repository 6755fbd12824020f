"""The list of available work, and the worker's own record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import ceil

from starlette.requests import Request
from starlette.responses import Response

from workforce.market import AssignmentView, HitListing
from workforce.site.context import Site
from workforce.site.sessions import Session

_PER_PAGE = 20
_BATCH = 100
_MOST = 2000


@dataclass(frozen=True)
class HitGroup:
    """HITs of one type, shown as one row; `first` is the one that is offered next."""

    first: HitListing
    count: int


@dataclass(frozen=True)
class _Slice:
    """The page of a longer list that a request asks for, by the query parameter `name`."""

    page: int
    pages: int
    name: str

    @classmethod
    def of(cls, request: Request, length: int, name: str = "page") -> _Slice:
        pages = max(ceil(length / _PER_PAGE), 1)
        return cls(min(_page_number(request, name), pages), pages, name)

    @property
    def offset(self) -> int:
        return (self.page - 1) * _PER_PAGE


def hits(site: Site, request: Request, session: Session, worker_id: str) -> Response:
    """Available HITs, grouped by HIT type."""
    groups, complete = _groups(site, worker_id)
    part = _Slice.of(request, len(groups))
    return site.page(
        request,
        "hits.html",
        session=session,
        groups=groups[part.offset : part.offset + _PER_PAGE],
        total=sum(group.count for group in groups),
        complete=complete,
        returned="returned" in request.query_params,
        part=part,
        held=_in_hand(site, worker_id),
    )


def my_work(site: Site, request: Request, session: Session, worker_id: str) -> Response:
    """What the worker has in hand, has submitted and earned, was given besides, and had rejected."""
    history = site.market.history
    earnings = site.workers.earnings(worker_id)
    bonus_count, bonus_cents = history.bonus_total(worker_id)
    rejected = _Slice.of(request, earnings.rejected, "rejected")
    given = _Slice.of(request, bonus_count, "bonuses")
    return site.page(
        request,
        "my_work.html",
        session=session,
        earnings=earnings,
        bonus_cents=bonus_cents,
        held=_in_hand(site, worker_id),
        rejected=rejected,
        rejections=history.rejected(worker_id, limit=_PER_PAGE, offset=rejected.offset),
        given=given,
        bonuses=history.bonuses(worker_id, limit=_PER_PAGE, offset=given.offset),
    )


def messages(site: Site, request: Request, session: Session, worker_id: str) -> Response:
    """What requesters have written to the worker; what is shown counts as read from then on."""
    inbox = site.market.inbox
    part = _Slice.of(request, inbox.count(worker_id))
    found = inbox.read(worker_id, limit=_PER_PAGE, offset=part.offset)
    return site.page(request, "messages.html", session=session, messages=found, part=part)


def next_of_type(site: Site, worker_id: str, hit_type_id: str) -> HitListing | None:
    """Another HIT of a type that the worker may accept."""
    offered = _all(partial(site.workers.available, worker_id))
    return next((listing for listing in offered if listing.hit_type_id == hit_type_id), None)


def _all(pages: Callable[..., list[HitListing]]) -> Iterator[HitListing]:
    for offset in range(0, _MOST, _BATCH):
        batch = pages(limit=_BATCH, offset=offset)
        yield from batch
        if len(batch) < _BATCH:
            return


def _groups(site: Site, worker_id: str) -> tuple[list[HitGroup], bool]:
    """Groups in the order of their first HIT, and whether all HITs were looked at."""
    by_type: dict[str, list[HitListing]] = {}
    seen = 0
    for listing in _all(partial(site.workers.discover, worker_id)):
        by_type.setdefault(listing.hit_type_id, []).append(listing)
        seen += 1
    return [HitGroup(members[0], len(members)) for members in by_type.values()], seen < _MOST


def _in_hand(site: Site, worker_id: str) -> list[tuple[AssignmentView, HitListing]]:
    return [(turn, site.workers.listing(turn.hit_id)) for turn in site.workers.held(worker_id)]


def _page_number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "1")
    return max(int(text), 1) if text.isdecimal() and len(text) < 7 else 1
