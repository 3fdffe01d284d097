"""What ``describe`` and ``counted`` say equals what a plain loop over the events counts."""

from __future__ import annotations

import json
from collections import Counter, defaultdict

import numpy as np
import pytest

from benchmark.data.card import Statistics
from benchmark.data.dataset import Dataset
from benchmark.data.departures import counted, departures
from benchmark.data.describe import describe
from benchmark.data.distributions import word_counts
from benchmark.data.events import EventSource
from benchmark.data.load import load_dataset
from benchmark.data.scripts import script_shares
from benchmark.data.text_column import TextColumn
from benchmark.errors import InputError
from tests.data.conftest import MakeFolder

from .test_card import ITEMS, card_in, rows


def in_bins(bins: list[dict[str, int]], values: list[int]) -> None:
    assert sum(each["count"] for each in bins) == len(values)
    for each in bins:
        assert each["count"] == sum(each["low"] <= value <= each["high"] for value in values)


def test_a_plain_loop_counts_the_same(tiny: Dataset) -> None:
    log, found = tiny.log, describe(tiny)
    assert json.loads(json.dumps(found)) == found
    spread = found["distributions"]
    items = Counter(log.item.tolist())
    in_bins(spread["events_per_user"], list(Counter(log.user.tolist()).values()))
    in_bins(spread["events_per_item"], [items[i] for i in range(len(tiny.items))])
    texts = [tiny.queries.texts[q] for q in log.query[log.kind == EventSource.SEARCHED].tolist()]
    in_bins(spread["query_words"], [len(text.split()) for text in texts])
    in_bins(spread["query_characters"], [len(text) for text in texts])
    for (part, task), asked in tiny.evaluation.items():
        if part == "test":
            in_bins(spread["history_length"][task], asked.requests.history_lengths().tolist())
    had: dict[tuple[int, int], int] = {}
    again: dict[int, list[bool]] = defaultdict(list)
    moments = Counter(zip(log.user.tolist(), log.time.tolist(), strict=True))
    for user, item, time, kind in zip(
        *(c.tolist() for c in (log.user, log.item, log.time, log.kind)), strict=True
    ):
        had.setdefault((user, item), time)
        again[kind].append(had[user, item] < time)
    for kind, task in enumerate(("rec", "search")):
        assert found["repeats"][task] == pytest.approx(np.mean(again[kind]), abs=1e-4)
    shared = sum(count for count in moments.values() if count > 1)
    assert found["times"]["same_time"] == pytest.approx(shared / len(log), abs=1e-4)
    assert found["popularity"]["without_events"] == len(tiny.items) - len(items)


def test_times_have_a_unit_where_they_are_those_of_a_clock(make_folder: MakeFolder) -> None:
    folder = make_folder(rows(), name="positions")
    assert describe(load_dataset(folder))["times"]["unit"] is None
    dated = [(user, item, 1_700_000_000 + 1000 * time, *rest) for user, item, time, *rest in rows()]
    times = describe(load_dataset(make_folder(dated, name="dated")))["times"]
    assert times["unit"] == "seconds"
    assert times["parts"]["all"]["from"].startswith("2023-11-14T")
    assert times["parts"]["test"]["last"] <= times["parts"]["all"]["last"]


def test_words_and_scripts_of_any_language() -> None:
    texts = ["", "  ", " one  two ", "登山鞋", "три слова тут", "登山 shoe", "a\u3000b"]
    assert word_counts(TextColumn(texts)).tolist() == [len(text.split()) for text in texts]
    shares = script_shares(["登山鞋 shoe", "12 %"])
    assert shares == {"Latin": 4 / 7, "Han": 3 / 7}
    assert script_shares(["1", "Ꮳ"]) == {"other": 1.0}


def test_a_departure_from_the_card_is_told_once_and_names_what_differs(
    make_folder: MakeFolder,
) -> None:
    folder = make_folder(rows())
    true = counted(load_dataset(folder))
    card_in(folder, statistics=true)
    told: list[str] = []
    load_dataset(folder, notify=told.append)
    load_dataset(folder, seen="keep", notify=told.append)
    assert not [line for line in told if "departs" in line]
    card_in(folder, statistics=true | {"events": true["events"] + 1})
    load_dataset(folder, notify=told.append)
    (line,) = [line for line in told if "departs" in line]
    assert f"events {true['events']} and not {true['events'] + 1}" in line
    assert "users" not in line


def test_published_statistics_may_be_a_few_and_name_their_source(tiny: Dataset) -> None:
    few = Statistics(published="its authors", users=tiny.log.users)
    assert list(departures(few, tiny, True)) == []
    (line,) = departures(few.model_copy(update={"users": 1}), tiny, True)
    assert f"what its authors says: users {tiny.log.users} and not 1." in line
    with pytest.raises(ValueError, match="events, searches"):
        Statistics(users=1, items=1)


def test_a_card_without_all_statistics_is_refused_in_a_line(make_folder: MakeFolder) -> None:
    folder = make_folder(rows(), ITEMS)
    card_in(folder, statistics={"users": 3})
    with pytest.raises(InputError, match="name who published"):
        load_dataset(folder)
