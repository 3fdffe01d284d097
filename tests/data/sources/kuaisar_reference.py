"""What a card of format ``kuaisar`` must come to, written down slowly: rows as dicts."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

Row = dict[str, Any]
Rules = dict[str, Any]


@dataclass
class Reference:
    """Rows that are left, with ``user, item, time, grade, service, session, query, key``.

    ``key`` is what the rows of one request have in common.
    """

    rows: list[Row]
    catalogue: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def events(self) -> list[Row]:
        return [row for row in self.rows if row["grade"] > 0]


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
    return Reference(rows, _catalogue(folder, rules, rows, columns))


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
                "service": "rec",
                "query": "",
                "session": "",
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
            "service": "search",
            "query": words,
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


# What an evaluation comes to, by the split of the card.


def requests(reference: Reference, split: Rules) -> dict[tuple[str, str], list[Row]]:
    """Return by part and task: user, time, query, relevant, shown and history of each request.

    Without exposures of that service each recommended event is a request of its own. Copies of an
    event (the same user, item, service, query and time) count once.
    """
    given = any(row["service"] == "rec" and not row["grade"] for row in reference.rows)
    events: dict[Hashable, Row] = {}
    for row in reference.events:
        copy = (row["user"], row["item"], row["service"], row["query"], row["time"])
        if copy not in events or row["grade"] > events[copy]["grade"]:
            kept = events.get(copy, row)
            events[copy] = {**kept, "grade": row["grade"]}
    groups: dict[Hashable, list[Row]] = defaultdict(list)
    for number, row in enumerate(events.values()):
        alone = row["service"] == "rec" and not given
        groups[(row["key"], number if alone else -1)].append(row)
    shown: dict[Hashable, set[str]] = defaultdict(set)
    for row in reference.rows:
        if not row["grade"]:
            shown[row["key"]].add(row["item"])
    whole = [
        {
            "user": mine[0]["user"],
            "task": mine[0]["service"],
            "time": min(row["time"] for row in mine),
            "query": mine[0]["query"],
            "session": mine[0]["session"],
            "relevant": {row["item"]: row["grade"] for row in mine},
            "shown": shown[mine[0]["key"]],
        }
        for mine in groups.values()
    ]
    part = _days(list(events.values()), split)
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for request in whole:
        if part(request["time"]) is not None:
            found[part(request["time"]), request["task"]].append(request)
    tested = {
        (request["user"], item)
        for (which, _), asked in found.items()
        if which == "test"
        for request in asked
        for item in request["relevant"]
    }
    for (which, _), asked in found.items():
        for request in asked:
            request["history"] = Counter(
                (row["item"], row["service"], row["time"])
                for row in events.values()
                if row["user"] == request["user"]
                and row["time"] < request["time"]
                and not (request["session"] and row["session"] == request["session"])
            )
            if which == "validation":
                request["relevant"] = {
                    item: grade
                    for item, grade in request["relevant"].items()
                    if (request["user"], item) not in tested
                }
        asked[:] = [request for request in asked if request["relevant"]]
    return {which: asked for which, asked in found.items() if asked}


def _days(events: list[Row], split: Rules) -> Callable[[int], str | None]:
    zone = ZoneInfo(split["zone"])

    def day(time: int) -> Any:
        return datetime.fromtimestamp(time / 1000, zone).date()

    last = max(day(row["time"]) for row in events)
    parts = {last: "test", last - timedelta(days=1): "validation"}
    return lambda time: parts.get(day(time))


def trained(reference: Reference, split: Rules) -> Counter:
    """Return the events that models learn from, by user, item, service and time."""
    asked = requests(reference, split)
    part = _days(reference.events, split)
    pairs = {
        (request["user"], item)
        for each in asked.values()
        for request in each
        for item in request["relevant"]
    }
    # A pair that validation loses to a test request is a test pair.
    rows = {
        (row["user"], row["item"], row["service"], row["time"], row["query"])
        for row in reference.events
        if part(row["time"]) is None and (row["user"], row["item"]) not in pairs
    }
    return Counter(row[:4] for row in rows)
