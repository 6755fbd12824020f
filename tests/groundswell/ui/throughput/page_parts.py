"""What a Throughput page says, taken out of its HTML."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pandas as pd  # noqa: TID253 (no DAG imports this)

Get = Callable[[str], str]
PARTS = ("summary", "charts", "tables", "checks")


def plain(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def tile(html: str, title: str) -> str:
    """The text of the total with this title."""
    found = re.search(rf"<dt[^>]*>{re.escape(title)}</dt>(.*?)</div>", html, re.S)
    assert found, title
    return plain(found[1])


def cells(html: str, table: str) -> list[list[str]]:
    """The body of a table of the page, as text."""
    section = html.split(f'id="tp-{table}"')[1].split("</table>")[0].split("<tbody>")[1]
    return [
        [plain(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)]
        for row in re.findall(r"<tr>(.*?)</tr>", section, re.S)
    ]


def heads(html: str, table: str) -> list[str]:
    section = html.split(f'id="tp-{table}"')[1].split("</thead>")[0]
    return [plain(head).replace("\xa0", " ") for head in re.findall(r"<th [^>]*>(.*?)</th>", section, re.S)]


def of_days(workers: pd.DataFrame, first: str, last: str) -> pd.DataFrame:
    return workers[(workers["day"] >= first) & (workers["day"] <= last)]
