"""What a real browser lets a page do to the local cloud: show images, and nothing else."""

from __future__ import annotations

import shutil
import struct
import threading
import uuid
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.cloud_process import CloudProcess

pytestmark = [pytest.mark.contract, pytest.mark.browser]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="7" height="7">'
    b'<title>still</title><script>document.title="ran"</script></svg>'
)


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 7, 1, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 8)) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine; install the package chromium to run the browser tests")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """A page of another origin on the same machine; "/opaque" is one of an opaque origin."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            if self.path == "/opaque":
                self.send_header("Content-Security-Policy", "sandbox allow-scripts allow-forms")
            self.end_headers()
            self.wfile.write(b"<!doctype html><body>")

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def presigned(cloud: CloudProcess) -> dict[str, str]:
    """Presigned addresses of an SVG, of a PNG without a proper type, and of a page with a script."""
    s3 = cloud.client("s3", signature_version="s3v4")
    bucket = f"b-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=bucket)
    page = b"<!doctype html><title>still</title><script>document.title='ran'</script>"
    objects = {
        "a.svg": (SVG, "image/svg+xml"),
        "a.png": (png(), "binary/octet-stream"),
        "a.html": (page, "text/html"),
    }
    for key, (body, kind) in objects.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=kind)
    return {
        key: s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}) for key in objects
    }


@pytest.mark.parametrize("where", ["/", "/opaque"])
def test_a_page_elsewhere_shows_images_and_does_nothing_else(
    cloud: CloudProcess, page: Page, elsewhere: str, presigned: dict[str, str], where: str
) -> None:
    page.goto(f"{elsewhere}{where}")
    for name in ("a.svg", "a.png"):
        width = page.evaluate(
            """src => new Promise(done => {
                const image = new Image();
                image.onload = () => done(image.naturalWidth);
                image.onerror = () => done(0);
                image.src = src;
            })""",
            presigned[name],
        )
        assert width == 7, name
    # without a preflight: the query protocol is a plain form
    name = f"evil-{uuid.uuid4().hex[:12]}"
    page.evaluate(
        """([url, form]) => fetch(url, {method: "POST", mode: "no-cors", body: new URLSearchParams(form)})
        .catch(() => null)""",
        [f"{cloud.endpoint_url}/", f"Action=CreateQueue&QueueName={name}"],
    )
    assert not cloud.client("sqs").list_queues(QueueNamePrefix=name).get("QueueUrls")
    page.evaluate("url => fetch(url, {method: 'PUT'}).catch(() => null)", f"{cloud.endpoint_url}/{name}")
    assert name not in [found["Name"] for found in cloud.client("s3").list_buckets()["Buckets"]]
    assert page.evaluate("url => fetch(url).then(r => r.text(), () => null)", presigned["a.html"]) is None


def test_an_object_runs_no_script_and_is_not_of_the_sites_origin(
    page: Page, presigned: dict[str, str]
) -> None:
    page.goto(presigned["a.html"])
    assert page.title() == "still"
    page.goto(presigned["a.svg"])
    assert page.title() == "still"
    assert page.evaluate("self.origin") == "null"


def test_the_site_takes_its_own_forms_and_links_from_elsewhere(
    cloud: CloudProcess, page: Page, elsewhere: str
) -> None:
    page.goto(f"{elsewhere}/")
    page.evaluate("url => { location = url }", f"{cloud.endpoint_url}/worker")
    page.wait_for_url("**/worker/sign-in*")
    page.fill("[name=worker_id]", "A2BROWSERTEST")
    page.click("main button")
    page.wait_for_url("**/worker/hits")
    assert "A2BROWSERTEST" in page.content()


def test_a_question_is_answered_in_its_sandboxed_frame(cloud: CloudProcess, page: Page) -> None:
    mturk = cloud.client("mturk")
    title = f"Browser {uuid.uuid4().hex[:8]}"
    html = (
        "<!doctype html><form method=post action=https://www.mturk.com/mturk/externalSubmit>"
        "<input type=hidden name=assignmentId><input name=label value=setosa><button>Send</button></form>"
    )
    question = (
        '<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/'
        f'HTMLQuestion.xsd"><HTMLContent><![CDATA[{html}]]></HTMLContent><FrameHeight>0</FrameHeight></HTMLQuestion>'
    )
    hit = mturk.create_hit(
        Title=title,
        Description="d",
        Reward="0.01",
        LifetimeInSeconds=600,
        AssignmentDurationInSeconds=600,
        MaxAssignments=1,
        Question=question,
    )["HIT"]["HITId"]
    page.goto(f"{cloud.endpoint_url}/worker/sign-in")
    page.fill("[name=worker_id]", "A2BROWSERTEST")
    page.click("main button")
    page.goto(f"{cloud.endpoint_url}/worker/hits/{hit}")
    page.click("form[action$='/accept'] button")
    frame = page.frame_locator("#task-frame")
    frame.locator("button").click()
    frame.get_by_text("Your answer was recorded").wait_for()
    colour = frame.locator("main.card").evaluate("card => getComputedStyle(card).borderRadius")
    assert colour != "0px", "the site's style sheet did not reach the frame"
    submitted = mturk.list_assignments_for_hit(HITId=hit)["Assignments"]
    assert [found["WorkerId"] for found in submitted] == ["A2BROWSERTEST"]
