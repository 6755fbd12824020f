"""Pages of items: every filter, sort and search against the whole list."""

from __future__ import annotations

import base64
import contextlib
import functools
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groundswell.ledger import Ledger
from groundswell.ledger.shards import write_shards
from groundswell.views import paging, searching
from groundswell.views.index import STATUSES, RunIndex
from groundswell.views.paging import SORTS, ItemRow
from groundswell.views.record_rows import plain
from tests.groundswell.views.index_ledgers import complete, hit, index_at, small_ledger
from tools.chaos.memory_store import MemoryStore


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> RunIndex:
    ledger = small_ledger(MemoryStore(), items=300)
    return complete(index_at(tmp_path_factory.mktemp("pages") / "index.sqlite"), ledger)


@functools.cache
def whole_list(index: RunIndex) -> tuple[ItemRow, ...]:
    return index.items(size=500).rows


class TestPages:
    @settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        status=st.sampled_from([None, "open", "settled", "gave_up", "waiting", "lost"]),
        label=st.sampled_from([None, "setosa", "virginica", "", "none such"]),
        search=st.sampled_from(["", "item-1", "ITEM-29", "9", "-2", "none such", "%", "_"]),
        sort=st.sampled_from(SORTS),
        descending=st.booleans(),
        page=st.integers(1, 8),
        size=st.integers(1, 60),
        few=st.sampled_from([0, 20, 20_000]),
    )
    def test_every_page_is_what_filtering_and_sorting_all_rows_gives(
        self,
        index: RunIndex,
        status: str | None,
        label: str | None,
        search: str,
        sort: str,
        few: int,
        **paged: Any,
    ) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(paging, "_FEW", few)  # up to so many are sorted, more are met in order
            self.check_page(index, status, label, search, sort, **paged)

    def check_page(
        self, index: RunIndex, status: str | None, label: str | None, search: str, sort: str, **paged: Any
    ) -> None:
        everything = whole_list(index)
        wanted = [row for row in everything if status in (None, row.status)]
        wanted = [row for row in wanted if label is None or (label or None) == row.label]
        begins = [row for row in wanted if row.item.lower().startswith(search.lower())]
        wanted = begins or [row for row in wanted if search.lower() in row.item.lower()]

        places = {row.item: place for place, row in enumerate(everything)}

        def key(row: ItemRow) -> tuple[Any, int]:
            place = places[row.item]
            value = place if sort == "position" else getattr(row, sort)
            if sort == "status":
                value = STATUSES.index(value)
            elif sort in {"item", "label", "last"}:
                value = (value or "").lower()
            return -1 if value is None else value, place

        wanted.sort(key=key, reverse=paged["descending"])
        asked: dict[str, Any] = {"status": status, "label": label, "search": search, "sort": sort}
        start = (paged["page"] - 1) * paged["size"]
        found = index.items(**asked, **paged)
        assert found.rows == tuple(wanted[start : start + paged["size"]])
        assert found.total == len(wanted)
        # The same by cursors, from the first page on
        rows, after = [], None
        while True:
            each = index.items(
                **asked, descending=paged["descending"], size=max(20, paged["size"]), after=after
            )
            rows += each.rows
            after = each.after
            if after is None:
                break
        assert rows == wanted

    @pytest.mark.parametrize("sort", SORTS)
    @pytest.mark.parametrize("descending", [False, True])
    def test_pages_are_the_whole_list_cut_up(self, index: RunIndex, sort: str, descending: bool) -> None:
        asked: dict[str, Any] = {"sort": sort, "descending": descending}
        whole = index.items(**asked, size=500).rows
        assert len(whole) == 300
        pages = [index.items(**asked, page=number, size=70).rows for number in range(1, 7)]
        assert [row for rows in pages for row in rows] == list(whole)
        other = index.items(sort=sort, descending=not descending, size=500).rows
        assert other == whole[::-1]
        assert whole != other

    @pytest.mark.parametrize(
        "asked",
        [
            {"status": "done"},
            {"sort": "worker"},
            {"size": 0},
            {"size": 501},
            {"page": 0},
            {"after": "x"},
            {"after": "W10="},
            {"after": base64.urlsafe_b64encode(b'["item", [], 3]').decode(), "sort": "item"},
        ],
    )
    def test_what_makes_no_sense_is_refused(self, index: RunIndex, asked: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"none of|rows at most|after"):
            index.items(**asked)

    def test_a_search_is_text_and_nothing_else(self, index: RunIndex) -> None:
        for search in ("' OR 1=1 --", "\ud800", "\x00", "x" * 10_000, "*", '"'):
            assert index.items(search=search).total == 0


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> RunIndex:
    ledger = Ledger(MemoryStore(), "iris", "run")
    write_shards(ledger, [[{"item": name, "values": {}} for name in TestSearch.NAMES]])
    return complete(index_at(tmp_path_factory.mktemp("odd") / "i.sqlite"), ledger)


class TestSearch:
    """Whatever is typed is text: upper and lower case are the same, nothing else is."""

    NAMES = (
        *(
            "a%b",
            "a_b",
            "axb",
            'say "hi"',
            "it's",
            "NEAR(a b)",
            "x AND y",
            "star*",
            "-minus",
            "\U0001f600 smile",
        ),
        *("Übung-É", "two  spaces", "line\nbreak", "tab\there", "\\u00e9", "[a-z]", "^caret", "null\x00byte"),
        *("\ud800", "\U0001f600 smile", "ΟΔΟΣΑ Straße"),
    )

    @pytest.mark.parametrize("name", NAMES)
    def test_an_item_is_found_by_any_part_of_its_id(self, odd: RunIndex, name: str) -> None:
        shown = plain(name)
        parts = {shown[at : at + size] for size in (1, 2, 4, 60) for at in range(len(shown))}
        for part in parts:
            if text := part.strip():
                for typed in (text, text.upper(), text.lower()):
                    if typed.casefold() == text.casefold():
                        found = {row.item for row in odd.items(search=typed).rows}
                        assert found == self.expected(typed), typed

    @pytest.mark.parametrize("typed", ["ΟΔΟΣ", "οδος", "οδοσ", "STRASSE", "straße"])
    def test_letters_that_change_with_their_place_are_found(self, odd: RunIndex, typed: str) -> None:
        assert [row.item for row in odd.items(search=typed).rows] == ["ΟΔΟΣΑ Straße"]

    def expected(self, text: str) -> set[str]:
        def folded(name: str) -> str:
            return name.casefold().replace("\n", " ")

        names = [plain(name) for name in self.NAMES]
        begins = {name for name in names if folded(name).startswith(folded(text))}
        return begins or {name for name in names if folded(text) in folded(name)}

    @given(st.text(max_size=6))
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_any_text_is_safe(self, odd: RunIndex, text: str) -> None:
        wanted = self.expected(plain(text).strip()) if text.strip() else set(map(plain, self.NAMES))
        assert {row.item for row in odd.items(search=text).rows} == wanted

    def test_ids_are_found_where_they_lie_across_the_blocks(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also those that came one by one later, and where most ids of a block match."""
        monkeypatch.setattr(searching, "_BITS", 3)
        ledger = small_ledger(MemoryStore(), items=30)
        index = complete(index_at(tmp_path / "i.sqlite"), ledger)
        for number in range(30, 45):
            ledger.append("hits", [hit(f"Item-{number}")])
            complete(index, ledger)
        for sparse, few in itertools.product((0, 100), (0, 3, 100)):
            monkeypatch.setattr(searching, "_SPARSE", sparse)
            monkeypatch.setattr(paging, "_FEW", few)
            for text in ("item-", "tem-1", "3", "-44", "item-2"):
                found = index.items(search=text, size=100)
                names = [f"Item-{number}" for number in range(45) if text in f"item-{number}"]
                assert (sorted(row.item for row in found.rows), found.total) == (sorted(names), len(names))


class TestCursors:
    """What stands in an address was written by somebody else."""

    @pytest.mark.parametrize("sort", SORTS)
    @pytest.mark.parametrize(
        "value", [10**30, -(10**30), "x", "\ud800", True, [], {}, 1e400, float("nan"), None, 0, -1.5]
    )
    def test_any_value_is_answered_or_refused(self, index: RunIndex, sort: str, value: Any) -> None:
        for number in (3, 10**30, -1, "3", None):
            after = base64.urlsafe_b64encode(json.dumps([sort, value, number]).encode()).decode()
            for descending in (False, True):
                with contextlib.suppress(ValueError):  # any other error would be a broken page
                    assert len(index.items(sort=sort, after=after, descending=descending).rows) <= 50

    @pytest.mark.parametrize("after", ["[" * 100_000, "\ud800", "äöü", "====", "W10"])
    def test_what_is_no_cursor_is_refused(self, index: RunIndex, after: str) -> None:
        deep = base64.urlsafe_b64encode(after.encode(errors="replace")).decode()
        for each in (after, deep):
            with pytest.raises(ValueError, match="begin with the first page"):
                index.items(after=each)

    @pytest.mark.parametrize("sort", SORTS)
    def test_pages_of_equal_keys_neither_repeat_nor_lose_an_item(self, tmp_path: Path, sort: str) -> None:
        ledger = Ledger(MemoryStore(), "iris", "run")
        write_shards(ledger, [[{"item": f"i{number:02d}", "values": {}} for number in range(23)]])
        index = complete(index_at(tmp_path / "i.sqlite"), ledger)
        for descending in (False, True):
            names, after = [], None
            while True:
                page = index.items(sort=sort, descending=descending, size=4, after=after)
                names += [row.item for row in page.rows]
                after = page.after
                if after is None:
                    break
            assert names == sorted(names, reverse=descending)
            assert len(names) == 23
