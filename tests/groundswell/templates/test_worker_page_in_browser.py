"""The image classification page in Chromium, with no network: the site around it is played by the test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from groundswell.batches.model import Batch
from groundswell.templates.images import image_source
from groundswell.templates.render import TaskText, render_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]

BATCH = Batch.load(Path(__file__).parents[3] / "include" / "batches" / "iris.yaml")
SITE = "https://site.example"
ACCEPTED = "?assignmentId=3ABC&hitId=H1&workerId=A1&turkSubmitTo=https%3A%2F%2Fsite.example"


class Site:
    """Serves the page, and keeps what is posted."""

    def __init__(self, context: Any, image: str) -> None:
        self.posts: list[tuple[str, list[tuple[str, str]]]] = []
        self._html = render_page(
            BATCH.task.template, item={}, item_id="iris-007", task=TaskText.of(BATCH.task), image_src=image
        )
        context.route("**/*", self._answer)
        self.page = context.new_page()

    def _answer(self, route: Any) -> None:
        request = route.request
        if request.method == "POST":
            self.posts.append((request.url, parse_qsl(request.post_data, keep_blank_values=True)))
            route.fulfill(body="thanks")
        elif request.url.endswith(".png"):
            route.fulfill(status=404)
        else:
            route.fulfill(body=self._html, content_type="text/html")

    def open(self, query: str) -> Any:
        self.page.goto(f"{SITE}/task{query}")
        return self.page


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@pytest.fixture
def site(browser: Any) -> Iterator[Site]:
    context = browser.new_context()
    yield Site(context, image_source("flower-a.svg", BATCH.task.image_folder))
    context.close()


def test_a_worker_answers_with_two_keys(site: Site) -> None:
    page = site.open(ACCEPTED)
    page.keyboard.press("3")
    assert page.inner_text("#state") == "Chosen: Virginica"
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{SITE}/mturk/externalSubmit")
    assert site.posts == [
        (
            f"{SITE}/mturk/externalSubmit",
            [("assignmentId", "3ABC"), ("item", "iris-007"), ("label", "setosa")],
        )
    ]


def test_without_a_site_in_the_query_the_answer_goes_to_mechanical_turk(site: Site) -> None:
    page = site.open("?assignmentId=3ABC")
    page.check("text=Versicolor")
    page.click("#submit")
    page.wait_for_url("https://www.mturk.com/mturk/externalSubmit")
    assert dict(site.posts[0][1])["label"] == "versicolor"


def test_no_answer_without_a_choice(site: Site) -> None:
    page = site.open(ACCEPTED)
    page.click("#submit")
    assert page.evaluate("document.querySelector('[name=label]').validity.valueMissing")
    assert site.posts == []


@pytest.mark.parametrize("query", ["?assignmentId=ASSIGNMENT_ID_NOT_AVAILABLE", ""])
def test_a_preview_cannot_be_submitted(site: Site, query: str) -> None:
    page = site.open(query)
    assert page.is_visible("#preview")
    assert page.is_disabled("#submit")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    page.evaluate("document.getElementById('form').requestSubmit()")
    assert page.input_value("#assignmentId") == ""
    assert site.posts == []


def test_number_keys_keep_out_of_the_way(site: Site) -> None:
    page = site.open(ACCEPTED)
    page.evaluate("document.querySelector('main').append(document.createElement('textarea'))")
    page.focus("textarea")
    page.keyboard.press("1")
    assert page.input_value("textarea") == "1"
    page.evaluate("document.querySelector('textarea').blur()")
    page.keyboard.press("9")
    page.keyboard.press("Control+1")
    page.uncheck("#keys input")
    page.keyboard.press("1")
    assert page.locator("[name=label]:checked").count() == 0
    page.check("#keys input")
    page.keyboard.press("1")
    assert page.locator("[name=label]:checked").count() == 1


def test_an_answer_is_sent_once(site: Site) -> None:
    page = site.open(ACCEPTED)
    page.keyboard.press("2")
    page.evaluate("const form = document.getElementById('form'); form.requestSubmit(); form.requestSubmit()")
    page.wait_for_url("**/mturk/externalSubmit")
    assert len(site.posts) == 1


def test_a_script_address_is_not_followed(site: Site) -> None:
    page = site.open("?assignmentId=3ABC&turkSubmitTo=javascript%3Aalert(1)")
    assert (
        page.evaluate("document.getElementById('form').action")
        == "https://www.mturk.com/mturk/externalSubmit"
    )


def test_an_image_that_does_not_load_is_told(browser: Any, site: Site) -> None:
    assert not site.open(ACCEPTED).is_visible("#broken")
    context = browser.new_context()
    page = Site(context, f"{SITE}/none.png").open(ACCEPTED)
    page.wait_for_selector("#broken", state="visible")
    context.close()


def test_without_scripts_the_page_still_shows_and_says_so(browser: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = Site(context, image_source("flower-a.svg", BATCH.task.image_folder)).open(ACCEPTED)
    assert page.is_visible("noscript .note")
    assert page.is_visible("img")
    assert page.locator("[name=label]").count() == 3
    context.close()


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_is_cut_off(site: Site, width: int) -> None:
    site.page.set_viewport_size({"width": width, "height": 700})
    page = site.open(ACCEPTED)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


_TEXTS = "h1, .about, .note, legend, .choice span, kbd, button, .state, .keys, summary, .instructions"
_CONTRAST = """texts => {
  const channel = c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = css => {
    const [r, g, b] = css.match(/[\\d.]+/g).map(Number);
    return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  };
  const behind = element => {
    const color = getComputedStyle(element).backgroundColor;
    return /, 0\\)$/.test(color) ? behind(element.parentElement) : color;
  };
  return [...document.querySelectorAll(texts)].map(element => {
    const [dark, pale] = [light(getComputedStyle(element).color), light(behind(element))]
      .sort((a, b) => a - b);
    return [element.className || element.tagName, (pale + 0.05) / (dark + 0.05)];
  }).filter(([, ratio]) => ratio < 4.5);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_the_contrast_of_wcag_aa(site: Site, scheme: str) -> None:
    site.page.emulate_media(color_scheme=scheme)
    page = site.open(ACCEPTED)
    page.keyboard.press("2")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
        "rgb(245, 244, 240)" if scheme == "light" else "rgb(23, 25, 28)"
    )
    assert page.evaluate(_CONTRAST, _TEXTS) == []
