"""What an endpoint runs: a snapshot of its configuration and models, and the files of a variant."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from localcloud.sagemaker.process import clean_environment
from localcloud.sagemaker.s3_files import S3Files, S3Problem, S3Uri, relative_path, unpack
from localcloud.sagemaker.store import Document
from localcloud.sagemaker.training.contract import aws_environment

_OPT_ML = "/opt/ml"
_HARNESS = Path(__file__).parents[1] / "serving" / "harness.py"


def snapshot(config: Mapping[str, Any], models: Mapping[str, Document]) -> Document:
    """Return all that serving needs, so that configuration and models may be deleted meanwhile."""
    return {
        "Id": uuid.uuid4().hex[:12],
        "EndpointConfigName": config["EndpointConfigName"],
        "Variants": [
            {**variant, "Container": models[variant["ModelName"]]["PrimaryContainer"]}
            for variant in config["ProductionVariants"]
        ],
    }


def variant_summaries(deployment: Mapping[str, Any], now: datetime) -> list[Document]:
    """Return the ProductionVariants of DescribeEndpoint."""
    return [_summary(variant, now) for variant in deployment["Variants"]]


def _summary(variant: Mapping[str, Any], now: datetime) -> Document:
    weight = variant.get("InitialVariantWeight", 1.0)
    count = variant.get("InitialInstanceCount", 1)
    image = variant["Container"].get("Image")
    images = [{"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": now}] if image else []
    return {
        "VariantName": variant["VariantName"],
        "DeployedImages": images,
        "CurrentWeight": weight,
        "DesiredWeight": weight,
        "CurrentInstanceCount": count,
        "DesiredInstanceCount": count,
    }


@dataclass(frozen=True)
class VariantFolder:
    """The files of one production variant; ``base`` plays ``/opt/ml``."""

    root: Path

    @property
    def base(self) -> Path:
        """``/opt/ml``."""
        return self.root / "opt" / "ml"

    @property
    def model(self) -> Path:
        """The unpacked model.tar.gz."""
        return self.base / "model"

    @property
    def code(self) -> Path:
        """The unpacked source directory, when it comes from S3."""
        return self.base / "code"

    @property
    def complete(self) -> Path:
        """A file that says that everything was fetched."""
        return self.root / "complete"

    @property
    def packages(self) -> Path:
        """Where requirements.txt of the script is installed."""
        return self.root / "packages"


def fetch(files: S3Files, container: Mapping[str, Any], folder: VariantFolder) -> None:
    """Put model and code in place, unless a former server did; raises S3Problem."""
    if folder.complete.exists():
        return
    shutil.rmtree(folder.root, ignore_errors=True)
    folder.model.mkdir(parents=True)
    _fetch_model(files, container, folder)
    source = container.get("Environment", {}).get("SAGEMAKER_SUBMIT_DIRECTORY", "")
    if source.startswith("s3://"):
        _fetch_archive(files, S3Uri.parse(source), folder.root / "sourcedir.tar.gz", folder.code)
    folder.complete.touch()


def model_location(container: Mapping[str, Any]) -> tuple[S3Uri, bool] | None:
    """Return where the model is and whether it is one archive; None for a container without one."""
    source = container.get("ModelDataSource", {}).get("S3DataSource")
    if source is not None:
        return S3Uri.parse(source["S3Uri"]), source.get("CompressionType") == "Gzip"
    url = container.get("ModelDataUrl")
    return (S3Uri.parse(url), True) if url else None


def _fetch_model(files: S3Files, container: Mapping[str, Any], folder: VariantFolder) -> None:
    location = model_location(container)
    if location is None:
        return
    uri, archived = location
    if archived:
        _fetch_archive(files, uri, folder.root / "model.tar.gz", folder.model)
        return
    for key in files.keys(uri):
        files.download(S3Uri(uri.bucket, key), folder.model / relative_path(key, uri.key))


def _fetch_archive(files: S3Files, uri: S3Uri, archive: Path, folder: Path) -> None:
    files.download(uri, archive)
    try:
        unpack(archive, folder)
    except S3Problem as error:
        raise S3Problem(f"{uri}: {error}") from error
    archive.unlink()


def serving_environment(
    container: Mapping[str, Any], folder: VariantFolder, python: Path, endpoint_url: str, region: str
) -> dict[str, str]:
    """Return the environment of a serving process, without its port."""
    given: dict[str, str] = container.get("Environment", {})
    source = given.get("SAGEMAKER_SUBMIT_DIRECTORY", "")
    extra = {
        **aws_environment(endpoint_url, region),
        "SAGEMAKER_BASE_DIR": str(folder.base),
        "SM_MODEL_DIR": str(folder.model),
        "PIP_TARGET": str(folder.packages),
        "PYTHONPATH": str(folder.packages),
        **given,
    }
    if source.startswith("s3://"):
        extra["SAGEMAKER_SUBMIT_DIRECTORY"] = f"{_OPT_ML}/code"
    return clean_environment(python, extra)


def serving_command(python: Path) -> list[str]:
    """Return what an image's ``serve`` is."""
    return [str(python), "-P", os.fspath(_HARNESS)]
