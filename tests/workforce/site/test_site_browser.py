"""The site in a real browser: above all, that a sandboxed form on an opaque origin arrives."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from workforce.market import Market
from workforce.site import site_app
from workforce.store import Store

pytestmark = pytest.mark.browser

ACCOUNT = "000000000000"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
TIMEOUT_S = 90  # the machine may be busy with other things
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
XMLNS = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas"
# hard-coded address, empty assignment id: as requesters publish it for the real site
FORM = """<form method="post" action="https://www.mturk.com/mturk/externalSubmit">
<input type="hidden" name="assignmentId" value=""><fieldset><legend>Which species?</legend>
<label><input type="radio" name="label" value="setosa" required> setosa</label>
<label><input type="radio" name="label" value="virginica"> virginica</label></fieldset>
<button>Submit</button></form>"""
# a form that exists only once a script has run, and is sent by a script
SCRIPTED = """<p id="seen"></p><button id="go" type="button">Send</button><script>
const look = (name, get) => {
  try { return name + "=" + String(get()); } catch (error) { return name + "=" + error.name; }
};
document.getElementById("seen").textContent = [
  look("origin", () => self.origin), look("cookie", () => document.cookie),
  look("parent", () => parent.document.title),
].join(" ");
if (top !== self) look("top", () => { top.location = "/worker/work"; });
document.getElementById("go").onclick = () => {
  const form = document.createElement("form");
  form.method = "post";
  form.action = "https://workersandbox.mturk.com/mturk/externalSubmit";
  form.innerHTML = '<input name="label" value="scripted">';
  document.body.append(form);
  form.submit();
};</script>"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine; install the package chromium to run the browser tests")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS, timeout=TIMEOUT_S * 1000
        )
        yield browser
        browser.close()


@pytest.fixture
def shop(tmp_path: Path) -> Market:
    market = Market(Store.open(f"sqlite:///{tmp_path / 'workforce.db'}"))
    market.requester.accounts.ensure_account(ACCOUNT, name="Iris Lab", opening_cents=100_000, mode="ledger")
    return market


@pytest.fixture
def put_out(shop: Market) -> Callable[[str], str]:
    def one(html: str, duration: int = 3600) -> str:
        page = f"<!DOCTYPE html><html lang=en><title>Task</title><body>{html}</body></html>"
        content = f"<HTMLContent><![CDATA[{page}]]></HTMLContent><FrameHeight>0</FrameHeight>"
        params = {
            "Title": "Classify images of flowers",
            "Description": "Provide the species of iris in each image",
            "Reward": "0.05",
            "MaxAssignments": 2,
            "LifetimeInSeconds": 3600,
            "AssignmentDurationInSeconds": duration,
            "Question": f'<HTMLQuestion xmlns="{XMLNS}/2011-11-11/HTMLQuestion.xsd">{content}</HTMLQuestion>',
        }
        return str(shop.requester.call("CreateHIT", ACCOUNT, params)["HIT"]["HITId"])

    return one


@pytest.fixture
def site(shop: Market) -> Iterator[str]:
    config = uvicorn.Config(site_app(shop, secret="s", public_url=None), port=0, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + TIMEOUT_S
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    assert server.started, f"the site did not start within {TIMEOUT_S} s"
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://localhost:{port}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def page(chromium: Any, site: str) -> Iterator[Any]:
    context = chromium.new_context(base_url=site)
    context.set_default_timeout(TIMEOUT_S * 1000)
    yield context.new_page()
    context.close()


def answers(shop: Market, hit: str) -> list[str]:
    found = shop.requester.call("ListAssignmentsForHIT", ACCOUNT, {"HITId": hit})
    return [turn["Answer"] for turn in found["Assignments"]]


def reviewed(shop: Market, hit: str, worker: str) -> None:
    """The worker did the HIT, was rejected, told so, and given something for it; all in long words."""
    turn = shop.workers.accept(worker, hit).assignment_id
    shop.workers.submit(turn, [("label", "setosa")], worker_id=worker)
    calls = {
        "RejectAssignment": {"AssignmentId": turn, "RequesterFeedback": "Too short. " + "petal" * 30},
        "SendBonus": {"AssignmentId": turn, "WorkerId": worker, "BonusAmount": "1.20", "Reason": "x" * 90},
        "NotifyWorkers": {"WorkerIds": [worker], "Subject": "y" * 90, "MessageText": "<b>\n" + "z" * 90},
    }
    for operation, params in calls.items():
        shop.requester.call(operation, ACCOUNT, params)


def sign_in(page: Any) -> None:
    page.goto("/worker")
    # The field has the focus by itself, but only once the page is painted
    page.wait_for_function("document.activeElement?.name === 'worker_id'")
    page.keyboard.type("a2worker")
    page.keyboard.press("Enter")
    page.wait_for_url("**/worker/hits")


def press_until(page: Any, what: Callable[[], bool], key: str = "Tab", times: int = 30) -> None:
    for _ in range(times):
        if what():
            return
        page.keyboard.press(key)
    raise AssertionError("the keyboard does not get there")


def focused(page: Any) -> str:
    return str(page.evaluate("document.activeElement.innerText || document.activeElement.id"))


def test_a_worker_does_two_hits_with_the_keyboard_alone(
    page: Any, shop: Market, put_out: Callable[..., str]
) -> None:
    first, second = put_out(FORM), put_out(FORM)
    sign_in(page)
    press_until(page, lambda: focused(page).startswith("Accept and work"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/worker/assignments/**")

    task = page.frame_locator("#task-frame")
    task.get_by_label("setosa").wait_for()
    press_until(page, lambda: bool(task.locator("input:focus").count()))
    page.keyboard.press("ArrowDown")
    assert task.get_by_label("virginica").is_checked()
    page.keyboard.press("Enter")
    task.get_by_role("heading", name="Thank you").wait_for()
    (xml,) = answers(shop, first)
    assert "<FreeText>virginica</FreeText>" in xml

    page.get_by_role("status").filter(has_text="This HIT is submitted.").wait_for(state="attached")
    assert page.get_by_role("button", name="Return").is_hidden()
    assert page.get_by_role("link", name="Continue").is_visible()

    press_until(page, lambda: bool(task.locator("a:focus", has_text="Next HIT").count()))
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/worker/hits/{second}#accept")
    assert focused(page).startswith("Accept and work")
    page.keyboard.press("Enter")
    page.wait_for_url("**/worker/assignments/**")
    assert [turn.hit_id for turn in shop.workers.held("A2WORKER")] == [second]


def test_a_scripted_form_arrives_and_its_page_is_nobody_here(
    page: Any, shop: Market, put_out: Callable[..., str]
) -> None:
    hit = put_out(SCRIPTED)
    sign_in(page)
    page.get_by_role("button", name="Accept and work").click()
    task = page.frame_locator("#task-frame")
    seen = task.locator("#seen").inner_text()
    assert "origin=null" in seen
    assert "cookie=SecurityError" in seen
    assert "parent=SecurityError" in seen
    assert "/worker/assignments/" in page.url, "the page in the frame must not move the site away"
    task.get_by_role("button", name="Send").click()
    task.get_by_role("heading", name="Thank you").wait_for()
    (xml,) = answers(shop, hit)
    assert "<FreeText>scripted</FreeText>" in xml


def test_a_question_opened_outside_of_the_frame_is_still_confined(
    page: Any, put_out: Callable[..., str]
) -> None:
    hit = put_out(SCRIPTED)
    sign_in(page)
    page.goto(f"/worker/question/preview/{hit}")
    seen = page.locator("#seen").inner_text()
    assert "origin=null" in seen
    assert "cookie=SecurityError" in seen


def test_a_preview_cannot_be_submitted(page: Any, shop: Market, put_out: Callable[..., str]) -> None:
    hit = put_out(FORM)
    sign_in(page)
    page.get_by_role("link", name="Preview").click()
    task = page.frame_locator("#task-frame")
    task.get_by_label("setosa").check()
    task.get_by_role("button", name="Submit").click()
    task.get_by_role("heading", name="Please accept the HIT first").wait_for()
    assert answers(shop, hit) == []


def test_the_clock_runs_and_says_when_time_is_over(page: Any, put_out: Callable[..., str]) -> None:
    put_out(FORM, duration=600)
    page.clock.install()
    sign_in(page)
    page.get_by_role("button", name="Accept and work").click()
    clock, said = page.locator("#clock"), page.locator("#announce")
    clock.wait_for()
    page.wait_for_load_state("load")  # the server wrote the clock; the script that moves it comes last
    seconds = int(page.locator("#bar").get_attribute("data-seconds"))
    page.clock.run_for(5_000)
    minutes, _, rest = clock.inner_text().partition(":")
    assert seconds - 120 < int(minutes) * 60 + int(rest) <= seconds - 4
    assert said.inner_text() == ""
    page.clock.run_for(600_000)
    assert clock.inner_text() == "time over"
    assert said.inner_text() == "The time for this HIT is over."


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out_on_a_narrow_screen(
    chromium: Any, site: str, shop: Market, put_out: Callable[..., str], scheme: Any
) -> None:
    hit = put_out(FORM)
    context = chromium.new_context(base_url=site, viewport={"width": 320, "height": 640}, color_scheme=scheme)
    context.set_default_timeout(TIMEOUT_S * 1000)
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    sign_in(page)
    reviewed(shop, hit, "A2WORKER")
    for path in ("/worker/hits", "/worker/work", "/worker/messages", f"/worker/hits/{hit}", "/worker/none"):
        page.goto(path)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 320, f"{path} is {width} px wide"
        assert page.locator("main, [role=main]").count() == 1
    context.close()
    assert troubles == []


def test_a_worker_reads_feedback_and_messages_with_the_keyboard_alone(
    page: Any, shop: Market, put_out: Callable[..., str]
) -> None:
    hit = put_out(FORM)
    shop.workers.ensure_worker("A2WORKER")
    reviewed(shop, hit, "A2WORKER")
    sign_in(page)
    assert page.locator("nav .count").inner_text().split() == ["1", "unread"]
    press_until(page, lambda: focused(page).startswith("Messages"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/worker/messages")
    assert page.locator(".message .text").inner_text().startswith("<b>\nzzz")
    assert page.locator("nav .count").count() == 0
    press_until(page, lambda: focused(page) == "My work")
    page.keyboard.press("Enter")
    page.wait_for_url("**/worker/work")
    rejected = page.get_by_role("region", name="Rejected")
    assert rejected.get_by_text("Too short.").is_visible()
    assert page.get_by_role("region", name="Bonuses").get_by_text("$1.20").is_visible()
