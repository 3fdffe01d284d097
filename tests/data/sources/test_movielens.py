"""The reader of MovieLens gives what a slow reading of the same files gives, for every rule."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data.audit import audit
from benchmark.data.dataset import Dataset
from benchmark.data.grouping import group_events
from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.data.sources.movielens import LABELS
from benchmark.data.terms import Seen
from benchmark.errors import InputError
from tests.data.generated.movielens import write_movielens
from tests.data.sources import plain_split
from tests.data.sources.movielens_reference import Event, events_of, rows_of, searches_of

VERSIONS = ("100k", "1m", "10m", "20m", "25m", "latest")


def _load(
    folder: Path,
    card: dict,
    told: list[str] | None = None,
    seen: Seen = "exclude",
    **rules: object,
) -> Dataset:
    values = {**card, "rules": {**card["rules"], **rules}}
    (folder / "card.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    notify = (lambda line: None) if told is None else told.append
    return load_dataset(folder, cache=folder / "cache", notify=notify, seen=seen)


def _names(card: dict) -> dict[str, str]:
    return {what: file["name"] for what, file in card["files"].items()}


def _events(data: Dataset) -> Counter:
    log, words = data.log, data.queries.texts
    rows = zip(log.user, log.item, log.time, log.query, strict=True)
    return Counter(
        (data.users[u], data.items.ids[i], int(t), words[q] if q >= 0 else None)
        for u, i, t, q in rows
    )


def _searches(data: Dataset) -> list[tuple]:
    groups, log = group_events(data.log, Task.SEARCH), data.log
    found = []
    for g in range(len(groups.first)):
        rows = groups.rows[groups.offsets[g] : groups.offsets[g + 1]]
        films = tuple(sorted({data.items.ids[i] for i in log.item[rows]}))
        found.append((data.users[log.user[rows[0]]], data.queries.texts[log.query[rows[0]]], films))
    return sorted(found)


rules_of_tags = st.fixed_dictionaries(
    {},
    optional={
        "min_rating": st.sampled_from([1.5, 4.0]),
        "burst": st.sampled_from([0, 59, 600, 10**6]),
        "labels": st.sampled_from([(), ("DVD",), ("to_see", "na\xefve")]),
        "lone_numbers": st.sampled_from(["keep", "drop"]),
    },
)


@given(st.integers(0, 2**32), st.sampled_from(VERSIONS), rules_of_tags)
@settings(max_examples=15, deadline=None)
def test_tags_and_ratings_are_those_of_a_slow_reading(seed: int, version: str, rules: dict) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        card = write_movielens(folder, version, users=5, movies=14, seed=seed)
        wanted = events_of(folder, _names(card), **{"labels": LABELS, **rules})
        try:
            data = _load(
                folder, card, **{k: list(v) if k == "labels" else v for k, v in rules.items()}
            )
        except InputError as error:
            assert "event" in str(error)
            return
        assert _events(data) == Counter({event[:4] for event in wanted})
        searches = searches_of(wanted)
        assert _searches(data) == sorted(
            (u, t, tuple(sorted(f))) for (u, t, _), f in searches.items()
        )
        _check_requests(data, wanted, searches)
        assert audit(data).ok


@given(st.integers(0, 2**32), st.sampled_from(VERSIONS), rules_of_tags)
@settings(max_examples=10, deadline=None)
def test_requests_are_those_of_a_slow_split(seed: int, version: str, rules: dict) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        card = write_movielens(folder, version, users=6, movies=16, seed=seed)
        wanted = events_of(folder, _names(card), **{"labels": LABELS, **rules})
        chosen = {k: list(v) if k == "labels" else v for k, v in rules.items()}
        try:
            data = _load(folder, card, seen="keep", **chosen)
        except InputError as error:
            assert "event" in str(error)
            return
    files = {(u, f, t, tag): burst for u, f, t, tag, burst in wanted}
    events = [
        plain_split.Event(u, f, t, tag, None if burst < 0 else str(burst))
        for (u, f, t, tag), burst in files.items()
    ]
    ordered = plain_split.ordered(events, plain_split.log_of_dataset(data))
    train, requests = plain_split.leave_one_out(ordered, len(data.items))
    assert len(data.train.log) == len(train)
    assert plain_split.asked_by(data) == requests


def _check_requests(data: Dataset, wanted: list[Event], searches: dict) -> None:
    """A search is one burst; its history is all that is earlier, outside of the burst."""
    for (_, task), asked in data.evaluation.items():
        offsets, rows = asked.requests.history_rows()
        for i in range(len(asked)):
            user, time = data.users[asked.requests.user[i]], int(asked.requests.time[i])
            films = {data.items.ids[f] for f in asked.relevant.item[asked.relevant.request == i]}
            earlier = [e for e in wanted if e[0] == user and e[2] < time]
            history = Counter(
                data.items.ids[f] for f in data.log.item[rows[offsets[i] : offsets[i + 1]]]
            )
            assert history == Counter(e[1] for e in {e[:4] for e in earlier})
            if task is Task.SEARCH:
                tag = data.queries.texts[asked.requests.query[i]]
                own = [f for (u, t, _), f in searches.items() if (u, t) == (user, tag)]
                assert any(films <= one for one in own)


@pytest.mark.parametrize("version", VERSIONS)
def test_films_of_every_version_have_title_year_and_genres(version: str, tmp_path: Path) -> None:
    card = write_movielens(tmp_path, version)
    data = _load(tmp_path, card)
    rows = rows_of(tmp_path / _names(card)["movies"])
    assert set(data.items.ids) == {row[0] for row in rows}
    by_id = {name: i for i, name in enumerate(data.items.ids)}
    for row in rows:
        place = by_id[row[0]]
        fields = {name: column[place] for name, column in data.items.fields.items()}
        whole = f"{fields['title']} ({fields['year']})" if fields["year"] else fields["title"]
        assert whole == row[1]
        genres = [] if "no genres" in row[2] else row[2].split("|")
        if version == "100k":
            genres = [str(k) for k, flag in enumerate(row[5:]) if flag == "1"]
            assert len(fields["genres"].split()) == len(genres)
        else:
            assert fields["genres"] == " ".join(genres)


@pytest.mark.parametrize("version", ["100k", "1m"])
def test_without_tags_the_card_may_ask_for_simulated_queries(version: str, tmp_path: Path) -> None:
    card = write_movielens(tmp_path, version)
    assert not _load(tmp_path, card).queries.texts
    protocol = {
        "share": 0.4,
        "category": {
            "share": 1.0,
            "levels": [{"field": "genres", "use": "each"}, {"field": "year", "use": "decade"}],
        },
    }
    data = _load(tmp_path, {**card, "queries": protocol})
    assert any("comedy" in text for text in data.queries.texts)
    assert set(data.queries.kinds) == {"category"}


def test_the_order_of_lines_changes_nothing(tmp_path: Path) -> None:
    card = write_movielens(tmp_path / "a", users=30)
    write_movielens(tmp_path / "b", users=30)
    rng = np.random.default_rng(1)
    for file in (tmp_path / "b").glob("*.csv"):
        head, *rows = file.read_bytes().splitlines(keepends=True)
        file.write_bytes(head + b"".join(rows[i] for i in rng.permutation(len(rows))))
    one, other = _load(tmp_path / "a", card), _load(tmp_path / "b", card)
    assert one.items == other.items
    assert one.queries == other.queries
    for name in ("user", "item", "time", "kind", "query", "session"):
        assert np.array_equal(getattr(one.log, name), getattr(other.log, name))
    assert one.candidates_digest == other.candidates_digest


def test_what_is_no_query_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    data = _load(tmp_path, write_movielens(tmp_path, users=40), told)
    assert any("personal labels or numbers" in line for line in told)
    assert {"time travel", 'said "no"', "noir, dark", "na\xefve", "70mm"} >= set(data.queries.texts)
    assert "time travel" in data.queries.texts


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("ratings.csv", b"userId,", b"user,", r"ratings\.csv:1: .*no header"),
        (
            "ratings.csv",
            None,
            b"userId,movieId,rating,timestamp\n1;2;3;4\n",
            r"ratings\.csv:2: the fields are separated by semicolons",
        ),
        ("movies.csv", None, b"PK\x03\x04", r"movies\.csv: the file is packed by zip"),
        ("tags.csv", None, b"userId,movieId,tag,timestamp\n", r"tags\.csv: the file holds no rows"),
    ],
)
def test_a_broken_file_is_one_line(
    file: str, old: bytes | None, new: bytes, message: str, tmp_path: Path
) -> None:
    card = write_movielens(tmp_path)
    path = tmp_path / file
    path.write_bytes(new if old is None else path.read_bytes().replace(old, new))
    with pytest.raises(InputError, match=message) as error:
        _load(tmp_path, card)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("file", "row", "message"),
    [
        ("ratings.csv", b"1,2,five,900000000", r"rating 'five' is not a number \(1 of"),
        (
            "ratings.csv",
            b"1,9999,5,900000000",
            r"movieId '9999' is not in the file of movies \(1 of",
        ),
        ("ratings.csv", b"1,2,5,-3", r"timestamp '-3' is negative \(1 of"),
        ("tags.csv", b'1,2,"noir,900000000', r"a quotation mark is not closed, .* \(1 of"),
        ("movies.csv", b"3,Again (1999),Drama", r"movieId '3' stands there a second time \(1 of"),
    ],
)
def test_a_broken_row_is_counted_or_refused(
    file: str, row: bytes, message: str, tmp_path: Path
) -> None:
    card = write_movielens(tmp_path)
    path = tmp_path / file
    path.write_bytes(path.read_bytes() + row + b"\n")
    told: list[str] = []
    _load(tmp_path, card, told)
    with pytest.raises(InputError, match=message) as error:
        _load(tmp_path, {**card, "strict": True})
    start = str(error.value).split(";")[0]
    assert sum(start in line for line in told) == 1


def test_of_films_that_stand_twice_the_first_is_kept(tmp_path: Path) -> None:
    card = write_movielens(tmp_path)
    path = tmp_path / "movies.csv"
    path.write_bytes(path.read_bytes() + b"3,Again (1999),Drama\n")
    data = _load(tmp_path, card)
    titles = dict(zip(data.items.ids, data.items.titles, strict=True))
    assert len(titles) == len(data.items.ids) == 30
    assert titles["3"] == "Film 3, The (1913)"


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_damaged_bytes_are_read_or_refused_in_one_line(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        card = write_movielens(folder, data.draw(st.sampled_from(VERSIONS)), users=4, movies=10)
        path = folder / data.draw(st.sampled_from(sorted(_names(card).values())))
        raw = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            place = data.draw(st.integers(0, len(raw) - 1))
            end = place + data.draw(st.integers(0, 40))
            raw[place:end] = data.draw(st.binary(max_size=8) | st.sampled_from([b",", b'"', b"\r"]))
        path.write_bytes(bytes(raw))
        try:
            assert audit(_load(folder, card)).ok
        except InputError as error:
            assert "\n" not in str(error)
