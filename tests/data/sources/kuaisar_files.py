"""Small files of KuaiSAR as hypothesis draws them, and what reads them and writes their cards."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.formats import reader_of
from benchmark.data.sources.reader import Wanted
from benchmark.data.sources.source import Source
from tests.data.generated.kuaisar import FILES, FULL

READER = reader_of("kuaisar")
MIDNIGHT = 1_685_462_400_000
"""The last day of May 2023 begins in Beijing."""
HOUR = 3_600_000
SPLIT = {"name": "days", "zone": "Asia/Shanghai"}
COLUMNS = ("caption", "first_level_category_name_en", "author_id", "upload_time")
REC = "user_id,item_id,duration_ms,playing_time,timestamp,forward,like,follow,search_item_related"
REC_FIELDS = [*REC.split(","), "search", "click", "time"]
SEARCH = "keyword,item_id,click_cnt,search_session_id,item_type,user_id,search_session_timestamp"
SEARCH_FIELDS = [*SEARCH.split(","), "search_source", "search_session_time"]
ITEM_FIELDS = ["item_id", *COLUMNS]

FLAG = st.sampled_from(["0", "1"])
TIMES = st.sampled_from([-40, -30, -26, -24, -2, -1, 0, 1, 5]).map(lambda h: MIDNIGHT + h * HOUR)
EDGES = st.sampled_from([MIDNIGHT - 1, MIDNIGHT, MIDNIGHT - 24 * HOUR - 1, MIDNIGHT - 24 * HOUR])
REC_ROWS = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.integers(1, 6),
        st.sampled_from(["0.0", "9000.0", "20000"]),
        st.sampled_from(["0", "5000.0", "9000.0", "18000.0", "17999"]),
        (TIMES | EDGES).map(lambda t: f"{t}.0"),
        FLAG,
        FLAG,
        FLAG,
        FLAG,
        FLAG,
        FLAG,
        st.just("2023-05-31 00:00:00"),
    ),
    min_size=1,
    max_size=25,
)
KEYWORDS = st.sampled_from(["[1, 2]", "[1,2]", "[2]", "[ 3 ,4, 5 ]", "[]", "[1, 2", "nonsense"])
TYPES = st.sampled_from(["VIDEO", "USER", "LIVE"])
RESULTS = st.lists(st.tuples(st.integers(3, 9), st.integers(0, 2), TYPES), min_size=1, max_size=5)
SESSIONS = st.lists(
    st.tuples(st.integers(1, 3), st.integers(1, 4), KEYWORDS, TIMES, RESULTS),
    min_size=1,
    max_size=8,
)
NO_LISTS = ("['x']", "__import__('os').abort()")
ITEM_ROWS = st.lists(
    st.tuples(
        st.integers(1, 12),
        st.sampled_from(["[7, 8]", "[]", "[9]", *NO_LISTS]),
        st.sampled_from(["empty", "Funny", "music, loud"]),
        st.sampled_from(["0", "44552"]),
        st.sampled_from(["1970-01-01", "2023-04-22"]),
    ),
    max_size=10,
).map(lambda rows: [(1, "[1]", "Food", "1", "2020-01-01"), *rows])
RULES = st.fixed_dictionaries(
    {},
    optional={
        "positive": st.dictionaries(
            st.sampled_from(["click", "like", "follow", "forward", "search", "long-view"]),
            st.sampled_from([1.0, 2.0, 3.0]),
            min_size=1,
            max_size=3,
        ),
        "long_view": st.sampled_from([5.0, 9.0, 18.0]),
        "item_types": st.sampled_from([["VIDEO"], ["VIDEO", "USER"], ["USER"]]),
        "clickless": st.sampled_from(["drop", "keep", "earliest"]),
        "most_clicks": st.integers(1, 2),
        "exposures": st.sampled_from(["given", "drop"]),
        "core": st.fixed_dictionaries({"user": st.integers(1, 3), "item": st.integers(1, 2)}),
        "catalogue": st.sampled_from(["log", "listed"]),
    },
)


ALWAYS = [
    (user, item, "9000.0", "9000.0", f"{MIDNIGHT + hours * HOUR + item}.0", *"111111", "")
    for user, items, hours in ((1, (10, 11, 12), -100), (2, (10, 11, 12), -100), (3, (10, 11), -90))
    for item in items
] + [(3, 12, "9000.0", "9000.0", f"{MIDNIGHT + HOUR}.0", *"111111", "")]
"""Something to train on and something to ask, whatever the rules are."""


def search_rows(sessions: list) -> list[tuple]:
    """Return rows of sessions; a session of a user has one time, which another one may have."""
    moments: dict[tuple[int, int], int] = {}
    return [
        (
            keyword,
            item,
            clicks,
            session,
            kind,
            user,
            moments.setdefault((user, session), time + 60_000 * (session // 2)),
            "USER_INPUT",
            "2023-05-31 00:00:00",
        )
        for user, session, keyword, time, results in sessions
        for item, clicks, kind in results
    ]


def write(folder: Path, rec: list, sessions: list, items: list) -> Path:
    for name, fields, rows in (
        ("rec_inter.csv", REC_FIELDS, rec),
        ("src_inter.csv", SEARCH_FIELDS, search_rows(sessions)),
        ("item_features.csv", ITEM_FIELDS, items),
    ):
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(fields)
            out.writerows(rows)
    return folder


def read(folder: Path, columns: tuple[str, ...] = (), **rules: Any) -> Source:
    files = {kind: folder / name for kind, name in FILES.items() if (folder / name).exists()}
    return READER.read(files, READER.rules(**rules), Wanted(columns, None, Cleaning()))


def card(folder: Path, **changes: Any) -> Path:
    """Write a card beside the files of a folder."""
    files = {kind: {"name": name} for kind, name in FILES.items() if (folder / name).exists()}
    values = {"name": "mine", "format": "kuaisar", "files": files, "split": SPLIT}
    values |= dict.fromkeys(("description", "source", "licence", "citation"), "mine")
    (folder / "card.yaml").write_text(yaml.safe_dump(values | changes), encoding="utf-8")
    return folder


TINY = replace(FULL.scaled(2e-5), users=12, hours=72.0)


def copied(folder: Path, to: Path) -> Path:
    """Return a folder with a copy of the generated files, which a test may spoil."""
    for name in FILES.values():
        (to / name).write_bytes((folder / name).read_bytes())
    return to
