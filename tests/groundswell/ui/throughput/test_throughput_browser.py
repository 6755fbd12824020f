"""The Throughput page in a real browser: filters, sorting by keyboard, dark, narrow, downloads, no errors."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from tests.groundswell.ui.throughput.filled_store import at, settings_file, the_app

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
TIMEOUT_S = 90  # the machine may be busy with other things
BUSY = "[aria-busy=true]"


class Serving:
    """An app behind a real server on a port of its own."""

    def __init__(self, app: Any) -> None:
        self._server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        until = time.monotonic() + TIMEOUT_S
        while not self._server.started and time.monotonic() < until:
            time.sleep(0.01)
        assert self._server.started, f"the app did not start within {TIMEOUT_S} s"
        self.url = f"http://localhost:{self._server.servers[0].sockets[0].getsockname()[1]}/throughput"

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)


@pytest.fixture(scope="module")
def site(reports: Path, latest: date) -> Iterator[str]:
    serving = Serving(the_app(reports, at(latest + timedelta(days=1))))
    yield serving.url
    serving.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine; install the package chromium to run the browser tests")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"], timeout=TIMEOUT_S * 1000
        )
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    """A page whose console must stay quiet."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.set_default_timeout(TIMEOUT_S * 1000)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    assert said == []


def settled(page: Any) -> None:
    page.wait_for_selector(BUSY, state="detached")


def names(page: Any, table: str) -> list[str]:
    found: list[str] = page.locator(f"#tp-{table} tbody th").all_inner_texts()
    return found


def test_filters_are_in_the_address_and_come_back(page: Any, site: str) -> None:
    page.goto(site)
    settled(page)
    assert len(names(page, "teams")) == 3
    page.get_by_label("Team", exact=True).select_option("birds")
    page.wait_for_url("**/throughput?*team=birds*")
    page.locator("#tp-teams tbody tr").nth(1).wait_for(state="detached")
    settled(page)
    assert names(page, "teams") == ["birds"]
    assert "birds" in page.locator("#tp-jobs tbody th").first.inner_text()
    page.locator("#tp-range").select_option("28d")
    page.wait_for_url("**range=28d*")
    page.locator("#tp-days tbody tr").nth(7).wait_for()
    settled(page)
    shared = page.url
    page.goto(shared)  # as somebody who was sent the address
    settled(page)
    assert names(page, "teams") == ["birds"]
    assert page.get_by_label("Team", exact=True).input_value() == "birds"
    assert page.locator("#tp-range").input_value() == "28d"
    page.get_by_label("From", exact=True).fill("2026-10-06")
    page.wait_for_url("**from=2026-10-06*")
    page.get_by_role("heading", name="6 Oct to 14 Oct 2026").wait_for()
    assert page.locator("#tp-range").input_value() == "dates"


def test_a_link_of_a_table_filters_and_the_form_follows(page: Any, site: str) -> None:
    page.goto(site)
    settled(page)
    worker = names(page, "workers")[0]
    page.locator("#tp-workers tbody th a").first.click()
    page.wait_for_url(f"**worker={worker}*")
    page.locator("#tp-workers tbody tr").nth(1).wait_for(state="detached")
    settled(page)
    assert page.locator("#tp-worker").input_value() == worker
    page.go_back()
    page.locator("#tp-workers tbody tr").nth(1).wait_for()
    settled(page)
    assert page.locator("#tp-worker").input_value() == ""


def test_sorting_by_keyboard_says_so_and_keeps_the_focus(page: Any, site: str) -> None:
    page.goto(site)
    settled(page)
    head = page.locator("#tp-workers th", has=page.locator("#sort-workers-seconds_median"))
    assert head.get_attribute("aria-sort") == "none"
    page.locator("#sort-workers-seconds_median").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**workers=-seconds_median*")
    page.wait_for_selector("#tp-workers th[aria-sort=descending] #sort-workers-seconds_median")
    settled(page)
    assert page.evaluate("document.activeElement.id") == "sort-workers-seconds_median"
    place = page.locator("#tp-workers thead th").all_inner_texts().index("Median time")
    shown = page.locator(f"#tp-workers tbody tr > :nth-child({place + 1})").all_inner_texts()
    seconds = [float(text.removesuffix(" s")) for text in shown if text.endswith(" s") and "min" not in text]
    assert len(seconds) > 5
    assert seconds == sorted(seconds, reverse=True)
    page.keyboard.press("Enter")
    page.wait_for_selector("#tp-workers th[aria-sort=ascending] #sort-workers-seconds_median")
    page.get_by_label("Team", exact=True).select_option("birds")
    page.wait_for_url("**team=birds*")
    assert "workers=seconds_median" in page.url, "a filter leaves the order"


def test_the_filtered_rows_are_saved(page: Any, site: str, tmp_path: Path) -> None:
    page.goto(f"{site}?team=forms")
    settled(page)
    with page.expect_download() as saving:
        page.get_by_role("link", name="Rows as CSV").click()
    saved = saving.value
    assert saved.suggested_filename == "throughput-2026-10-08-to-2026-10-14-forms.csv"
    saved.save_as(tmp_path / "rows.csv")
    lines = (tmp_path / "rows.csv").read_text().splitlines()
    assert len(lines) > 5
    assert all(",forms," in line for line in lines[1:])


def test_the_report_of_a_day_is_shown_and_runs_nothing(chromium: Any, site: str) -> None:
    context = chromium.new_context()
    context.set_default_timeout(TIMEOUT_S * 1000)
    page = context.new_page()
    page.goto(f"{site}/days/2026-10-07")
    said = page.frame_locator("iframe").locator("#said")
    said.wait_for()
    assert said.inner_text() == "A report"  # and not what its script would make of it
    page.goto(f"{site}/days/2026-10-07/report.html")
    assert page.locator("#said").inner_text() == "A report"
    context.close()


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1280, "dark")])
def test_narrow_and_dark(page: Any, site: str, width: int, scheme: str) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{site}?range=28d")
    settled(page)
    sizes = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert sizes[0] <= sizes[1]  # tables scroll in their boxes, the page does not
    lightness = """(name) => {
      const canvas = document.createElement("canvas").getContext("2d");
      canvas.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name);
      canvas.fillRect(0, 0, 1, 1);
      return canvas.getImageData(0, 0, 1, 1).data.slice(0, 3).reduce((sum, part) => sum + part, 0);
    }"""
    ground, ink = page.evaluate(lightness, "--bg"), page.evaluate(lightness, "--chart-ink")
    assert (ground < ink) == (scheme == "dark")
    page.emulate_media(media="print", color_scheme=scheme)
    assert page.evaluate(lightness, "--bg") == 3 * 255, "paper is white, and browsers print no grounds"
    page.emulate_media(media="screen", color_scheme=scheme)
    reachable = page.locator("#tp-workers .scroll")
    assert reachable.get_attribute("tabindex") == "0"


def test_charts_and_totals_can_be_read_without_seeing(page: Any, site: str) -> None:
    page.goto(site)
    settled(page)
    for figure in page.locator(".tp-charts figure").all():
        drawing = figure.locator("svg:visible")
        label = drawing.get_attribute("aria-labelledby")
        assert page.locator(f"#{label}").text_content()
        assert page.locator(f"#{drawing.get_attribute('aria-describedby')}").text_content()
        assert figure.locator("details table").count() == 1
    ends = page.locator(".tp-charts figure:has-text('Time per task, by day') svg:visible text[font-weight]")
    colours = ends.evaluate_all("all => all.map((each) => getComputedStyle(each).fill)")
    assert len(set(colours)) == 3, "the name of a line has its colour"
    page.get_by_label("Source", exact=True).select_option("public")
    page.wait_for_url("**source=public*")
    page.wait_for_selector("#announcer:not(:empty)")
    assert "tasks submitted" in page.locator("#announcer").inner_text()


def test_without_script(chromium: Any, site: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    context.set_default_timeout(TIMEOUT_S * 1000)
    page = context.new_page()
    page.goto(f"{site}?team=birds")
    page.wait_for_url("**script=no*")
    assert names(page, "teams") == ["birds"]
    page.locator("#tp-team").select_option("forms")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**team=forms*")
    assert names(page, "teams") == ["forms"]
    page.locator("#sort-workers-worker").click()
    page.wait_for_url("**workers=worker*")
    assert names(page, "workers") == sorted(names(page, "workers"), key=lambda name: (name[0] == "n", name))
    context.close()


def test_a_store_that_comes_back_fills_the_page(
    chromium: Any, reports: Path, latest: date, tmp_path: Path
) -> None:
    down = True

    def open_store(uri: str, connection: str) -> Any:
        from groundswell.ledger import FolderStore

        if down:
            raise ConnectionError("Could not connect")
        return FolderStore(Path(uri.removeprefix("file://")))

    serving = Serving(the_app(reports, at(latest), open_store=open_store))
    context = chromium.new_context()
    context.set_default_timeout(TIMEOUT_S * 1000)
    try:
        page = context.new_page()
        page.goto(serving.url)
        page.get_by_role("alert").wait_for()
        assert page.get_by_role("alert").count() == 1
        down = False
        page.get_by_role("button", name="Try again").click()
        page.locator("#tp-workers").wait_for()
        page.locator(".tp-charts figure").first.wait_for()
        page.locator("#tp-anomalies").wait_for()
        assert page.get_by_role("alert").count() == 0
    finally:
        context.close()
        serving.stop()


def test_nothing_yet(page: Any, tmp_path: Path, latest: date) -> None:
    serving = Serving(the_app(settings_file(tmp_path), at(latest)))
    page.goto(serving.url)
    page.get_by_role("heading", name="No reports yet").wait_for()
    settled(page)
    assert (
        page.get_by_role("link", name="the DAG worker_metrics")
        .get_attribute("href")
        .endswith("/dags/worker_metrics")
    )
    serving.stop()
