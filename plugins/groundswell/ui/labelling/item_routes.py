"""The addresses of a run's items and workers."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from groundswell.errors import DatasetError
from groundswell.templates.images import image_source
from groundswell.ui import shell
from groundswell.ui.labelling.indexing import Indexed, indexed
from groundswell.ui.labelling.reading import Run, reading
from groundswell.ui.labelling.routes import AskedRun, Reads, Search
from groundswell.ui.problems import NotFound
from groundswell.ui.security import ItemId
from groundswell.views.index import STATUSES, ItemView
from groundswell.views.paging import SORTS

router = APIRouter()

#: Items of a page.
SIZE = 50
#: Seconds until a list is read again: while the index is being built, while it catches up, and otherwise.
_BUILDING, _CATCHING_UP, _QUIET = 1, 3, 60
#: Statuses in words, and how they are coloured.
WORDS = {
    "waiting": ("Not published", ""),
    "open": ("Open", "active"),
    "settled": ("Settled", "good"),
    "gave_up": ("No agreement", "warn"),
    "expired": ("Not answered in time", "warn"),
    "budget": ("Out of money", "warn"),
    "lost": ("HIT gone", "bad"),
}
#: What stands for items without a label in an address: no label is white space.
NO_LABEL = " "

#: What the address of an item keeps of the list from which it was opened, for the way back.
_LIST = ("status", "label", "search", "sort", "order", "page")

Status = Annotated[str, Query(max_length=20)]
Sort = Annotated[str, Query(max_length=20)]
Order = Annotated[str, Query(pattern="^(asc|desc)?$")]
PageNumber = Annotated[int, Query(ge=1, le=1_000_000)]


@router.get("/items")
def items_page(
    request: Request,
    run: AskedRun,
    status: Status = "",
    label: Search = "",
    search: Search = "",
    sort: Sort = "",
    order: Order = "",
) -> Response:
    """The items of a run; the list comes as a fragment."""
    return shell.page(
        request,
        "labelling/items.html",
        run=run,
        current="items",
        tab=False,
        words=WORDS,
        labels=run.batch.task.labels,
        no_label=NO_LABEL,
        asked={"status": status, "label": label, "search": search, "sort": sort, "order": order},
    )


@router.get("/fragments/items")
def items_fragment(
    request: Request,
    reader: Reads,
    run: AskedRun,
    status: Status = "",
    label: Search = "",
    search: Search = "",
    sort: Sort = "",
    order: Order = "",
    page: PageNumber = 1,
) -> Response:
    """One page of the items that fit."""
    found = indexed(reader, run)
    if not found.usable:
        return _building(request, found)
    sort = sort if sort in SORTS else "position"
    with reading("the index"):
        rows = found.index.items(
            status=status if status in STATUSES else None,
            label=None if not label else "" if label == NO_LABEL else label,
            search=search,
            sort=sort,
            descending=order == "desc",
            page=page,
            size=SIZE,
        )
        counts = found.index.counts()
    return shell.page(
        request,
        "labelling/items_fragment.html",
        run=run,
        rows=rows,
        counts=counts,
        words=WORDS,
        sort=sort,
        descending=order == "desc",
        page=page,
        pages=max(1, -(-rows.total // SIZE)),
        first=(page - 1) * SIZE + 1,
        asked={"status": status, "label": label, "search": search},
        complete=found.synced.complete,
        refresh=_QUIET if found.synced.complete else _CATCHING_UP,
    )


def _building(request: Request, found: Indexed) -> Response:
    return shell.page(request, "labelling/building.html", found=found, refresh=_BUILDING)


@router.get("/workers")
def workers_page(request: Request, run: AskedRun) -> Response:
    """Who worked on a run; the list comes as a fragment."""
    return shell.page(request, "labelling/workers.html", run=run, current="workers", tab=False)


@router.get("/fragments/workers")
def workers_fragment(request: Request, reader: Reads, run: AskedRun) -> Response:
    """What each worker did in a run."""
    found = indexed(reader, run)
    if not found.usable:
        return _building(request, found)
    with reading("the index"):
        rows = found.index.workers()
    return shell.page(
        request,
        "labelling/workers_fragment.html",
        rows=rows[:MOST_WORKERS],
        total=len(rows),
        refresh=_QUIET if found.synced.complete else _CATCHING_UP,
    )


#: Workers of a table that is sorted in the browser.
MOST_WORKERS = 1000


@router.get("/item")
def item_page(request: Request, reader: Reads, run: AskedRun, item: ItemId) -> Response:
    """One item; what is known of it comes as a fragment."""
    found = indexed(reader, run)
    if found.usable and found.synced.complete:
        _existing(found, run, item)
    listed = {name: request.query_params.get(name, "") for name in _LIST}
    return shell.page(
        request, "labelling/item.html", run=run, item=item, listed=listed, current="items", tab=False
    )


def _existing(found: Indexed, run: Run, item: str) -> ItemView:
    with reading("the index"):
        view = found.index.item(item, run.ledger)
    if view is None:
        raise NotFound("item", item, "Look for it in the list of the run's items.")
    return view


@router.get("/fragments/item")
def item_fragment(request: Request, reader: Reads, run: AskedRun, item: ItemId) -> Response:
    """One item with its columns, answers and label."""
    found = indexed(reader, run)
    if not found.usable:
        return _building(request, found)
    view = _existing(found, run, item)
    return shell.page(
        request,
        "labelling/item_fragment.html",
        run=run,
        view=view,
        word=WORDS[view.status],
        columns=_columns(run, view),
        label=view.label_row or {},
        likely=_likely(view),
        refresh=_QUIET if view.status not in {"open", "waiting"} else 15,
        root=shell.airflow_root(request),
    )


def _columns(run: Run, view: ItemView) -> list[dict[str, Any]]:
    """Return the columns of the dataset in its order: name, text, and the image's address where it is one."""
    shown = []
    for name, value in (view.values or {}).items():
        image, problem = _image(run, name, value)
        shown.append({"name": name, "text": value, "image": image, "problem": problem})
    return sorted(shown, key=lambda each: each["name"] != run.batch.task.image)


def _image(run: Run, name: str, value: str) -> tuple[str, str]:
    task = run.batch.task
    is_url = value.startswith("https://") and value.rpartition(".")[2].lower() in _PICTURES
    if name != task.image and not is_url and not value.startswith("data:image/"):
        return "", ""
    if value.startswith("data:image/"):
        return value, ""
    try:
        return image_source(value, task.image_folder), ""
    except DatasetError as error:
        return "", str(error)


_PICTURES = frozenset({"png", "jpg", "jpeg", "gif", "webp", "avif", "svg"})


def _likely(view: ItemView) -> list[tuple[str, float]]:
    """Return the likeliest labels with how likely they are."""
    posterior = (view.label_row or {}).get("posterior")
    if not isinstance(posterior, dict):
        return []
    pairs = [(str(label), float(share)) for label, share in posterior.items()]
    return sorted(pairs, key=lambda pair: -pair[1])
