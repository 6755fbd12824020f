"""The operations on models, endpoint configurations and endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.sagemaker.arns import ENDPOINT, ENDPOINT_CONFIG, MODEL, Caller
from localcloud.sagemaker.errors import NotSupported, Refused
from localcloud.sagemaker.hosting.deployment import model_location, snapshot
from localcloud.sagemaker.hosting.endpoint_host import EndpointHost
from localcloud.sagemaker.listing import listed
from localcloud.sagemaker.s3_files import S3Files, S3Problem
from localcloud.sagemaker.store import AlreadyStored, Document, DocumentStore
from workforce.clock import Clock

_LABELS = {MODEL: "model", ENDPOINT_CONFIG: "endpoint configuration", ENDPOINT: "endpoint"}


def missing(kind: str, name: str, caller: Caller) -> Refused:
    """Return AWS's answer to the name of a thing that does not exist."""
    return Refused(f'Could not find {_LABELS[kind]} "{caller.arn(kind, name)}".')


def add(store: DocumentStore, kind: str, name: str, document: Document, caller: Caller) -> None:
    """Store a new thing; raises AWS's error when the name is taken."""
    try:
        store.insert(kind, name, document)
    except AlreadyStored as error:
        raise Refused(
            f'Cannot create already existing {_LABELS[kind]} "{caller.arn(kind, name)}".'
        ) from error


class Models:
    """CreateModel and its relatives."""

    def __init__(self, store: DocumentStore, files: S3Files, clock: Clock) -> None:
        self._store = store
        self._files = files
        self._clock = clock

    def create(self, params: Mapping[str, Any], caller: Caller) -> Document:
        """Store a model whose artefact can be read."""
        name = params["ModelName"]
        container = self._container(params)
        self._check_data(container, params.get("ExecutionRoleArn", ""), caller)
        arn = caller.arn(MODEL, name)
        kept = {
            k: params[k] for k in ("ExecutionRoleArn", "VpcConfig", "EnableNetworkIsolation") if k in params
        }
        document = {
            "ModelName": name,
            "ModelArn": arn,
            "PrimaryContainer": container,
            "CreationTime": self._clock.now(),
            "Tags": params.get("Tags", []),
            **kept,
        }
        add(self._store, MODEL, name, document, caller)
        return {"ModelArn": arn}

    def describe(self, params: Mapping[str, Any], caller: Caller) -> Document:
        """Return a model."""
        model = self._store.get(MODEL, params["ModelName"])
        if model is None:
            raise missing(MODEL, params["ModelName"], caller)
        return model

    def list(self, params: Mapping[str, Any], _caller: Caller) -> Document:
        """Return one page of the models."""
        page, token = listed(self._store.all(MODEL), params, name_key="ModelName")
        return {"Models": page, "NextToken": token}

    def delete(self, params: Mapping[str, Any], caller: Caller) -> Document:
        """Forget a model; endpoints that serve it go on."""
        if not self._store.delete(MODEL, params["ModelName"]):
            raise missing(MODEL, params["ModelName"], caller)
        return {}

    def _container(self, params: Mapping[str, Any]) -> Document:
        containers = params.get("Containers", [])
        if len(containers) > 1:
            raise NotSupported("A model of several containers", "give one PrimaryContainer")
        container = params.get("PrimaryContainer") or (containers[0] if containers else None)
        if container is None:
            raise Refused("PrimaryContainer is required.")
        for member, fix in (
            ("ModelPackageName", "give Image and ModelDataUrl"),
            ("MultiModelConfig", "leave it out"),
        ):
            if member in container:
                raise NotSupported(member, fix)
        if container.get("Mode") == "MultiModel":
            raise NotSupported("Mode MultiModel", "use SingleModel")
        return dict(container)

    def _check_data(self, container: Mapping[str, Any], role: str, caller: Caller) -> None:
        try:
            location = model_location(container)
            found = location is None or self._readable(*location)
        except S3Problem as error:
            raise Refused(f"Invalid model data: {error}") from error
        if location is not None and not found:
            raise Refused(
                f'Could not access model data at {location[0]}. Please ensure that the role "{role}" exists '
                'and that its trust relationship policy allows the action "sts:AssumeRole" for the service '
                'principal "sagemaker.amazonaws.com". Also ensure that the role has "s3:GetObject" '
                f"permissions and that the object is located in {caller.region}."
            )

    def _readable(self, uri: Any, archived: bool) -> bool:
        return self._files.exists(uri) if archived else any(True for _ in self._files.keys(uri))


class EndpointConfigs:
    """CreateEndpointConfig and its relatives."""

    _REFUSED = ("AsyncInferenceConfig", "ExplainerConfig", "ShadowProductionVariants")

    def __init__(self, store: DocumentStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def create(self, params: Mapping[str, Any], caller: Caller) -> Document:
        """Store a configuration whose models exist."""
        self._check(params, caller)
        name = params["EndpointConfigName"]
        arn = caller.arn(ENDPOINT_CONFIG, name)
        kept = {k: v for k, v in params.items() if k != "Tags"}
        kept["ProductionVariants"] = [
            {"InitialVariantWeight": 1.0, **v} for v in params["ProductionVariants"]
        ]
        document = {
            **kept,
            "EndpointConfigArn": arn,
            "CreationTime": self._clock.now(),
            "Tags": params.get("Tags", []),
        }
        add(self._store, ENDPOINT_CONFIG, name, document, caller)
        return {"EndpointConfigArn": arn}

    def describe(self, params: Mapping[str, Any], caller: Caller) -> Document:
        """Return a configuration."""
        return self.get(params["EndpointConfigName"], caller)

    def get(self, name: str, caller: Caller) -> Document:
        """Return a configuration by its name; raises AWS's error when there is none."""
        config = self._store.get(ENDPOINT_CONFIG, name)
        if config is None:
            raise missing(ENDPOINT_CONFIG, name, caller)
        return config

    def list(self, params: Mapping[str, Any], _caller: Caller) -> Document:
        """Return one page of the configurations."""
        page, token = listed(self._store.all(ENDPOINT_CONFIG), params, name_key="EndpointConfigName")
        return {"EndpointConfigs": page, "NextToken": token}

    def delete(self, params: Mapping[str, Any], caller: Caller) -> Document:
        """Forget a configuration, even one in use, as AWS allows; the endpoint goes on."""
        name = params["EndpointConfigName"]
        if not self._store.delete(ENDPOINT_CONFIG, name):
            raise missing(ENDPOINT_CONFIG, name, caller)
        return {}

    def _check(self, params: Mapping[str, Any], caller: Caller) -> None:
        for member in self._REFUSED:
            if params.get(member):
                raise NotSupported(member, "leave it out")
        if params.get("DataCaptureConfig", {}).get("EnableCapture"):
            raise NotSupported("DataCaptureConfig", "set EnableCapture to false or leave it out")
        names = set()
        for variant in params["ProductionVariants"]:
            if "ModelName" not in variant:
                raise NotSupported(f"Variant '{variant['VariantName']}' without ModelName", "name a model")
            if variant["VariantName"] in names:
                raise Refused(f"Duplicate variant name '{variant['VariantName']}' in ProductionVariants.")
            names.add(variant["VariantName"])
            if self._store.get(MODEL, variant["ModelName"]) is None:
                raise missing(MODEL, variant["ModelName"], caller)


class Endpoints:
    """CreateEndpoint and its relatives."""

    _SETTLED = frozenset({"InService", "OutOfService"})

    def __init__(
        self, store: DocumentStore, configs: EndpointConfigs, host: EndpointHost, clock: Clock
    ) -> None:
        self._store = store
        self._configs = configs
        self._host = host
        self._clock = clock

    def create(self, params: Mapping[str, Any], caller: Caller) -> Document:
        """Store an endpoint and start to bring it up."""
        name = params["EndpointName"]
        arn = caller.arn(ENDPOINT, name)
        if self._store.get(ENDPOINT, name) is not None:
            raise Refused(f'Cannot create already existing endpoint "{arn}".')
        deployment = self._deployment(params["EndpointConfigName"], caller)
        now = self._clock.now()
        document = {
            "EndpointName": name,
            "EndpointArn": arn,
            "EndpointConfigName": deployment["EndpointConfigName"],
            "EndpointStatus": "Creating",
            "CreationTime": now,
            "LastModifiedTime": now,
            "Deployment": deployment,
            "Tags": params.get("Tags", []),
        }
        add(self._store, ENDPOINT, name, document, caller)
        self._host.create(name)
        return {"EndpointArn": arn}

    def describe(self, params: Mapping[str, Any], caller: Caller) -> Document:
        """Return an endpoint as it is now."""
        endpoint = self._store.get(ENDPOINT, params["EndpointName"])
        if endpoint is None:
            raise missing(ENDPOINT, params["EndpointName"], caller)
        return endpoint

    def list(self, params: Mapping[str, Any], _caller: Caller) -> Document:
        """Return one page of the endpoints."""
        page, token = listed(
            self._store.all(ENDPOINT), params, name_key="EndpointName", status_key="EndpointStatus"
        )
        return {"Endpoints": page, "NextToken": token}

    def update(self, params: Mapping[str, Any], caller: Caller) -> Document:
        """Start to replace what serves; requests are answered all the time."""
        name = params["EndpointName"]
        self.describe(params, caller)
        pending = self._deployment(params["EndpointConfigName"], caller)
        now = self._clock.now()

        def change(endpoint: Document) -> None:
            self._check_settled(endpoint)
            endpoint.update(EndpointStatus="Updating", Pending=pending, LastModifiedTime=now)
            endpoint.pop("FailureReason", None)

        endpoint = self._changed(name, change, caller)
        self._host.update(endpoint["EndpointName"])
        return {"EndpointArn": endpoint["EndpointArn"]}

    def delete(self, params: Mapping[str, Any], caller: Caller) -> Document:
        """Start to take an endpoint down; a failed one may only be deleted."""
        now = self._clock.now()

        def change(endpoint: Document) -> None:
            if endpoint["EndpointStatus"] != "Failed":
                self._check_settled(endpoint)
            endpoint.update(EndpointStatus="Deleting", LastModifiedTime=now)

        endpoint = self._changed(params["EndpointName"], change, caller)
        self._host.delete(endpoint["EndpointName"])
        return {}

    def _deployment(self, config_name: str, caller: Caller) -> Document:
        config = self._configs.get(config_name, caller)
        models = {}
        for variant in config["ProductionVariants"]:
            model = self._store.get(MODEL, variant["ModelName"])
            if model is None:
                raise missing(MODEL, variant["ModelName"], caller)
            models[variant["ModelName"]] = model
        return snapshot(config, models)

    def _check_settled(self, endpoint: Document) -> None:
        status = endpoint["EndpointStatus"]
        if status == "Failed":
            raise Refused(f'Cannot update endpoint "{endpoint["EndpointArn"]}" in status Failed; delete it.')
        if status not in self._SETTLED:
            raise Refused(f'Cannot update in-progress endpoint "{endpoint["EndpointArn"]}".')

    def _changed(self, name: str, change: Any, caller: Caller) -> Document:
        endpoint = self._store.update(ENDPOINT, name, change)
        if endpoint is None:
            raise missing(ENDPOINT, name, caller)
        return endpoint
