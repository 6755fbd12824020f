"""What Groundswell adds to Airflow's own pages: Labelling, Throughput, and a tab on the page of a DAG run.

Every Airflow process loads this file, workers before each task too: it imports nothing heavy, and the app is
made only where it is asked for, in the api-server.
"""

from __future__ import annotations

from base64 import b64encode
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from airflow.plugins_manager import AirflowPlugin

_LABELLING = "M4 5h9M4 10h9M4 15h5m4 0 2.2 2.2L19.5 12"
_THROUGHPUT = "M4 18V12m5.3 6V7m5.4 11v-8M20 18V4"


def _icon(path: str, colour: str, ground: str = "none") -> str:
    picture = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke-width="2" '
        'stroke-linecap="round" stroke-linejoin="round">'
        f'<rect width="24" height="24" rx="6" fill="{ground}"/><path stroke="{colour}" d="{path}"/></svg>'
    )
    return f"data:image/svg+xml;base64,{b64encode(picture.encode()).decode()}"


class GroundswellPlugin(AirflowPlugin):
    """The pages, and where Airflow shows them."""

    name = "groundswell"

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:
        """The app behind the pages; every address of it asks for Airflow's user."""
        from groundswell.ui.app import create_app
        from groundswell.ui.shell import PREFIX

        return [{"app": create_app(), "url_prefix": PREFIX, "name": "Groundswell"}]

    @cached_property
    def external_views(self) -> list[dict[str, Any]]:
        """Frames in Airflow's navigation, and in the tabs of a DAG run."""
        base = f"{_base_path()}/groundswell"
        run = f"{base}/labelling/run?dag_id={{DAG_ID}}&run_id={{RUN_ID}}"
        return [
            _view("Labelling", f"{base}/labelling", "nav", "labelling", _LABELLING),
            _view("Throughput", f"{base}/throughput", "nav", "throughput", _THROUGHPUT),
            _view("Labelling", run, "dag_run", "labelling-run", _LABELLING),
        ]


def _view(name: str, href: str, destination: str, route: str, icon: str) -> dict[str, Any]:
    return {
        "name": name,
        "href": href,
        "destination": destination,
        "url_route": route,
        "nav_top_level": destination == "nav",
        # On a ground of its own: Airflow darkens what lies behind the icon of the current page
        "icon": _icon(icon, "#3d5580", "#ffffff"),
        "icon_dark_mode": _icon(icon, "#a1a1aa"),
    }


def _base_path() -> str:
    """The path under which a proxy serves Airflow ([api] base_url), without the last slash."""
    from airflow.configuration import conf

    return urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
