"""Frozen candidates of the sampled protocol: relevant items among negatives, drawn once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.data.card import Analyser
from benchmark.data.evaluation_set import CandidateLists, Relevant
from benchmark.data.events import EventLog, EventSource

__all__ = ["ItemSets", "WordSearch", "recommendation_candidates", "search_candidates"]

_CHUNK = 4096
_ROUNDS = 8


class ItemSets:
    """A set of items for each row: what a user touched, or what is relevant to a request.

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
    log: EventLog,
    user: NDArray[np.integer],
    relevant: Relevant,
    items: int,
    negatives: int,
    seed: Sequence[int],
) -> CandidateLists:
    """Draw uniform negatives for recommendation requests.

    Negatives are distinct items that the user touches nowhere in the log, in neither kind. Where
    a user leaves fewer than ``negatives``, all of them are taken.

    Args:
        log: all events.
        user: ``[requests]``.
        relevant: to the requests; they are candidates too.
        items: size of the catalogue.
        negatives: how many are wanted.
        seed: of the generator.
    """
    touched = ItemSets(log.user, log.item, items)
    empty = np.full((len(user), 0), -1, dtype=np.int64)
    drawn = _fill(empty, user.astype(np.int64), touched, negatives, seed)
    return _with_relevant(drawn, relevant)


def search_candidates(
    log: EventLog,
    user: NDArray[np.integer],
    query: NDArray[np.integer],
    relevant: Relevant,
    items: int,
    negatives: int,
    seed: Sequence[int],
    best: dict[int, NDArray[np.int64]],
) -> CandidateLists:
    """Take the best wrong answers of BM25 as negatives of search requests.

    The items that the user reached with this very query anywhere in the log are relevant and
    never negatives. Where BM25 finds fewer items than wanted, the rest are uniform over the
    others.

    Args:
        log: all events.
        user: ``[requests]``.
        query: row in the query table, ``[requests]``.
        relevant: to the requests; they are candidates too.
        items: size of the catalogue.
        negatives: how many are wanted.
        seed: of the generator that fills up.
        best: by query, items found by BM25, best first (see :class:`WordSearch`).
    """
    reached, owner = _reached(log, user, query, items)
    chosen = np.full((len(user), negatives), -1, dtype=np.int64)
    for i, number in enumerate(query.tolist()):
        ranked = best.get(number)
        if ranked is not None and len(ranked):
            wrong = ranked[~np.isin(ranked, reached.of(int(owner[i])))][:negatives]
            chosen[i, : len(wrong)] = wrong
    return _with_relevant(_fill(chosen, owner, reached, negatives, seed), relevant)


class WordSearch:
    """Word search over a catalogue: BM25 (bm25s) over the terms of its texts.

    Args:
        item_texts: ``[items]``.
        analyser: tells the words of items and queries.

    Attributes:
        terms: of the items, as :func:`benchmark.data.analyser.analyse` finds them.
    """

    def __init__(self, item_texts: Sequence[str], analyser: Analyser = "bigrams") -> None:
        from benchmark.data.analyser import analyse
        from benchmark.data.word_index import TextWords

        self._analyser = analyser
        self.terms = TextWords.of(item_texts, partial(analyse, analyser=analyser))

    @cached_property
    def _index(self) -> Any:
        """The index of bm25s, ``None`` where no text has a word."""
        from benchmark.data.word_index import index_words

        return index_words(self.terms) if len(self.terms.word) else None

    def best(
        self, query_texts: dict[int, str], wanted: dict[int, int]
    ) -> dict[int, NDArray[np.int64]]:
        """Return by query the items with a score above 0, best first, equal ones by number.

        Args:
            query_texts: the words by query.
            wanted: by query, how many items to return at most.
        """
        from benchmark.data.analyser import analyse

        best: dict[int, NDArray[np.int64]] = {}
        if self._index is None:
            return best
        words = analyse(list(query_texts.values()), self._analyser)
        for query, terms in zip(query_texts, words, strict=True):
            known = [term for term in terms if term in self._index.vocab_dict]
            if known:
                best[query] = _ranked(self._index.get_scores(known), wanted[query])
        return best


def _ranked(scores: NDArray[np.float32], wanted: int) -> NDArray[np.int64]:
    found = np.flatnonzero(scores > 0)
    if len(found) > wanted:
        lowest = np.partition(scores[found], len(found) - wanted)[len(found) - wanted]
        found = found[scores[found] >= lowest]
    return found[np.argsort(-scores[found], kind="stable")][:wanted]


def _reached(
    log: EventLog, user: NDArray[np.integer], query: NDArray[np.integer], items: int
) -> tuple[ItemSets, NDArray[np.int64]]:
    """Return what each distinct (user, query) reached, and the requests' numbers there."""
    searches = log.rows_of_kind[EventSource.SEARCHED]
    width = int(log.query.max(initial=0)) + 1
    key = log.user[searches].astype(np.int64) * width + log.query[searches]
    wanted = user.astype(np.int64) * width + query
    distinct, owner = np.unique(wanted, return_inverse=True)
    place = np.minimum(np.searchsorted(distinct, key), len(distinct) - 1)
    mine = distinct[place] == key
    return ItemSets(place[mine], log.item[searches[mine]], items), owner.astype(np.int64)


def _fill(
    given: NDArray[np.int64],
    owner: NDArray[np.int64],
    forbidden: ItemSets,
    negatives: int,
    seed: Sequence[int],
) -> NDArray[np.int64]:
    """Fill each row to ``negatives`` distinct items, uniform over those not forbidden.

    Args:
        given: int64 ``[requests, n]``, items already chosen; -1 where none.
        owner: int64 ``[requests]``, the row of ``forbidden`` that applies.
        forbidden: items that may not be drawn; none of ``given`` is among them.
        negatives: how many are wanted.
        seed: of the generator.

    Returns:
        int64 ``[requests, negatives]``; -1 behind the last item of a row that cannot have more.
    """
    generator = np.random.Generator(np.random.PCG64(list(seed)))
    free = forbidden.items - forbidden.count(owner)
    result = np.full((len(owner), negatives), -1, dtype=np.int64)
    width = min(negatives, given.shape[1])
    result[:, :width] = given[:, :width]
    for start in range(0, len(owner), _CHUNK):
        part = slice(start, start + _CHUNK)
        _fill_chunk(result[part], owner[part], free[part], forbidden, generator)
    return result


def _fill_chunk(
    result: NDArray[np.int64],
    owner: NDArray[np.int64],
    free: NDArray[np.int64],
    forbidden: ItemSets,
    generator: np.random.Generator,
) -> None:
    """Fill the -1 places of ``result`` in place: rejection first, exactly where that is slow."""
    items, width = forbidden.items, result.shape[1]
    wanted = np.minimum(width, free)
    for _ in range(_ROUNDS):
        rows = np.flatnonzero((result >= 0).sum(axis=1) < wanted)
        rows = rows[free[rows] > 2 * width]
        if len(rows) == 0:
            break
        draws = generator.integers(0, items, size=(len(rows), 2 * width))
        draws[forbidden.contain(owner[rows, None], draws)] = -1
        pool = np.concatenate([result[rows], draws], axis=1)
        pool[_repeated(pool)] = -1
        order = np.argsort(pool < 0, axis=1, kind="stable")[:, :width]
        result[rows] = np.take_along_axis(pool, order, axis=1)
    for row in np.flatnonzero((result >= 0).sum(axis=1) < wanted).tolist():
        have = result[row][result[row] >= 0]
        taken = np.concatenate([forbidden.of(int(owner[row])), have])
        rest = np.setdiff1d(np.arange(items), taken, assume_unique=True)
        filled = np.concatenate([have, generator.permutation(rest)[: wanted[row] - len(have)]])
        result[row, : len(filled)] = filled


def _repeated(pool: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which entries occur further left in their row."""
    order = np.argsort(pool, axis=1, kind="stable")
    ordered = np.take_along_axis(pool, order, axis=1)
    again = np.zeros(pool.shape, dtype=np.bool_)
    again[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    result = np.empty_like(again)
    np.put_along_axis(result, order, again, axis=1)
    return result


def _with_relevant(wrong: NDArray[np.int64], relevant: Relevant) -> CandidateLists:
    """Put the relevant items among the negatives, ``[requests, negatives]``, padded with -1."""
    real = wrong >= 0
    owner = np.repeat(np.arange(len(wrong)), real.sum(axis=1))
    return CandidateLists.of_pairs(
        np.concatenate([owner, relevant.request]),
        np.concatenate([wrong[real], relevant.item.astype(np.int64)]),
        len(wrong),
    )
