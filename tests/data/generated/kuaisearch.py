"""KuaiSearch's JSON lines in the layout of its public demo, of any size.

Names, order and types of the fields are those of the demo, ``users``, ``items``, ``recall`` and
``rank``; what stands in them is drawn. Among it are what occurs there: names that are UNKNOWN with
the id 0, items bought again and again in a list of recent ones, and searches without a click.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.data.generated.han import Words

__all__ = ["DEMO", "FILES", "Size", "write_folder"]

FILES = {name: {"name": f"{name}.jsonl"} for name in ("users", "items", "recall", "rank")}
_TOPICS = 50


@dataclass(frozen=True)
class Size:
    """Counts of lines; ``rank`` has a line for each item that a search shows."""

    users: int
    items: int
    searches: int
    shown: int = 12


DEMO = Size(200, 200, 200)
"""Lines of the public demo."""


def write_folder(folder: Path, size: Size, seed: int = 0) -> Path:
    """Write the four tables; the last fifth of the searches is of split ``test``."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, words = np.random.default_rng(seed), Words(_TOPICS, 40, seed)
    _write(folder / "users.jsonl", _users(size, rng))
    _write(folder / "items.jsonl", _items(size, words, rng))
    searches = list(_searches(size, words, rng))
    _write(folder / "recall.jsonl", (_recall(each) for each in searches))
    _write(folder / "rank.jsonl", (line for each in searches for line in _rank(each, rng)))
    return folder


def _write(path: Path, records: Iterator[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def _users(size: Size, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    for user in range(1, size.users + 1):
        yield {
            "user_id": user,
            "gender": ["F", "M", "UNKNOWN"][rng.integers(3)],
            "age_bucket": ["18-23", "24-30", "31-40", "50+"][rng.integers(4)],
            "fre_country": "中国",
            "fre_province": "河北省",
            "fre_city": "石家庄市",
        }


def _items(size: Size, words: Words, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    number = np.arange(1, size.items + 1)
    titles = words.texts(number % _TOPICS, rng.integers(3, 9, size.items), rng).to_pylist()
    for item, title in zip(number.tolist(), titles, strict=True):
        known = rng.random() < 0.6
        record: dict[str, Any] = {
            "item_id": item,
            "item_title": title,
            "brand_id": item % 17 + 1 if known else 0,
            "brand_name": f"品牌{item % 17}" if known else "UNKNOWN",
            "seller_id": item % 29 + 1,
            "seller_name": f"店铺{item % 29}",
        }
        for level in (1, 2, 3):
            record[f"category_level{level}_id"] = item % 7**level + 1
            record[f"category_level{level}_name"] = f"类目{item % 7**level}"
        yield record


def _searches(size: Size, words: Words, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    user = rng.integers(1, size.users + 1, size.searches)
    topic = (user * 3 + rng.integers(0, 2, size.searches)) % _TOPICS
    query = words.texts(topic, rng.integers(1, 4, size.searches), rng).to_pylist()
    time = np.sort(rng.integers(0, 5 * size.searches, size.searches))
    for number in range(size.searches):
        near = topic[number] + _TOPICS * rng.integers(0, max(1, size.items // _TOPICS), size.shown)
        far = rng.integers(1, size.items + 1, size.shown)
        items = np.where(rng.random(size.shown) < 0.7, near, far) % size.items + 1
        shown = list(dict.fromkeys(items.tolist()))
        some = rng.random() < 0.85
        clicked = [item for k, item in enumerate(shown) if some and (k == 0 or rng.random() < 0.15)]
        yield {
            "user_id": int(user[number]),
            "session_id": number // 2 + 1,
            "time_index": int(time[number]),
            "query": query[number],
            "shown": shown,
            "clicked": clicked,
            "purchased": [item for item in clicked if rng.random() < 0.1],
            "recent": rng.integers(1, size.items + 1, rng.integers(0, 21)).tolist(),
            "bought": np.repeat(rng.integers(1, size.items + 1, 2), 2).tolist(),
            "split": "test" if number >= 0.8 * size.searches else "train",
        }


def _recall(each: dict[str, Any]) -> dict[str, Any]:
    keys = ("user_id", "session_id", "time_index", "query")
    lists = {"impressed": each["shown"], "clicked": each["clicked"], "purchased": each["purchased"]}
    return {
        **{key: each[key] for key in keys},
        **{f"{name}_item_ids": items for name, items in lists.items()},
        "split": each["split"],
    }


def _rank(each: dict[str, Any], rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    for item in each["shown"]:
        yield {
            "user_id": each["user_id"],
            "session_id": each["session_id"],
            "user_fan_number": 9,
            "user_follow_number": 65,
            "time_index": each["time_index"],
            "search_entrance": "search_entrance_ksstore",
            "recently_clicked_item_ids": each["recent"],
            "recently_purchased_item_ids": each["bought"],
            "query": each["query"],
            "target_item_id": item,
            "target_item_price": float(rng.integers(100, 9999)),
            "is_clicked": int(item in each["clicked"]),
            "is_purchased": int(item in each["purchased"]),
            "user_statistical_features": {"user_show_cnt_30d_hist": 0.0},
            "target_item_statistical_features": {"item_show_cnt_30d_hist": 952.0},
            "split": each["split"],
        }
