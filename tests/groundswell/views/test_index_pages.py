"""Pages of items: every filter, sort and search against the whole list."""

from __future__ import annotations

import base64
import functools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groundswell.views import paging
from groundswell.views.index import STATUSES, RunIndex
from groundswell.views.paging import SORTS, ItemRow
from tests.groundswell.views.index_ledgers import complete, index_at, small_ledger
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
