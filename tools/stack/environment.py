"""The environment of the stack's processes. The two connections are all that makes it local."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tools.stack.keys import ADMIN, Keys
from tools.stack.layout import Layout
from tools.stack.session import HOST, Session

REGION = "us-east-1"
LOGIN = PASSWORD = "test"  # noqa: S105 - the local cloud's published key pair, refused off loopback


def local_settings(layout: Layout, session: Session, keys: Keys) -> dict[str, str]:
    """Everything that the stack sets, as environment variables."""
    root, home = layout.root, layout.airflow_home
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(root / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(root / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",  # as many idle workers are started
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{session.airflow_url}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": keys.fernet_key,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(layout.passwords),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(session.airflow_port),
        "AIRFLOW__API__BASE_URL": session.airflow_url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": keys.api_secret_key,
        "AIRFLOW__API_AUTH__JWT_SECRET": keys.jwt_secret,
        "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "PYTHONPATH": os.pathsep.join([str(root), str(root / "plugins")]),
        "PYTHONUNBUFFERED": "1",
        "AIRFLOW_CONN_AWS_DEFAULT": connection("aws", session.cloud_url),
        "AIRFLOW_CONN_MTURK_DEFAULT": connection("aws", session.cloud_url),
    }


def connection(conn_type: str, endpoint_url: str) -> str:
    """An Airflow connection as JSON, pointing at an endpoint on this machine."""
    extra = {"region_name": REGION, "endpoint_url": endpoint_url}
    return json.dumps({"conn_type": conn_type, "login": LOGIN, "password": PASSWORD, "extra": extra})


def process_environment(
    inherited: Mapping[str, str], layout: Layout, session: Session, keys: Keys
) -> dict[str, str]:
    """The whole environment of a stack process.

    The developer's own Airflow and AWS settings must not leak in: a stray AWS_PROFILE must never make
    the example spend real money. Connections and variables given by the developer are kept and win.
    """
    kept = {name: value for name, value in inherited.items() if not _foreign(name)}
    given = {name: value for name, value in inherited.items() if _given(name)}
    own = local_settings(layout, session, keys) | {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    result = kept | own | given
    result["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", os.defpath)])
    for name in ("NO_PROXY", "no_proxy"):  # a proxy cannot reach this machine's loopback
        result[name] = ",".join(filter(None, [inherited.get(name), HOST, "localhost"]))
    return result


def _given(name: str) -> bool:
    return name.startswith(("AIRFLOW_CONN_", "AIRFLOW_VAR_"))


def _foreign(name: str) -> bool:
    if name == "AWS_CA_BUNDLE":
        return False
    return name.startswith(("AIRFLOW", "AWS_")) or name in {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
