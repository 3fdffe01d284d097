"""Data of any size as atomic files: pages that were shown, searches, and what was taken.

A user is shown pages of six items at a time and searches in sessions of eight; two of a page and
one of a session are taken on average. Few items and words are frequent. Everything is written
in batches, so that memory does not grow with the number of rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import yaml
from numpy.typing import NDArray

__all__ = ["Size", "write_folder"]

PAGE, SESSION = 6, 8
SEARCHED = 0.26
"""Share of the rows that are of searches, as in KuaiSAR."""
WORDS = 50_000
_AT_ONCE = 10**6


@dataclass(frozen=True)
class Size:
    """How large the data are.

    Attributes:
        rows: lines of the ``.inter`` file.
        items: lines of the ``.item`` file.
        users: at most; each has rows.
        queries: lines of the ``.query`` file.
    """

    rows: int
    items: int
    users: int
    queries: int

    @classmethod
    def of(cls, rows: int) -> Size:
        """Return a size of the proportions of KuaiSAR (20 million rows, 7 million items)."""
        return cls(rows, max(200, rows * 7 // 20), max(20, rows // 770), max(50, rows // 40))


def write_folder(folder: Path, size: Size, seed: int = 1, protocols: tuple[str, ...] = ()) -> Path:
    """Write the files and a card into a folder.

    Args:
        folder: is made.
        size: of the data.
        seed: of everything that is drawn.
        protocols: for the card; all that the data have where none is named.
    """
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    _write(folder / "big.inter", _events(size, rng))
    _write(folder / "big.item", _texts("item_id:token", "i", "title:token_seq", size.items, 7, rng))
    _write(
        folder / "big.query", _texts("query_id:token", "q", "query:token_seq", size.queries, 2, rng)
    )
    about = dict.fromkeys(("description", "source", "licence", "citation"), "generated")
    files = {kind: {"name": f"big.{kind}"} for kind in ("inter", "item", "query")}
    card = {"name": "big", **about, "files": files, "grade": "click", "text": ["title"]}
    card["split"] = {"name": "temporal"}
    if protocols:
        card["candidates"] = {"protocols": list(protocols)}
    (folder / "card.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")
    return folder


def _write(path: Path, tables: Iterator[pa.Table]) -> None:
    options = pacsv.WriteOptions(delimiter="\t", quoting_style="none", include_header=False)
    with path.open("wb") as file:
        for number, table in enumerate(tables):
            if number == 0:
                file.write(("\t".join(table.column_names) + "\n").encode())
            pacsv.write_csv(table, file, options)


def _events(size: Size, rng: np.random.Generator) -> Iterator[pa.Table]:
    for start in range(0, size.rows, _AT_ONCE):
        rows = min(_AT_ONCE, size.rows - start)
        searches = int(rows * SEARCHED)
        yield pa.concat_tables(
            [
                _shown(size, rows - searches, PAGE, 2 / PAGE, False, start, rng),
                _shown(size, searches, SESSION, 1 / SESSION, True, start, rng),
            ]
        )


def _shown(
    size: Size,
    rows: int,
    together: int,
    taken: float,
    search: bool,
    start: int,
    rng: np.random.Generator,
) -> pa.Table:
    page = np.arange(rows) // together
    pages = int(page[-1]) + 1 if rows else 0
    user = rng.integers(0, size.users, pages)
    time = 1_600_000_000_000 + rng.integers(0, 10**9, pages)
    columns = {
        "user_id:token": _named("u", user[page]),
        "item_id:token": _named("i", _zipf(size.items, rows, rng)),
        "timestamp:float": pa.array(time[page]),
        "query_id:token": pa.array([""] * 0, pa.large_string()),
        "session_id:token": pa.array([""] * 0, pa.large_string()),
        "click:float": pa.array((rng.random(rows) < taken).astype(np.int8)),
    }
    if search:
        columns["query_id:token"] = _named("q", _zipf(size.queries, pages, rng)[page])
        columns["session_id:token"] = _named("s", start + page)
    else:
        for name in ("query_id:token", "session_id:token"):
            columns[name] = pa.repeat(pa.scalar("", pa.large_string()), rows)
    return pa.table(columns)


def _texts(
    key: str, letter: str, name: str, rows: int, longest: int, rng: np.random.Generator
) -> Iterator[pa.Table]:
    for start in range(0, rows, _AT_ONCE):
        count = min(_AT_ONCE, rows - start)
        lengths = rng.integers(1, longest + 1, count)
        words = _named("word", _zipf(WORDS, int(lengths.sum()), rng))
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int64())
        lists = pa.LargeListArray.from_arrays(offsets, words)
        ids = _named(letter, start + np.arange(count))
        yield pa.table({key: ids, name: pc.binary_join(lists, pa.scalar(" ", pa.large_string()))})


def _named(letter: str, numbers: NDArray[np.integer]) -> pa.Array:
    texts = pa.array(numbers).cast(pa.large_string())
    parts = (pa.scalar(each, pa.large_string()) for each in (letter, ""))
    return pc.binary_join_element_wise(next(parts), texts, next(parts))


def _zipf(most: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return numbers below ``most``, small ones often: exponentials of a uniform draw."""
    return np.minimum((most ** rng.random(count)).astype(np.int64) - 1, most - 1)
