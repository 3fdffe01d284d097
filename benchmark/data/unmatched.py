"""Remarks on searches that no item's text answers, and on items that no search can name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmark.data.analyser import analyse
from benchmark.data.card import Analyser
from benchmark.data.word_index import TextWords
from benchmark.plain_text import plain

__all__ = ["unmatched"]


def unmatched(
    item_terms: TextWords,
    query_texts: Sequence[str],
    asked: Mapping[str, NDArray[np.integer]],
    analyser: Analyser = "bigrams",
) -> Iterator[str]:
    """Yield a line for each kind of request whose words meet no item's, with counts.

    Args:
        item_terms: the terms of the items' texts.
        query_texts: ``[queries]``.
        asked: by name, the query of each request, ``[requests]``.
        analyser: by which ``item_terms`` were found.
    """
    if not any(len(query) for query in asked.values()):
        return
    silent = int((item_terms.lengths == 0).sum())
    if silent:
        yield (
            f"{silent} of {len(item_terms.lengths)} items have no word in their text: word search"
            " misses them"
        )
    queries = analyse(query_texts, analyser)
    empty = np.array([not found for found in queries])
    lost = np.array([item_terms.number.keys().isdisjoint(found) for found in queries])
    for which, query in asked.items():
        count = int(lost[query].sum())
        if count:
            example = query_texts[int(query[np.argmax(lost[query])])]
            yield (
                f"{which}: {count} of {len(query)} requests have no word in any item's text"
                f" ('{plain(example, 40)}'; {int(empty[query].sum())} hold stop words and single"
                " letters at most): word search ties all items there, and their sampled lists hold"
                " uniform negatives only"
            )
