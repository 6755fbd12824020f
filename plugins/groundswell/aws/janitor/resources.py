"""What a run made in SageMaker, did not delete, and is still there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

from groundswell.aws.hooks.sagemaker import GroundswellSageMakerHook
from groundswell.aws.janitor.findings import Finding, Kind
from groundswell.aws.janitor.house import House
from groundswell.aws.runs import LabelingRun, all_runs
from groundswell.errors import LedgerError
from groundswell.ledger import RunState

#: In the order in which they are deleted: what uses comes before what is used.
TYPES = ("endpoint", "endpoint_config", "model", "training_job")
_ENDED = frozenset({"Completed", "Failed", "Stopped"})


def in_use(house: House, runs: Iterable[str]) -> set[tuple[str, str]]:
    """Return (type, name) of what these runs, which are under way, have made and not deleted."""
    used: set[tuple[str, str]] = set()
    for run_id in runs:
        try:
            made = house.run(run_id).ledger.fold("resources").resources
        except LedgerError:
            continue  # a finding of its own once the run is over
        used |= {each for each, row in made.items() if row["state"] != "deleted"}
    return used


def in_use_now(house: House) -> set[tuple[str, str]]:
    """Return the same of all runs that are under way by now: some began after the survey."""
    runs = all_runs(house.base.store, house.name)
    unsure = [run_id for run_id in runs if run_id not in house.ledgers or not house.known_clean(run_id)]
    return in_use(house, [run_id for run_id in unsure if house.under_way(run_id)])


def resources_left(
    house: House, run: LabelingRun, state: RunState, busy: Set[tuple[str, str]]
) -> Iterator[Finding]:
    """
    Yield what the ledger says that the run made and did not delete, as far as it is still there.

    :param busy: (type, name) of what runs that are under way have made: names follow from the data, so two
        runs may share them.
    """
    left = [each for each, row in state.resources.items() if row["state"] != "deleted" and each not in busy]
    configs = {name for kind, name in state.resources if kind == "endpoint_config"}
    for kind, name in sorted(left, key=lambda each: (TYPES.index(each[0]), each[1])):
        found = _there(house.sagemaker, kind, name, configs)
        if found is not None:
            yield Finding(
                Kind.ENDPOINT_LEFT,
                house.name,
                run=run.run_id,
                item=kind,
                name=name,
                what=f"{kind.replace('_', ' ')} {name} is still there",
                evidence=f"SageMaker: {found}; in the ledger {state.resources[kind, name]['state']}",
                repair="stop it" if kind == "training_job" else "delete it",
            )


def _there(hook: GroundswellSageMakerHook, kind: str, name: str, configs: Set[str]) -> str | None:
    """Return what SageMaker says of a resource that costs or clutters; None where it is no longer ours."""
    if kind == "endpoint":
        endpoint = hook.find_endpoint(name)
        # Another run may have updated it since: then it is that run's
        if endpoint is None or endpoint.get("EndpointConfigName") not in configs:
            return None
        return f"{endpoint['EndpointStatus']}, serves {endpoint['EndpointConfigName']}"
    if kind == "training_job":
        job = hook.find_training_job(name)
        return None if job is None or job["TrainingJobStatus"] in _ENDED else str(job["TrainingJobStatus"])
    found = hook.find_endpoint_config(name) if kind == "endpoint_config" else hook.find_model(name)
    return None if found is None else f"made {found['CreationTime']:%Y-%m-%d %H:%M}"


def serves_another(hook: GroundswellSageMakerHook, name: str, state: RunState) -> bool:
    """Return whether an endpoint has another configuration by now than those that the run made."""
    endpoint = hook.find_endpoint(name)
    configs = {config for kind, config in state.resources if kind == "endpoint_config"}
    return endpoint is not None and endpoint.get("EndpointConfigName") not in configs


def delete(hook: GroundswellSageMakerHook, kind: str, name: str) -> str | None:
    """Delete a resource, or stop a job; return what has to be waited for, None where it is done."""
    if kind == "endpoint":
        outcome = hook.delete_endpoint(name)
        if outcome == "busy":
            return "it is being changed, and SageMaker does not delete it now"
        return None if hook.find_endpoint(name) is None else "it is being deleted"
    if kind == "training_job":
        hook.stop_training_job(name)
        job = hook.find_training_job(name)
        return None if job is None or job["TrainingJobStatus"] in _ENDED else "it is being stopped"
    if kind == "endpoint_config":
        hook.delete_endpoint_config(name)
    else:
        hook.delete_model_if_exists(name)
    return None
