"""One causal pass over a user's sequence answers for every event in it.

Every event of a sequence is a target of its own task, and reads what is earlier than its moment, as
a request does: events of one time stand in the order of a file, which says nothing.

The decoder of a search reads the positions of its query only. They know the history, which the
encoder lets them see. Were the history's positions before the decoder too, nothing would set the
query that is asked now apart from older ones, as T5's cross-attention knows no places: on ml-100k
search had a validation NDCG@10 of 0.074 so, in place of 0.198 (docs/models/gensar.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import History, Requests, Task, events_at
from benchmark.learning.batches import by_length
from benchmark.learning.ragged import Ragged
from benchmark.learning.simultaneous_duplicates import previous_twins, searches_first
from benchmark.learning.windows import windows
from gensar.engine.identifiers import COLLABORATIVE, SEMANTIC
from gensar.engine.sequences import NOTHING, Inputs, Sequences, Stream, with_query
from gensar.engine.targets import CodeTargets

__all__ = ["PackedBatch", "PackedLog", "PackedSequences"]


@dataclass(frozen=True)
class PackedLog:
    """Training events, ready to be cut into sequences.

    Attributes:
        log: the events; where some are copies of others, searches stand first in their moment.
        repeats: bool ``[events]``, whether a copy (same user, time and item) stands before.
    """

    log: EventLog
    repeats: NDArray[np.bool_]

    @classmethod
    def of(cls, log: EventLog) -> PackedLog:
        """Prepare the events of a training view."""
        log = searches_first(log)
        return cls(log, previous_twins(log) >= 0)


@dataclass(frozen=True)
class PackedBatch:
    """Sequences of similar length. Arrays of events are ``[rows, window]``.

    Attributes:
        history: the events.
        stream: their positions.
        inputs: int64 ``[rows, positions, width]``, the same as one array.
        hidden: int64 ``[rows, positions, 2]``, see :class:`Stream`, or ``None``.
        recommended: bool, the events that came by recommendation.
        searched: bool, the events that came by search and have no copy before them, behind which
            a search could not read its own query without reading its answer.
    """

    history: History
    stream: Stream
    inputs: NDArray[np.int64]
    hidden: NDArray[np.int64] | None
    recommended: NDArray[np.bool_]
    searched: NDArray[np.bool_]


class PackedSequences:
    """Cuts users' events into sequences, and builds the inputs of requests in the same form.

    Args:
        sequences: turns events into positions.
        max_history: events of a sequence and of a request's history.
        batch_size: sequences in a batch.
    """

    def __init__(self, sequences: Sequences, max_history: int, batch_size: int) -> None:
        self.sequences = sequences
        self.max_history = max_history
        self.batch_size = batch_size

    def request_inputs(self, requests: Requests, words: Ragged) -> Inputs:
        """Return what each request is answered from; ``words`` are those of the query table."""
        history = requests.history(self.max_history)
        if requests.task == Task.REC:
            stream = self.sequences.stream(history, words)
            return Inputs.whole(stream.tokens, stream.hidden)
        stream = self.sequences.stream(with_query(history, requests), words)
        first = stream.rec_cut[np.arange(len(requests)), history.length]
        return Inputs(stream.tokens, first, stream.hidden)

    def batches(
        self, packed: PackedLog, words: Ragged, rng: np.random.Generator
    ) -> list[Callable[[], PackedBatch]]:
        """Return what makes the batches of an epoch, in order."""
        window, size = self.max_history, self.batch_size
        rows = windows(packed.log, window, rng)
        length = (rows >= 0).sum(axis=1)
        parts = by_length(length, size, window / 8, rng)
        return [partial(self._batch, packed, rows[part], words) for part in parts]

    def _batch(self, packed: PackedLog, rows: NDArray[np.int64], words: Ragged) -> PackedBatch:
        rows = rows[:, : int((rows >= 0).sum(axis=1).max())]
        real = rows >= 0
        history = events_at(packed.log, rows)
        stream = self.sequences.stream(history, words)
        by_search = history.kind == EventSource.SEARCHED
        return PackedBatch(
            history=history,
            stream=stream,
            inputs=stream.tokens.padded(NOTHING),
            hidden=stream.padded_hidden(),
            recommended=real & ~by_search,
            searched=real & by_search & ~packed.repeats[rows],
        )

    def targets(self, batch: PackedBatch, rec: bool, search: bool) -> CodeTargets:
        """Return the events of the tasks that are learned as targets, each of its own task.

        Events of other tasks stay in the histories.
        """
        vocabulary, stream = self.sequences.vocabulary, batch.stream
        by_search = batch.history.kind == EventSource.SEARCHED
        target = (batch.recommended & rec) | (batch.searched & search)
        visible = np.where(by_search, stream.search_cut, stream.moment_cut)
        return CodeTargets(
            inputs=batch.inputs,
            first=np.where(target & by_search, stream.rec_cut, 0),
            visible=np.where(target, visible, 0),
            start=np.where(by_search, vocabulary.searched, vocabulary.rec),
            identifier=np.where(by_search, SEMANTIC, COLLABORATIVE),
            item=np.maximum(batch.history.item, 0).astype(np.int64),
            hidden=batch.hidden,
        )
