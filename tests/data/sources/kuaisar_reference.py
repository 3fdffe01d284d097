"""What a card of format ``kuaisar`` must come to, written down slowly: rows as dicts."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.data.slow_card import Shown

Row = dict[str, Any]
Rules = dict[str, Any]


@dataclass
class Reference:
    """What is left of both files, and the catalogue."""

    rows: list[Shown]
    catalogue: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def events(self) -> list[Shown]:
        return [row for row in self.rows if row.grade > 0]


def read(folder: Path, rules: Rules, columns: tuple[str, ...] = ()) -> Reference:
    rows = _recommended(folder / "rec_inter.csv", rules) + _searched(
        folder / "src_inter.csv", rules
    )
    if rules.get("exposures") == "drop":
        rows = [row for row in rows if row["grade"] > 0]
    rows = _core(rows, rules.get("core", {}))
    if rules.get("clickless", "drop") != "keep":
        clicked = {row["key"] for row in rows if row["grade"] > 0}
        rows = [row for row in rows if row["key"] in clicked]
    catalogue = _catalogue(folder, rules, rows, columns)
    fields = ("user", "item", "time", "words", "session", "grade")
    return Reference([Shown(*(row[name] for name in fields)) for row in rows], catalogue)


def _lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _words(text: str) -> str:
    try:
        found = json.loads(text)
    except ValueError:
        return ""
    proper = isinstance(found, list) and all(type(token) is int for token in found)
    return " ".join(map(str, found)) if proper else ""


def _recommended(path: Path, rules: Rules) -> list[Row]:
    rows = []
    for line in _lines(path):
        grades = [
            grade
            for label, grade in rules.get("positive", {"click": 1.0}).items()
            if _holds(line, label, rules)
        ]
        time = int(float(line["timestamp"]))
        rows.append(
            {
                "user": line["user_id"],
                "item": line["item_id"],
                "time": time,
                "grade": max(grades, default=0.0),
                "words": None,
                "session": None,
                "key": ("rec", line["user_id"], time),
            }
        )
    return rows


def _holds(line: dict[str, str], label: str, rules: Rules) -> bool:
    if label != "long-view":
        return float(line[label]) > 0
    played, whole = float(line["playing_time"]), float(line["duration_ms"])
    enough = played >= 1000 * rules.get("long_view", 18.0) or played >= whole
    return whole > 0 and enough


def _searched(path: Path, rules: Rules) -> list[Row]:
    worth = rules.get("positive", {"click": 1.0}).get("click", 1.0)
    searches: dict[Hashable, list[Row]] = defaultdict(list)
    rows = []
    for line in _lines(path):
        words = _words(line["keyword"])
        types = rules.get("item_types")
        if not words or (types is not None and line["item_type"] not in types):
            continue
        key = ("search", line["user_id"], line["search_session_id"], words)
        row = {
            "user": line["user_id"],
            "item": line["item_id"],
            "time": int(line["search_session_timestamp"]),
            "grade": worth if int(line["click_cnt"]) > 0 else 0.0,
            "words": words,
            "session": line["search_session_id"],
            "key": key,
        }
        searches[key].append(row)
        rows.append(row)
    left_out = set()
    for mine in searches.values():
        if rules.get("clickless") == "earliest" and not any(row["grade"] for row in mine):
            mine[0]["grade"] = worth
        clicked: list[str] = []
        for row in mine:
            if row["grade"] and row["item"] not in clicked:
                clicked.append(row["item"])
            most = rules.get("most_clicks")
            if row["grade"] and most is not None and clicked.index(row["item"]) >= most:
                left_out.add(id(row))
    return [row for row in rows if id(row) not in left_out]


def _core(rows: list[Row], core: dict[str, int]) -> list[Row]:
    while True:
        kept = rows
        for name in ("user", "item"):
            least = core.get(name, 1)
            counts = Counter(row[name] for row in rows if row["grade"] > 0)
            if least > 1:
                kept = [row for row in kept if counts[row[name]] >= least]
        if len(kept) == len(rows):
            return rows
        rows = kept


def _catalogue(
    folder: Path, rules: Rules, rows: list[Row], columns: tuple[str, ...]
) -> dict[str, dict[str, str]]:
    catalogue = {row["item"]: dict.fromkeys(columns, "") for row in rows}
    for line in reversed(_lines(folder / "item_features.csv")):
        if line["item_id"] in catalogue or rules.get("catalogue") == "listed":
            catalogue[line["item_id"]] = {name: _text(name, line[name]) for name in columns}
    return catalogue


def _text(name: str, text: str) -> str:
    if name == "caption":
        return _words(text)
    if name.endswith("_id"):
        return "" if text == "0" else text
    return "" if text in ("空", "empty", "1970-01-01") else text
