"""The regime of the generative baselines: each task reads what its own papers let it read.

Recommendation reads the items of the history, whatever way the user came to them (TIGER, Rajput et
al. 2023); search reads the query and nothing of the user (DSI, Tay et al. 2022). With both tasks
one backbone learns them side by side (Penha et al. 2025).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmark.data.events import NO_QUERY, EventLog, EventSource
from benchmark.data.requests import History, Requests, Task, events_at
from benchmark.learning.batches import length_order
from benchmark.learning.ragged import Ragged, join
from benchmark.learning.windows import windows
from benchmark.model import TrainView
from gensar.engine.identifiers import COLLABORATIVE, SEMANTIC
from gensar.engine.regime import Epochs, MakeStep
from gensar.engine.sequences import NOTHING, Inputs, Sequences
from gensar.engine.targets import CodeTargets, Step, one_code_target_each
from gensar.engine.vocabulary import END

__all__ = ["ApartRegime", "QueryItemPairs", "items_only", "searched_pairs"]


@dataclass(frozen=True)
class QueryItemPairs:
    """Queries and the items that they lead to.

    Attributes:
        words: the text pieces of each pair's query.
        item: int64 ``[pairs]``.
    """

    words: Ragged
    item: NDArray[np.int64]


def searched_pairs(train: TrainView, words: Ragged) -> QueryItemPairs:
    """Return one pair for each search event; ``words`` are the pieces of the query table."""
    searches = np.flatnonzero(train.log.kind == EventSource.SEARCHED)
    return QueryItemPairs(
        words.take(train.log.query[searches]), train.log.item[searches].astype(np.int64)
    )


def items_only(history: History) -> History:
    """Return the history as a plain sequence of items, without queries and kinds."""
    return replace(
        history,
        kind=np.full_like(history.kind, EventSource.RECOMMENDED),
        query=np.full_like(history.query, NO_QUERY),
    )


class ApartRegime:
    """Builds the training steps and the requests' inputs.

    Args:
        sequences: turns events and queries into positions.
        window: items of a history that are read, and events in a training sequence.
        batch: sequences in a step.
        search_batch: most pairs of query and item in a step.
        query_tokens: longest query, in tokens.
        causal: whether an input position sees only what stands before it. One pass over a
            sequence can then train every target in it; recommendation is trained so.
    """

    def __init__(
        self,
        sequences: Sequences,
        window: int,
        batch: int,
        search_batch: int,
        query_tokens: int,
        causal: bool = True,
    ) -> None:
        self.sequences = sequences
        self.window = window
        self.batch = batch
        self.search_batch = search_batch
        self.query_tokens = query_tokens
        self.causal = causal

    def request_inputs(self, requests: Requests, words: Ragged) -> Inputs:
        """Return what each request is answered from."""
        if requests.task == Task.SEARCH:
            return Inputs.whole(self.query_inputs(words.take(requests.query)))
        history = items_only(requests.history(self.window))
        return Inputs.whole(self.sequences.stream(history, words).tokens)

    def query_inputs(self, words: Ragged) -> Ragged:
        """Return the positions of bare queries."""
        every = np.ones(len(words), dtype=bool)
        return join(self.sequences.repeat(END, every), self.sequences.queries(words, every))

    def training(self, train: TrainView, tasks: tuple[Task, ...]) -> Epochs:
        """Return epochs over the users' events and over the pairs of query and item.

        Both are spread evenly over the steps of an epoch, as many as the task needs that needs
        more.
        """
        if Task.REC in tasks and not self.causal:
            raise ValueError("targets all along a sequence need an encoder that is causal")
        words = self.sequences.vocabulary.encode(train.queries.texts, self.query_tokens)
        pairs = self.pairs(train, words) if Task.SEARCH in tasks else None
        log = train.log if Task.REC in tasks else None
        return partial(self._epoch, log, pairs, words)

    def pairs(self, train: TrainView, words: Ragged) -> QueryItemPairs:
        """Return the pairs that search learns from."""
        return searched_pairs(train, words)

    def _epoch(
        self,
        log: EventLog | None,
        pairs: QueryItemPairs | None,
        words: Ragged,
        rng: np.random.Generator,
    ) -> list[MakeStep]:
        """Return what makes the steps; sequences of like length share one.

        Every step has targets of both tasks, but where one has fewer than there are steps.
        """
        rows: NDArray[np.int64] = np.empty((0, self.window), dtype=np.int64)
        if log is not None:
            rows = windows(log, self.window, rng)
            length = (rows >= 0).sum(axis=1)
            rows = rows[length_order(length, self.window / 8, rng)]
        count = len(pairs.item) if pairs is not None else 0
        steps = max(-(-len(rows) // self.batch), -(-count // self.search_batch), 1)
        groups = np.array_split(rows, steps)
        shares = np.array_split(rng.permutation(count), steps)

        def step(number: int, rng: np.random.Generator) -> Step:
            made = Step([], [])
            if log is not None and len(groups[number]):
                made.codes.append((self._next_items(log, groups[number], words), 1.0))
            if pairs is not None and len(shares[number]):
                made.codes.append((self.found_items(pairs, shares[number]), 1.0))
            return made

        return [partial(step, number) for number in rng.permutation(steps).tolist()]

    def _next_items(self, log: EventLog, rows: NDArray[np.int64], words: Ragged) -> CodeTargets:
        """Return every event of the sequences as a target that reads what is earlier in time."""
        rows = rows[:, : int((rows >= 0).sum(axis=1).max())]
        history = items_only(events_at(log, rows))
        stream = self.sequences.stream(history, words)
        return CodeTargets(
            inputs=stream.tokens.padded(NOTHING),
            first=np.zeros(rows.shape, dtype=np.int64),
            visible=np.where(rows >= 0, stream.moment_cut, 0),
            start=np.full(rows.shape, self.sequences.vocabulary.rec),
            identifier=np.full(rows.shape, COLLABORATIVE),
            item=np.maximum(history.item, 0).astype(np.int64),
        )

    def found_items(self, pairs: QueryItemPairs, rows: NDArray[np.int64]) -> CodeTargets:
        """Return the pairs at ``rows`` as targets that read their query."""
        return one_code_target_each(
            self.query_inputs(pairs.words.take(rows)),
            pairs.item[rows],
            np.full(len(rows), SEMANTIC),
            self.sequences.vocabulary.searched,
        )
