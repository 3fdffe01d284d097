"""The packed regime: one causal pass over a user's sequence trains every target in it.

The paper trains on one target per sample, so that a history is encoded anew for each of its
events. Here every event of a sequence is a target of its own task, and reads the positions before
it; the input needs no instruction, because the behaviour token that the decoder starts with says
what is asked for.

The decoder of a search reads the positions of its query only. They know the history, which the
encoder lets them see. Were the history's positions before the decoder too, nothing would set the
query that is asked now apart from older ones, as T5's cross-attention knows no places: on ml-100k
search had a validation NDCG@10 of 0.074 so, in place of 0.198 (docs/models/gensar.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmark.data.events import EventSource
from benchmark.data.requests import PAD, History, Requests, Task, events_at
from benchmark.learning.ragged import Ragged
from benchmark.learning.simultaneous_duplicates import searches_first, steps_to_first_twin
from benchmark.learning.windows import windows
from benchmark.model import TrainView
from gensar.engine.generator import Epochs
from gensar.engine.identifiers import COLLABORATIVE, SEMANTIC
from gensar.engine.sequences import NOTHING, Inputs, Sequences, Stream
from gensar.engine.targets import (
    CodeTargets,
    ItemTexts,
    Step,
    TextTargets,
    Written,
    ended,
    item_side,
)
from gensar.settings import GenSARSettings

__all__ = ["PackedRegime"]

QUERY_GENERATION_SHARE = 0.25
"""Share of the sequences that also give a target for query generation."""


class PackedRegime:
    """Builds the training steps and the requests' inputs.

    Args:
        settings: ``window``, ``batch``, ``item_samples`` and the weights are used.
        sequences: turns events into positions.
        written: queries that a model wrote for the items; else words of their texts are taken.
    """

    causal = True

    def __init__(
        self, settings: GenSARSettings, sequences: Sequences, written: Written | None = None
    ) -> None:
        self.settings = settings
        self.sequences = sequences
        self.written = written

    def request_inputs(self, requests: Requests, words: Ragged) -> Inputs:
        """Return what each request is answered from."""
        history = requests.history(self.settings.max_history)
        if requests.task == Task.REC:
            return Inputs.whole(self.sequences.stream(history, words).tokens)
        stream = self.sequences.stream(with_query(history, requests), words)
        return Inputs(stream.tokens, stream.rec_cut[np.arange(len(requests)), history.length])

    def training(self, train: TrainView, tasks: tuple[Task, ...]) -> Epochs:
        """Return what the epochs of training on ``tasks`` are made from."""
        vocabulary, settings = self.sequences.vocabulary, self.settings
        words = vocabulary.encode(train.queries.texts, settings.query_tokens)
        texts = ItemTexts.of(train.items.texts, vocabulary, settings.item_text_tokens)
        if self.written is not None:
            texts = texts.with_written(self.written, vocabulary, settings.query_tokens)
        return partial(self.epoch, train, tasks, words, texts)

    def epoch(
        self,
        train: TrainView,
        tasks: tuple[Task, ...],
        words: Ragged,
        texts: ItemTexts,
        rng: np.random.Generator,
    ) -> tuple[int, Iterator[Step]]:
        """Return the number of steps of an epoch, and the steps.

        Sequences of similar length share a batch. Events of tasks that are not trained for stay
        in the histories but are no targets.
        """
        window, batch = self.settings.max_history, self.settings.batch_size
        log = searches_first(train.log)
        twins = steps_to_first_twin(log)
        rows = windows(log, window, rng)
        length = (rows >= 0).sum(axis=1)
        order = np.argsort(length + rng.uniform(0, window / 8, len(length)), kind="stable")
        starts = rng.permutation(np.arange(0, len(order), batch))

        def steps() -> Iterator[Step]:
            for start in starts:
                chosen = rows[order[start : start + batch]]
                chosen = chosen[:, : int((chosen >= 0).sum(axis=1).max())]
                steps_back = np.where(chosen >= 0, twins[chosen], 0)
                yield self._step(events_at(log, chosen), steps_back, tasks, words, texts, rng)

        return len(starts), steps()

    def _step(
        self,
        history: History,
        steps_back: NDArray[np.int64],
        tasks: tuple[Task, ...],
        words: Ragged,
        texts: ItemTexts,
        rng: np.random.Generator,
    ) -> Step:
        """Return one step; ``steps_back`` is how far before each event its first twin stands.

        A recommendation reads nothing from its twin on. A search behind a twin is no target.
        """
        vocabulary, without = self.sequences.vocabulary, self.settings.without
        stream = self.sequences.stream(history, words)
        inputs = stream.tokens.padded(NOTHING)
        real, searched = history.item >= 0, history.kind == EventSource.SEARCHED
        rec = real & ~searched & (Task.REC in tasks and "next-item" not in without)
        found = real & searched & (steps_back == 0) & (Task.SEARCH in tasks)
        target = rec | (found & ("search" not in without))
        first = np.maximum(np.arange(history.item.shape[1]) - steps_back, 0)
        rec_cut = np.take_along_axis(stream.rec_cut, first, axis=1)
        codes = CodeTargets(
            inputs=inputs,
            first=np.where(target & searched, stream.rec_cut, 0),
            visible=np.where(target, np.where(searched, stream.search_cut, rec_cut), 0),
            start=np.where(searched, vocabulary.searched, vocabulary.rec),
            kind=np.where(searched, SEMANTIC, COLLABORATIVE),
            item=np.maximum(history.item, 0).astype(np.int64),
        )
        if self.settings.rec_targets == "all" and Task.REC in tasks and "next-item" not in without:
            codes = self._recommended_too(codes, searched & real, rec_cut)
        step = Step([(codes, 1.0)], [])
        if "query-generation" not in without:
            step.texts.extend(self._queries(inputs, stream, history, found, words, rng))
        self._add_item_side(step, tasks, texts, rng)
        return step

    def _queries(
        self,
        inputs: NDArray[np.int64],
        stream: Stream,
        history: History,
        found: NDArray[np.bool_],
        words: Ragged,
        rng: np.random.Generator,
    ) -> list[tuple[TextTargets, float]]:
        """Let some sequences write the query of one of the events that were ``found`` by search."""
        draw = np.where(found, rng.random(found.shape), -1.0)
        draw[rng.random(len(draw)) >= QUERY_GENERATION_SHARE] = -1.0
        has = draw.max(axis=1) >= 0
        if not has.any():
            return []
        at = np.flatnonzero(has), draw.argmax(axis=1)[has]
        asked = TextTargets(
            inputs=inputs[has],
            visible=stream.rec_cut[at],
            start=np.full(int(has.sum()), self.sequences.vocabulary.query),
            text=ended(words.take(history.query[at])),
        )
        return [(asked, self.settings.text_weight)]

    def _add_item_side(
        self, step: Step, tasks: tuple[Task, ...], texts: ItemTexts, rng: np.random.Generator
    ) -> None:
        """Add the tasks that read no history; pseudo-queries are for a model that searches."""
        settings = self.settings
        if not settings.item_samples or not texts.any:
            return
        some, few = settings.item_samples, max(1, settings.item_samples // 8)
        names = ("pseudo-query-search", "text-to-identifier", "identifier-to-text")
        counts = (some if Task.SEARCH in tasks else 0, some, few)
        wanted = [
            0 if name in settings.without else n for name, n in zip(names, counts, strict=True)
        ]
        pseudo, described, back = item_side(
            self.sequences, texts, (wanted[0], wanted[1], wanted[2]), rng
        )
        weight = settings.item_weight / 2
        step.codes.extend((part, weight) for part in (pseudo, described) if part is not None)
        if back is not None:
            step.texts.append((back, settings.text_weight))

    def _recommended_too(
        self, codes: CodeTargets, found: NDArray[np.bool_], rec_cut: NDArray[np.int64]
    ) -> CodeTargets:
        """Add the events that were ``found`` by search as targets of recommendation.

        Each reads what stood before its query. All arrays are ``[rows, window]``; the new targets
        stand behind the others, moved to the left.
        """
        order = np.argsort(~found, axis=1, kind="stable")[:, : int(found.sum(axis=1).max())]

        def picked(values: NDArray[np.int64]) -> NDArray[np.int64]:
            return np.take_along_axis(values, order, axis=1)

        wanted = picked(np.where(found, rec_cut, 0))
        return CodeTargets(
            inputs=codes.inputs,
            first=np.hstack([codes.first, np.zeros_like(wanted)]),
            visible=np.hstack([codes.visible, wanted]),
            start=np.hstack([codes.start, np.full_like(wanted, self.sequences.vocabulary.rec)]),
            kind=np.hstack([codes.kind, np.full_like(wanted, COLLABORATIVE)]),
            item=np.hstack([codes.item, picked(codes.item)]),
        )


def with_query(history: History, requests: Requests) -> History:
    """Append the request's own search, whose item is not known yet, behind its history."""
    rows = np.arange(len(requests))

    def extended(column: NDArray, value: NDArray | int) -> NDArray:
        wider = np.pad(column, ((0, 0), (0, 1)))
        wider[rows, history.length] = value
        return wider

    return History(
        item=extended(history.item, PAD),
        kind=extended(history.kind, int(EventSource.SEARCHED)),
        query=extended(history.query, requests.query),
        time=extended(history.time, requests.time),
        length=history.length + 1,
    )
