"""Vectors of item texts and queries, encoded once for each table of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.words import Words
from benchmark.data.catalogue import Queries
from benchmark.model import SharedStep, TrainingContext, TrainView, Validation
from benchmark.run_log import RunLog
from gensar.engine.item_vectors import semantic_vectors

__all__ = ["EncodedQueries", "WordQueries", "encode", "learned_texts", "texts_step"]

_TEXTS = "vectors of items and queries"

WIDTH = 384
"""Width of the bundled encoder's vectors."""


def encode(texts: Sequence[str], context: TrainingContext) -> NDArray[np.float32]:
    """Return unit vectors of ``texts``, ``[texts, 384]``, zeros for an empty text."""
    vectors = np.zeros((len(texts), WIDTH), dtype=np.float32)
    filled = [row for row, text in enumerate(texts) if text]
    if filled:
        vectors[filled] = semantic_vectors(tuple(texts[row] for row in filled), "minilm", context)
    return vectors


class EncodedQueries:
    """Vectors of queries by the bundled encoder.

    Training's texts are encoded once and kept with the model; a table of requests costs the
    encoder only what is new in it. What is new is encoded together, so that a loaded model gets
    the same bits as the one that was saved.
    """

    def __init__(self, texts: Sequence[str], vectors: NDArray[np.float32], device: str) -> None:
        self.texts, self.vectors, self.device = list(texts), vectors, device
        self._row = {text: row for row, text in enumerate(self.texts)}
        self._last: tuple[Queries, Tensor] | None = None

    @staticmethod
    def learned_from(queries: Queries) -> list[str]:
        """Return the texts that are encoded once and kept."""
        return sorted({text for text in queries.texts if text})

    def of(self, queries: Queries) -> Tensor:
        """Return the vectors of a whole table and, last, zeros for ``NO_QUERY``.

        The result is float32 ``[queries + 1, 384]``. The last table asked for is remembered.
        """
        if self._last is None or self._last[0] is not queries:
            new = sorted({text for text in queries.texts if text and text not in self._row})
            quiet = TrainingContext((), 0, self.device, RunLog(quiet=True))
            known = np.concatenate([self.vectors, encode(new, quiet), np.zeros((1, WIDTH))])
            row = self._row | {text: len(self.texts) + at for at, text in enumerate(new)}
            rows = np.array([row.get(text, -1) for text in queries.texts] + [-1])
            vectors = torch.as_tensor(known[rows].astype(np.float32), device=self.device)
            self._last = (queries, vectors)
        return self._last[1]


def learned_texts(
    train: TrainView, context: TrainingContext, queries: bool
) -> tuple[NDArray[np.float32], EncodedQueries | None]:
    """Encode the texts of the items, ``[items, 384]``, and if asked those of the queries.

    Runs that share them encode them once.
    """
    texts = EncodedQueries.learned_from(train.queries) if queries else []
    shared = context.shared(_TEXTS, queries, seeded=False)
    with shared.making():
        items = shared.kept("items", lambda: {"items": encode(train.items.texts, context)})["items"]
        if not queries:
            return items, None
        asked = shared.kept("queries", lambda: {"queries": encode(texts, context)})["queries"]
    return items, EncodedQueries(texts, asked, context.device)


def texts_step(queries: bool) -> SharedStep:
    """Return what :func:`learned_texts` does."""

    def make(train: TrainView, validation: Validation, context: TrainingContext) -> None:
        learned_texts(train, context, queries)

    return SharedStep(_TEXTS, (queries,), make, seeded=False)


class WordQueries:
    """Word pieces of queries, for :class:`~baselines.words.MeanOfWords`."""

    def __init__(self, words: Words, longest: int, device: str) -> None:
        self.words, self.longest, self.device = words, longest, device

    def of(self, queries: Queries) -> Tensor:
        """Return a whole table's pieces and, last, an empty row: int64 ``[queries + 1, n]``."""
        return torch.as_tensor(self.words.of_queries(queries, self.longest), device=self.device)
