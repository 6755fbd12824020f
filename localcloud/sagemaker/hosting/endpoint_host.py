"""Takes endpoints through their statuses: create, update without a failed request, delete, come back."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localcloud.sagemaker.arns import ENDPOINT
from localcloud.sagemaker.hosting.deployment import variant_summaries
from localcloud.sagemaker.hosting.fleet import DeploymentAbandoned, DeploymentFailed, Fleet, Host
from localcloud.sagemaker.store import Document, DocumentStore

logger = logging.getLogger(__name__)

MAX_REASON = 1024


class EndpointHost:
    """Runs one operation at a time for an endpoint, each in a thread; the store's status guards that.

    Documents carry ``Deployment``, what serves or shall serve, and while an update runs ``Pending``.
    """

    def __init__(self, store: DocumentStore, folder: Path, host: Host, ready: threading.Event) -> None:
        self._store = store
        self._folder = folder
        self._host = host
        self._ready = ready
        self._lock = threading.Lock()
        self._serving: dict[str, Fleet] = {}
        self._starting: dict[str, Fleet] = {}
        self._closing = False

    def fleet(self, name: str) -> Fleet | None:
        """Return what serves an endpoint, held for one request: ``release`` it afterwards."""
        with self._lock:
            fleet = self._serving.get(name.lower())
            if fleet is not None:
                fleet.hold()
            return fleet

    def create(self, name: str) -> None:
        """Bring up an endpoint whose status is Creating, and then the update that waits, if any."""
        self._go(self._create, name)

    def update(self, name: str) -> None:
        """Replace what serves by ``Pending``; status Updating."""
        self._go(self._update, name)

    def delete(self, name: str) -> None:
        """Stop what serves and forget the endpoint; status Deleting."""
        with self._lock:
            starting = self._starting.get(name.lower())
        if starting is not None:
            starting.kill()
        self._go(self._delete, name)

    def close(self) -> None:
        """Stop all processes; the next start of the server brings the endpoints back."""
        with self._lock:
            self._closing = True
            fleets = [*self._serving.values(), *self._starting.values()]
            self._serving.clear()
        for fleet in fleets:
            fleet.kill()

    def resume(self) -> None:
        """Bring back what a former server had: all that served or was about to."""
        for endpoint in self._store.all(ENDPOINT):
            name = endpoint["EndpointName"]
            status = endpoint["EndpointStatus"]
            self._remove_old_fleets(endpoint)
            if status == "Deleting":
                self.delete(name)
            elif status != "Failed":
                self._set(name, EndpointStatus="Creating")
                self.create(name)

    def _remove_old_fleets(self, endpoint: Document) -> None:
        """Delete the files of deployments that a killed server did not get round to removing."""
        wanted = {endpoint[key]["Id"] for key in ("Deployment", "Pending") if key in endpoint}
        for path in (self._folder / endpoint["EndpointName"]).glob("*"):
            if path.name not in wanted:
                shutil.rmtree(path, ignore_errors=True)

    def _go(self, task: Callable[[str], None], name: str) -> None:
        def run() -> None:
            self._ready.wait()
            try:
                task(name)
            except DeploymentAbandoned:
                pass
            except Exception as error:  # an endpoint must not stay in a transient status for ever
                logger.exception("endpoint %s", name)
                self._set(
                    name, EndpointStatus="Failed", FailureReason=f"Internal error: {error}"[:MAX_REASON]
                )

        threading.Thread(target=run, name=f"endpoint {name}", daemon=True).start()

    def _create(self, name: str) -> None:
        endpoint = self._store.get(ENDPOINT, name)
        if endpoint is None:
            return
        try:
            fleet = self._started(endpoint, endpoint["Deployment"])
        except DeploymentFailed as error:
            self._set(name, EndpointStatus="Failed", FailureReason=str(error)[:MAX_REASON])
            return
        self._shift(name, fleet)
        if "Pending" in endpoint:
            self._set(name, EndpointStatus="Updating")
            self._update(name)
        else:
            self._in_service(name, endpoint["Deployment"])

    def _update(self, name: str) -> None:
        endpoint = self._store.get(ENDPOINT, name)
        if endpoint is None:
            return
        try:
            fleet = self._started(endpoint, endpoint["Pending"])
        except DeploymentFailed as error:
            # the old fleet was never touched: the endpoint is in service as before, and says why
            self._set(name, EndpointStatus="RollingBack")
            self._in_service(name, endpoint["Deployment"], reason=str(error))
            return
        old = self._shift(name, fleet)
        self._in_service(name, endpoint["Pending"])
        if old is not None:
            old.drain(self._host.settings.serving_stop_grace)
            old.close()

    def _delete(self, name: str) -> None:
        with self._lock:
            fleet = self._serving.pop(name.lower(), None)
        if fleet is not None:
            fleet.drain(self._host.settings.serving_stop_grace)
            fleet.close()
        shutil.rmtree(self._folder / name, ignore_errors=True)
        self._store.delete(ENDPOINT, name)

    def _started(self, endpoint: Document, deployment: Document) -> Fleet:
        name = endpoint["EndpointName"]
        region = endpoint["EndpointArn"].split(":")[3]
        fleet = Fleet(name, deployment, self._folder / name, self._host, region)
        with self._lock:
            if self._closing:
                raise DeploymentAbandoned
            self._starting[name.lower()] = fleet
        try:
            fleet.start()
        finally:
            with self._lock:
                self._starting.pop(name.lower(), None)
        return fleet

    def _shift(self, name: str, fleet: Fleet) -> Fleet | None:
        """Let new requests go to ``fleet``, and return what served before."""
        with self._lock:
            if self._closing:
                fleet.kill()
                raise DeploymentAbandoned
            old = self._serving.get(name.lower())
            self._serving[name.lower()] = fleet
        return old

    def _in_service(self, name: str, deployment: Document, reason: str | None = None) -> None:
        now = self._host.now()

        def change(endpoint: Document) -> None:
            endpoint["EndpointStatus"] = "InService"
            endpoint["EndpointConfigName"] = deployment["EndpointConfigName"]
            endpoint["Deployment"] = deployment
            endpoint["ProductionVariants"] = variant_summaries(deployment, now)
            endpoint["LastModifiedTime"] = now
            endpoint.pop("Pending", None)
            endpoint.pop("FailureReason", None)
            if reason is not None:
                endpoint["FailureReason"] = reason[:MAX_REASON]

        self._store.update(ENDPOINT, name, change)

    def _set(self, name: str, **members: Any) -> None:
        now = self._host.now()
        self._store.update(ENDPOINT, name, lambda endpoint: endpoint.update(members, LastModifiedTime=now))
