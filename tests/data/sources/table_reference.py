"""What format ``table`` should read, in plain Python: rows as dictionaries, one at a time."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

__all__ = ["Event", "expected", "write_table"]

Event = tuple[Any, ...]
"""User, item, time, query, session, grade and row."""


def write_table(path: Path, rows: Sequence[dict[str, str]], kind: str) -> None:
    """Write rows of text as a file of some kind, ``csv;`` and ``csv.gz`` among them."""
    names = list(rows[0])
    if kind == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.table({n: pa.array([r[n] or None for r in rows], pa.string()) for n in names})
        pq.write_table(table, path, row_group_size=3)
        return
    opened = gzip.open if kind.endswith(".gz") else open
    with opened(path, "wt", encoding="utf-8", newline="") as file:  # type: ignore[operator]
        if kind.startswith("jsonl"):
            for row in rows:
                file.write(json.dumps({n: v for n, v in row.items() if v != ""}) + "\n")
            return
        separator = {"csv": ",", "csv;": ";", "tsv": "\t"}[kind.removesuffix(".gz")]
        writer = csv.writer(file, delimiter=separator)
        writer.writerow(names)
        writer.writerows([row[n] for n in names] for row in rows)


def _cell(text: str, missing: Sequence[str]) -> str | None:
    text = " ".join(text.split())
    return None if text == "" or text in missing else text


def _micro(text: str, unit: str) -> int:
    if unit == "iso":
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
        return (since.days * 86_400 + since.seconds) * 10**6 + since.microseconds
    return int(text) * {"seconds": 10**6, "milliseconds": 10**3, "microseconds": 1}[unit]


def expected(
    rows: Sequence[dict[str, str]],
    rules: dict[str, Any],
    unit: str,
    listed: set[str] | None = None,
) -> set[Event]:
    """Return the events that stay, by rules as a card has them.

    Args:
        rows: of the file of events.
        rules: with the columns named as their roles.
        unit: how times are written.
        listed: the items that are listed.
    """
    missing, types = rules.get("missing", ()), rules.get("events", {})
    least = {"user": 1, "item": 1, "rating": None} | rules.get("at_least", {})
    events: list[dict[str, Any]] = []
    given = [_micro(t, unit) for row in rows if (t := _cell(row["time"], missing)) is not None]
    second = next(s for s in (1, 10**3, 10**6) if all(t % (10**6 // s) == 0 for t in given))
    untimed = rules["columns"]["time"] is None
    for number, row in enumerate(rows):
        cells = {name: _cell(row[name], missing) for name in rules["columns"]}
        if untimed:
            cells["time"] = str(number)
        if None in (cells["user"], cells["item"], cells["time"]):
            continue
        query, grade = cells.get("query"), 1.0
        if types:
            rule = types.get(cells.get("type"))
            if rule is None:
                continue
            rule = rule if isinstance(rule, dict) else {"grade": rule}
            grade, search = rule.get("grade", 1), rule.get("search")
            if search is False:
                query = None
            if search is True and query is None:
                continue
        if least["rating"] is not None:
            rating = cells.get("rating")
            if rating is None or float(rating) < least["rating"]:
                continue
        if "grade" in rules["columns"]:
            if cells["grade"] is None:
                continue
            grade = float(cells["grade"])
        if listed is not None and cells["item"] not in listed:
            continue
        ranked = untimed or rules.get("time") == "order"
        time = int(str(cells["time"])) if ranked else _micro(str(cells["time"]), unit)
        time = time if ranked else time * second // 10**6
        events.append({**cells, "query": query, "grade": grade, "time": time, "row": number})
    if "session_gap" in rules:
        _sessions(events, rules["session_gap"] * second)
    events = _core(events, least["user"], least["item"])
    return {
        (e["user"], e["item"], e["time"], e["query"], e.get("session"), e["grade"], e["row"])
        for e in events
    }


def _sessions(events: list[dict[str, Any]], gap: float) -> None:
    for user in {event["user"] for event in events}:
        number, last = 0, None
        for event in sorted((e for e in events if e["user"] == user), key=lambda e: e["time"]):
            if last is None or event["time"] - last > gap:
                number += 1
            last, event["session"] = event["time"], f"{user}:{number}"


def _core(events: list[dict[str, Any]], least_user: int, least_item: int) -> list[dict[str, Any]]:
    while True:
        counted = [event for event in events if event["grade"] > 0]
        users = Counter(event["user"] for event in counted)
        items = Counter(event["item"] for event in counted)
        # One is no condition: what was shown and never taken is still shown.
        left = [
            e
            for e in events
            if (least_user == 1 or users[e["user"]] >= least_user)
            and (least_item == 1 or items[e["item"]] >= least_item)
        ]
        if len(left) == len(events):
            return left
        events = left
