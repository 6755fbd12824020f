"""The items of a run, one item with its answers, and the workers of a run."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from starlette.testclient import TestClient

from groundswell.views.index import RunIndex, Synced
from tests.groundswell.ui.labelling.test_labelling_pages import HOSTILE, words
from tests.groundswell.ui.ui_records import Deployment, Record

RUN = "scheduled__2026-11-22T05:00:00+00:00"


@pytest.fixture
def record(deployment: Deployment) -> Record:
    deployment.batch("flowers")
    return Record(deployment.ledger("flowers", RUN), items=120).write(given_up=3).progress().finish()


def fetched(client: TestClient, part: str, **query: Any) -> str:
    query = {"batch": "flowers", "run_id": RUN, **query}
    answer = client.get(f"/groundswell/labelling/fragments/{part}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.text


def names(text: str) -> list[str]:
    return re.findall(r'<th scope="row"><a [^>]*>([^<]*)</a>', text)


def column(text: str, at: int) -> list[str]:
    rows = re.findall(r"<tr>(.*?)</tr>", text.split("<tbody>")[1], re.DOTALL)
    return [words(re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)[at]) for row in rows]


def test_items_come_fifty_at_a_time_in_the_order_of_the_dataset(record: Record, ann: TestClient) -> None:
    first = fetched(ann, "items")
    assert names(first) == [f"flower-{number:03d}" for number in range(1, 51)]
    assert "120 items" in words(first)
    assert "Page 1 of 3" in words(first)
    last = fetched(ann, "items", page=3)
    assert names(last) == [f"flower-{number:03d}" for number in range(101, 121)]
    assert 'id="page-back"' in last
    assert 'id="page-on"' not in last
    assert "This page is beyond the end" in fetched(ann, "items", page=9)


def test_items_are_filtered_by_status_label_and_id(record: Record, ann: TestClient) -> None:
    assert names(fetched(ann, "items", status="gave_up")) == ["flower-001", "flower-002", "flower-003"]
    assert set(column(fetched(ann, "items", label="setosa"), 2)) == {"setosa"}
    assert set(column(fetched(ann, "items", label=" "), 1)) == {"No agreement"}
    assert "No item fits the filter" in fetched(ann, "items", label="-")  # which may be a label as well
    assert names(fetched(ann, "items", search="FLOWER-11")) == [f"flower-{n}" for n in range(110, 120)]
    nothing = fetched(ann, "items", search="rose")
    assert "No item fits the filter" in nothing
    assert "None of the 120 items" in nothing


def test_items_are_sorted_by_links_that_keep_the_filter(record: Record, ann: TestClient) -> None:
    text = fetched(ann, "items", sort="confidence", order="desc", status="settled", search="flower")
    shown = [float(each.removesuffix("%")) for each in column(text, 3)]
    assert shown == sorted(shown, reverse=True)
    assert 'aria-sort="descending"' in text
    [link] = re.findall(r'id="sort-confidence" data-live href="([^"]*)"', text)
    assert "order=asc" in link
    assert "status=settled" in link
    assert "search=flower" in link
    assert "page=" not in link, "another order begins at its first page"
    assert "sorted by confidence, descending" in text
    assert names(fetched(ann, "items", sort="nonsense"))[0] == "flower-001"


def test_the_way_back_from_an_item_is_to_the_list_it_was_opened_from(record: Record, ann: TestClient) -> None:
    asked = {"status": "settled", "search": "flower", "sort": "cents", "order": "desc", "page": 2}
    there = re.findall(r'<th scope="row"><a href="([^"]*)"', fetched(ann, "items", **asked))[0]
    page = ann.get(html.unescape(there)).text
    [back] = re.findall(r'<li><a href="([^"]*)">Items</a></li>', page)
    query = dict(parse_qsl(urlsplit(html.unescape(back)).query))
    assert query == {"batch": "flowers", "run_id": RUN} | {name: str(value) for name, value in asked.items()}
    assert "sort=" not in re.findall(r'<th scope="row"><a href="([^"]*)"', fetched(ann, "items"))[0]


@pytest.mark.parametrize(("sort", "place"), [("status", 1), ("label", 2)])
def test_items_are_sorted_by_status_and_label(record: Record, ann: TestClient, sort: str, place: int) -> None:
    asked = {"sort": sort, "order": "desc", "search": "flower"}
    found = [column(fetched(ann, "items", page=page, **asked), place) for page in (1, 2, 3)]
    shown = [text for texts in found for text in texts]
    groups = [text for number, text in enumerate(shown) if number == 0 or shown[number - 1] != text]
    expected = {
        "status": ["No agreement", "Settled"],
        "label": ["virginica", "versicolor", "setosa", "\N{EN DASH}"],
    }
    assert groups == expected[sort]
    text = fetched(ann, "items", **asked)
    assert re.findall(r'aria-sort="descending">\s*<a class="sort" id="sort-(\w+)"', text) == [sort]
    assert f"sorted by {sort}, descending" in text


def test_an_item_shows_its_columns_answers_label_and_hit(record: Record, ann: TestClient) -> None:
    text = fetched(ann, "item", item="flower-010")
    shown = words(text)
    assert 'src="data:image/svg+xml;base64,' in text
    assert "sepal_length" in shown
    assert "setosa" in shown
    assert "From workers&#39; answers" in shown
    assert "confidence is a score" in shown
    assert "HIT00009" in shown
    assert "2 of 2 seats" in shown
    assert "$0.12, fees included" in shown
    assert len(column(text, 0)) == 2
    assert all(re.fullmatch("w-[0-9a-f]{10}", worker) for worker in column(text, 0))
    assert all(re.fullmatch(r"\d+ s", took) for took in column(text, 4))
    assert set(column(text, 5)) == {"Paid $0.06"}


@pytest.mark.parametrize("item", ["two\nlines\tand <b>", "a\x00b", " é e\u0301 ", "x" * 8_000], ids=len)
def test_an_item_is_opened_from_the_list_whatever_its_id(record: Record, ann: TestClient, item: str) -> None:
    row = {
        "item": item,
        "hit": "HIT-odd",
        "hit_type": "T",
        "seats": 2,
        "expires": "2026-11-30T00:00:00+00:00",
    }
    record.ledger.append("hits", [row])
    [link] = re.findall(
        r'<th scope="row"><a href="([^"]*)">', fetched(ann, "items", search=item.strip()[:200])
    )
    page = ann.get(html.unescape(link))
    assert page.status_code == 200
    assert "<b>" not in page.text
    assert "HIT-odd" in fetched(ann, "item", item=item)


def test_an_answer_that_cannot_be_read_shows_why(record: Record, ann: TestClient) -> None:
    text = fetched(ann, "item", item="flower-120")
    assert "Unreadable" in text
    assert "&lt;b&gt;setosa&lt;/b&gt;" in text
    assert "<b>setosa" not in text


def test_an_item_that_was_given_up_has_all_answers_and_no_label(record: Record, ann: TestClient) -> None:
    text = fetched(ann, "item", item="flower-001")
    assert "No agreement" in text
    assert "It has no label" in text
    assert len(column(text, 0)) == 5


def test_answers_are_paid_rejected_or_wait(record: Record, ann: TestClient) -> None:
    ledger = record.ledger
    day = "2026-11-22T06:00:00+00:00"
    answer = {
        "item": "flower-004",
        "worker": "A99",
        "accepted": day,
        "submitted": day,
        "label": "setosa",
        "problem": None,
        "answer": "",
    }
    kinds = ("rejected", "withheld", "unpaid")
    ledger.append("answers", [answer | {"assignment": kind} for kind in kinds])
    ledger.append(
        "rejections",
        [{"assignment": "rejected", "item": "flower-004", "worker": "A99", "feedback": "x", "at": day}],
    )
    ledger.append(
        "withheld",
        [
            {
                "assignment": "withheld",
                "item": "flower-004",
                "worker": "A99",
                "at": day,
                "reason": "too fast to have looked",
            }
        ],
    )
    text = fetched(ann, "item", item="flower-004")
    states = dict(zip(column(text, 6), column(text, 5), strict=True))
    assert states["rejected"] == "Rejected"
    assert states["withheld"] == "Waits for a review"
    assert states["unpaid"] == "Not paid yet"
    assert "too fast to have looked" in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("https://images.example/cat.png", '<img src="https://images.example/cat.png"'),
        ("data:image/png;base64,iVBORw0KGgo=", '<img src="data:image/png;base64,iVBORw0KGgo="'),
        ("javascript:alert(1)", None),
        ("http://images.example/cat.png", None),
        ("data:text/html,<script>alert(1)</script>", None),
        (f"https://images.example/{HOSTILE}.png", None),
        ("../../../etc/passwd", None),
    ],
)
def test_only_what_is_an_image_is_shown_as_one(
    deployment: Deployment, ann: TestClient, value: str, shown: str | None
) -> None:
    deployment.batch("flowers")
    values = {"flower-001": {"id": "flower-001", "image": value, "note": f"{HOSTILE}\nsecond line"}}
    Record(deployment.ledger("flowers", RUN), items=2, values=values).write().progress()
    text = fetched(ann, "item", item="flower-001")
    assert ("<img" in text) == (shown is not None)
    assert shown is None or shown in text
    assert "<script>" not in text
    assert "javascript:" not in "".join(re.findall(r'(?:href|src)="([^"]*)"', text))
    assert "&lt;script&gt;" in text


def test_ids_of_items_are_text_and_survive_an_address(deployment: Deployment, ann: TestClient) -> None:
    deployment.batch("flowers")
    odd = 'a/b?c=d&e#f "><img src=x onerror=alert(1)> \u202e \u00e4\u4e2d'
    ledger = deployment.ledger("flowers", RUN)
    record = Record(ledger, items=1)
    from groundswell.ledger.shards import write_shards

    write_shards(ledger, [[{"item": odd, "values": {"id": odd}}]])
    record.counts = dict.fromkeys(
        ("items", "settled", "open", "given_up", "answers", "quarantined", "spent_cents"), 0
    )
    record.progress()
    text = fetched(ann, "items")
    assert "<img" not in text
    [link] = re.findall(r'<th scope="row"><a href="([^"]*)"', text)
    page = ann.get(link.replace("&amp;", "&"))
    assert page.status_code == 200
    assert "<img" not in page.text
    assert words(page.text.split("<h1>")[1].split("</h1>")[0]).startswith("a/b?c=d&amp;e#f")
    assert "Not published yet" in fetched(ann, "item", item=odd)


def test_the_first_look_at_a_large_run_shows_how_far_it_is(
    record: Record, ann: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: Iterable[Synced] = iter(
        [Synced(parts=43, of=100, items_left=9, as_of=None, complete=False, final=False, share=0.26)]
    )
    whole = RunIndex.sync
    monkeypatch.setattr(RunIndex, "sync", lambda *given: next(steps, None) or whole(*given))
    first = fetched(ann, "items")
    assert "Indexing the record, 26%" in first
    assert 'data-refresh="1"' in first
    assert len(names(fetched(ann, "items"))) == 50


def test_a_list_that_is_a_little_behind_says_so(
    record: Record, ann: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched(ann, "items")
    whole = RunIndex.sync
    monkeypatch.setattr(RunIndex, "sync", lambda *given: replace(whole(*given), complete=False))
    text = fetched(ann, "items")
    assert "the list is a little behind" in text
    assert 'data-refresh="3"' in text
    assert len(names(text)) == 50


def test_workers_are_listed_by_pseudonym(record: Record, ann: TestClient) -> None:
    text = fetched(ann, "workers")
    assert len(column(text, 0)) == len(record.workers)
    answers = [int(each) for each in column(text, 1)]
    assert answers == sorted(answers, reverse=True)
    assert sum(answers) == record.counts["answers"]
    assert not [worker for worker in record.workers if worker in text]


def test_an_empty_run_has_designed_lists(deployment: Deployment, ann: TestClient) -> None:
    deployment.batch("flowers")
    deployment.ledger("flowers", RUN).append("spend", [{"at": "2026-11-22T05:00:00+00:00"}])
    assert "No items yet" in fetched(ann, "items")
    assert "Nobody has answered yet" in fetched(ann, "workers")


def test_the_index_is_private(record: Record, deployment: Deployment, ann: TestClient) -> None:
    fetched(ann, "workers")
    cache = deployment.folder / "cache"
    assert cache.stat().st_mode & 0o777 == 0o700
    assert list(cache.iterdir())


def test_raw_ids_of_workers_are_on_no_page(record: Record, ann: TestClient) -> None:
    texts = [fetched(ann, "run"), fetched(ann, "items"), fetched(ann, "workers")]
    texts += [fetched(ann, "item", item=f"flower-{number:03d}") for number in (1, 60, 120)]
    for text in texts:
        assert not [worker for worker in record.workers if worker in text]
