from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groundswell.errors import DatasetError
from groundswell.templates.images import MAX_INLINE_BYTES, image_source


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = tmp_path / "images"
    (images / "more").mkdir(parents=True)
    (images / "a.svg").write_bytes(b"<svg/>")
    (images / "more" / "b.JPG").write_bytes(b"\xff\xd8")
    (images / "notes.txt").write_text("x")
    (images / "empty.png").touch()
    (images / "large.png").write_bytes(b"x" * (MAX_INLINE_BYTES + 1))
    (tmp_path / "secret.png").write_bytes(b"x")
    (images / "link.png").symlink_to(tmp_path / "secret.png")
    return images


def test_a_file_becomes_part_of_the_page(folder: Path) -> None:
    source = image_source("a.svg", folder)
    assert source == "data:image/svg+xml;base64," + base64.b64encode(b"<svg/>").decode()
    assert image_source("more/b.JPG", folder).startswith("data:image/jpeg;base64,")


@pytest.mark.parametrize("url", ["https://example.com/a%20b.png?x=1&y=2#z", "https://example.com"])
def test_an_https_url_stays_as_it_is(url: str) -> None:
    assert image_source(url, None) == url


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "the image is empty"),
        (" ", "the image is empty"),
        ("http://example.com/a.png", "cannot be opened by a worker's browser; give an https URL"),
        ("s3://bucket/a.png", "cannot be opened by a worker's browser"),
        ("javascript:alert(1)", "cannot be opened by a worker's browser"),
        ("data:image/png;base64,AAAA", "cannot be opened by a worker's browser"),
        ("file:///etc/passwd", "cannot be opened by a worker's browser"),
        ("https://example.com/a b.png", "is not a valid URL; percent-encode"),
        ('https://example.com/"onerror=', "is not a valid URL"),
        ("https:///a.png", "is not a valid URL"),
        ("../secret.png", "is outside"),
        ("/etc/passwd", "is outside"),
        ("link.png", "is outside"),
        ("none.png", "there is no such file in"),
        ("more", "there is no such file in"),
        ("a\x00.svg", "there is no such file in"),
        ("x" * 5000, "there is no such file in"),
        ("notes.txt", "is not of a known type; use one of .avif, .gif"),
        ("empty.png", "is an empty file"),
        ("large.png", "has 40,001 bytes; at most 40,000 fit into a page"),
    ],
)
def test_other_images_are_refused(folder: Path, value: str, message: str) -> None:
    with pytest.raises(DatasetError) as caught:
        image_source(value, folder)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_file_name_needs_a_folder() -> None:
    with pytest.raises(DatasetError, match=r"the batch has no task\.image_folder"):
        image_source("a.svg", None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text())
def test_nothing_but_dataset_errors_ever_comes_out(folder: Path, value: str) -> None:
    with pytest.raises(DatasetError):
        image_source(value, folder)
