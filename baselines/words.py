"""Words for models that read queries and item texts as bags of learned embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn

from benchmark.data.catalogue import Queries
from benchmark.data.dataset import TrainView
from benchmark.learning.subwords import train_tokenizer

__all__ = ["MOST_PIECES", "NO_WORD", "MeanOfWords", "Words"]

NO_WORD = 0
"""Fills up a row of words; its embedding counts for nothing."""
MOST_PIECES = 4096
"""Word pieces in a vocabulary at most."""


class Words:
    """A vocabulary of word pieces, learned from training queries and item texts.

    A word that was never seen falls apart into pieces that were.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._last: tuple[Queries, NDArray[np.int64]] | None = None

    @classmethod
    def learn(cls, train: TrainView, size: int = MOST_PIECES) -> Words:
        """Learn at most ``size`` pieces from everything textual in ``train``."""
        texts = [text for text in (*train.items.texts, *train.queries.texts) if text]
        return cls(train_tokenizer(texts, size))

    def __len__(self) -> int:
        return self._tokenizer.get_vocab_size()

    def rows(self, texts: Sequence[str], longest: int) -> NDArray[np.int64]:
        """Return the pieces of each text, ``[texts, <= longest]``, ``NO_WORD`` on the right."""
        encoded = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        width = max((min(len(e.ids), longest) for e in encoded), default=0)
        rows = np.full((len(encoded), max(width, 1)), NO_WORD, dtype=np.int64)
        for row, one in zip(rows, encoded, strict=True):
            row[: min(len(one.ids), longest)] = one.ids[:longest]
        return rows

    def of_queries(self, queries: Queries, longest: int) -> NDArray[np.int64]:
        """Return the rows of all queries of a table and, last, an empty row for ``NO_QUERY``.

        So a query's number, -1 included, is its row. The last table asked for is remembered.
        """
        if self._last is None or self._last[0] is not queries:
            self._last = (queries, self.rows([*queries.texts, ""], longest))
        return self._last[1]

    def to_json(self) -> str:
        """Return the vocabulary for a model's state."""
        return self._tokenizer.to_str()

    @classmethod
    def from_json(cls, text: Any) -> Words:
        """Take back what :meth:`to_json` returned."""
        return cls(Tokenizer.from_str(text))


class MeanOfWords(nn.Module):
    """The mean of the embeddings of each row's words; zeros where there is none."""

    def __init__(self, words: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(words, width, padding_idx=NO_WORD)

    def forward(self, rows: Tensor) -> Tensor:
        """Return ``[..., width]`` for ``rows`` (int64 ``[..., words]``)."""
        real = (rows != NO_WORD).unsqueeze(-1).to(self.table.weight.dtype)
        return (self.table(rows) * real).sum(dim=-2) / real.sum(dim=-2).clamp_min(1)
