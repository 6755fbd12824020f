"""What the script of the pages does, in a real browser: fragments, address, focus, theme, sorting, states."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from groundswell.errors import LedgerError
from tests.groundswell.ui.conftest import mounted
from tests.groundswell.ui.ui_records import Deployment, Record

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
TIMEOUT_MS = 60_000  # the machine may be busy with other things
RUN = "manual__2026-11-22T05:00:00+00:00_" + "abcdef" * 8
SANDBOX = "allow-scripts allow-same-origin allow-forms allow-downloads"


class Shop:
    """A server with one batch whose store can be made to fail."""

    def __init__(self, folder: Path) -> None:
        self.deployment = Deployment(folder)
        self.deployment.batch("flowers")
        self.record = Record(self.deployment.ledger("flowers", RUN), items=120).write(done=0.8).progress()
        self.broken = False
        self.requests: list[str] = []
        app = mounted(self.deployment.sources(open_store=self.open_store))
        app.add_api_route("/frame", self.frame, methods=["GET"])
        app.add_api_route("/dags/{rest:path}", lambda rest: HTMLResponse("<h1>Airflow</h1>"), methods=["GET"])
        self.server = uvicorn.Server(uvicorn.Config(self.counting(app), port=0, log_level="warning"))
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.02)
        self.url = f"http://127.0.0.1:{self.server.servers[0].sockets[0].getsockname()[1]}"

    def counting(self, app: FastAPI) -> Any:
        async def counted(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                self.requests.append(scope["path"])
            await app(scope, receive, send)

        return counted

    def open_store(self, uri: str, connection: str) -> Any:
        if self.broken:
            raise LedgerError("the bucket is gone; create it")
        return self.deployment.open_store(uri, connection)

    def frame(self, to: str, theme: str = "light") -> HTMLResponse:
        """Airflow's part: a frame in a page with a theme that takes the frame's address into its own."""
        return HTMLResponse(
            f'<html class="{theme}"><body><iframe sandbox="{SANDBOX}" src="{to}" width="1000" height="800">'
            "</iframe><script>const frame = document.querySelector('iframe');"
            "frame.addEventListener('load', () => { document.title = frame.contentWindow.location.search; });"
            "</script></body></html>"
        )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    shop = Shop(tmp_path_factory.mktemp("pages"))
    yield shop
    shop.server.should_exit = True
    shop.thread.join(timeout=30)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine; install the package chromium to run the browser tests")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS, timeout=TIMEOUT_MS)
        yield running
        running.close()


@pytest.fixture
def page(shop: Shop, browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    context.set_default_timeout(TIMEOUT_MS)
    context.add_cookies([{"name": "_token", "value": "ann", "url": shop.url}])
    page = context.new_page()
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on(
        "console",
        lambda message: page.problems.append(message.text) if "Security Policy" in message.text else None,
    )
    shop.broken = False
    yield page
    assert page.problems == []
    context.close()


def items(shop: Shop, **query: str) -> str:
    given = "".join(f"&{name}={value}" for name, value in query.items())
    return f"{shop.url}/groundswell/labelling/items?batch=flowers&run_id={RUN.replace('+', '%2B')}{given}"


def first_item(page: Any) -> str:
    return str(page.locator("table.items tbody th").first.inner_text())


def test_filters_sorting_and_pages_are_in_the_address(shop: Shop, page: Any) -> None:
    page.goto(items(shop))
    page.get_by_label("Status", exact=True).select_option("settled")
    page.wait_for_url("**status=settled**")
    page.get_by_text("items of 120").wait_for()
    page.get_by_role("link", name="Answers / seats").click()
    page.locator('th[aria-sort="descending"]').wait_for()
    page.get_by_role("link", name="Next").click()
    page.wait_for_url("**page=2**")
    page.get_by_text("Page 2 of").wait_for()
    shown = first_item(page)
    page.reload()
    page.get_by_text("Page 2 of").wait_for()
    assert first_item(page) == shown
    assert page.get_by_label("Status", exact=True).input_value() == "settled"
    page.go_back()
    page.get_by_text("Page 1 of").wait_for()
    page.get_by_label("Status", exact=True).select_option("gave_up")
    page.wait_for_url("**status=gave_up**")
    assert "sort=answers&order=desc" in page.url, "another filter leaves the order"
    page.get_by_role("button", name="Clear").click()
    page.wait_for_url(lambda url: "status" not in url)
    assert page.get_by_label("Status", exact=True).input_value() == ""


def test_the_keyboard_sorts_and_keeps_its_place(shop: Shop, page: Any) -> None:
    page.goto(items(shop))
    page.locator("#sort-item").focus()
    page.keyboard.press("Enter")
    page.locator('th[aria-sort="ascending"]').wait_for()
    assert page.evaluate("document.activeElement.id") == "sort-item"
    page.keyboard.press("Enter")
    page.locator('th[aria-sort="descending"]').wait_for()
    assert page.evaluate("document.activeElement.id") == "sort-item"
    assert first_item(page) == "flower-120"
    assert "sorted by item, descending" in page.locator("#announcer").inner_text()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "sort-status"
    page.keyboard.press("Enter")
    page.get_by_role("columnheader", name="Status").and_(page.locator("[aria-sort=ascending]")).wait_for()
    assert page.evaluate("document.activeElement.id") == "sort-status"


def test_the_first_thing_that_the_keyboard_meets_skips_to_the_content(shop: Shop, page: Any) -> None:
    page.goto(items(shop))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_typing_filters_without_losing_what_is_typed(shop: Shop, page: Any) -> None:
    page.goto(items(shop))
    page.get_by_text("120 items").first.wait_for()
    page.get_by_label("Find an item").press_sequentially("flower-09", delay=30)
    page.get_by_text("10 items").first.wait_for()
    assert page.get_by_label("Find an item").input_value() == "flower-09"
    assert page.evaluate("document.activeElement.id") == "search"


def test_tables_sort_in_the_browser_with_what_has_no_value_last(shop: Shop, page: Any) -> None:
    page.goto(items(shop).replace("/items", "/workers"))
    table = page.locator("table#workers")
    table.wait_for()
    answers = table.get_by_role("button", name="Answers")
    answers.focus()
    for order, reverse in (("ascending", False), ("descending", True)):
        page.keyboard.press("Enter")
        table.locator(f'th[aria-sort="{order}"]').wait_for()
        shown = [int(text) for text in table.locator("tbody td:nth-child(2)").all_inner_texts()]
        assert shown == sorted(shown, reverse=reverse)
    assert "Sorted by Answers, descending" in page.locator("#announcer").inner_text()


def test_a_store_that_fails_leaves_what_was_there_and_says_so(shop: Shop, page: Any) -> None:
    page.goto(items(shop))
    page.get_by_text("120 items").first.wait_for()
    shop.broken = True
    page.evaluate("groundswell.load(document.querySelector('[data-fragment]'))")
    page.get_by_text("Could not refresh").wait_for()
    assert first_item(page) == "flower-001"
    shop.broken = False
    page.get_by_role("button", name="Try again").click()
    page.get_by_text("Could not refresh").wait_for(state="detached")


def test_a_store_that_fails_at_first_says_what_to_do(shop: Shop, page: Any) -> None:
    shop.broken = True
    page.goto(items(shop))
    page.get_by_role("heading", name="The data cannot be read", level=1).wait_for()
    page.get_by_text("the bucket is gone; create it").wait_for()
    shop.broken = False
    page.goto(f"{shop.url}/groundswell/labelling")
    page.get_by_role("article", name="flowers").wait_for()


def test_a_sign_in_that_ends_is_told_at_the_next_look(shop: Shop, page: Any) -> None:
    page.goto(items(shop))
    page.get_by_text("120 items").first.wait_for()
    page.context.clear_cookies()
    page.get_by_role("link", name="Answers / seats").click()
    page.get_by_role("heading", name="Your sign-in has ended").wait_for()


def test_updates_can_be_paused(shop: Shop, page: Any) -> None:
    page.goto(f"{shop.url}/groundswell/labelling")
    pause = page.get_by_role("button", name="Pause updates")
    pause.click()
    resume = page.get_by_role("button", name="Resume updates")
    assert resume.get_attribute("aria-pressed") == "true"
    assert "Updates are paused" in page.locator("#announcer").inner_text()
    resume.click()
    assert pause.get_attribute("aria-pressed") == "false"


def test_a_refresh_keeps_focus_and_what_is_open(shop: Shop, page: Any) -> None:
    page.goto(items(shop).replace("/items", "/run"))
    page.get_by_text("The same as a table").click()
    for place in ("a >> text=Open the run in Airflow", "#timeline-table summary"):
        page.locator(place).focus()
        page.evaluate("document.activeElement.dataset.old = 'yes'")
        page.evaluate("groundswell.load(document.querySelector('[data-fragment]'))")
        page.locator("[data-old]").wait_for(state="detached")
        page.locator("[data-fragment]:not([aria-busy])").wait_for()
        assert page.locator(place).evaluate("each => each === document.activeElement"), place
    assert page.locator("#timeline-table").get_attribute("open") is not None


def test_in_the_frame_it_follows_airflows_theme_and_address(shop: Shop, page: Any) -> None:
    page.goto(f"{shop.url}/frame?theme=dark&to=/groundswell/labelling")
    inside = page.frame_locator("iframe")
    inside.get_by_role("article", name="flowers").wait_for()
    assert inside.locator("html").get_attribute("data-theme") == "dark"
    page.evaluate("document.documentElement.className = 'light'")
    inside.locator('html[data-theme="light"]').wait_for()
    inside.get_by_label("Find a batch").fill("flow")
    page.wait_for_function("document.title === '?q=flow'")
    inside.get_by_role("link", name="Run of flowers in Airflow").click()
    page.wait_for_url("**/dags/labeling_flowers/runs/**")


@pytest.mark.parametrize("width", [390, 1920])
def test_pages_fit_the_window(shop: Shop, page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for path in ("labelling", "batch", "run", "items", "item", "workers"):
        address = items(shop, item="flower-010").replace("/items", f"/{path}" if path != "labelling" else "")
        page.goto(address)
        page.locator("[data-fragment]:not([aria-busy]) > *").first.wait_for()
        page.locator(".skeleton").wait_for(state="detached")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_what_people_need_has_a_name_and_an_order(shop: Shop, page: Any) -> None:
    for path in ("labelling", "run", "items", "item", "workers"):
        address = items(shop, item="flower-010").replace("/items", f"/{path}" if path != "labelling" else "")
        page.goto(address)
        page.locator(".skeleton").wait_for(state="detached")
        found = page.evaluate(
            """() => ({
              h1: document.querySelectorAll('h1').length,
              mains: document.querySelectorAll('main').length,
              tables: [...document.querySelectorAll('table')].filter((t) => !t.caption).length,
              heads: [...document.querySelectorAll('th')].filter((t) => !t.scope).length,
              fields: [...document.querySelectorAll('input:not([type=hidden]), select')]
                .filter((f) => !f.labels.length).length,
              images: document.querySelectorAll(
                'img:not([alt]), svg:not([aria-hidden]):not([aria-label])').length,
              ids: [...document.querySelectorAll('[id]')].length - new Set(
                [...document.querySelectorAll('[id]')].map((e) => e.id)).size,
              nameless: [...document.querySelectorAll('a, button')].filter(
                (e) => !e.textContent.trim() && !e.getAttribute('aria-label')).length,
              levels: [...document.querySelectorAll('h1,h2,h3,h4')].map((h) => Number(h.tagName[1]))
                .some((level, at, all) => at && level - all[at - 1] > 1),
            })"""
        )
        expected = dict.fromkeys(found, 0) | {"h1": 1, "mains": 1, "levels": False}
        assert found == expected, path
