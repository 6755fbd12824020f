"""The services that run in this process, as the front starts and stops them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from localcloud.emulator import ACCOUNT_ID
from localcloud.state import StateFolder

# The rest is imported in `start`, in a thread, while the emulator starts: it costs a second of CPU
if TYPE_CHECKING:
    from localcloud.sagemaker.app import SageMaker
    from workforce.api.keys import StaticKeys
    from workforce.crowd import CrowdPlan, CrowdRunner
    from workforce.housekeeping import Housekeeping
    from workforce.store import Store

OPENING_CENTS = 1_000_000


def local_keys() -> StaticKeys:
    """Return the one key pair, public on purpose: the server is on loopback only."""
    from workforce.api.keys import AccessKey, StaticKeys

    return StaticKeys(AccessKey("test", "test", ACCOUNT_ID))


class WorkforceService:
    """The workforce server on a database in the state folder, and the crowd that works on it."""

    def __init__(self, state: StateFolder, crowd: CrowdPlan | None) -> None:
        self._state = state
        self._plan = crowd
        self._store: Store | None = None
        self._runner: CrowdRunner | None = None
        self._housekeeping: Housekeeping | None = None
        self.app: ASGIApp | None = None

    def start(self) -> None:
        """Open the store, make the app, and send the crowd to work."""
        from workforce.app import create_app
        from workforce.crowd import CrowdRunner
        from workforce.housekeeping import Housekeeping
        from workforce.market import Market
        from workforce.store import Store

        self._store = Store.open(f"sqlite:///{self._state.database}")
        market = Market(self._store)
        market.requester.accounts.ensure_account(
            ACCOUNT_ID, name="Local requester", opening_cents=OPENING_CENTS, mode="ledger"
        )
        secret = self._state.site_secret()
        self.app = create_app(market, local_keys(), site_secret=secret)
        self._housekeeping = Housekeeping(market)
        self._housekeeping.start()
        if self._plan:
            self._runner = CrowdRunner(market, self._plan)
            self._runner.start()

    def stop(self) -> None:
        """Send the crowd home and close the store."""
        if self._runner:
            self._runner.stop()
        if self._housekeeping:
            self._housekeeping.stop()
        if self._store:
            self._store.close()


class SageMakerService:
    """SageMaker, which reads and writes S3 and Logs through the endpoint that the front serves."""

    def __init__(self, state: StateFolder, endpoint_url: str, training_python: Path) -> None:
        self._state = state
        self._endpoint_url = endpoint_url
        self._python = training_python
        self._service: SageMaker | None = None
        self.app: ASGIApp | None = None

    def start(self) -> None:
        """Take up the jobs and endpoints of an earlier run."""
        from localcloud.sagemaker.app import SageMaker, sagemaker_app

        self._service = SageMaker(self._state.sagemaker, self._endpoint_url, self._python)
        self._service.start()
        self.app = sagemaker_app(self._service, local_keys())

    def stop(self) -> None:
        """Stop every process of a job or an endpoint."""
        if self._service:
            self._service.stop()
