"""The packed regime: one causal pass over a user's sequence trains every target in it.

The paper trains on one target per sample, so that a history is encoded anew for each of its
events; :mod:`gensar.engine.packed_sequences` says what is done here. The input needs no
instruction, because the behaviour token that the decoder starts with says what is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmark.data.events import EventSource
from benchmark.data.requests import Requests, Task
from benchmark.learning.ragged import Ragged
from benchmark.model import TrainView
from gensar.engine.identifiers import COLLABORATIVE
from gensar.engine.packed_sequences import PackedBatch, PackedLog, PackedSequences
from gensar.engine.query_generation import WrittenQueries
from gensar.engine.regime import Epochs, MakeStep
from gensar.engine.sequences import Inputs, Sequences
from gensar.engine.targets import CodeTargets, Step, TextTargets, ended
from gensar.item_tasks import ItemTexts, item_side
from gensar.settings import GenSARSettings

__all__ = ["PackedRegime"]

QUERY_GENERATION_SHARE = 0.25
"""Share of the sequences that also give a target for query generation."""


class PackedRegime:
    """Builds the training steps and the requests' inputs.

    Args:
        settings: ``max_history``, ``batch_size``, ``item_samples``, ``item_share`` and the weights
            are used.
        sequences: turns events into positions.
        written: queries that a model wrote for the items; else words of their texts are taken.
    """

    causal = True

    def __init__(
        self, settings: GenSARSettings, sequences: Sequences, written: WrittenQueries | None = None
    ) -> None:
        self.settings = settings
        self.sequences = sequences
        self.written = written
        self._packed = PackedSequences(sequences, settings.max_history, settings.batch_size)

    def request_inputs(self, requests: Requests, words: Ragged) -> Inputs:
        """Return what each request is answered from."""
        return self._packed.request_inputs(requests, words)

    def training(self, train: TrainView, tasks: tuple[Task, ...]) -> Epochs:
        """Return what the epochs of training on ``tasks`` are made from."""
        vocabulary, settings = self.sequences.vocabulary, self.settings
        words = vocabulary.encode(train.queries.texts, settings.query_tokens)
        texts = ItemTexts.of(train.items.texts, vocabulary, settings.item_text_tokens)
        if self.written is not None:
            texts = texts.with_written(self.written, vocabulary, settings.query_tokens)
        return partial(self._epoch, PackedLog.of(train.log), tasks, words, texts)

    def _epoch(
        self,
        log: PackedLog,
        tasks: tuple[Task, ...],
        words: Ragged,
        texts: ItemTexts,
        rng: np.random.Generator,
    ) -> list[MakeStep]:
        """Return what makes the steps of an epoch."""
        batches = self._packed.batches(log, words, rng)
        return [partial(self._step, make, tasks, words, texts) for make in batches]

    def _step(
        self,
        make: Callable[[], PackedBatch],
        tasks: tuple[Task, ...],
        words: Ragged,
        texts: ItemTexts,
        rng: np.random.Generator,
    ) -> Step:
        batch, without = make(), self.settings.without
        rec = Task.REC in tasks and "next-item" not in without
        search = Task.SEARCH in tasks
        codes = self._packed.targets(batch, rec, search and "search" not in without)
        if rec and self.settings.rec_targets == "all":
            codes = self._recommended_too(codes, batch)
        step = Step([(codes, 1.0)], [])
        if "query-generation" not in without:
            step.texts.extend(self._queries(batch, batch.searched & search, words, rng))
        self._add_item_side(step, tasks, texts, rng)
        return step

    def _queries(
        self,
        batch: PackedBatch,
        searches: NDArray[np.bool_],
        words: Ragged,
        rng: np.random.Generator,
    ) -> list[tuple[TextTargets, float]]:
        """Let some sequences write the query of one of their searches, from what is earlier."""
        draw = np.where(searches, rng.random(searches.shape), -1.0)
        draw[rng.random(len(draw)) >= QUERY_GENERATION_SHARE] = -1.0
        has = draw.max(axis=1) >= 0
        if not has.any():
            return []
        at = np.flatnonzero(has), draw.argmax(axis=1)[has]
        queries = TextTargets(
            inputs=batch.inputs[has],
            visible=batch.stream.moment_cut[at],
            start=np.full(int(has.sum()), self.sequences.vocabulary.query),
            text=ended(words.take(batch.history.query[at])),
            hidden=None if batch.hidden is None else batch.hidden[has],
        )
        return [(queries, self.settings.text_weight)]

    def _add_item_side(
        self, step: Step, tasks: tuple[Task, ...], texts: ItemTexts, rng: np.random.Generator
    ) -> None:
        """Add the tasks that read no history; pseudo-queries are for a model that searches."""
        settings = self.settings
        own = sum(int((codes.visible > 0).sum()) for codes, _ in step.codes)
        some = min(settings.item_samples, math.ceil(settings.item_share * own))
        if not some or not texts.any:
            return
        few = max(1, some // 8)
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

    def _recommended_too(self, codes: CodeTargets, batch: PackedBatch) -> CodeTargets:
        """Add the events that came by search as targets of recommendation.

        Each reads what is earlier than its moment. The new targets stand behind the others, moved
        to the left.
        """
        history = batch.history
        searches = (history.item >= 0) & (history.kind == EventSource.SEARCHED)
        order = np.argsort(~searches, axis=1, kind="stable")
        order = order[:, : int(searches.sum(axis=1).max())]

        def of_searches(values: NDArray[np.int64]) -> NDArray[np.int64]:
            return np.take_along_axis(values, order, axis=1)

        visible = of_searches(np.where(searches, batch.stream.moment_cut, 0))
        start = np.full_like(visible, self.sequences.vocabulary.rec)
        return CodeTargets(
            inputs=codes.inputs,
            first=np.hstack([codes.first, np.zeros_like(visible)]),
            visible=np.hstack([codes.visible, visible]),
            start=np.hstack([codes.start, start]),
            identifier=np.hstack([codes.identifier, np.full_like(visible, COLLABORATIVE)]),
            item=np.hstack([codes.item, of_searches(codes.item)]),
            hidden=codes.hidden,
        )
