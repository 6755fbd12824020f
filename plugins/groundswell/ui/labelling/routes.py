"""Addresses of the Labelling page. Routes are plain functions: Airflow's event loop waits for no store."""

from __future__ import annotations

from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from groundswell.batches.model import Batch
from groundswell.ui import shell
from groundswell.ui.labelling import standing
from groundswell.ui.labelling.reading import BatchRuns, Reader, Run
from groundswell.ui.labelling.running import describe
from groundswell.ui.problems import NotFound, PageProblem
from groundswell.ui.security import BatchId, DagId, RunId, readable, require_dag, sources_of
from groundswell.ui.sources import BatchFile

router = APIRouter()

Search = Annotated[str, Query(max_length=200)]
#: Seconds between two looks: what moves, and what has come to rest.
_MOVING, _RESTING = 15, 60
#: Runs in the list of one batch.
_RUNS = 50


def reader_of(request: Request) -> Reader:
    """Return what reads for all users of the app. Also a dependency."""
    state = request.app.state
    if not hasattr(state, "labelling"):
        state.labelling = Reader(sources_of(request))
    return cast("Reader", state.labelling)


Reads = Annotated[Reader, Depends(reader_of)]


class NotLabelling(Exception):
    """The tab of a DAG run whose DAG is no batch's."""


def asked_file(request: Request, batch: str | None, dag_id: str | None) -> BatchFile:
    """
    Return the batch file that an address is about, if the user may read its DAG.

    :raises NotLabelling: where a DAG is named that is no batch's.
    :raises PageProblem: where there is no such batch, the user may not see it, or its file cannot be read.
    """
    sources = sources_of(request)
    file = sources.batch_file(batch) if batch else sources.batch_of_dag(dag_id or "")
    if file is None:
        if not batch and dag_id:
            raise NotLabelling(dag_id)
        raise NotFound("batch", batch or "", "It may have been renamed, or its file removed.")
    require_dag(request, file.dag_id, f"batch {file.name}")
    if file.batch is None:
        raise PageProblem(409, "The batch file cannot be read", file.error, "Correct the file, then reload.")
    return file


def asked_run(
    request: Request,
    reader: Reads,
    run_id: RunId,
    batch: BatchId | None = None,
    dag_id: DagId | None = None,
) -> Run:
    """Dependency: the run that an address is about. Raises as :func:`asked_file`."""
    file = asked_file(request, batch, dag_id)
    return reader.run(file, cast("Batch", file.batch), run_id)


AskedRun = Annotated[Run, Depends(asked_run)]


@router.get("")
def batches_page(request: Request, q: Search = "", state: Search = "") -> Response:
    """All batches; the list comes as a fragment."""
    return shell.page(request, "labelling/batches.html", q=q, state=state, states=standing.STATES)


@router.get("/fragments/batches")
def batches_fragment(request: Request, reader: Reads, q: Search = "", state: Search = "") -> Response:
    """All batches that the user may see, with their newest runs."""
    allowed = readable(request)
    files = [each for each in sources_of(request).batch_list() if each.dag_id in allowed]
    hidden = len(sources_of(request).batch_list()) - len(files)
    found = standing.ordered(reader.batches([each for each in files if _matches(each, q)]))
    cards = [_card(each) for each in found]
    cards = [each for each in cards if not state or (each["state"] and each["state"].key == state)]
    moving = any(each["state"] not in {None, standing.FINISHED} for each in cards)
    return shell.page(
        request,
        "labelling/batches_fragment.html",
        cards=cards,
        known=len(files),
        hidden=hidden,
        totals=_totals(cards),
        refresh=_MOVING if moving else _RESTING,
        root=shell.airflow_root(request),
        reasons=standing.REASONS,
    )


def _matches(file: BatchFile, search: str) -> bool:
    text = f"{file.name} {file.batch.description if file.batch else ''}".casefold()
    return all(word in text for word in search.casefold().split())


def _card(found: BatchRuns) -> dict[str, Any]:
    card: dict[str, Any] = {
        "file": found.file,
        "batch": found.file.batch,
        "problem": found.problem,
        "run": None,
        "state": None,
        "earlier": [],
        "warnings": [],
    }
    if found.file.batch is None or not found.runs:
        return card
    batch, newest = found.file.batch, found.runs[0]
    state = standing.state_of(newest, batch)
    return card | {
        "run": newest,
        "state": state,
        "total": standing.total(newest),
        "done": standing.done_share(newest),
        "given_up": standing.given_up(newest),
        "warnings": standing.warnings(newest, state),
        "earlier": [(each, standing.state_of(each, batch)) for each in found.runs[1:]],
    }


def _totals(cards: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return sums over the newest runs that are under way; None where there is none."""
    runs = [each["run"] for each in cards if each["state"] not in {None, standing.FINISHED}]
    if not runs:
        return None
    lively = [each["run"] for each in cards if each["state"] is standing.UNDER_WAY]
    budgets = [each.budget_cents for each in runs if each.budget_cents is not None]
    return {
        "runs": len(runs),
        "workers": sum(each.active_workers or 0 for each in lively),
        "pace": sum(each.pace or 0 for each in lively),
        "open": sum(each.open for each in runs),
        "spent": sum(each.spent_cents for each in runs),
        "budget": sum(budgets) if budgets else None,
    }


@router.get("/batch")
def batch_page(request: Request, batch: BatchId) -> Response:
    """The runs of one batch; the list comes as a fragment."""
    return shell.page(request, "labelling/batch.html", file=asked_file(request, batch, None))


@router.get("/fragments/batch")
def batch_fragment(request: Request, reader: Reads, batch: BatchId) -> Response:
    """The newest runs of one batch."""
    file = asked_file(request, batch, None)
    content = cast("Batch", file.batch)
    runs = [(each, standing.state_of(each, content)) for each in reader.newest(content, _RUNS)]
    moving = any(state is not standing.FINISHED for _, state in runs)
    return shell.page(
        request,
        "labelling/batch_fragment.html",
        file=file,
        runs=runs,
        most=_RUNS,
        total=standing.total,
        given_up=standing.given_up,
        refresh=_MOVING if moving else _RESTING,
        root=shell.airflow_root(request),
    )


@router.get("/run")
def run_page(
    request: Request, reader: Reads, run_id: RunId, batch: BatchId | None = None, dag_id: DagId | None = None
) -> Response:
    """One run: its page, or what stands in the tab of a DAG run that labels nothing."""
    try:
        run = asked_run(request, reader, run_id, batch, dag_id)
    except NotLabelling:
        return shell.page(request, "labelling/no_batch.html", dag_id=dag_id)
    if batch and reader.overview(run) is None:
        raise NotFound("run", run_id, "Its record may be kept elsewhere, or it never labelled anything.")
    return shell.page(request, "labelling/run.html", run=run, tab=not batch, current="run")


@router.get("/fragments/run")
def run_fragment(request: Request, reader: Reads, run: AskedRun) -> Response:
    """Where one run stands, with all that its documents tell."""
    found = reader.overview(run)
    if found is None:
        return shell.page(request, "labelling/run_waiting.html", refresh=_MOVING)
    state = standing.state_of(found, run.batch)
    return shell.page(
        request,
        "labelling/run_fragment.html",
        run=run,
        refresh=_RESTING if state is standing.FINISHED else _MOVING,
        root=shell.airflow_root(request),
        reasons=standing.REASONS,
        **describe(reader, run, found, state),
    )
