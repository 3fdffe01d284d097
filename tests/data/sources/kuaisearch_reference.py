"""Small tables of KuaiSearch as hypothesis draws them, and what the rules make of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.data import slow_requests
from tests.data.slow_requests import SlowRequest

ITEMS = 8
Row = dict[str, Any]


def card_of(folder: Path, files: dict[str, Any], **changes: Any) -> Path:
    texts = {"title": "{item_title}", "text": ["brand_name"]}
    return slow_requests.card_of(folder, "kuaisearch", files, **{**texts, **changes})


KEYS = {
    "user_id": st.sampled_from([1, 2, 2, None]),
    "session_id": st.sampled_from([1, 1, 2, 7, None]),
    "time_index": st.integers(-2, 20) | st.just(3),
    "query": st.sampled_from(["红酒", "酒", "", None]),
    "split": st.sampled_from(["train", "train", "train", "test", "Train", "valid"]),
}
LISTS = st.lists(st.sampled_from([*range(1, ITEMS + 1), 99]), max_size=4)
FLAG = st.sampled_from([0, 1, None])
RECALL = st.fixed_dictionaries(
    {**KEYS, **{f"{n}_item_ids": LISTS for n in ("impressed", "clicked", "purchased")}}
)
RANK = st.fixed_dictionaries(
    {
        **KEYS,
        "recently_clicked_item_ids": LISTS,
        "recently_purchased_item_ids": st.one_of(st.none(), LISTS),
        "target_item_id": st.sampled_from([*range(1, ITEMS + 1), 99, None]),
        "is_clicked": FLAG,
        "is_purchased": FLAG,
        "user_statistical_features": st.just({"a": [1]}),
    }
)
TIMES = st.integers(1, 3)
"""How often a line of ``rank`` stands there, one behind the other."""
RULES = st.fixed_dictionaries(
    {"requests": st.sampled_from(["recall", "rank"])},
    optional={
        "clicked": st.sampled_from([1, 2]),
        "purchased": st.sampled_from([1, 3]),
        "recent": st.sampled_from(["clicked", "both", "ignore"]),
    },
)


def write_lines(folder: Path, name: str, rows: list[Row]) -> None:
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def is_whole(row: Row) -> bool:
    return all(row[name] is not None for name in ("user_id", "session_id", "time_index"))


def lists_of(rules: dict[str, Any]) -> list[str]:
    """Return which recent items a card takes."""
    return {"clicked": ["clicked"], "both": ["clicked", "purchased"], "ignore": []}[
        rules.get("recent", "clicked")
    ]


def slow_reading(tables: dict[str, list[Row]], rules: dict[str, Any]) -> list[SlowRequest]:
    """Return the searches as the rules of the format have them, in the order of their numbers."""
    found: dict[tuple, SlowRequest] = {}
    place_of: dict[str, int] = {}
    parts = ("train", "validation", "test")

    def search(row: Row) -> SlowRequest:
        user, time, words = row["user_id"], row["time_index"], row["query"] or ""
        part = row["split"].lower()
        part = "validation" if part == "valid" else part
        place = place_of.setdefault(words, len(place_of))
        key = (user, row["session_id"], time, place, parts.index(part))
        return found.setdefault(key, SlowRequest(str(user), time, words, part, [], []))

    clicked, purchased = rules.get("clicked", 1), rules.get("purchased", 1)
    known = range(1, ITEMS + 1)
    for row in filter(is_whole, tables["recall"] if rules["requests"] == "recall" else []):
        for name, grade in (("impressed", 0), ("clicked", clicked), ("purchased", purchased)):
            items = [item for item in row[f"{name}_item_ids"] if item in known]
            search(row).shown.extend((str(item), grade) for item in items)
    for row, is_first in rank_rows(tables, rules):
        one = search(row)
        if rules["requests"] == "rank" and row["target_item_id"] in known:
            grade = max(clicked * bool(row["is_clicked"]), purchased * bool(row["is_purchased"]))
            one.shown.append((str(row["target_item_id"]), grade))
        for name in lists_of(rules) if is_first else []:
            items = row[f"recently_{name}_item_ids"] or []
            one.recent.extend(str(item) for item in items if item in known)
    return [found[key] for key in sorted(found)]


def rank_rows(tables: dict[str, list[Row]], rules: dict[str, Any]) -> Iterator[tuple[Row, bool]]:
    """Yield the rows of ``rank`` that are read, and whether each begins a stretch of a search.

    Lines of one search that follow each other tell the same recent items; one of them is read.
    """
    before: tuple = ()
    if rules["requests"] == "rank" or lists_of(rules):
        for row in filter(is_whole, tables["rank"]):
            names = ("user_id", "session_id", "time_index", "split")
            key = (*(row[name] for name in names), row["query"] or "")
            yield row, key != before
            before = key


def odd_in(tables: dict[str, list[Row]], rules: dict[str, Any]) -> bool:
    """Return whether anything in the tables that are read is left out."""
    shows = rules["requests"]
    read: list[list[int | None]] = []
    for row in filter(is_whole, tables["recall"] if shows == "recall" else []):
        read += [row[f"{name}_item_ids"] for name in ("impressed", "clicked", "purchased")]
    for row, is_first in rank_rows(tables, rules):
        read += [[row["target_item_id"]]] if shows == "rank" else []
        read += [row[f"recently_{n}_item_ids"] or [] for n in lists_of(rules) if is_first]
    names = ("recall",) if shows == "recall" else ()
    names += ("rank",) if shows == "rank" or lists_of(rules) else ()
    broken = any(not is_whole(row) for name in names for row in tables[name])
    return broken or any(item == 99 for items in read for item in items)
