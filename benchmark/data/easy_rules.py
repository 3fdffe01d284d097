"""Rules that need no model: what each of them would put into the top 10.

Whatever a rule counts comes from training events; of a request it knows the last item of the
history, or the words of the query.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from benchmark.data.catalogue import Queries
from benchmark.data.dataset import Dataset, EvaluationSet
from benchmark.data.events import EventLog, EventSource
from benchmark.data.item_words import ItemWords
from benchmark.data.keys import among, distinct
from benchmark.data.requests import Requests, Task
from benchmark.data.transition_graph import TransitionGraph

__all__ = ["TOP", "Clicks", "EasyRules", "Ring", "Rule", "Steps", "in_top"]

TOP = 10
"""How many items a rule may name."""

_DIGITS = 6
"""Scores are compared to so many digits, so that no machine's arithmetic breaks a tie."""

_PAIRS = 2**16
"""Pairs of items whose texts are compared at a time."""

_COUNT_WEIGHT = 0.5
"""What counts weigh beside the likeness of texts (Han et al. 2026)."""


class Ring(NamedTuple):
    """Scored items of requests, and how many of them fit into the top 10.

    Attributes:
        scores: ``[requests, items]``; what is 0 is not named.
        places: how many of the ring are named; of two rings, more where the other has too few.
    """

    scores: csr_array
    places: int


class Rule(Protocol):
    """One way to answer requests without a model."""

    def effort(self, requests: Requests) -> NDArray[np.int64]:
        """Return how many scores each request takes at most, ``[requests]``."""
        ...

    def answers(self, asked: EvaluationSet) -> NDArray[np.bool_]:
        """Return whether a relevant item stands in the top 10, ``[requests]``.

        It does if it does in every order of items of one score: fewer than 10 irrelevant
        candidates score at least as much as the best relevant item.
        """
        ...


def in_top(rings: Sequence[Ring], asked: EvaluationSet) -> NDArray[np.bool_]:
    """Return whether a relevant item is among those that rings name, ``[requests]``.

    The places of rings add up to 10. Items of the history are no candidates where they are left
    out. Ties are settled against the relevant items.
    """
    items, count = asked.requests.items, len(asked)
    wanted = asked.relevant.request * items + asked.relevant.item
    hidden = _seen(asked.requests)
    named = [_entries(ring.scores, items, hidden) for ring in rings]
    taken = [
        np.minimum(np.bincount(keys // items, minlength=count), ring.places)
        for (keys, _), ring in zip(named, rings, strict=True)
    ]
    answered = np.zeros(count, dtype=np.bool_)
    for (keys, score), own in zip(named, taken, strict=True):
        places = TOP - (sum(taken) - own)
        owner, relevant = keys // items, among(keys, wanted)
        best = np.zeros(count)
        np.maximum.at(best, owner[relevant], score[relevant])
        rivals = ~relevant & (score >= best[owner])
        answered |= (best > 0) & (np.bincount(owner[rivals], minlength=count) < places)
    return answered


def _entries(
    scores: csr_array, items: int, hidden: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return request * items + item and the rounded score of whatever may be named."""
    owner = np.repeat(np.arange(scores.shape[0]), np.diff(scores.indptr))
    keys, score = owner * items + scores.indices, np.round(scores.data, _DIGITS)
    keep = (score > 0) & ~among(keys, hidden)
    return keys[keep], score[keep]


def _seen(requests: Requests) -> NDArray[np.int64]:
    """Return request * items + item of what is left out of the candidates, each once."""
    if not requests.exclude_seen:
        return np.zeros(0, dtype=np.int64)
    offsets, seen = requests.seen()
    owner = np.repeat(np.arange(len(requests)), np.diff(offsets))
    return distinct(owner * requests.items + seen)


@dataclass(frozen=True)
class _Popular:
    """The items with most training events.

    Attributes:
        counts: int64 ``[items]``.
    """

    counts: NDArray[np.int64]

    def effort(self, requests: Requests) -> NDArray[np.int64]:
        return np.ones(len(requests), dtype=np.int64)

    def answers(self, asked: EvaluationSet) -> NDArray[np.bool_]:
        count, items = len(asked), asked.requests.items
        owner, score = asked.relevant.request, self.counts[asked.relevant.item]
        best = np.zeros(count, dtype=np.int64)
        np.maximum.at(best, owner, score)
        ascending = np.sort(self.counts)
        rivals = items - np.searchsorted(ascending, best)
        rivals -= np.bincount(owner[score == best[owner]], minlength=count)
        hidden = _seen(asked.requests)
        above = self.counts[hidden % items] >= best[hidden // items]
        rivals -= np.bincount((hidden // items)[above], minlength=count)
        return (best > 0) & (rivals < TOP)


def _last(requests: Requests) -> NDArray[np.int32]:
    """Return the last item of each history; -1 where it is empty."""
    return requests.history(1).item[:, 0]


@dataclass(frozen=True)
class _Successors:
    """The items that followed the last one most often."""

    graph: TransitionGraph

    def effort(self, requests: Requests) -> NDArray[np.int64]:
        return self.graph.reach(_last(requests))

    def answers(self, asked: EvaluationSet) -> NDArray[np.bool_]:
        return in_top([Ring(self.graph.successors(_last(asked.requests)), TOP)], asked)


class Steps:
    """What lies one or two steps from the last item, by counts and likeness of texts.

    Args:
        graph: of the training events.
        vectors: of the items' texts, of length 1, ``[items, words]``.
        places: for each ring, how many items it may name.
    """

    def __init__(self, graph: TransitionGraph, vectors: csr_array, places: tuple[int, ...]) -> None:
        self._graph, self._vectors, self._places = graph, vectors, places

    def effort(self, requests: Requests) -> NDArray[np.int64]:
        """Return how many items lie around the last one, ``[requests]``."""
        return self._graph.reach(_last(requests))

    def answers(self, asked: EvaluationSet) -> NDArray[np.bool_]:
        """Return whether a relevant item is among those that the rings name."""
        scores = self.scores(_last(asked.requests))
        return in_top([Ring(*ring) for ring in zip(scores, self._places, strict=True)], asked)

    def scores(self, source: NDArray[np.integer]) -> list[csr_array]:
        """Return the scores of each ring around ``source`` (``[n]``), each ``[n, items]``.

        That is likeness to the source, from 0 to 1, plus a part of up to one half for the
        logarithm of the count.
        """
        around = (self._graph.successors, self._graph.two_steps)
        rings = [ring(source) for ring, _ in zip(around, self._places, strict=False)]
        return [self._with_likeness(ring, source) for ring in rings]

    def _with_likeness(self, ring: csr_array, source: NDArray[np.integer]) -> csr_array:
        """Return the scores of a ring; no item outside of it is compared with the source."""
        scores = _weighted(ring)
        owner = np.repeat(source, np.diff(ring.indptr))
        for start in range(0, len(owner), _PAIRS):
            part = slice(start, start + _PAIRS)
            both = self._vectors[owner[part]].multiply(self._vectors[ring.indices[part]])
            scores.data[part] += both.sum(axis=1)
        return scores


def _weighted(ring: csr_array) -> csr_array:
    """Return the logarithms of 1 + count, one half for the most frequent of each row."""
    owner = np.repeat(np.arange(ring.shape[0]), np.diff(ring.indptr))
    weight = np.log1p(ring.data)
    most = np.zeros(ring.shape[0])
    np.maximum.at(most, owner, weight)
    weighted = ring.copy()
    weighted.data = _COUNT_WEIGHT * weight / most[owner]
    return weighted


class Clicks:
    """What training searches clicked for each text of a query.

    Attributes:
        counts: ``[texts, items]``; queries of the same text count together.
    """

    def __init__(self, train: EventLog, queries: Queries, items: int) -> None:
        row: dict[str, int] = {}
        numbers = [row.setdefault(text, len(row)) for text in queries.texts]
        self._text = np.array(numbers, dtype=np.int64)
        searches = train.rows_of_kind[EventSource.SEARCHED]
        pairs = (self._text[train.query[searches]], train.item[searches].astype(np.int64))
        self.counts = csr_array((np.ones(len(searches)), pairs), shape=(len(row), items))
        self.counts.sum_duplicates()

    def of(self, requests: Requests) -> csr_array:
        """Return the counts for the requests' words, ``[requests, items]``."""
        return csr_array(self.counts[self._text[requests.query]])

    def effort(self, requests: Requests) -> NDArray[np.int64]:
        """Return how many items each request's words led to."""
        return np.diff(self.counts.indptr)[self._text[requests.query]]

    def answers(self, asked: EvaluationSet) -> NDArray[np.bool_]:
        """Return whether a relevant item is among the most clicked ones."""
        return in_top([Ring(self.of(asked.requests), TOP)], asked)


@dataclass(frozen=True)
class _WordMatch:
    """BM25 of the query's words over item texts.

    Attributes:
        counts: ``[queries, words]``.
    """

    words: ItemWords
    counts: csr_array

    def effort(self, requests: Requests) -> NDArray[np.int64]:
        matches = (self.counts > 0) @ np.diff(self.words.bm25.indptr)
        return np.minimum(matches, requests.items)[requests.query]

    def answers(self, asked: EvaluationSet) -> NDArray[np.bool_]:
        scores = csr_array(self.counts[asked.requests.query] @ self.words.bm25)
        return in_top([Ring(scores, TOP)], asked)


class EasyRules:
    """The rules of a data set; what they count is counted once, when it is needed."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    @cached_property
    def words(self) -> ItemWords:
        """The words of the catalogue."""
        return ItemWords(self._dataset.items.texts, self._dataset.train.analyser)

    @cached_property
    def clicks(self) -> Clicks:
        """What training searches clicked."""
        data = self._dataset
        return Clicks(data.train.log, data.queries, len(data.items))

    @cached_property
    def _of_both(self) -> dict[str, Rule]:
        log, items = self._dataset.train.log, len(self._dataset.items)
        graph, vectors = TransitionGraph(log, items), self.words.vectors()
        return {
            "popularity": _Popular(np.bincount(log.item, minlength=items)),
            "successors": _Successors(graph),
            "one step": Steps(graph, vectors, (TOP,)),
            "two steps": Steps(graph, vectors, (7, 3)),
        }

    def of(self, task: Task) -> dict[str, Rule]:
        """Return the rules of a task by name."""
        if task is Task.REC:
            return self._of_both
        counts = self.words.of_queries(self._dataset.queries.texts).counts
        return {
            **self._of_both,
            "bm25": _WordMatch(self.words, counts),
            "most clicked": self.clicks,
        }
