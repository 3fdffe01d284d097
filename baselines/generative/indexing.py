"""What DSI reads and learns: pairs of a text and the item whose identifier it leads to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from baselines.generative.apart import ApartRegime, QueryItemPairs, searched_pairs
from benchmark.data.requests import Requests, Task
from benchmark.learning.ragged import Ragged
from benchmark.model import TrainView
from gensar.engine.packed_sequences import PackedBatch, PackedLog, PackedSequences
from gensar.engine.regime import Epochs, MakeStep
from gensar.engine.sequences import Inputs, Sequences
from gensar.engine.targets import Step
from gensar.engine.vocabulary import Vocabulary

__all__ = ["IndexingRegime", "ItemSide", "PersonalRegime"]


@dataclass(frozen=True)
class ItemSide:
    """Texts that stand for items beside real searches.

    Attributes:
        texts: generated queries or texts of items; an item's text is read as a query is.
        item: int64 ``[texts]``, which item each leads to.
        longest: of a text, in tokens.
    """

    texts: Sequence[str]
    item: NDArray[np.int64]
    longest: int

    def pairs(self, vocabulary: Vocabulary) -> QueryItemPairs:
        """Return them in the pieces of a vocabulary."""
        return QueryItemPairs(vocabulary.encode(self.texts, self.longest), self.item)


class IndexingRegime(ApartRegime):
    """Reads a request's query and nothing else; learns every pair once in an epoch.

    Args:
        sequences: turns queries into positions.
        item_side: pairs beside the real ones; empty where nothing is trained.
        real: whether the real searches are pairs too.
        batch: most pairs in a step.
        query_tokens: longest real query, in tokens.
    """

    def __init__(
        self, sequences: Sequences, item_side: ItemSide, real: bool, batch: int, query_tokens: int
    ) -> None:
        super().__init__(sequences, 1, 1, batch, query_tokens, causal=False)
        self.item_side = item_side
        self.real = real

    def pairs(self, train: TrainView, words: Ragged) -> QueryItemPairs:
        """Return the pairs that search learns from."""
        more = self.item_side.pairs(self.sequences.vocabulary)
        return _both(searched_pairs(train, words), more) if self.real else more


class PersonalRegime:
    """Reads the history with the request's query behind it, in the packed form.

    Real searches are learned inside their users' sequences, the item side without a history.

    Args:
        sequences: turns events and queries into positions.
        item_side: pairs beside the real searches; empty where nothing is trained.
        window: events of a history that are read, and of a training sequence.
        batch: sequences in a step.
        query_tokens: longest real query, in tokens.
    """

    causal = True

    def __init__(
        self, sequences: Sequences, item_side: ItemSide, window: int, batch: int, query_tokens: int
    ) -> None:
        self.sequences = sequences
        self.item_side = item_side
        self.query_tokens = query_tokens
        self._packed = PackedSequences(sequences, window, batch)
        self._bare = ApartRegime(sequences, window, batch, batch, query_tokens)

    def request_inputs(self, requests: Requests, words: Ragged) -> Inputs:
        """Return what each request is answered from."""
        return self._packed.request_inputs(requests, words)

    def training(self, train: TrainView, tasks: tuple[Task, ...]) -> Epochs:
        """Return epochs over the users' sequences, the item side spread over their steps."""
        vocabulary = self.sequences.vocabulary
        words = vocabulary.encode(train.queries.texts, self.query_tokens)
        return partial(
            self._epoch, PackedLog.of(train.log), words, self.item_side.pairs(vocabulary)
        )

    def _epoch(
        self, log: PackedLog, words: Ragged, pairs: QueryItemPairs, rng: np.random.Generator
    ) -> list[MakeStep]:
        batches = self._packed.batches(log, words, rng)
        shares = np.array_split(rng.permutation(len(pairs.item)), max(len(batches), 1))

        def step(
            make: Callable[[], PackedBatch], share: NDArray[np.int64], rng: np.random.Generator
        ) -> Step:
            codes = [(self._packed.targets(make(), rec=False, search=True), 1.0)]
            if len(share):
                codes.append((self._bare.found_items(pairs, share), 1.0))
            return Step(codes, [])

        return [partial(step, *both) for both in zip(batches, shares, strict=False)]


def _both(first: QueryItemPairs, second: QueryItemPairs) -> QueryItemPairs:
    words = Ragged(
        np.concatenate([first.words.values, second.words.values]),
        np.concatenate([first.words.lengths, second.words.lengths]),
    )
    return QueryItemPairs(words, np.concatenate([first.item, second.item]))
