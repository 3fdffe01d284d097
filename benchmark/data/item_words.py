"""Words of item texts as sparse matrices: BM25 scores for queries, likeness of items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

from benchmark.data.analyser import analyse
from benchmark.data.card import Analyser
from benchmark.data.word_index import TextWords, index_words

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
        self._analysing = partial(analyse, analyser=analyser)
        words = TextWords.of(texts, self._analysing)
        vocabulary = sorted(words.number)
        self._row = {word: row for row, word in enumerate(vocabulary)}
        self.counts = self._counted(words)
        self.bm25 = _bm25(words, vocabulary)
        """``[words, items]``; a query's scores are the sum over its words."""

    def of_queries(self, texts: Sequence[str]) -> QueryWords:
        """Return the words of queries, ``[queries]``."""
        words = TextWords.of(texts, self._analysing)
        query = np.repeat(np.arange(len(words.lengths)), words.lengths)
        pairs = np.unique(query * max(len(words.number), 1) + words.word)
        distinct = np.bincount(pairs // max(len(words.number), 1), minlength=len(words.lengths))
        return QueryWords(self._counted(words), distinct)

    def vectors(self) -> csr_array:
        """Return TF-IDF vectors of length 1, ``[items, words]``; 0 where an item has no words."""
        items = self.counts.shape[0]
        found = np.bincount(self.counts.indices, minlength=self.counts.shape[1])
        weighted = csr_array(self.counts @ diags_array(np.log((1 + items) / (1 + found)) + 1))
        length = np.sqrt(weighted.multiply(weighted).sum(axis=1))
        return csr_array(diags_array(1 / np.where(length > 0, length, 1)) @ weighted)

    def _counted(self, words: TextWords) -> csr_array:
        """Return how often each text has each word that items have, ``[texts, words]``."""
        rows = np.array([self._row.get(word, -1) for word in words.number], dtype=np.int64)
        word = rows[words.word]
        known = np.concatenate([[0], np.cumsum(word >= 0)])
        word = word[word >= 0]
        shape = (len(words.lengths), len(self._row))
        counts = csr_array((np.ones(len(word)), word, known[words.ends]), shape=shape)
        counts.sum_duplicates()
        return counts


def _bm25(words: TextWords, vocabulary: list[str]) -> csr_array:
    """Return the scores that bm25s gives a document for each of its words."""
    if not vocabulary:
        return csr_array((0, len(words.lengths)))
    parts = index_words(words).scores
    shape = (len(vocabulary), len(words.lengths))
    scores = csr_array(
        (parts["data"].astype(np.float64), parts["indices"], parts["indptr"]), shape=shape
    )
    return csr_array(scores[[words.number[word] for word in vocabulary]])
