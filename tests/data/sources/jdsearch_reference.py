"""A slow reader of JDsearch: plain Python, lists and dicts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.data.slow_card import Shown

__all__ = ["Read", "read_jdsearch"]

_GRADES = {"CLICK": 1.0, "CART": 2.0, "ORD": 3.0, "FLW": 1.0}


@dataclass
class Read:
    """Events and what was shown only, texts by product, and what is told of the lines.

    ``tied`` counts the test queries of the moment of the event before.
    """

    rows: list[Shown] = field(default_factory=list)
    texts: dict[str, dict[str, str]] = field(default_factory=dict)
    left_out: int = 0
    again: int = 0
    unasked: int = 0
    tied: int = 0

    @property
    def events(self) -> bool:
        return any(row.grade for row in self.rows)


def read_jdsearch(files: Mapping[str, Path], rules: Mapping[str, Any]) -> Read:
    """Read the files by the rules of a card."""
    read, tests, longest = Read(), [], 0
    listed: dict[str, dict[str, str]] = {}
    if "products" in files:
        names, rows = _table(files["products"], "wid")
        for cells in rows.values():
            texts = {n: c.replace("\x18", " ") for n, c in zip(names, cells, strict=True)}
            read.again += texts["wid"] in listed
            listed.setdefault(texts.pop("wid"), texts)
    for number, cells in _table(files["log"], "query")[1].items():
        parts = [cell.split("_") if cell else [] for cell in cells]
        query, (_, wids, labels, queries, items, types, gaps) = cells[0], parts
        if not _fits(query, wids, labels, queries, items, types, gaps):
            read.left_out += 1
            continue
        if rules.get("time") == "positions":
            moments = list(range(len(gaps)))
        else:
            moments = [sum(int(float(g)) for g in gaps[1 : k + 1]) for k in range(len(gaps))]
        run = 0
        for k, (asked, item, kind) in enumerate(zip(queries, items, types, strict=True)):
            run += k == 0 or asked != queries[k - 1]
            grade = rules.get("grades", _GRADES).get(kind)
            together = rules.get("sessions") != "none" and asked != "-1"
            if grade:
                words = None if asked == "-1" else asked.replace("\x18", " ")
                session = f"{number}.{run}" if together else None
                longest = max(longest, run if together else 0)
                read.rows.append(Shown(str(number), item, moments[k], words, session, grade))
        asks = any(float(label) for label in labels)
        read.unasked += not asks
        read.tied += asks and len(items) > 0 and moments[-1] == moments[-2]
        if asks:
            words = query.replace("\x18", " ")
            for item, label in zip(wids, labels, strict=True):
                tests.append(
                    Shown(str(number), item, moments[-1], words, str(number), float(label), "test")
                )
    # The test query is a search of its own, behind all runs.
    read.rows += [replace(row, session=f"{row.session}.{longest + 1}") for row in tests]
    touched = {row.item for row in read.rows}
    if rules.get("missing") == "drop" and "products" in files:
        read.rows = [row for row in read.rows if row.item in listed]
        touched &= set(listed)
    empty = dict.fromkeys(next(iter(listed.values()), {}), "")
    read.texts = {item: listed.get(item, empty) for item in touched | set(listed)}
    return read


def _table(path: Path, first: str) -> tuple[list[str], dict[int, list[str]]]:
    names = {
        "wid": "wid name brand_id brand_name cate_id_1 cate_name_1 cate_id_2 cate_name_2 cate_id_3"
        " cate_name_3 cate_id_4 cate_name_4 shop_id",
        "query": "query candidate_wid_list candidate_label_list history_qry_list history_wid_list"
        " history_type_list history_time_list",
    }[first].split()
    rows = {}
    for number, line in enumerate(path.read_text("utf-8").split("\n")[:-1], 1):
        cells = line.split("\t")
        if cells != names:
            rows[number] = cells
    return names, rows


def _fits(
    query: str, wids: list, labels: list, queries: list, items: list, types: list, gaps: list
) -> bool:
    return (
        len(wids) == len(labels)
        and len(queries) == len(items) == len(types) == len(gaps) - 1
        and all(re.fullmatch(r"[0-3](\.0+)?", label) for label in labels)
        and all(re.fullmatch(r"[0-9]{1,10}(\.0+)?", gap) for gap in gaps)
        and set(types) <= set(_GRADES)
        and "" not in (*wids, *queries, *items)
        and (query not in ("", "-1") or not any(float(label) for label in labels))
    )
