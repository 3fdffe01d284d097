"""One odd request never changes the others, and nothing is asked where nothing can be chosen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.data.audit import audit
from benchmark.data.dataset import Dataset
from benchmark.data.evaluation_set import CandidateLists, Relevant
from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.data.short_lists import drawn_lists
from tests.data.conftest import MakeFolder

REC, SEARCH = ("test", Task.REC), ("test", Task.SEARCH)
ITEMS = 150


def _data(make_folder: MakeFolder, bot: int, query: int = 0, name: str = "ml") -> Dataset:
    """Load users with 12 events each, of whom one touched ``bot`` items and searched ``query``."""
    rows = [
        (f"u{u}", f"i{(7 * u + 11 * t) % ITEMS}", t, f"q{u % 3}" if t % 2 else "")
        for u in range(9)
        for t in range(12)
    ]
    rows += [("bot", f"i{t}", t, "") for t in range(bot)]
    rows += [("searcher", f"i{t}", t, "all") for t in range(query)]
    items = [(f"i{i}", f"thing {i}", "") for i in range(ITEMS)]
    queries = [*((f"q{i}", f"thing {i}") for i in range(3)), ("all", "thing")]
    return load_dataset(make_folder(rows, items, queries, name=name))


def _lists(data: Dataset, key: tuple) -> dict[str, list[int]]:
    asked = data.evaluation[key]
    names = [data.users[u] for u in asked.requests.user]
    parts = np.split(asked.lists["sampled"].items, asked.lists["sampled"].offsets[1:-1])
    return {name: part.tolist() for name, part in zip(names, parts, strict=True)}


@pytest.mark.parametrize("bot", [60, 149, 150])
def test_a_user_who_touched_nearly_everything_shortens_no_other_list(
    make_folder: MakeFolder, bot: int
) -> None:
    data = _data(make_folder, bot)
    lists = _lists(data, REC)
    assert {len(part) for name, part in lists.items() if name != "bot"} == {100}
    assert lists.get("bot", []) == []
    assert len(data.evaluation[REC].asked("sampled")) == 9
    assert audit(data).ok
    assert any("test rec: 1 of 10 requests are left out of sampled" in n for n in data.about.notes)


def test_what_leaves_no_wrong_item_is_not_asked_at_all(make_folder: MakeFolder) -> None:
    told: list[str] = []
    folder = make_folder([("bot", f"i{t}", t) for t in range(20)] + [("v", "i0", 0)])
    data = load_dataset(folder, notify=told.append)
    assert REC not in data.evaluation
    assert any("leaves no wrong item" in line for line in told)
    assert len(load_dataset(folder, seen="keep").evaluation[REC]) == 1


def test_a_query_that_everything_answers_shortens_no_other_list(make_folder: MakeFolder) -> None:
    data = _data(make_folder, 0, query=ITEMS)
    lists = _lists(data, SEARCH)
    assert {len(part) for name, part in lists.items() if name != "searcher"} == {100}
    assert lists["searcher"] == []


def test_a_small_catalogue_keeps_what_it_has_and_says_so(make_folder: MakeFolder) -> None:
    rows = [(f"u{u}", f"i{(u + t) % 12}", t) for u in range(6) for t in range(4 + (u > 3))]
    data = load_dataset(make_folder(rows))
    asked = data.evaluation[REC]
    negatives = asked.lists["sampled"].lengths - asked.relevant.per_request(len(asked))
    catalogue = len(data.items)
    touched = [len(set(data.log.item[data.log.user == u].tolist())) for u in asked.requests.user]
    assert negatives.tolist() == [catalogue - count for count in touched]
    assert any("negatives in place of 99" in note for note in data.about.notes)


@given(st.lists(st.integers(0, 12), min_size=1, max_size=9), st.integers(1, 10))
def test_no_list_is_kept_without_a_negative_and_none_is_cut(drawn: list[int], wanted: int) -> None:
    size = len(drawn)
    relevant = Relevant(np.arange(size), np.zeros(size, np.int32), np.ones(size, np.float32))
    drawn = [min(count, wanted) for count in drawn]
    items = np.concatenate([np.arange(count + 1) for count in drawn]).astype(np.int32)
    whole = CandidateLists(np.concatenate([[0], np.cumsum(np.array(drawn) + 1)]), items)
    kept, notes = drawn_lists(whole, relevant, wanted, "test rec")
    for count, length in zip(drawn, kept.lengths.tolist(), strict=True):
        assert length in (0, count + 1)
        assert length != 1
        assert count < wanted or length, "a full list stays"
    assert bool(notes) == (min(drawn) < wanted)
