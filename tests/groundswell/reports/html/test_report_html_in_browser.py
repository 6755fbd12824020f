from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from groundswell.reports.html.render import render_day
from tests.groundswell.reports.html import report_tables as made

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (rgb) => {
    const [r, g, b] = rgb.slice(0, 3).map((v) => {
      v /= 255;
      return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  let worst = [99, ""];
  for (const element of document.querySelectorAll("body *")) {
    const said = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!said || !element.checkVisibility() || ["title", "desc"].includes(element.localName)) continue;
    const style = getComputedStyle(element);
    const drawn = element.localName === "text";
    const a = light(parse(drawn ? style.fill : style.color)), b = light(ground(element));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst[0]) worst = [ratio, element.outerHTML.slice(0, 120)];
  }
  return worst;
}"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine; install the package chromium to run the browser tests")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=120_000)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    found = {}
    for name, day in (("usual", made.usual_day()), ("nasty", made.nasty_day()), ("nothing", made.nothing())):
        found[name] = folder / f"{name}.html"
        found[name].write_text(render_day(*day, made.settings()), "utf-8")
    return found


@pytest.fixture
def opened(chromium: Any, files: dict[str, Path]) -> Iterator[Any]:
    """Opens a report; what it asks for and complains about is listed in its second and third value."""
    contexts = []

    def one(name: str, **options: Any) -> tuple[Any, list[str], list[str]]:
        context = chromium.new_context(**options)
        contexts.append(context)
        asked: list[str] = []
        said: list[str] = []
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.goto(files[name].as_uri())
        return page, asked, said

    yield one
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", ["usual", "nasty", "nothing"])
def test_nothing_is_asked_for_and_nothing_complains(opened, files, name) -> None:
    page, asked, said = opened(name)
    page.locator("details").evaluate_all("all => all.forEach((each) => { each.open = true; })")
    assert asked == [files[name].as_uri()]
    assert said == []
    assert page.evaluate("document.scripts.length") == 0


@pytest.mark.parametrize("name", ["usual", "nasty"])
@pytest.mark.parametrize("width", [390, 768, 1280])
def test_the_page_never_scrolls_sideways(opened, name, width) -> None:
    page, _, _ = opened(name, viewport={"width": width, "height": 900})
    page.locator("details").evaluate_all("all => all.forEach((each) => { each.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cut = "all => all.filter((each) => each.scrollWidth > each.clientWidth).length"
    assert page.locator(".state .scroll").evaluate_all(cut) == 0, "what changed is seen without scrolling"
    drawn = page.locator(".chart svg").evaluate_all(
        "all => all.filter((at) => at.checkVisibility()).map((at) => at.getBoundingClientRect().right)"
    )
    assert max(drawn) <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read_in_both_themes(opened, scheme) -> None:
    page, _, _ = opened("usual", color_scheme=scheme)
    ratio, where = page.evaluate(CONTRAST)
    assert ratio >= 4.5, where
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 23, 22)"
    assert dark == (scheme == "dark")


def test_one_drawing_of_a_wide_chart_is_shown(opened) -> None:
    for width, shown in ((1280, "chart-wide"), (390, "chart-narrow")):
        page, _, _ = opened("usual", viewport={"width": width, "height": 900})
        seen = page.locator(".chart-full > div").evaluate_all(
            "all => all.filter((each) => each.checkVisibility()).map((each) => each.className)"
        )
        assert set(seen) == {shown}


def test_the_report_is_used_by_keyboard(opened) -> None:
    page, _, _ = opened("usual")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    closed = page.locator(".chart-numbers").first
    closed.locator("summary").focus()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert closed.evaluate("each => each.open")


def test_a_print_is_black_on_white_and_repeats_the_heads_of_tables(opened) -> None:
    page, _, _ = opened("usual", color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(0, 0, 0)"
    assert (
        page.locator("thead").first.evaluate("each => getComputedStyle(each).display") == "table-header-group"
    )
    assert page.locator("nav").is_hidden()
    ratio, where = page.evaluate(CONTRAST)
    assert ratio >= 4.5, where
    assert page.pdf(prefer_css_page_size=True)[:4] == b"%PDF"
