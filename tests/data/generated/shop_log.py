"""The log of a shop whose titles are German and Chinese, as a company would export it.

Two CSV files: ``events.csv`` (``customer_id``, ``product_id``, ``event_time`` in ISO 8601 with a
zone, ``event_type``, ``search_term``) and ``items.csv`` (``product_id``, ``title``, ``brand``,
``image_url``). A search has several clicks, seconds apart; what a customer takes follows a taste.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
from numpy.typing import NDArray

__all__ = ["TITLES", "write_shop_log"]

GERMAN = (
    ["Blauer", "Roter", "Großer", "Kleiner", "Leichter", "Warmer", "Grüner", "Weißer"],
    ["Wanderschuh", "Rucksack", "Stuhl", "Kühlschrank", "Mantel", "Löffel", "Kopfhörer", "Teppich"],
    ["aus Leder", "aus Holz", "für Kinder", "mit Reißverschluss", "aus Baumwolle", "für Büros"],
)
CHINESE = (
    ["红色", "蓝色", "大号", "小号", "轻便", "保暖", "绿色", "白色"],
    [
        "登山鞋",
        "双肩背包",
        "木制椅子",
        "家用冰箱",
        "羊毛大衣",
        "不锈钢勺子",
        "无线耳机",
        "客厅地毯",
    ],
    ["真皮", "儿童款", "加厚", "便携式", "纯棉", "办公室用"],
)
TITLES = [
    [" ".join(parts) for parts in product(*GERMAN)],
    ["".join((a, c, b)) for a, b, c in product(*CHINESE)],
]
"""Every title, German and Chinese; those at one place mean the same."""
_PER_LANGUAGE = len(TITLES[0])
_WORDS = len(GERMAN[1]), len(GERMAN[2])


def _asked(language: NDArray, item: NDArray, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Return words for items, an adjective and a noun or the noun alone, and which have both."""
    adjective, rest = np.divmod(item, _WORDS[0] * _WORDS[1])
    noun = rest // _WORDS[1]
    both = rng.random(len(item)) < 0.5
    german = np.array([[f"{a.lower()} {n.lower()}" for n in GERMAN[1]] for a in GERMAN[0]])
    chinese = np.array([[f"{a}{n}" for n in CHINESE[1]] for a in CHINESE[0]])
    long = np.where(language == 0, german[adjective, noun], chinese[adjective, noun])
    nouns = np.array([[n.lower() for n in GERMAN[1]], list(CHINESE[1])])
    return np.where(both, long, nouns[language, noun]), both


def write_shop_log(folder: Path, users: int = 5_000, seed: int = 1) -> tuple[Path, Path]:
    """Write the files and return their paths.

    Args:
        folder: is made.
        users: customers, with 5 to 15 visits each.
        seed: of all that is drawn.
    """
    rng = np.random.default_rng(seed)
    visits = rng.integers(5, 16, users)
    user = np.repeat(np.arange(users), visits)
    language = (rng.random(users) < 0.5).astype(np.int64)[user]
    taste = rng.integers(0, _PER_LANGUAGE, users)[user]
    near = (taste + rng.integers(0, 40, len(user))) % _PER_LANGUAGE
    item = np.where(rng.random(len(user)) < 0.7, near, rng.integers(0, _PER_LANGUAGE, len(user)))
    searched = rng.random(len(user)) < 0.5
    words, both = _asked(language, item, rng)
    clicks = np.where(searched, rng.integers(1, 4, len(user)), 1)
    visit = np.repeat(np.arange(len(user)), clicks)
    # All clicks of a search have its words: another material of the same thing.
    turn = rng.integers(0, _WORDS[1], len(visit))
    clicked = np.where(searched[visit], item[visit] // _WORDS[1] * _WORDS[1] + turn, item[visit])
    other = rng.integers(0, len(GERMAN[0]), len(visit)) * (_WORDS[0] * _WORDS[1])
    loose = searched[visit] & ~both[visit]
    clicked = np.where(loose, clicked % (_WORDS[0] * _WORDS[1]) + other, clicked)
    day = rng.integers(0, 120, len(user)) * 86_400 + rng.integers(0, 70_000, len(user))
    second = day[visit] + np.arange(len(visit)) % 97
    when = np.datetime64("2024-03-01T06:00:00") + second.astype("timedelta64[s]")
    kind = np.array(["view", "add_to_cart", "purchase"])
    number = clicked + language[visit] * _PER_LANGUAGE
    events = pa.table(
        {
            "customer_id": np.char.add("c", user[visit].astype(str)),
            "product_id": np.char.add("p", number.astype(str)),
            "event_time": np.char.add(np.datetime_as_string(when), "+02:00"),
            "event_type": kind[np.searchsorted([0.7, 0.9], rng.random(len(visit)))],
            "search_term": np.where(searched, words, "")[visit],
        }
    )
    titles = [*TITLES[0], *TITLES[1]]
    items = pa.table(
        {
            "product_id": [f"p{i}" for i in range(len(titles))],
            "title": titles,
            "brand": [["Alpenglück", "山海"][i >= _PER_LANGUAGE] for i in range(len(titles))],
            "image_url": [f"https://img.example/{i}.jpg" for i in range(len(titles))],
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "events.csv", folder / "items.csv"
    for table, path in zip((events, items), paths, strict=True):
        pacsv.write_csv(table, path)
    return paths
