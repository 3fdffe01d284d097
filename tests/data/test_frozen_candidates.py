from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data.candidates import (
    Pairs,
    bm25_best,
    recommendation_candidates,
    search_candidates,
)
from benchmark.data.events import EventSource
from tests.data.conftest import log_of

EVENTS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 19), st.integers(0, 6), st.integers(-1, 2)),
    min_size=1,
    max_size=60,
)


def check_lists(lists: np.ndarray, targets: np.ndarray, items: int) -> None:
    assert lists.dtype == np.int32
    assert (np.diff(lists, axis=1) > 0).all()
    assert ((lists >= 0) & (lists < items)).all()
    assert ((lists == targets[:, None]).sum(axis=1) == 1).all()


@settings(max_examples=80, deadline=None)
@given(EVENTS, st.integers(1, 30), st.integers(0, 3))
def test_recommendation_lists(rows: list[tuple], negatives: int, seed: int) -> None:
    log = log_of(rows)
    asked = np.flatnonzero(log.kind == EventSource.RECOMMENDED)
    lists = recommendation_candidates(log, asked, 20, negatives, [seed])
    touched = {u: set(log.item[log.user == u].tolist()) for u in range(5)}
    free = [20 - len(touched[u]) for u in log.user[asked].tolist()]
    assert lists.shape == (len(asked), min([negatives, *free, 20]) + 1)
    check_lists(lists, log.item[asked], 20)
    for user, target, line in zip(log.user[asked], log.item[asked], lists.tolist(), strict=True):
        assert set(line) & touched[int(user)] == {int(target)}
    again = recommendation_candidates(log, asked, 20, negatives, [seed])
    assert (lists == again).all()


@settings(max_examples=80, deadline=None)
@given(EVENTS, st.integers(1, 30), st.lists(st.permutations(range(20)), min_size=3, max_size=3))
def test_search_lists(rows: list[tuple], negatives: int, ranked: list[list[int]]) -> None:
    log = log_of(rows)
    asked = np.flatnonzero(log.kind == EventSource.SEARCHED)
    best = {q: np.array(order[: 4 * q]) for q, order in enumerate(ranked)}
    lists = search_candidates(log, asked, 20, negatives, [1], best)
    width = lists.shape[1] - 1
    check_lists(lists, log.item[asked], 20)
    for row, line in zip(asked.tolist(), lists.tolist(), strict=True):
        same = (log.user == log.user[row]) & (log.query == log.query[row])
        relevant = set(log.item[same].tolist())
        assert set(line) & relevant == {int(log.item[row])}
        wrong = [i for i in best[int(log.query[row])].tolist() if i not in relevant][:width]
        assert set(wrong) <= set(line)


def test_negatives_are_uniform() -> None:
    log = log_of([(0, 0, 0, -1)] * 3000, users=1)
    rows = np.arange(3000)
    lists = recommendation_candidates(log, rows, 51, 10, [7])
    count = np.bincount(lists.ravel(), minlength=51)
    assert count[0] == 3000
    expected = 3000 * 10 / 50
    assert (np.abs(count[1:] - expected) < 5 * np.sqrt(expected)).all()
    dense = recommendation_candidates(log, rows, 12, 10, [7])
    count = np.bincount(dense.ravel(), minlength=12)[1:]
    assert (np.abs(count - 3000 * 10 / 11) < 120).all(), "also where few items are left"


def test_lists_differ_between_requests_and_seeds() -> None:
    log = log_of([(0, 0, 0, -1)] * 50, users=1)
    first = recommendation_candidates(log, np.arange(50), 1000, 99, [1, 0, 0])
    other = recommendation_candidates(log, np.arange(50), 1000, 99, [1, 1, 0])
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
    assert bm25_best(TEXTS, {7: query}, {7: 6})[7].tolist() == wanted
    assert bm25_best(TEXTS, {7: query}, {7: 2})[7].tolist() == wanted[:2]


def test_bm25_without_any_known_word() -> None:
    assert bm25_best(["", ""], {0: "red"}, {0: 3}) == {}
    assert bm25_best(TEXTS, {0: "zzz", 1: "", 2: "the of"}, {0: 3, 1: 3, 2: 3}) == {}


def test_pairs() -> None:
    pairs = Pairs(np.array([2, 0, 2, 2]), np.array([3, 1, 3, 0]), 5)
    assert pairs.of(2).tolist() == [0, 3]
    assert pairs.of(1).tolist() == []
    assert pairs.count(np.array([0, 1, 2])).tolist() == [1, 0, 2]
    rows, items = np.array([[2], [0]]), np.array([[3, 4], [1, 3]])
    assert pairs.contain(rows, items).tolist() == [[True, False], [True, False]]
