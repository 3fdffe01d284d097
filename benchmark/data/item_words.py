"""Words of item texts as sparse matrices: BM25 scores for queries, likeness of items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bm25s
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from benchmark.data.analyser import analyse
from benchmark.data.card import Analyser

__all__ = ["ItemWords", "QueryWords"]


@dataclass(frozen=True)
class QueryWords:
    """The words of queries.

    Attributes:
        counts: ``[queries, words]``, how often a query has each word that items have.
        distinct: int64 ``[queries]``, the number of its distinct words, known to items or not.
    """

    counts: csr_array
    distinct: NDArray[np.int64]


class ItemWords:
    """The words of a catalogue, as the sampled lists see them.

    Args:
        texts: ``[items]``.
        analyser: tells the words of items and queries.
    """

    def __init__(self, texts: Sequence[str], analyser: Analyser = "bigrams") -> None:
        self._analyser = analyser
        corpus = analyse(texts, analyser)
        vocabulary = sorted({word for words in corpus for word in words})
        self._row = {word: row for row, word in enumerate(vocabulary)}
        self.counts = self._counted(corpus)
        self.bm25 = _bm25(corpus, self._row)
        """``[words, items]``; a query's scores are the sum over its words."""

    def of_queries(self, texts: Sequence[str]) -> QueryWords:
        """Return the words of queries, ``[queries]``."""
        asked = analyse(texts, self._analyser)
        return QueryWords(self._counted(asked), np.array([len(set(words)) for words in asked]))

    def vectors(self) -> csr_array:
        """Return TF-IDF vectors of length 1, ``[items, words]``; 0 where an item has no words."""
        items = self.counts.shape[0]
        found = np.bincount(self.counts.indices, minlength=self.counts.shape[1])
        weighted = csr_array(self.counts @ diags_array(np.log((1 + items) / (1 + found)) + 1))
        length = np.sqrt(weighted.multiply(weighted).sum(axis=1))
        return csr_array(diags_array(1 / np.where(length > 0, length, 1)) @ weighted)

    def _counted(self, texts: list[list[str]]) -> csr_array:
        rows = [[self._row[word] for word in words if word in self._row] for words in texts]
        ends = np.cumsum([0, *map(len, rows)])
        words = np.array([word for row in rows for word in row], dtype=np.int64)
        shape = (len(texts), len(self._row))
        counts = csr_array((np.ones(len(words)), words, ends), shape=shape)
        counts.sum_duplicates()
        return counts


def _bm25(corpus: list[list[str]], row: dict[str, int]) -> csr_array:
    """Return the scores that bm25s gives a document for each of its words."""
    if not row:
        return csr_array((0, len(corpus)))
    index = bm25s.BM25()
    index.index(corpus, show_progress=False)
    parts = index.scores
    shape = (len(parts["indptr"]) - 1, len(corpus))
    scores = csr_array(
        (parts["data"].astype(np.float64), parts["indices"], parts["indptr"]), shape=shape
    )
    return csr_array(scores[[index.vocab_dict[word] for word in row]])
