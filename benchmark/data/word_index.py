"""The words of millions of texts as numbers, and bm25s's index of them, to the last bit of a score.

bm25s visits every text in Python and holds the words of all of them as objects. Here texts are
analysed some at a time, and what is left of them are numbers.
"""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import bm25s
import numpy as np
from numpy.typing import NDArray

from benchmark.data.analyser import analyse
from benchmark.data.spans import find_in_spans
from benchmark.data.text_column import TextColumn

__all__ = ["TextWords", "index_texts", "index_words", "score_pairs"]

_TEXTS_AT_ONCE = 2**14

Analyse = Callable[[Sequence[str]], list[list[str]]]


@dataclass(frozen=True)
class TextWords:
    """The words of texts, as numbers.

    Attributes:
        number: of each distinct word, in the order in which they come.
        word: int32 ``[occurrences]``, the words of all texts, one text after the other.
        lengths: int32 ``[texts]``, words of each text.
    """

    number: dict[str, int]
    word: NDArray[np.int32]
    lengths: NDArray[np.int32]

    @classmethod
    def of(cls, texts: Sequence[str], analysing: Analyse = analyse) -> TextWords:
        """Return the words of texts, ``[n]``, as ``analysing`` finds them."""
        number: defaultdict[str, int] = defaultdict()
        number.default_factory = number.__len__  # a word that is new takes the next number
        words, lengths = array("i"), array("i")
        for batch in TextColumn(texts).batches(_TEXTS_AT_ONCE):
            for found in analysing(batch):
                lengths.append(len(found))
                words.extend(map(number.__getitem__, found))
        return cls(dict(number), np.frombuffer(words, np.int32), np.frombuffer(lengths, np.int32))

    @property
    def ends(self) -> NDArray[np.int64]:
        """Where each text begins in ``word``, and the last one ends, ``[texts + 1]``."""
        return np.concatenate([[0], np.cumsum(self.lengths, dtype=np.int64)])


def index_texts(
    texts: Sequence[str], k1: float, b: float, analysing: Analyse = analyse
) -> bm25s.BM25:
    """Return the index that bm25s makes of texts, in Lucene's variant.

    Args:
        texts: ``[n]``.
        k1: how soon repeated words count no more.
        b: how much long texts are held back.
        analysing: finds the words of texts.
    """
    return index_words(TextWords.of(texts, analysing), k1, b)


def index_words(words: TextWords, k1: float = 1.5, b: float = 0.75) -> bm25s.BM25:
    """Return the index of words; see :func:`index_texts`, whose defaults are bm25s's own."""
    index = bm25s.BM25(k1=k1, b=b)
    index.scores = _scores(words.word, words.lengths, len(words.number), k1, b)
    index.nonoccurrence_array = None
    index.vocab_dict = words.number
    index.unique_token_ids_set = set(words.number.values())
    return index


def _scores(
    words: NDArray[np.int32], lengths: NDArray[np.int32], vocabulary: int, k1: float, b: float
) -> dict[str, object]:
    """Return bm25s's sparse matrix of ``[texts, words]`` by words.

    Args:
        words: of all texts, one after the other.
        lengths: words of each text.
        vocabulary: number of distinct words.
        k1: see :func:`index_texts`.
        b: likewise.
    """
    texts = len(lengths)
    text = np.repeat(np.arange(texts, dtype=np.int32), lengths)
    keys = words.astype(np.int64)
    keys *= texts
    keys += text
    del text
    keys.sort()
    first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
    times = np.diff(np.append(first, len(keys))).astype(np.float32)
    word, row = np.divmod(keys[first], max(texts, 1))
    del keys, first
    found_in = np.bincount(word, minlength=vocabulary)
    idf = np.array(
        [math.log(1 + (texts - n + 0.5) / (n + 0.5)) if n else 0.0 for n in found_in.tolist()],
        dtype=np.float32,
    )
    mean = lengths.mean() if texts else 1.0
    held_back = k1 * ((1 - b) + b * lengths / mean)
    data = (idf[word] * (times / (held_back[row] + times))).astype(np.float32)
    offsets = np.concatenate([[0], np.cumsum(found_in)])
    return {"data": data, "indices": row.astype(np.int32), "indptr": offsets, "num_docs": texts}


def score_pairs(
    index: bm25s.BM25, query: Sequence[Sequence[str]], text: NDArray[np.integer]
) -> NDArray[np.float32]:
    """Return the scores that ``get_scores`` gives some texts for their queries, ``[queries, n]``.

    Args:
        index: over all texts.
        query: the words of each query.
        text: ``[queries, n]``, the texts to score for each.
    """
    scores = np.zeros(text.shape, dtype=np.float32)
    number = index.vocab_dict
    known = [[number[word] for word in words if word in number] for words in query]
    parts = index.scores
    for place in range(max(map(len, known), default=0)):
        rows = np.array([row for row, words in enumerate(known) if len(words) > place])
        word = np.repeat([known[row][place] for row in rows], text.shape[1])
        found = find_in_spans(parts["indptr"], parts["indices"], word, text[rows].ravel())
        added = np.where(found >= 0, parts["data"][found], np.float32(0))
        scores[rows] += added.reshape(len(rows), -1)
    return scores
