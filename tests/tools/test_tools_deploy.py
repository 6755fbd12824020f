from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
WORKER = yaml.safe_load((ROOT / "docs/deploy/worker.yaml").read_text())["services"]["airflow-worker"]
VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z_]+)(:[-?])?")  # $${X} is the container's own


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_published_on_loopback_only(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:"), port


@pytest.mark.parametrize("name", SERVICES)
def test_services_restart_check_themselves_and_limit_their_logs(name: str) -> None:
    service = SERVICES[name]
    assert service["logging"]["options"]["max-size"]
    if name not in {"airflow-init", "localcloud-forwarder"}:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"]


@pytest.mark.parametrize("name", sorted({name for name in SERVICES if "airflow-" in name} - {"airflow-db"}))
def test_airflow_shares_secrets_and_mounts_the_code_read_only(name: str) -> None:
    service = SERVICES[name]
    assert service["environment"]["AIRFLOW__API_AUTH__JWT_SECRET"].startswith("${AIRFLOW_JWT_SECRET:?")
    mounted = {f"./{folder}:/opt/airflow/{folder}:ro" for folder in ("dags", "plugins", "include")}
    assert mounted < set(service["volumes"])


def test_every_secret_is_required_and_none_has_a_default() -> None:
    text = (ROOT / "docker-compose.yaml").read_text() + (ROOT / "docs/deploy/worker.yaml").read_text()
    uses = VARIABLE.findall(text)
    secret = re.compile("PASSWORD|SECRET|KEY|AWS_CONNECTION")
    assert {name for name, how in uses if secret.search(name) and how != ":?"} == set()
    assert {name for name, how in uses if not how} == set()


def test_the_example_environment_names_all_that_is_required() -> None:
    required = {
        name for name, how in VARIABLE.findall((ROOT / "docker-compose.yaml").read_text()) if how == ":?"
    }
    example = re.findall(r"(?m)^([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text())
    assert {name for name, _ in example} == required
    assert {value for _, value in example} == {""}, "the example must not hold a usable secret"


def test_a_worker_elsewhere_has_the_settings_of_a_worker_here() -> None:
    here = SERVICES["airflow-worker"]["environment"]
    there = WORKER["environment"]
    missing = (
        set(here)
        - set(there)
        - {
            # of the scheduler, the UI and the command line
            "AIRFLOW__API__BASE_URL",
            "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED",
        }
    )
    assert missing == set()
    bare = re.compile(r":\?[^}]*|:-[^}]*")
    different = {
        name
        for name in set(here) & set(there)
        if bare.sub("", str(here[name])) != bare.sub("", str(there[name])) and "LOGGING" not in name
    }
    assert different == set()


def test_the_images_are_built_from_what_is_sent_to_the_builder() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = set()
    for line in (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines():
        if line.startswith("COPY"):
            copied |= {word for word in line.split()[1:-1] if not word.startswith("--")}
    for path in copied:
        assert path.split("/")[0] in sent or (path.startswith("requirements") and "requirements*.txt" in sent)
        assert (ROOT / path).exists(), path
    targets = set(re.findall(r"(?m)^FROM \S+ AS (\S+)$", (ROOT / "Dockerfile").read_text()))
    wanted = {service["build"]["target"] for service in SERVICES.values() if "build" in service}
    assert wanted == targets


#: Distributions by the module that they bring, where the two are not called alike.
DISTRIBUTIONS = {
    "liquid": "python-liquid",
    "yaml": "PyYAML",
    "pydantic_core": "pydantic",
    "botocore": "boto3",
}
#: What Airflow itself requires.
WITH_AIRFLOW = {"airflow", "fastapi", "jinja2", "markupsafe", "starlette"}


def imported_by_plugins() -> set[str]:
    found: set[str] = set()
    for path in [*(ROOT / "plugins").rglob("*.py"), *(ROOT / "dags").glob("*.py")]:
        for line in re.findall(
            r"(?m)^\s*(?:from|import) (\w+)[\w.]*(?: import [\w(*]| as |$|,)", path.read_text()
        ):
            found.add(line)
    return found - set(sys.stdlib_module_names) - WITH_AIRFLOW - {"groundswell"}


def test_airflow_gets_all_that_dags_and_plugins_import() -> None:
    image = (ROOT / "Dockerfile").read_text().split(" AS servers")[0]
    page = (ROOT / "docs/deploy.md").read_text().split("## In an Airflow that you have")[1].split("\n## ")[0]
    wanted = {DISTRIBUTIONS.get(name, name) for name in imported_by_plugins()}
    assert {"scipy", "pyarrow", "matplotlib"} <= wanted, "the search finds what is imported in functions"
    for text in (image, page):
        assert {name for name in wanted if not re.search(rf"[\s'`]{name}[\s'`=\[]", text)} == set()
