"""Small files of the Amazon releases, drawn and written by the standard library."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from benchmark.data.sources.amazon import READER
from benchmark.data.sources.amazon_rules import AmazonRules
from benchmark.data.sources.reader import Wanted
from benchmark.data.sources.source import Source

__all__ = ["lines_of", "packed", "read_source", "shops", "write"]

PIECES = [*"ab.. |>\n\\é…\t\"'<&", "<b>", "</i >", "&amp;", "&quot;", "&lt;p&gt;", "...", "&#39;"]
NASTY = st.lists(st.sampled_from(PIECES), max_size=10).map("".join)
PATH = st.lists(NASTY, max_size=3)


@st.composite
def shops(draw: st.DrawFn, release: int) -> dict[str, list]:
    """Draw what files hold: reviews, metadata and rows of Ai et al., as values."""
    number = draw(st.integers(1, 30) | st.just(40))
    reviews = [
        {
            "user": f"U{draw(st.integers(0, 2))}",
            "item": f"B{draw(st.integers(0, 9))}",
            "time": draw(st.integers(0, 6)) * 86_400,
            "stars": draw(st.sampled_from([1.0, 3.0, 4.0, 5.0, None])),
        }
        for _ in range(number)
    ]
    paths = st.lists(PATH, max_size=2) if release == 2014 else PATH
    body = NASTY if release == 2014 else st.lists(NASTY, max_size=2)
    meta = [
        {
            "item": f"B{draw(st.integers(0, 11))}",
            "title": draw(NASTY),
            "description": draw(body),
            "brand": draw(st.none() | NASTY),
            "categories": draw(paths),
        }
        for _ in range(draw(st.integers(1, 14)))
    ]
    pairs = sorted({(r["user"], r["item"]) for r in reviews})
    row = st.tuples(st.sampled_from(pairs), st.integers(0, 2), st.sampled_from([0, 1, 1, 1]))
    most = [(pair, k % 3, 1) for k, pair in enumerate(pairs) if k % draw(st.integers(2, 9))]
    return {
        "reviews": reviews,
        "meta": meta,
        "train": most + draw(st.lists(row, max_size=10)),
        "test": draw(st.lists(row, max_size=10)),
        "lines": sorted(draw(st.sets(st.integers(0, number - 1), min_size=1))),
    }


def write(folder: Path, shop: Mapping[str, list], release: int, queries: bool) -> dict[str, str]:
    """Write the files of a shop by the standard library."""
    names = {"reviews": "reviews.json.gz", "meta": "meta.json.gz"}
    of_release = {
        2014: ("reviewerID", "asin", "unixReviewTime", "overall", "brand", "categories"),
        2018: ("reviewerID", "asin", "unixReviewTime", "overall", "brand", "category"),
        2023: ("user_id", "parent_asin", "timestamp", "rating", "store", "categories"),
    }
    user, item, time, stars, brand, categories = of_release[release]
    reviews = []
    for r in shop["reviews"]:
        record = {user: r["user"], item: r["item"], "helpful": [0, 1], time: r["time"]}
        reviews.append(json.dumps(record | ({} if r["stars"] is None else {stars: r["stars"]})))
    packed(folder / names["reviews"], reviews)
    metas = [
        {item: m["item"], "title": m["title"], "description": m["description"]}
        | {brand: m["brand"], categories: m["categories"], "price": 3.5}
        for m in shop["meta"]
    ]
    packed(folder / names["meta"], map(repr if release == 2014 else json.dumps, metas))
    if queries:
        names |= {
            "query_text": "q.gz", "train_qrels": "train.gz", "test_qrels": "test.gz",
            "train_reviews": "id.gz",
        }  # fmt: skip
        packed(folder / "q.gz", ["photo digital camera lenses", "bags", "two words ", "last"])
        # A row of both files would be two events of one moment, of which one stays by lot.
        trained = [(pair, query) for pair, query, _ in shop["train"]]
        tested = [row for row in shop["test"] if row[:2] not in trained]
        first = shop["reviews"][0]["user"], shop["reviews"][0]["item"]
        for part, rows in (
            ("train", [*shop["train"], (first, 2, 1)]),
            ("test", [*tested, (first, 3, 1)]),
        ):
            packed(folder / f"{part}.gz", [f"{u}_{q} 0 {i} {v} " for (u, i), q, v in rows])
        packed(folder / "id.gz", [f"line_{n}" for n in shop["lines"]])
    return names


def packed(path: Path, lines: Any) -> None:
    with gzip.open(path, "wt", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


def read_source(folder: Path, names: Mapping[str, str], rules: Mapping) -> Source:
    files = {what: folder / name for what, name in names.items()}
    return READER.read(files, AmazonRules.model_validate(rules), Wanted())


def lines_of(path: Path) -> list[str]:
    return gzip.decompress(path.read_bytes()).decode().splitlines()
