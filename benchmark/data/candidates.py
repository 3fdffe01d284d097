"""Frozen candidates of the sampled protocol: each target among negatives, drawn once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmark.data.events import EventLog, EventSource

__all__ = ["Pairs", "bm25_best", "recommendation_candidates", "search_candidates"]

_CHUNK = 4096
_ROUNDS = 8


class Pairs:
    """A set of (row, item) pairs: who has touched what, or what is relevant to whom.

    Args:
        row: ``[pairs]``, from 0.
        item: ``[pairs]``; pairs may repeat.
        items: size of the catalogue.
    """

    def __init__(self, row: NDArray[np.integer], item: NDArray[np.integer], items: int) -> None:
        self.items = items
        keys = np.sort(row.astype(np.int64) * items + item)
        self.keys = keys[np.append(True, keys[1:] != keys[:-1])] if len(keys) else keys

    def contain(self, row: NDArray[np.int64], item: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return, for arrays of one shape, whether each pair is in the set."""
        if len(self.keys) == 0:
            return np.zeros(item.shape, dtype=np.bool_)
        key = row * self.items + item
        return self.keys[np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)] == key

    def count(self, rows: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the number of items of each row."""
        low = rows.astype(np.int64) * self.items
        return np.searchsorted(self.keys, low + self.items) - np.searchsorted(self.keys, low)

    def of(self, row: int) -> NDArray[np.int64]:
        """Return the items of a row, ascending."""
        low, high = np.searchsorted(self.keys, [row * self.items, (row + 1) * self.items])
        return self.keys[low:high] - row * self.items


def recommendation_candidates(
    log: EventLog, rows: NDArray[np.int64], items: int, negatives: int, seed: Sequence[int]
) -> NDArray[np.int32]:
    """Draw uniform negatives for recommendation requests.

    Negatives are distinct items that the user touches nowhere in the log, in neither kind. Where
    some user leaves fewer than ``negatives``, every list is as short as that user's.

    Args:
        log: all events.
        rows: int64 ``[requests]``, the events asked for.
        items: size of the catalogue.
        negatives: how many are wanted.
        seed: of the generator.

    Returns:
        int32 ``[requests, candidates]``, each row ascending, the target among them.
    """
    touched = Pairs(log.user, log.item, items)
    user = log.user[rows].astype(np.int64)
    empty = np.full((len(rows), 0), -1, dtype=np.int64)
    return _with_target(_fill(empty, user, touched, negatives, seed), log.item[rows])


def search_candidates(
    log: EventLog,
    rows: NDArray[np.int64],
    items: int,
    negatives: int,
    seed: Sequence[int],
    best: dict[int, NDArray[np.int64]],
) -> NDArray[np.int32]:
    """Take the best wrong answers of BM25 as negatives of search requests.

    The items that the user reached with this very query anywhere in the log are relevant and
    never negatives. Where BM25 finds fewer items than wanted, the rest are uniform over the
    others.

    Args:
        log: all events.
        rows: int64 ``[requests]``, the events asked for.
        items: size of the catalogue.
        negatives: how many are wanted.
        seed: of the generator that fills up.
        best: by query, items found by BM25, best first (see :func:`bm25_best`).

    Returns:
        int32 ``[requests, candidates]``, each row ascending, the target among them.
    """
    relevant, owner = _relevant(log, rows, items)
    found = np.full((len(rows), negatives), -1, dtype=np.int64)
    for i, query in enumerate(log.query[rows].tolist()):
        ranked = best.get(query)
        if ranked is not None and len(ranked):
            wrong = ranked[~np.isin(ranked, relevant.of(int(owner[i])))][:negatives]
            found[i, : len(wrong)] = wrong
    return _with_target(_fill(found, owner, relevant, negatives, seed), log.item[rows])


def bm25_best(
    item_texts: Sequence[str], query_texts: dict[int, str], wanted: dict[int, int]
) -> dict[int, NDArray[np.int64]]:
    """Rank the items for each query by BM25 (bm25s), with stemming and without stop words.

    Args:
        item_texts: ``[items]``.
        query_texts: the words by query.
        wanted: by query, how many items to return at most.

    Returns:
        By query, the items with a score above 0, best first; equal scores by item number.
    """
    if not any(item_texts):
        return {}
    import bm25s
    import Stemmer

    stemmer = Stemmer.Stemmer("english")
    corpus = bm25s.tokenize(list(item_texts), stopwords="en", stemmer=stemmer, show_progress=False)
    if not corpus.vocab or not any(len(ids) for ids in corpus.ids):
        return {}
    index = bm25s.BM25()
    index.index(corpus, show_progress=False)
    asked = bm25s.tokenize(
        list(query_texts.values()),
        stopwords="en",
        stemmer=stemmer,
        show_progress=False,
        return_ids=False,
    )
    best = {}
    for query, tokens in zip(query_texts, asked, strict=True):
        known = [t for t in tokens if t in index.vocab_dict]
        if known:
            best[query] = _ranked(index.get_scores(known), wanted[query])
    return best


def _ranked(scores: NDArray[np.float32], wanted: int) -> NDArray[np.int64]:
    found = np.flatnonzero(scores > 0)
    if len(found) > wanted:
        lowest = np.partition(scores[found], len(found) - wanted)[len(found) - wanted]
        found = found[scores[found] >= lowest]
    return found[np.argsort(-scores[found], kind="stable")][:wanted]


def _relevant(
    log: EventLog, rows: NDArray[np.int64], items: int
) -> tuple[Pairs, NDArray[np.int64]]:
    """Return what is relevant to each distinct (user, query), and the requests' numbers there."""
    searches = np.flatnonzero(log.kind == EventSource.SEARCHED)
    width = int(log.query.max(initial=0)) + 1
    key = log.user[searches].astype(np.int64) * width + log.query[searches]
    asked = log.user[rows].astype(np.int64) * width + log.query[rows]
    distinct, owner = np.unique(asked, return_inverse=True)
    place = np.minimum(np.searchsorted(distinct, key), len(distinct) - 1)
    mine = distinct[place] == key
    return Pairs(place[mine], log.item[searches[mine]], items), owner.astype(np.int64)


def _fill(
    found: NDArray[np.int64],
    owner: NDArray[np.int64],
    forbidden: Pairs,
    negatives: int,
    seed: Sequence[int],
) -> NDArray[np.int64]:
    """Fill each row to ``negatives`` distinct items, uniform over those not forbidden.

    Args:
        found: int64 ``[requests, given]``, items already chosen; -1 where none.
        owner: int64 ``[requests]``, the row of ``forbidden`` that applies.
        forbidden: items that may not be drawn; none of ``found`` is among them.
        negatives: how many are wanted.
        seed: of the generator.
    """
    items = forbidden.items
    generator = np.random.Generator(np.random.PCG64(list(seed)))
    free = items - forbidden.count(owner)
    width = int(min(negatives, free.min(initial=items)))
    result = np.full((len(owner), width), -1, dtype=np.int64)
    given = min(width, found.shape[1])
    result[:, :given] = found[:, :given]
    for start in range(0, len(owner), _CHUNK):
        part = slice(start, start + _CHUNK)
        _fill_chunk(result[part], owner[part], free[part], forbidden, generator)
    return result


def _fill_chunk(
    result: NDArray[np.int64],
    owner: NDArray[np.int64],
    free: NDArray[np.int64],
    forbidden: Pairs,
    generator: np.random.Generator,
) -> None:
    """Fill the -1 places of ``result`` in place: rejection first, exactly where that is slow."""
    items, width = forbidden.items, result.shape[1]
    for _ in range(_ROUNDS):
        rows = np.flatnonzero((result < 0).any(axis=1))
        rows = rows[free[rows] > 2 * width]
        if len(rows) == 0:
            break
        draws = generator.integers(0, items, size=(len(rows), 2 * width))
        draws[forbidden.contain(owner[rows, None], draws)] = -1
        pool = np.concatenate([result[rows], draws], axis=1)
        pool[_repeated(pool)] = -1
        order = np.argsort(pool < 0, axis=1, kind="stable")[:, :width]
        result[rows] = np.take_along_axis(pool, order, axis=1)
    for row in np.flatnonzero((result < 0).any(axis=1)).tolist():
        have = result[row][result[row] >= 0]
        taken = np.concatenate([forbidden.of(int(owner[row])), have])
        rest = np.setdiff1d(np.arange(items), taken, assume_unique=True)
        missing = width - len(have)
        result[row] = np.concatenate([have, generator.permutation(rest)[:missing]])


def _repeated(pool: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which entries occur further left in their row."""
    order = np.argsort(pool, axis=1, kind="stable")
    ordered = np.take_along_axis(pool, order, axis=1)
    again = np.zeros(pool.shape, dtype=np.bool_)
    again[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    result = np.empty_like(again)
    np.put_along_axis(result, order, again, axis=1)
    return result


def _with_target(wrong: NDArray[np.int64], target: NDArray[np.int32]) -> NDArray[np.int32]:
    joined = np.concatenate([wrong, target[:, None].astype(np.int64)], axis=1)
    return np.sort(joined, axis=1).astype(np.int32)
