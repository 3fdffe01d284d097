"""Columns of events that look like the words of searches, where nothing reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import regex

from benchmark.plain_text import plain

__all__ = [
    "QUERY_NAMES",
    "hold_words",
    "name_of_queries",
    "told",
    "unused_queries",
    "words_of_name",
]

QUERY_NAMES = (
    "query search keyword keywords searchterm searchquery searchword term terms q"
    " suchbegriff suche suchanfrage 搜索词 查询 关键词"
)
"""What a column of queries is often called; the first names are the best."""
_ABOUT = {
    *(
        "id",
        "session",
        "time",
        "timestamp",
        "date",
        "count",
        "number",
        "rank",
        "position",
        "length",
    ),
    *("type", "source", "page"),
}
"""Words of the names of columns that tell something about a query, and not its words."""
_LETTER = regex.compile(r"\p{L}")


def words_of_name(name: str) -> list[str]:
    """Return the words of a column's name: user_id and userId are user and id."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return [word for word in re.split(r"[\W_]+", parted.lower()) if word]


def name_of_queries(name: str) -> bool:
    """Return whether a column's name may be that of queries: it says nothing of one."""
    return not _ABOUT & set(words_of_name(name))


def unused_queries(names: Iterable[str], used: Iterable[str]) -> list[str]:
    """Return the names that speak for queries, of columns that are not used."""
    known, taken = set(QUERY_NAMES.split()), set(used)
    return [
        name
        for name in names
        if name not in taken
        and name_of_queries(name)
        and known & {*words_of_name(name), "".join(words_of_name(name))}
    ]


def hold_words(cells: Sequence[str]) -> bool:
    """Return whether cells are words: most that are not empty have letters, and they differ."""
    filled = [cell for cell in cells if cell.strip()]
    lettered = sum(_LETTER.search(cell) is not None for cell in filled)
    return len(set(filled)) > 1 and lettered > len(filled) / 2


def told(name: str, mend: str) -> str:
    """Return the line about such a column."""
    return f"column '{plain(name, 40)}' looks like the words of searches and is not used; {mend}"
