"""Amazon reviews, metadata and Ai et al.'s queries in their published layouts, of any size.

Names, order and types of the fields are those of the releases of 2014, 2018 and 2023: reviews in
the order of their items, times of whole days (2023: milliseconds), Python literals as metadata of
2014, HTML entities, items without metadata or text, metadata of items that nobody reviewed. What
stands in the fields is drawn.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

__all__ = ["Shop", "item_id", "write_amazon", "write_card"]

_DAY = 86_400
_FIRST = 1_262_304_000
_GROUPS = (
    "Camera, Photo", "Computers & Accessories", "Audio > Video", "Cell Phones", "eBook Readers",
    "GPS &amp; Navigation", "Car Electronics", "Office",
)  # fmt: skip
_KINDS = (
    "Digital Camera Lenses", "Bags &amp; Cases", "The Cables", "Batteries", "Camera Batteries",
    "Mounts", "Remote Controls", "Cleaning | Care", "Screen Protectors", "Adapters",
)  # fmt: skip
_ADJECTIVES = (
    "Black",
    "Slim",
    "10&quot;",
    "USB 3.0",
    "Men&#39;s",
    "Wireless",
    "(Refurbished)",
    "Pro",
)
_MADE_BY = ("Canon", "AmazonBasics", "Belkin", "O'Neill", 'The "Best"', "")


@dataclass(frozen=True)
class Shop:
    """How large, and how.

    Attributes:
        users: who review; likewise ``items`` that are reviewed.
        reviews: about so many; nobody reviews an item twice.
        days: between the first review and the last; few make many reviews of one day.
        release: 2014, 2018 or 2023.
        queries: whether to write Ai et al.'s folder.
        seed: of all draws.
    """

    users: int = 200
    items: int = 120
    reviews: int = 2_000
    days: int = 60
    release: int = 2014
    queries: bool = False
    seed: int = 0


def write_amazon(folder: Path, shop: Shop) -> dict[str, str]:
    """Write the files into ``folder``; return their names by what they hold."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(shop.seed)
    user, item = _pairs(rng, shop)
    day = rng.integers(0, shop.days, len(user))
    stars = rng.choice([1, 2, 3, 4, 5], len(user), p=[0.05, 0.05, 0.1, 0.25, 0.55])
    end = {2014: "json.gz", 2018: "json.gz", 2023: "jsonl.gz"}[shop.release]
    reviews = {2014: f"reviews_Electronics_5.{end}", 2018: f"Electronics_5.{end}"}
    names = {
        "reviews": reviews.get(shop.release, f"Electronics.{end}"),
        "meta": f"meta_Electronics.{end}",
    }
    of_reviews = {2014: _reviews_2014, 2018: _reviews_2018, 2023: _reviews_2023}[shop.release]
    _write(folder / names["reviews"], of_reviews(rng, user, item, day, stars))
    paths = [_paths(rng) for _ in range(shop.items)]
    of_items = {2014: _items_2014, 2018: _items_2018, 2023: _items_2023}[shop.release]
    _write(folder / names["meta"], of_items(rng, paths))
    if shop.queries:
        names |= _write_queries(folder, rng, user, item, paths)
    return names


def write_card(folder: Path, files: dict[str, str], **fields: object) -> Path:
    """Write a card of format ``amazon`` beside the files; ``fields`` go into it."""
    card = {
        "name": "generated-amazon",
        "description": "Generated.",
        "source": "tests/data/generated",
        "licence": "none",
        "citation": "none",
        "format": "amazon",
        "files": {what: {"name": name} for what, name in files.items()},
        "title": "{title}",
        "text": ["description"],
        **fields,
    }
    (folder / "card.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")
    return folder


def user_id(number: int) -> str:
    """Return an id as reviewers have them."""
    return "A" + np.base_repr(10**9 + number * 7919, 36).rjust(13, "0")


def item_id(number: int) -> str:
    """Return an id as products have them."""
    return "B00" + np.base_repr(10**6 + number * 101, 36).rjust(7, "0")


def _pairs(rng: np.random.Generator, shop: Shop) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return distinct pairs in the order of the items; some items are bought much oftener."""
    popular = (rng.random(shop.reviews) ** 2 * shop.items).astype(np.int64)
    user = rng.integers(0, shop.users, shop.reviews)
    key = np.unique(popular * shop.users + user)
    # As in the published files the reviewers of an item are in no order.
    key = key[np.lexsort((rng.random(len(key)), key // shop.users))]
    return key % shop.users, key // shop.users


def _paths(rng: np.random.Generator) -> list[list[str]]:
    """Return one or two category paths, now and then of one level only."""
    paths = [["Electronics"]] if rng.random() < 0.05 else []
    more = range(int(rng.integers(1, 3)))
    return paths + [
        ["Electronics", str(rng.choice(_GROUPS)), str(rng.choice(_KINDS))] for _ in more
    ]


def _title(rng: np.random.Generator, number: int) -> str:
    words = rng.choice(_ADJECTIVES, int(rng.integers(1, 4)))
    return f"{' '.join(words.tolist())} Item{number} &amp; more..."


def _description(rng: np.random.Generator, number: int) -> str:
    if rng.random() < 0.02:
        return "long " * 500
    return f'It\'s <b>item</b> {number}.\n"Good" for {rng.choice(_KINDS)}' if number % 7 else ""


def _rows(
    user: NDArray[np.int64], item: NDArray[np.int64], *columns: NDArray[np.int64]
) -> Iterator[tuple]:
    users = {u: user_id(u) for u in np.unique(user).tolist()}
    items = {i: item_id(i) for i in np.unique(item).tolist()}
    lists = (column.tolist() for column in columns)
    for u, i, *more in zip(user.tolist(), item.tolist(), *lists, strict=True):
        yield users[u], items[i], *more


def _raw_time(seconds: int) -> str:
    moment = np.datetime64(seconds, "s").astype("datetime64[D]").item()
    return f"{moment.month:02d} {moment.day}, {moment.year}"


def _reviews_2014(
    rng: np.random.Generator,
    user: NDArray[np.int64],
    item: NDArray[np.int64],
    day: NDArray[np.int64],
    stars: NDArray[np.int64],
) -> Iterator[str]:
    for u, i, when, rating in _rows(user, item, _FIRST + day * _DAY, stars):
        named = f'"reviewerName": "{u[-4:].title()}", ' if rating != 3 else ""
        yield (
            f'{{"reviewerID": "{u}", "asin": "{i}", {named}"helpful": [0, 0], '
            f'"reviewText": "I like it &amp; \\"use\\" it", "overall": {rating}.0, '
            f'"summary": "Fine", "unixReviewTime": {when}, "reviewTime": "{_raw_time(when)}"}}'
        )


def _reviews_2018(
    rng: np.random.Generator,
    user: NDArray[np.int64],
    item: NDArray[np.int64],
    day: NDArray[np.int64],
    stars: NDArray[np.int64],
) -> Iterator[str]:
    for u, i, when, rating in _rows(user, item, _FIRST + day * _DAY, stars):
        vote = '"vote": "1,204", ' if rating == 1 else ""
        style = '"style": {"Color:": " Black"}, ' if rating > 3 else ""
        image = '"image": ["https://images/1.jpg"], ' if rating == 2 else ""
        yield (
            f'{{"overall": {rating}.0, {vote}"verified": true, "reviewTime": "{_raw_time(when)}", '
            f'"reviewerID": "{u}", "asin": "{i}", {style}{image}"reviewerName": "N", '
            f'"reviewText": "Nice", "summary": "Good", "unixReviewTime": {when}}}'
        )


def _reviews_2023(
    rng: np.random.Generator,
    user: NDArray[np.int64],
    item: NDArray[np.int64],
    day: NDArray[np.int64],
    stars: NDArray[np.int64],
) -> Iterator[str]:
    when = (_FIRST + day * _DAY) * 1000 + rng.integers(0, _DAY * 1000, len(day))
    for u, i, moment, rating in _rows(user, item, when, stars):
        yield (
            f'{{"rating": {rating}.0, "title": "Such a \\u201cscent\\u201d", "text": "Nice", '
            f'"images": [], "asin": "{i[:-1]}X", "parent_asin": "{i}", "user_id": "{u}", '
            f'"timestamp": {moment}, "helpful_vote": 0, "verified_purchase": true}}'
        )


def _items_2014(rng: np.random.Generator, paths: list[list[list[str]]]) -> Iterator[str]:
    for number, own in _catalogue(rng, paths):
        near = [item_id(number + k) for k in range(1, int(rng.integers(1, 30)))]
        record: dict[str, object] = {"asin": item_id(number)}
        if rng.random() < 0.9:
            record["related"] = {"also_bought": near, "bought_together": near[:2]}
        if number % 29:
            record["title"] = _title(rng, number)
        record |= {
            "price": round(float(rng.random() * 90), 2),
            "salesRank": {"Electronics": number},
        }
        record |= {"imUrl": f"http://ecx.images-amazon.com/{number}.jpg"}
        record |= {"brand": str(rng.choice(_MADE_BY))} if rng.random() < 0.5 else {}
        record["categories"] = own
        if (text := _description(rng, number)) and number % 29:
            record["description"] = text
        yield repr(record)


def _items_2018(rng: np.random.Generator, paths: list[list[list[str]]]) -> Iterator[str]:
    for number, own in _catalogue(rng, paths):
        text = _description(rng, number)
        yield json.dumps(
            {
                "category": own[-1] if number % 11 else [],
                "tech1": "",
                "description": [text, "Second."] if text else [],
                "fit": "",
                "title": _title(rng, number) if number % 29 else "",
                "also_buy": [item_id(number + 1)],
                "tech2": "",
                "brand": str(rng.choice(_MADE_BY)),
                "feature": ["Small", "Light &amp; cheap"],
                "rank": [">#3,024 in Electronics"] if number % 2 else "3,024 in Electronics (",
                "also_view": [],
                "details": {"ASIN: ": item_id(number)},
                "main_cat": "Camera &amp; Photo",
                "similar_item": "",
                "date": "January 28, 2014",
                "price": "$65.00",
                "asin": item_id(number),
                "imageURL": [],
                "imageURLHighRes": [],
            }
        )


def _items_2023(rng: np.random.Generator, paths: list[list[list[str]]]) -> Iterator[str]:
    for number, own in _catalogue(rng, paths):
        text = _description(rng, number)
        yield json.dumps(
            {
                "main_category": "All Electronics",
                "title": _title(rng, number) if number % 29 else "",
                "average_rating": 4.3,
                "rating_number": number,
                "features": ["Small", "Light"],
                "description": [text, "Second."] if text else [],
                "price": 6.99 if number % 3 else None,
                "images": [{"thumb": "t.jpg", "large": "l.jpg", "variant": "MAIN", "hi_res": None}],
                "videos": [],
                "store": str(rng.choice(_MADE_BY)) or None,
                "categories": own[-1] if number % 11 else [],
                "details": {"Brand": "Canon", "UPC": "632709433010"},
                "parent_asin": item_id(number),
                "bought_together": None,
            }
        )


def _catalogue(
    rng: np.random.Generator, paths: list[list[list[str]]]
) -> Iterator[tuple[int, list[list[str]]]]:
    """Yield most reviewed items, and half as many again that nobody reviewed, in no order."""
    listed = rng.permutation(len(paths) + len(paths) // 2)
    for number in listed.tolist():
        if number % 53 != 52:
            yield number, paths[number] if number < len(paths) else [["Electronics", "Other"]]


def _query(path: list[str]) -> str:
    words = " ".join(path).lower().replace("&amp;", " ").replace("&", " ").replace(">", " ")
    found = [word for word in words.replace(",", " ").split() if word != "the"]
    return " ".join(w for i, w in enumerate(found) if w not in found[i + 1 :])


def _write_queries(
    folder: Path,
    rng: np.random.Generator,
    user: NDArray[np.int64],
    item: NDArray[np.int64],
    paths: list[list[list[str]]],
) -> dict[str, str]:
    """Write Ai et al.'s folder: 30% of the reviews are hidden, 30% of the queries test."""
    own = folder / "Amazon-Product-Search-Datasets" / "reviews_Electronics_5.json.gz"
    own.mkdir(parents=True)
    of_item = [sorted({_query(path) for path in each if len(path) > 1}) for each in paths]
    texts = sorted({text for each in of_item for text in each})
    number = {text: i for i, text in enumerate(texts)}
    tests = rng.random(len(texts)) < 0.3
    hidden = rng.random(len(user)) < 0.3
    rows: dict[str, list[str]] = {"train": [], "test": []}
    for line, (u, i, index) in enumerate(_rows(user, item, item)):
        queries = [number[text] for text in of_item[index]]
        trained = [q for q in queries if not tests[q]] or queries[:1]
        chosen = [q for q in queries if q not in trained] if hidden[line] else trained
        rows["test" if hidden[line] else "train"] += [f"{u}_{q} 0 {i} 1 " for q in chosen]
    names = {
        "query_text": "query_text.txt.gz",
        "train_qrels": "train.qrels.gz",
        "test_qrels": "test.qrels.gz",
        "train_reviews": "train_review_id.txt.gz",
    }
    _write(own / names["query_text"], texts)
    _write(own / names["train_qrels"], rows["train"])
    _write(own / names["test_qrels"], rows["test"])
    _write(own / names["train_reviews"], (f"line_{n}" for n in np.flatnonzero(~hidden).tolist()))
    return {what: f"{own.relative_to(folder)}/{name}" for what, name in names.items()}


def _write(path: Path, lines: Iterable[str]) -> None:
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=1, newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)
