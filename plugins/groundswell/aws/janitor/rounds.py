"""One round of the janitor through all batches: survey, repair, report."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from groundswell.aws.janitor.findings import Finding, Kind
from groundswell.aws.janitor.house import House, Rules, Workforces, open_house
from groundswell.aws.janitor.repairs import repair
from groundswell.aws.janitor.report import counts, get_clean, get_findings, put_clean, put_document, table
from groundswell.aws.janitor.survey import survey
from groundswell.aws.runs import open_run
from groundswell.batches.model import Batch, batch_files
from groundswell.errors import BatchError
from groundswell.ledger import PartStore

log = logging.getLogger(__name__)


def look(folder: Path, names: Sequence[str], rules: Rules, stamp: str) -> dict[str, Any]:
    """Survey the batches of a folder and write a document for each; change nothing else. See :func:`_go`."""
    return _go(folder, names, rules, stamp, repairing=False)


def mend(folder: Path, names: Sequence[str], rules: Rules, stamp: str) -> dict[str, Any]:
    """Survey again, repair what is safe to repair, and replace the documents. See :func:`_go`."""
    return _go(folder, names, rules, stamp, repairing=True)


def _go(folder: Path, names: Sequence[str], rules: Rules, stamp: str, *, repairing: bool) -> dict[str, Any]:
    """
    Go through the batches with these names (all where there are none); one that fails is a finding.

    Returns ``documents`` (batch file -> key of its document), ``counts``, ``foreign`` (connection -> HITs of
    somebody else), and ``broken``: the findings that no document could take.
    """
    known, broken = batches(folder)
    workforces, documents = Workforces(), {}
    files = _chosen(known, names)
    broken = [] if names else broken
    everything = list(broken)
    places: dict[tuple[str, str], PartStore] = {}
    for path, name in files.items():
        findings: list[Finding] = []
        try:
            with open_house(path, workforces, rules) as house:
                places[house.base.live.connections.mturk, house.base.live.state] = house.base.store
                house.clean |= get_clean(house.base.store, name)
                for finding in _findings(house, repairing=repairing):
                    findings.append(finding)
                about = {"at": rules.now_text, "repair": repairing, "notes": house.notes}
                documents[str(path)] = put_document(house.base.store, name, stamp, findings, **about)
                put_clean(house.base.store, name, house.clean)
                for note in house.notes:
                    log.info("%s: %s", name, note)
        except Exception as error:  # whatever is wrong with one batch must not hide the others
            log.warning("batch %s: %s", name, error, exc_info=not isinstance(error, AirflowException))
            said = str(error) if isinstance(error, AirflowException) else repr(error)
            lost = Finding(Kind.UNREACHABLE, name, what="it could not be looked through", evidence=said)
            broken.append(lost)
            broken += findings
            findings = [lost, *findings]
        everything += findings
    if not names:
        fileless = _fileless(workforces, places, known.values())
        broken += fileless
        everything += fileless
    foreign = workforces.foreign(known.values())
    for connection, number in foreign.items():
        log.info("connection %s: %d HITs are somebody else's", connection, number)
    log.info("%s", table(everything) if everything else "nothing was left behind")
    return {
        "documents": documents,
        "broken": [finding.row() for finding in broken],
        "counts": counts(everything),
        "foreign": foreign,
    }


def _fileless(
    workforces: Workforces, places: Mapping[tuple[str, str], PartStore], known: Iterable[str]
) -> list[Finding]:
    """Return the batches that have HITs and ledgers, and no file: their DAG is gone, and nobody collects."""
    found: dict[str, Finding] = {}
    for (connection, _), store in places.items():
        kept = set(store.folders(""))
        for batch, hits in workforces.of_other_batches(connection, known).items():
            if batch in kept:
                found[batch] = Finding(
                    Kind.BATCH_WITHOUT_FILE,
                    batch,
                    what=f"{hits} HITs of a batch that has no batch file any more, or none that can be read",
                    evidence=f"its ledgers are in {store.uri('')}; nobody collects what workers hand in: put "
                    "the file back under this name until the janitor has dealt with its runs",
                )
    return list(found.values())


def _findings(house: House, *, repairing: bool) -> Iterator[Finding]:
    found = survey(house)
    return repair(house, found) if repairing else iter(found)


def conclude(result: dict[str, Any]) -> dict[str, int]:
    """
    Return the counts of a round.

    :param result: what :func:`look` or :func:`mend` returned.
    :raises AirflowFailException: with the table, where something is left for a person.
    """
    findings = [Finding.of(row) for row in result["broken"]]
    for path, key in result["documents"].items():
        with open_run(path, "_janitor") as run:
            findings += get_findings(run.store, key)
    left = [finding for finding in findings if not finding.settled]
    if left:
        raise AirflowFailException(
            f"{len(left)} of {len(findings)} findings are left; where `found`, trigger the janitor with "
            f"repair=true\n{table(findings)}"
        )
    return counts(findings)


def batches(folder: Path) -> tuple[dict[Path, str], list[Finding]]:
    """Return batch file -> name of every batch of a folder, and a finding for each file that is broken."""
    files: dict[Path, str] = {}
    taken: dict[str, Path] = {}
    broken: list[Finding] = []
    for path in batch_files(folder):
        try:
            batch = Batch.load(path)
            for what in batch.exclusive():
                if first := taken.get(what):
                    raise BatchError(f"{path}: {what} belongs to {first.name}; give each batch its own")
        except Exception as error:  # whatever is wrong with one file must not hide the other batches
            broken.append(_broken(path, error))
        else:
            taken |= dict.fromkeys(batch.exclusive(), path)
            files[path] = batch.name
    return files, broken


def _chosen(files: dict[Path, str], names: Sequence[str]) -> dict[Path, str]:
    if unknown := set(names) - set(files.values()):
        raise AirflowFailException(
            f"there is no batch {', '.join(sorted(unknown))}; there are: {', '.join(sorted(files.values()))}"
        )
    return {path: name for path, name in files.items() if not names or name in names}


def _broken(path: Path, error: Exception) -> Finding:
    return Finding(Kind.BROKEN_BATCH, path.name, what="the batch file cannot be read", evidence=str(error))
