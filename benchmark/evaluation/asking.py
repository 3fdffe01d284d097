"""Asking a model the requests of one task, batch by batch, and keeping the counts."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from benchmark.data.candidates import ItemSets
from benchmark.data.evaluation_set import CandidateLists, EvaluationSet, Protocol, Relevant
from benchmark.data.requests import PAD, Requests
from benchmark.errors import BenchmarkError
from benchmark.evaluation.counting import Places, count_list, count_scores
from benchmark.evaluation.counts import Counts
from benchmark.evaluation.metrics import CUTOFFS
from benchmark.evaluation.observer import Observer
from benchmark.evaluation.products import count_products, largest_of
from benchmark.failures import blaming
from benchmark.model import Model
from benchmark.model_protocols import ScoresByVectors
from benchmark.needs import REQUESTS_AT_ONCE, SCORES_AT_ONCE, rows_at_once
from benchmark.subnormals import subnormals_flushed

__all__ = ["LARGE", "RETRIEVED", "TOP", "Answers", "Asking"]

RETRIEVED = 1000
"""Items asked for where a model retrieves: the customary depth of a run. Up to so many items a
catalogue has the same counts whether a model scores or retrieves; in a larger one all metrics of
the largest cutoff and below have."""
TOP = 10
"""Length of the lists that are kept."""
LARGE = 2**16
"""Items of a catalogue from which on the harness multiplies the vectors of a model itself."""
_BATCH = REQUESTS_AT_ONCE
_NOTHING = np.empty(0, dtype=np.int64)
_Rows = NDArray[np.int64]
_Counted = tuple[_Rows, NDArray[np.int32], _Rows, int, str, _Rows]


@dataclass(frozen=True)
class Answers:
    """What came of one protocol.

    Attributes:
        counts: of the requests that are asked so, in the order of their relevant items.
        top: int32 ``[requests, 10]``, best first, ``PAD`` where nothing.
        seconds: wall time of the model's answers, of all processes together.
    """

    counts: Counts
    top: NDArray[np.int32]
    seconds: float

    @classmethod
    def joined(cls, parts: Sequence[Answers]) -> Answers:
        """Return the answers to consecutive parts of the requests as those to all of them."""
        firsts = np.cumsum([0, *(len(part.top) for part in parts)])
        counts = [part.counts for part in parts]
        return cls(
            Counts(
                request=np.concatenate(
                    [c.request + first for c, first in zip(counts, firsts[:-1], strict=True)]
                ),
                gain=np.concatenate([c.gain for c in counts]),
                greater=np.concatenate([c.greater for c in counts]),
                tied=np.concatenate([c.tied for c in counts]),
                candidates=np.concatenate([c.candidates for c in counts]),
            ),
            np.concatenate([part.top for part in parts]),
            sum(part.seconds for part in parts),
        )


@dataclass
class _Kept:
    """The answers so far: parts of consecutive requests."""

    greater: list[NDArray[np.int32]] = field(default_factory=list)
    tied: list[NDArray[np.int32]] = field(default_factory=list)
    candidates: list[NDArray[np.int32]] = field(default_factory=list)
    top: list[NDArray[np.int32]] = field(default_factory=list)
    seconds: float = 0.0


class Asking:
    """Asks a model and collects the answers.

    Args:
        model: who is asked.
        name: of the model, for errors.
        evaluation: the requests of one task.
        protocols: how they are asked.
        observer: is told the answers.
        retrieved: items asked for where the model retrieves.
    """

    def __init__(
        self,
        model: Model,
        name: str,
        evaluation: EvaluationSet,
        protocols: Sequence[Protocol],
        observer: Observer | None = None,
        retrieved: int = RETRIEVED,
    ) -> None:
        self._model, self._name, self._evaluation = model, name, evaluation
        self._items, self._retrieved = evaluation.requests.items, retrieved
        self._observer = observer
        self._depths: Mapping[Protocol, int] = observer.depths if observer is not None else {}
        self._kept: dict[Protocol, _Kept] = {protocol: _Kept() for protocol in protocols}
        lists_alone = model.scores_candidates and "full" not in self._kept
        self._vectors: NDArray[np.float32] | None = None
        self._largest = np.nan
        self._by_vectors = (
            model.scores_catalogue
            and isinstance(model, ScoresByVectors)
            and self._items > LARGE
            and "full" in self._kept
        )
        self._one_pass = model.scores_catalogue and not lists_alone and not self._by_vectors

    def batches(self) -> Iterator[slice]:
        """Yield the requests in order, in batches whose scores do not take too much memory."""
        widths = [self._evaluation.lists[p].lengths.max(initial=1) for p in self._lists()]
        if self._one_pass:
            widths.append(self._items)
        elif "full" in self._kept and not self._by_vectors:
            widths.append(self._retrieved)
        size = min(_BATCH, rows_at_once(int(max(widths, default=1))))
        for start in range(0, len(self._evaluation), size):
            yield slice(start, min(start + size, len(self._evaluation)))

    def ask(self, rows: slice) -> None:
        """Ask the requests at ``rows``; batches must come in order."""
        part = self._evaluation.at(rows)
        scores = None
        if self._one_pass:
            scores, seconds = self._scores(part.requests)
            for kept in self._kept.values():
                kept.seconds += seconds
        if "full" in self._kept:
            if self._by_vectors:
                places = self._multiply(part, rows.start)
            elif scores is None:
                numbers = np.arange(rows.start, rows.stop)
                places = self._retrieve(part, numbers, self._retrieved)
            else:
                places = self._rank_catalogue(part, rows.start, scores)
            self._keep("full", rows.start, part.relevant, places)
        for protocol in self._lists():
            places = self._rank_lists(protocol, part, rows.start, scores)
            self._keep(protocol, rows.start, part.relevant, places)

    def answers(self, protocol: Protocol) -> Answers:
        """Return what was collected, once all requests are asked."""
        kept, relevant = self._kept[protocol], self._evaluation.relevant
        asked = self._evaluation.asked(protocol)
        rows = np.isin(relevant.request, asked)
        counts = Counts(
            request=np.searchsorted(asked, relevant.request[rows]),
            gain=relevant.gain[rows].astype(np.float64),
            greater=np.concatenate(kept.greater or [np.empty(0, np.int32)])[rows],
            tied=np.concatenate(kept.tied or [np.empty(0, np.int32)])[rows],
            candidates=np.concatenate(kept.candidates or [np.empty(0, np.int32)])[rows],
        )
        top = np.concatenate(kept.top or [np.empty((0, TOP), np.int32)])[asked]
        return Answers(counts, top, kept.seconds)

    def _lists(self) -> list[Protocol]:
        return [protocol for protocol in self._kept if protocol != "full"]

    def _scores(self, requests: Requests) -> tuple[NDArray[np.float32], float]:
        """Return the model's scores ``[requests, width]`` and the seconds that they took."""
        with self._answering():
            started = time.perf_counter()
            scores = np.asarray(self._model.score(requests))
            seconds = time.perf_counter() - started
            scores = scores.astype(np.float32, copy=False)
        self._check_shape(scores, (len(requests), requests.width))
        return scores, seconds

    def _rank_catalogue(
        self, part: EvaluationSet, first: int, scores: NDArray[np.float32]
    ) -> Places:
        """Count among all items that are candidates."""
        return count_scores(scores, *self._counted(part, first))

    def _multiply(self, part: EvaluationSet, first: int) -> Places:
        """Count among all items, from vectors."""
        assert isinstance(self._model, ScoresByVectors)
        started = time.perf_counter()
        with self._answering():
            if self._vectors is None:
                self._vectors = np.asarray(self._model.ranked_vectors(part.requests.task))
                self._largest = largest_of(self._vectors)
            queries = np.asarray(self._model.request_vectors(part.requests))
        seconds = time.perf_counter() - started
        self._check_shape(self._vectors, (self._items, queries.shape[-1]))
        self._check_shape(queries, (len(part), queries.shape[-1]))
        with subnormals_flushed():
            counted = self._counted(part, first)
            places, products = count_products(queries, self._vectors, *counted, self._largest)
        self._kept["full"].seconds += seconds + products
        return places

    def _counted(self, part: EvaluationSet, first: int) -> _Counted:
        """Return what is counted among all items, as both ways of counting take it."""
        seen, relevant = _seen(part.requests), part.relevant
        left_out = _NOTHING if seen is None else seen.keys
        numbers = first + np.arange(len(part))
        return relevant.request, relevant.item, left_out, self._depth("full"), self._name, numbers

    def _retrieve(self, part: EvaluationSet, numbers: NDArray[np.int64], k: int) -> Places:
        """Count from the best ``k``, and from more where these do not settle every metric.

        A list that ends inside the tie that holds the rank of the largest cutoff does not say how
        many candidates share it. Such requests are asked again for four times as many.
        """
        items, scores = self._best(part.requests, k)
        seen, relevant = _seen(part.requests), part.relevant
        if seen is not None:
            real = items != PAD
            row = np.broadcast_to(np.arange(len(items))[:, None], items.shape)
            if (seen.contain(row, np.where(real, items, 0)) & real).any():
                raise BenchmarkError(f"{self._name} retrieved an item that the user has seen")
        candidates = np.full(len(part), self._items, dtype=np.int32)
        if seen is not None:
            candidates -= seen.count(np.arange(len(part))).astype(np.int32)
        greater, tied = count_list(
            items, scores, relevant.request, relevant.item, candidates, self._name, numbers
        )
        places = Places(greater, tied, candidates, *_first(items, scores, self._depth("full")))
        if k < self._items:
            unsettled = scores[:, -1] == scores[:, min(k, max(CUTOFFS)) - 1]
            self._ask_for_more(part, numbers, k, unsettled & (items[:, -1] != PAD), places)
        return places

    def _ask_for_more(
        self,
        part: EvaluationSet,
        numbers: NDArray[np.int64],
        k: int,
        unsettled: NDArray[np.bool_],
        places: Places,
    ) -> None:
        """Put the answers of a deeper list into ``places`` where ``unsettled``."""
        deeper = min(4 * k, self._items)
        size = max(1, SCORES_AT_ONCE // deeper)
        every = np.flatnonzero(unsettled)
        for start in range(0, len(every), size):
            rows = every[start : start + size]
            answer = self._retrieve(part.at(rows), numbers[rows], deeper)
            of_rows = np.isin(part.relevant.request, rows)
            places.greater[of_rows], places.tied[of_rows] = answer.greater, answer.tied
            places.columns[rows], places.scores[rows] = answer.columns, answer.scores

    def _best(self, requests: Requests, k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        with self._answering():
            started = time.perf_counter()
            found, best = self._model.retrieve(requests, k)
            self._kept["full"].seconds += time.perf_counter() - started
            items, scores = np.asarray(found), np.asarray(best).astype(np.float32, copy=False)
        self._check_shape(items, (len(requests), k))
        self._check_shape(scores, (len(requests), k))
        if not np.issubdtype(items.dtype, np.integer):
            raise BenchmarkError(f"{self._name} retrieved items that are no whole numbers")
        if items.min(initial=0) < PAD or items.max(initial=0) >= self._items:
            raise BenchmarkError(f"{self._name} retrieved an item that is not in the catalogue")
        return items, scores

    def _rank_lists(
        self,
        protocol: Protocol,
        part: EvaluationSet,
        first: int,
        catalogue: NDArray[np.float32] | None,
    ) -> Places:
        """Count within the lists of candidates, those of like length at a time."""
        lists, relevant = part.lists[protocol], part.relevant
        lengths = lists.lengths
        # What is not in its list, or has none, cannot be produced.
        candidates = lengths.astype(np.int32)
        depth = min(self._depth(protocol), max(TOP, int(lengths.max(initial=0))))
        whole = Places(
            greater=candidates[relevant.request],
            tied=np.zeros(len(relevant), dtype=np.int32),
            candidates=candidates,
            columns=np.full((len(part), depth), PAD, dtype=np.int32),
            scores=np.full((len(part), depth), -np.inf, dtype=np.float32),
        )
        for rows in _of_like_length(lengths):
            chosen = lists.at(rows)
            rectangle = chosen.rectangle()
            if catalogue is None:
                scores, seconds = self._scores(replace(part.requests[rows], candidates=rectangle))
                self._kept[protocol].seconds += seconds
            else:
                scores = catalogue[rows[:, None], rectangle]
            listed, request, column = _in_lists(relevant, chosen, rows, self._items)
            places = count_scores(
                scores, request, column, _surplus(chosen), depth, self._name, first + rows
            )
            whole.greater[listed], whole.tied[listed] = places.greater, places.tied
            taken = np.take_along_axis(rectangle, np.maximum(places.columns, 0), axis=1)
            whole.columns[rows] = np.where(places.columns == PAD, PAD, taken)
            whole.scores[rows] = places.scores
        return whole

    @contextmanager
    def _answering(self) -> Iterator[None]:
        with blaming(f"{self._name} cannot answer"), subnormals_flushed():
            yield

    def _depth(self, protocol: Protocol) -> int:
        return max(TOP, self._depths.get(protocol, 0))

    def _check_shape(self, answer: NDArray, wanted: tuple[int, ...]) -> None:
        if answer.shape != wanted:
            raise BenchmarkError(
                f"{self._name} answered with shape {answer.shape} where {wanted} was asked"
            )

    def _keep(self, protocol: Protocol, first: int, relevant: Relevant, places: Places) -> None:
        """Keep counts and lists; the columns of ``places`` are items here."""
        kept = self._kept[protocol]
        kept.greater.append(places.greater)
        kept.tied.append(places.tied)
        kept.candidates.append(places.candidates[relevant.request])
        kept.top.append(places.columns[:, :TOP].astype(np.int32))
        if self._observer is not None and protocol in self._depths:
            told = slice(0, self._depths[protocol])
            self._observer.hear(protocol, first, places.columns[:, told], places.scores[:, told])


def _first(
    items: NDArray[np.int32], scores: NDArray[np.float32], depth: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the best ``depth`` of a list, filled up where it is shorter."""
    columns = np.full((len(items), depth), PAD, dtype=np.int32)
    best = np.full((len(items), depth), -np.inf, dtype=np.float32)
    width = min(depth, items.shape[1])
    columns[:, :width], best[:, :width] = items[:, :width], scores[:, :width]
    return columns, best


def _seen(requests: Requests) -> ItemSets | None:
    """Return the items that are no candidates, as they stand in the history; ``None`` if kept."""
    if not requests.exclude_seen:
        return None
    offsets, seen = requests.seen()
    owner = np.repeat(np.arange(len(requests)), np.diff(offsets))
    return ItemSets(owner, seen, requests.items)


def _of_like_length(lengths: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of lists that fill a rectangle at least by half; empty lists are left out."""
    rows = np.flatnonzero(lengths)
    if 2 * lengths.sum() >= len(rows) * lengths.max(initial=0):
        classes = np.zeros(len(rows), dtype=np.int64)
    else:
        classes = np.frexp(lengths[rows])[1]
    for each in np.unique(classes):
        yield rows[classes == each]


def _surplus(lists: CandidateLists) -> NDArray[np.int64]:
    """Return the places of a rectangle of lists that only fill it up, ascending."""
    lengths = lists.lengths
    width = int(lengths.max(initial=0))
    return np.flatnonzero(np.arange(width) >= lengths[:, None])


def _in_lists(
    relevant: Relevant, lists: CandidateLists, rows: NDArray[np.int64], items: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return which relevant items stand in their lists, and the row and column of each.

    Args:
        relevant: of all requests.
        lists: those of the requests at ``rows``.
        rows: ascending.
        items: size of the catalogue.
    """
    row = np.minimum(np.searchsorted(rows, relevant.request), len(rows) - 1)
    keys = lists.owner * items + lists.items
    wanted = row * items + relevant.item
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    listed = np.flatnonzero((rows[row] == relevant.request) & (keys[place] == wanted))
    row = row[listed]
    return listed, row, place[listed] - lists.offsets[row]
