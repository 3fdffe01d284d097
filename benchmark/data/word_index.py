"""An index of bm25s over millions of texts: its scores to the last bit, without its loops.

bm25s visits every text in Python and holds the words of all of them as objects. Here texts are
analysed some at a time, and what is left of them are numbers.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator, Sequence

import bm25s
import numpy as np
from numpy.typing import NDArray

from benchmark.data.analyser import analyse
from benchmark.data.spans import find_in_spans
from benchmark.data.text_column import TextColumn

__all__ = ["index_texts", "score_pairs"]

_TEXTS_AT_ONCE = 2**14

Analyse = Callable[[Sequence[str]], list[list[str]]]


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
    vocabulary: dict[str, int] = {}
    words, lengths = array("i"), array("i")
    for batch in _batches(texts):
        for found in analysing(batch):
            lengths.append(len(found))
            words.extend([vocabulary.setdefault(word, len(vocabulary)) for word in found])
    index = bm25s.BM25(k1=k1, b=b)
    index.scores = _scores(
        np.frombuffer(words, np.int32), np.frombuffer(lengths, np.int32), len(vocabulary), k1, b
    )
    index.nonoccurrence_array = None
    index.vocab_dict = vocabulary
    index.unique_token_ids_set = set(vocabulary.values())
    return index


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    yield from TextColumn(texts).batches(_TEXTS_AT_ONCE)


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
    text = np.repeat(np.arange(texts, dtype=np.int64), lengths)
    keys = np.sort(words.astype(np.int64) * texts + text)
    del text
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
