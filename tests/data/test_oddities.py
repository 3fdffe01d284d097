"""What looks wrong is told in a line that says what to do, and what is right is not told of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest

from benchmark.data.dataset import Dataset
from benchmark.data.events import EventLog
from benchmark.data.load import load_dataset
from benchmark.data.oddities import odd_events, odd_texts
from tests.data.conftest import MakeFolder

START = 1_600_000_000
NOW = datetime(2024, 1, 1, tzinfo=timezone.utc)


def log_of(user: Sequence[int], item: Sequence[int], time: Sequence[int]) -> EventLog:
    none = np.full(len(user), -1)
    columns = (np.array(each) for each in (user, item, time))
    return EventLog.from_columns(*columns, np.zeros(len(user)), none, none, max(user) + 1)


def told(log: EventLog, split: str = "leave-one-out") -> list[str]:
    users = [f"u{n}" for n in range(log.users)]
    items = [f"i{n}" for n in range(int(log.item.max()) + 1)]
    return list(odd_events(log, users, items, split, NOW))


def usual(events: int = 40) -> tuple[list[int], list[int], list[int]]:
    """Return users, items and times as they are everywhere."""
    number = range(events)
    return [n % 5 for n in number], [n % 7 for n in number], [START + 60 * n for n in number]


def test_nothing_is_told_of_what_is_usual() -> None:
    user, item, time = usual()
    assert told(log_of(user, item, time)) == []
    assert told(log_of(user, item, [n // 5 for n in range(40)])) == []  # positions
    assert told(log_of(user, item, [START + 60 * (n // 3) for n in range(40)])) == []
    assert told(log_of(user, item, [START if n % 5 == 2 else t for n, t in enumerate(time)])) == []


Change = Callable[[list[int], list[int], list[int]], object]

WRONG: dict[str, tuple[Change, str, str]] = {
    "one time": (
        lambda user, item, time: time.__setitem__(slice(None), [START] * 40),
        f"all 40 events have the same time ({START})",
        "name another column as the time",
    ),
    "one time for each user": (
        lambda user, item, time: time.__setitem__(slice(None), [START + u for u in user]),
        "none of 5 users with several events has two of different times",
        "name another column as the time",
    ),
    "later than now": (
        lambda user, item, time: time.__setitem__(slice(0, 3), [1_900_000_000] * 3),
        "3 of 40 events lie in the future, up to 2030-03-17 (read on 2024-01-01)",
        "mend or leave out their rows",
    ),
    "users that are rows": (
        lambda user, item, time: user.__setitem__(slice(None), range(40)),
        "40 events have 40 different users",
        "name the one that tells users",
    ),
    "items that are rows": (
        lambda user, item, time: item.__setitem__(slice(None), range(40)),
        "40 events have 40 different items",
        "name the one that tells items",
    ),
    "one user": (
        lambda user, item, time: user.__setitem__(slice(0, 30), [3] * 30),
        "user 'u3' has 32 of 40 events",
        "Leave its rows out",
    ),
    "one item": (
        lambda user, item, time: item.__setitem__(slice(0, 30), [2] * 30),
        "item 'i2' has 32 of 40 events",
        "Leave its rows out",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_told_once_with_what_to_do(wrong: str) -> None:
    change, fault, mend = WRONG[wrong]
    columns = usual()
    change(*columns)
    (line,) = told(log_of(*columns))
    assert line.startswith(fault)
    assert mend in line


def test_no_order_is_missed_where_the_source_splits() -> None:
    user, item, _ = usual()
    assert told(log_of(user, item, [0] * 40), "official") == []
    assert len(told(log_of(user, item, [0] * 40), "temporal")) == 1


def test_milliseconds_are_seen_in_the_future_too() -> None:
    user, item, time = usual()
    late = [t * 1000 for t in time[:-1]] + [1_900_000_000_000]
    (line,) = told(log_of(user, item, late))
    assert "1 of 40 events lie in the future, up to 2030-03-17" in line


def test_items_without_text_are_told_where_the_card_names_text() -> None:
    (line,) = odd_texts(["", " ", "x"], ["title"])
    assert line.startswith("2 of 3 items have no text")
    assert list(odd_texts(["", "y", "x"], ["title"])) == []
    assert list(odd_texts(["", "", ""], [])) == []


def notes(folder: Path) -> list[str]:
    lines: list[str] = []
    load_dataset(folder, notify=lines.append)
    return lines


def events(time: Callable[[int], object], *more: str) -> list[tuple[object, ...]]:
    return [(f"u{n % 6}", f"i{n % 9}", time(n), *more) for n in range(60)]


@pytest.mark.parametrize(
    ("time", "line"),
    [
        (lambda n: 0 if n in (7, 9) else START + n, "ml.inter:9: 2 of 60 times lie in 1970"),
        (lambda n: 1_600_000 + n, "ml.inter: times run from 1600000 to 1600059, which in seconds"),
    ],
)
def test_times_in_1970_are_told(
    make_folder: MakeFolder, time: Callable[[int], object], line: str
) -> None:
    (found,) = [each for each in notes(make_folder(events(time))) if " in 1970" in each]
    assert line in found


def test_positions_are_not_taken_for_1970(make_folder: MakeFolder) -> None:
    for name, time in (("lines", int), ("steps", lambda n: n // 6), ("late", lambda n: START + n)):
        folder = make_folder(events(time), name=name)
        assert [line for line in notes(folder) if " in 1970" in line] == []


@pytest.mark.parametrize("copies", [2, 10])
def test_many_copies_are_more_than_a_few(make_folder: MakeFolder, copies: int) -> None:
    written = events(lambda n: START + n)
    lines = notes(make_folder([*written, *written[:copies]]))
    (line,) = [each for each in lines if "are copies" in each]
    assert ("was a file written twice" in line) == (copies == 10)


def test_a_column_of_queries_that_nothing_reads_is_told(make_folder: MakeFolder) -> None:
    def lines(name: str, cell: Callable[[int], str], field: str) -> list[str]:
        rows = [(*row, cell(n)) for n, row in enumerate(events(lambda n: START + n))]
        found = notes(make_folder(rows, name=name, columns=(field,)))
        return [line for line in found if "is not used" in line]

    (line,) = lines("a", lambda n: f"red shoe {n % 7}", "search_term:token_seq")
    assert "a.inter: column 'search_term' looks like the words of searches" in line
    assert ".query file" in line
    assert lines("b", lambda n: f"{n}", "search_term:token_seq") == []
    assert lines("c", lambda n: f"red shoe {n}", "review:token_seq") == []
    assert lines("d", lambda n: f"top {n}", "search_source:token") == []


def test_tables_and_frames_tell_of_such_a_column_until_it_is_named() -> None:
    frame = {
        "user_id": [f"u{n % 6}" for n in range(60)],
        "item_id": [f"i{n % 9}" for n in range(60)],
        "timestamp": [START + 1000 * n for n in range(60)],
        "query": [f"red shoe {n % 7}" if n % 2 else None for n in range(60)],
    }
    told: list[str] = []
    Dataset.from_frames(frame, notify=told.append)
    (line,) = [each for each in told if "is not used" in each]
    assert "column 'query' looks like the words of searches" in line
    assert "name it as query under columns" in line
    told.clear()
    Dataset.from_frames(frame, columns={"query": "query"}, notify=told.append)
    assert [each for each in told if "is not used" in each] == []
