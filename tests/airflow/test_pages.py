"""The pages inside a real Airflow, in a real browser: signed in by Airflow, framed by it, fed from S3."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.airflow.live import BUCKET, DAG, Live
from tools.stack.keys import ADMIN

pytestmark = [pytest.mark.airflow, pytest.mark.browser, pytest.mark.timeout(600)]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
TIMEOUT_MS = 60_000  # the machine may be busy with other things
PATHS = ("labelling", "labelling/fragments/batches", "throughput", "static/ui.css", "static/ui.js", "nothing")


@pytest.fixture(scope="module")
def run_id(live: Live) -> str:
    """A run that is finished: one that other tests left, or one of its own."""
    pages = live.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="state/iris/")
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
    finished = sorted(key.split("/")[2] for key in keys if key.endswith("/summary.json"))
    if finished:
        return str(finished[0])
    live.trigger("manual__pages", relabel=True)
    live.wait("manual__pages")
    return "manual__pages"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine; install the package chromium to run the browser tests")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS, timeout=TIMEOUT_MS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def page(live: Live, browser: Any) -> Iterator[Any]:
    """Airflow's UI, signed in as people do it."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, color_scheme="dark")
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.errors = []
    page.goto(live.session.airflow_url)
    page.get_by_label("Username").fill(ADMIN)
    page.locator("input[type=password]").fill(live.stack.keys().admin_password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")
    page.errors.clear()  # Airflow's own, while nobody was signed in
    yield page
    context.close()


def frame(page: Any, title: str) -> Any:
    return page.frame_locator(f'iframe[title="{title}"]')


def test_nothing_is_served_without_a_sign_in(live: Live, run_id: str) -> None:
    with httpx.Client(base_url=f"{live.session.airflow_url}/groundswell/", trust_env=False) as client:
        for path in PATHS:
            answer = client.get(path)
            assert answer.status_code == 401, path
            assert "Sign in to Airflow" in answer.text
        item = {"batch": "iris", "run_id": run_id, "item": "flower-001"}
        assert client.get("labelling/fragments/item", params=item).status_code == 401
        assert client.get("labelling", headers={"Authorization": "Bearer forged"}).status_code in {401, 403}
        assert client.get("labelling", headers={"Cookie": "_token=forged"}).status_code in {401, 403}


def test_a_token_of_airflows_api_signs_in(live: Live) -> None:
    with httpx.Client(base_url=live.session.airflow_url, trust_env=False, timeout=60) as client:
        credentials = {"username": ADMIN, "password": live.stack.keys().admin_password}
        token = client.post("/auth/token", json=credentials).json()["access_token"]
        answer = client.get(
            "/groundswell/labelling/fragments/batches", headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code == 200
        assert "Species of iris flowers" in answer.text
        assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_labelling_opens_from_the_navigation_and_leads_down_to_an_item(
    live: Live, page: Any, run_id: str, tmp_path: Path
) -> None:
    page.get_by_role("link", name="Labelling").first.click()
    page.wait_for_url("**/plugin/labelling**")
    inside = frame(page, "Labelling")
    card = inside.get_by_role("article", name="iris")
    card.get_by_text("Finished").first.wait_for()
    assert inside.locator("html").get_attribute("data-theme") == "dark", "as Airflow around it"

    inside.get_by_label("Find a batch").fill("digits")
    card.wait_for(state="detached")
    inside.get_by_label("Find a batch").fill("iris")
    card.wait_for()
    page.wait_for_url("**/plugin/labelling/groundswell/labelling?q=iris")

    inside.get_by_role("link", name="Items of iris").click()
    rows = inside.locator("table.items tbody tr")
    rows.first.wait_for()
    assert rows.count() == 50
    inside.get_by_label("Status", exact=True).select_option("settled")
    inside.get_by_text("settled").first.wait_for(state="attached")
    by_confidence = inside.get_by_role("columnheader", name="Confidence")
    by_confidence.get_by_role("link").focus()
    page.keyboard.press("Enter")
    inside.locator('th[aria-sort="ascending"]', has_text="Confidence").wait_for()
    page.keyboard.press("Enter")  # the focus is still there
    inside.locator('th[aria-sort="descending"]', has_text="Confidence").wait_for()
    shown = [float(text.removesuffix("%")) for text in rows.locator("td:nth-child(4)").all_text_contents()]
    assert shown == sorted(shown, reverse=True)
    assert "order=desc" in page.url, "Airflow's address carries the view"

    name = rows.first.get_by_role("link").inner_text()
    rows.first.get_by_role("link").focus()
    page.keyboard.press("Enter")
    inside.get_by_role("heading", name=name, level=1).wait_for()
    answers = inside.locator("table#answers tbody tr")
    answers.first.wait_for()
    assert answers.count() >= 2
    assert inside.get_by_role("heading", name="Label", exact=True).is_visible()
    page.screenshot(path=str(tmp_path / "item.png"))

    page.reload()  # a link that somebody was sent
    inside.get_by_role("heading", name=name, level=1).wait_for()
    assert page.errors == []


def test_the_page_of_a_dag_run_has_the_run_in_a_tab(live: Live, page: Any, run_id: str) -> None:
    page.goto(f"{live.session.airflow_url}/dags/{DAG}/runs/{quote(run_id, safe='')}")
    page.get_by_role("link", name="Labelling").last.click()
    page.wait_for_url("**/plugin/labelling-run**")
    inside = frame(page, "Labelling")
    inside.get_by_role("heading", name="Progress").wait_for()
    inside.get_by_text("items settled").first.wait_for()
    assert "Ledger and workforce agree" in inside.locator("main").inner_text()
    inside.get_by_role("link", name="Workers").click()
    inside.locator("table#workers tbody tr").first.wait_for()

    # Out of the frame, which its sandbox forbids to the frame itself
    inside.get_by_role("link", name="Overview").click()
    inside.get_by_role("link", name="Open the run in Airflow").click()
    page.wait_for_url(lambda url: "/plugin/" not in url)


def test_throughput_opens_from_the_navigation(page: Any, live: Live) -> None:
    page.goto(live.session.airflow_url)
    page.get_by_role("link", name="Throughput").first.click()
    page.wait_for_url("**/plugin/throughput**")
    frame(page, "Throughput").get_by_role("heading", level=1).first.wait_for()
