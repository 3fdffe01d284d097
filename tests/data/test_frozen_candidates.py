from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data.candidates import (
    ItemSets,
    WordSearch,
    recommendation_candidates,
    search_candidates,
)
from benchmark.data.evaluation_set import CandidateLists, Relevant
from benchmark.data.events import EventLog
from benchmark.data.grouping import group_events
from benchmark.data.requests import Task
from tests.data.conftest import log_of

EVENTS = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.integers(0, 19),
        st.integers(0, 6),
        st.integers(-1, 2),
        st.integers(-1, 1),
    ),
    min_size=1,
    max_size=60,
)


def asked_of(log: EventLog, task: Task) -> tuple[np.ndarray, Relevant]:
    """Return the first rows and the relevant items of all requests of a log."""
    groups = group_events(log, task)
    return groups.first, Relevant.of_events(groups.owner, log.item[groups.rows])


def check_lists(lists: CandidateLists, relevant: Relevant, items: int) -> list[set[int]]:
    """Check what every list must be, and return the negatives of each."""
    assert lists.items.dtype == np.int32
    assert ((lists.items >= 0) & (lists.items < items)).all()
    wrong = []
    for i, (a, b) in enumerate(pairwise(lists.offsets.tolist())):
        line, mine = lists.items[a:b], set(relevant.item[relevant.request == i].tolist())
        assert (np.diff(line) > 0).all()
        assert mine <= set(line.tolist())
        wrong.append(set(line.tolist()) - mine)
    return wrong


@settings(max_examples=80, deadline=None)
@given(EVENTS, st.integers(1, 30), st.integers(0, 3))
def test_recommendation_lists(rows: list[tuple], negatives: int, seed: int) -> None:
    log = log_of(rows)
    first, relevant = asked_of(log, Task.REC)
    user = log.user[first]
    lists = recommendation_candidates(log, user, relevant, 20, negatives, [seed])
    touched = {u: set(log.item[log.user == u].tolist()) for u in range(5)}
    for who, wrong in zip(user.tolist(), check_lists(lists, relevant, 20), strict=True):
        assert not wrong & touched[who]
        assert len(wrong) == min(negatives, 20 - len(touched[who]))
    again = recommendation_candidates(log, user, relevant, 20, negatives, [seed])
    assert (lists.items == again.items).all()
    assert (lists.offsets == again.offsets).all()


@settings(max_examples=80, deadline=None)
@given(EVENTS, st.integers(1, 30), st.lists(st.permutations(range(20)), min_size=3, max_size=3))
def test_search_lists(rows: list[tuple], negatives: int, ranked: list[list[int]]) -> None:
    log = log_of(rows)
    first, relevant = asked_of(log, Task.SEARCH)
    best = {q: np.array(order[: 4 * q]) for q, order in enumerate(ranked)}
    user, query = log.user[first], log.query[first]
    lists = search_candidates(log, user, query, relevant, 20, negatives, [1], best)
    for who, words, wrong in zip(user, query, check_lists(lists, relevant, 20), strict=True):
        reached = set(log.item[(log.user == who) & (log.query == words)].tolist())
        assert not wrong & reached
        assert len(wrong) == min(negatives, 20 - len(reached))
        found = [i for i in best[int(words)].tolist() if i not in reached][:negatives]
        assert set(found) <= wrong


def drawn(requests: int, items: int, seed: list[int], negatives: int = 10) -> CandidateLists:
    log = log_of([(0, 0, 0, -1)] * requests, users=1)
    zeros = np.zeros(requests, dtype=int)
    relevant = Relevant.of_events(np.arange(requests), zeros)
    return recommendation_candidates(log, zeros, relevant, items, negatives, seed)


def test_negatives_are_uniform() -> None:
    count = np.bincount(drawn(3000, 51, [7]).items, minlength=51)
    assert count[0] == 3000
    expected = 3000 * 10 / 50
    assert (np.abs(count[1:] - expected) < 5 * np.sqrt(expected)).all()
    count = np.bincount(drawn(3000, 12, [7]).items, minlength=12)[1:]
    assert (np.abs(count - 3000 * 10 / 11) < 120).all(), "also where few items are left"


def test_lists_differ_between_requests_and_seeds() -> None:
    first = drawn(50, 1000, [1, 0, 0], 99).rectangle()
    other = drawn(50, 1000, [1, 1, 0], 99).rectangle()
    assert len(np.unique(first, axis=0)) == 50
    assert (first != other).any()


TEXTS = ["red lamp", "red red lamps", "the blue chair", "", "lamp shade of glass", "wooden chairs"]


def brute_bm25(query: list[str], docs: list[list[str]], k1: float = 1.5, b: float = 0.75) -> list:
    """Return Lucene's BM25, which bm25s computes by default, by its formula."""
    mean = sum(map(len, docs)) / len(docs)
    scores = []
    for doc in docs:
        score = 0.0
        for word in query:
            found_in = sum(word in d for d in docs)
            tf = doc.count(word)
            idf = np.log(1 + (len(docs) - found_in + 0.5) / (found_in + 0.5))
            score += idf * tf / (tf + k1 * (1 - b + b * len(doc) / mean))
        scores.append(score)
    return scores


@pytest.mark.parametrize("query", ["red lamp", "chair", "lamps of the glass", "blue unknownword"])
def test_bm25_order_is_the_formulas(query: str) -> None:
    stems = {"lamps": "lamp", "chairs": "chair"}

    def tokens(text: str) -> list[str]:
        kept = [w for w in text.split() if w not in ("the", "of")]
        return [stems.get(w, w) for w in kept]

    # Stems that the formula needs, not Porter's spelling of them.
    scores = brute_bm25(tokens(query), [tokens(t) for t in TEXTS])
    wanted = [i for i in sorted(range(6), key=lambda i: (-scores[i], i)) if scores[i] > 0]
    assert WordSearch(TEXTS).best({7: query}, {7: 6})[7].tolist() == wanted
    assert WordSearch(TEXTS).best({7: query}, {7: 2})[7].tolist() == wanted[:2]


def test_bm25_without_any_known_word() -> None:
    assert WordSearch(["", ""]).best({0: "red"}, {0: 3}) == {}
    assert WordSearch(TEXTS).best({0: "zzz", 1: "", 2: "the of"}, {0: 3, 1: 3, 2: 3}) == {}


def test_item_sets() -> None:
    sets = ItemSets(np.array([2, 0, 2, 2]), np.array([3, 1, 3, 0]), 5)
    assert sets.of(2).tolist() == [0, 3]
    assert sets.of(1).tolist() == []
    assert sets.count(np.array([0, 1, 2])).tolist() == [1, 0, 2]
    rows, items = np.array([[2], [0]]), np.array([[3, 4], [1, 3]])
    assert sets.contain(rows, items).tolist() == [[True, False], [True, False]]
