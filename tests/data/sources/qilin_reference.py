"""Small tables of Qilin as hypothesis draws them, and what the rules of the format make of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from tests.data import slow_requests
from tests.data.generated.qilin import PAD, Size
from tests.data.slow_requests import SlowRequest

TABLES = ("search_train", "search_test", "recommendation_train", "recommendation_test")
TINY = Size(40, 900, 120, 30, 200, 40, shown=7, content=8, files=3)
NOTES = 9
ACTIONS = ("click", "like", "collect", "comment", "share")
Row = dict[str, Any]


def card_of(folder: Path, files: dict[str, Any], **changes: Any) -> Path:
    texts = {"title": "{note_title}", "text": ["note_content"]}
    return slow_requests.card_of(folder, "qilin", files, **{**texts, **changes})


FLAG = st.sampled_from([0.0, 0.0, 1.0, None])
SHOWN = st.fixed_dictionaries(
    {
        "note_idx": st.sampled_from([*range(NOTES), NOTES + 3, None]),
        "position": st.just(0.0),
        "click": st.sampled_from([0.0, 1.0, 1.0, None]),
        **dict.fromkeys(ACTIONS[1:], FLAG),
        "page_time": st.sampled_from([None, math.nan, -1.0, 2.0, 10.0, 30.0]),
        "late": st.sampled_from([0, 0, 0.75, 2, None]),
    }
)
MIDNIGHT = 1_727_712_000
"""The first of October 2024 begins in Beijing."""
MOMENTS = st.sampled_from([-30, -25, -24, -10, -1, 0, 3]).flatmap(
    lambda hours: st.sampled_from([MIDNIGHT + hours * 3600, MIDNIGHT + hours * 3600 - 1])
)
REQUEST = st.fixed_dictionaries(
    {
        "user_idx": st.sampled_from([0, 1, 2, 2, None]),
        "query": st.sampled_from(["红酒", "红酒 推荐", "wine", "", None]),
        "moment": st.integers(0, 25) | MOMENTS,
        "recent": st.lists(st.sampled_from([*range(NOTES), NOTES, PAD, NOTES + 5]), max_size=4),
        "shown": st.lists(SHOWN, max_size=5),
    }
)
REQUESTS = st.fixed_dictionaries(
    {
        "search_train": st.lists(REQUEST, max_size=14),
        "search_test": st.lists(REQUEST, max_size=5),
        "recommendation_train": st.lists(REQUEST, max_size=14),
        "recommendation_test": st.lists(REQUEST, max_size=5),
    }
)
RULES = st.fixed_dictionaries(
    {},
    optional={
        "grades": st.sampled_from(
            [{"click": 1}, {"like": 2}, {"click": 3, "share": 2, "like": 1, "comment": 4}]
        ),
        "min_page_time": st.sampled_from([1, 10]),
        "recent": st.sampled_from(["history", "ignore"]),
    },
)


def write_rows(folder: Path, tables: dict[str, list[Row]], halves: bool = True) -> Path:
    """Write requests as the published tables have them, those of two files each in two halves."""
    files: dict[str, Any] = {}
    ids = np.arange(NOTES)
    notes = pa.table(
        {
            "note_title": [None if i == 3 else f"红酒{i}" for i in ids],
            "note_content": [f"内容 {i}" for i in ids],
            "taxonomy1_id": ["nan" if i % 2 else "酒" for i in ids],
            "click_num": ids * 1.0,
            "note_idx": ids,
        }
    )
    whole = {name: _table(name, rows) for name, rows in tables.items()}
    for name, table in {"notes": notes, **whole}.items():
        cut = len(table) // 2 if halves else len(table)
        for number, part in enumerate((table[:cut], table[cut:]) if halves else (table,)):
            kind = name if number == 0 else f"{name}-{number + 1}"
            files[kind] = {"name": f"{kind}.parquet"}
            pq.write_table(part, folder / f"{kind}.parquet", row_group_size=3)
    return card_of(folder, files)


def _table(name: str, rows: list[Row]) -> pa.Table:
    service = "search" if name.startswith("search") else "rec"
    clock = "search_timestamp" if service == "search" else "request_timestamp"
    shown = [
        [
            {
                **{k: v for k, v in each.items() if k != "late"},
                clock: None if each["late"] is None else float(row["moment"] + each["late"]),
            }
            for each in row["shown"]
        ]
        for row in rows
    ]
    numbers = ("position", *ACTIONS, "page_time", clock)
    struct = pa.struct([("note_idx", pa.int64()), *((n, pa.float64()) for n in numbers)])
    return pa.table(
        {
            "recent_clicked_note_idxs": pa.array([r["recent"] for r in rows], pa.list_(pa.int64())),
            "user_idx": pa.array([r["user_idx"] for r in rows], pa.int64()),
            "query": pa.array([r["query"] for r in rows], pa.string()),
            "query_from_type": pa.array([None for _ in rows], pa.float64()),
            f"{service}_result_details_with_idx": pa.array(shown, pa.list_(struct)),
        }
    )


def slow_reading(tables: dict[str, list[Row]], rules: dict[str, Any]) -> list[SlowRequest]:
    """Return the requests as the rules of the format have them."""
    requests = []
    for name in TABLES:
        for row in tables[name]:
            late = [each["late"] for each in row["shown"] if each["late"] is not None]
            if row["user_idx"] is None or not late:
                continue
            moment = row["moment"] + math.floor(min(late))
            shown = [
                (str(each["note_idx"]), slow_grade(each, rules))
                for each in row["shown"]
                if each["note_idx"] in range(NOTES)
            ]
            recent = [str(note) for note in row["recent"] if note in range(NOTES)]
            if rules.get("recent") == "ignore":
                recent = []
            words = (row["query"] or "") if name.startswith("search") else None
            part = name.rpartition("_")[2]
            request = SlowRequest(str(row["user_idx"]), moment, words, part, shown, recent)
            requests.append(request)
    return requests


def slow_grade(each: Row, rules: dict[str, Any]) -> float:
    page, least = each["page_time"], rules.get("min_page_time")
    if least is not None and page is not None and 0 <= page < least:
        return 0
    grades = rules.get("grades", {"click": 1})
    return max((grade for action, grade in grades.items() if each[action]), default=0)


def one(user: int, moment: int, clicks: list[int], others: list[int], recent: list[int]) -> Row:
    """Return a row by what was clicked and what was not."""
    shown = [
        {"note_idx": note, "position": 0.0, "click": float(note in clicks), "late": 0}
        | dict.fromkeys((*ACTIONS[1:], "page_time"), math.nan)
        for note in [*clicks, *others]
    ]
    return {"user_idx": user, "query": "酒", "moment": moment, "recent": recent, "shown": shown}


TWELVE = [one(0, moment, [moment % 4], [4, 5], [6, 7]) for moment in range(12)]


def odd_in(tables: dict[str, list[Row]]) -> bool:
    """Return whether anything in the tables is left out."""
    rows = [row for each in tables.values() for row in each]
    return any(
        row["user_idx"] is None
        or all(shown["late"] is None for shown in row["shown"])
        or any(shown["note_idx"] not in range(NOTES) for shown in row["shown"])
        or any(note not in (*range(NOTES + 1), PAD) for note in row["recent"])
        for row in rows
    )
