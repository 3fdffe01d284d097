"""Format ``kuaisar`` against a slow reference, and as a user meets it."""

from __future__ import annotations

import csv
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.data.audit import audit
from benchmark.data.dataset import Dataset
from benchmark.data.events import EventSource
from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.formats import reader_of
from benchmark.data.sources.reader import Wanted
from benchmark.data.sources.source import Source
from benchmark.errors import InputError
from tests.data.generated.kuaisar import FILES, FOLDER, FULL, write_folder, write_zip

from . import kuaisar_reference as slow

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
ITEM_ROWS = st.lists(
    st.tuples(
        st.integers(1, 12),
        st.sampled_from(["[7, 8]", "[]", "[9]", "['x']", "__import__('os').abort()"]),
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
    """Return rows of sessions; one session of a user has one time, and no other has it."""
    moments: dict[tuple[int, int], int] = {}
    return [
        (
            keyword,
            item,
            clicks,
            session,
            kind,
            user,
            moments.setdefault((user, session), time + 60_000 * session),
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


def rows_of(source: Source) -> Counter:
    inter = source.inter
    ids = {name: getattr(inter, name).to_pylist() for name in ("users", "items")}
    queries, sessions = inter.queries.to_pylist(), inter.sessions.to_pylist()
    assert inter.grade is not None
    return Counter(
        (
            ids["users"][inter.user[i]],
            ids["items"][inter.item[i]],
            int(inter.time[i]),
            float(inter.grade[i]),
            queries[inter.query[i]] if inter.query[i] >= 0 else "",
            sessions[inter.session[i]] if inter.session[i] >= 0 else "",
        )
        for i in range(len(inter.user))
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(REC_ROWS, SESSIONS, ITEM_ROWS, RULES)
def test_rows_and_catalogue_are_those_of_the_reference(
    rec: list, sessions: list, items: list, rules: dict
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = write(Path(place), rec, sessions, items)
        expected = slow.read(folder, rules, COLUMNS)
        try:
            source = read(folder, COLUMNS, **rules)
        except InputError as error:
            no_query = not any(slow._words(keyword) for _, _, keyword, _, _ in sessions)
            no_item = not {str(i[0]) for i in items} & {*expected.catalogue}
            assert (not expected.events) or no_query or no_item, error
            return
    names = ("user", "item", "time", "grade", "query", "session")
    assert rows_of(source) == Counter(tuple(row[n] for n in names) for row in expected.rows)
    texts = [source.items.columns[name].to_pylist() for name in COLUMNS]
    ids = source.items.ids.to_pylist()
    found = {i: dict(zip(COLUMNS, t, strict=True)) for i, *t in zip(ids, *texts, strict=True)}
    assert found == expected.catalogue
    assert len(ids) == len(found)
    asked = source.inter.queries.to_pylist()
    assert sorted(asked) == sorted({row["query"] for row in expected.rows} - {""})


def asked_of(dataset: Dataset) -> dict[tuple[str, str], list]:
    """Return by part and task what each request is, comparable."""
    found: dict[tuple[str, str], list] = {}
    items, users = dataset.items.ids, dataset.users
    for (part, task), evaluation in dataset.evaluation.items():
        requests = evaluation.requests
        offsets, rows = requests.history_rows()
        for i in range(len(evaluation)):
            mine = evaluation.relevant.at(np.array([i]))
            before = rows[offsets[i] : offsets[i + 1]]
            log = dataset.log
            history = Counter(
                (items[log.item[r]], _service(log.kind[r]), int(log.time[r])) for r in before
            )
            relevant = {
                items[k]: float(g) for k, g in zip(mine.item, mine.gain, strict=True)
            }
            lists = evaluation.lists.get("given")
            shown = {items[k] for k in lists.at(np.array([i])).items} if lists else set()
            query = requests.query_texts()[i]
            who = (users[requests.user[i]], int(requests.time[i]), query)
            found.setdefault((part, str(task)), []).append(
                (*who, relevant, sorted(shown), history)
            )
    return {which: sorted(each, key=repr) for which, each in found.items()}


def _service(kind: int) -> str:
    return "search" if kind == EventSource.SEARCHED else "rec"


def expected_of(reference: slow.Reference) -> dict[tuple[str, str], list]:
    expected: dict[tuple[str, str], list] = {}
    for which, asked in slow.requests(reference, SPLIT).items():
        for request in asked:
            relevant = request["relevant"]
            if len(relevant) == len(reference.catalogue):
                continue  # every item is right
            shown = request["shown"] | {*relevant}
            given_list = [] if shown == {*relevant} else sorted(shown)
            expected.setdefault(which, []).append(
                (
                    request["user"],
                    request["time"],
                    request["query"],
                    relevant,
                    given_list,
                    request["history"],
                )
            )
    return {which: sorted(each, key=repr) for which, each in expected.items()}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(REC_ROWS, SESSIONS, ITEM_ROWS, RULES)
def test_requests_histories_and_training_are_those_of_the_reference(
    rec: list, sessions: list, items: list, rules: dict
) -> None:
    with tempfile.TemporaryDirectory() as place:
        sessions = [(1, 1, "[9]", MIDNIGHT, [(10, 1, "VIDEO"), (12, 0, "VIDEO")]), *sessions]
        folder = write(Path(place), ALWAYS + rec, sessions, [(10, "[1]", "", "1", ""), *items])
        expected = slow.read(folder, rules)
        dataset = load_dataset(card(folder, rules=rules), cache=folder / "cache", seen="keep")
    assert asked_of(dataset) == expected_of(expected)
    log = dataset.train.log
    found = Counter(
        (
            dataset.users[log.user[r]],
            dataset.items.ids[log.item[r]],
            _service(log.kind[r]),
            int(log.time[r]),
        )
        for r in range(len(log))
    )
    assert found == slow.trained(expected, SPLIT)
    assert audit(dataset).ok
