"""What word search reads of a text: its words without stop words, stemmed; in any script."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import bm25s
import Stemmer

from benchmark.data.scripts import Words, folded, take_unspaced

__all__ = ["analyse"]

_WORDS = Words(r"\w\w+")


def analyse(
    texts: Sequence[str], language: str = "english", stop_words: str = "en"
) -> list[list[str]]:
    """Return the terms of each text, those of one stem alike.

    Words are of two letters or more, folded (see :func:`benchmark.data.scripts.folded`). Text that
    is written without blanks between words falls into pairs of letters (see
    :func:`benchmark.data.scripts.take_unspaced`).

    Args:
        texts: items' texts or queries; what both are matched by.
        language: Snowball stemmer.
        stop_words: name of a list of bm25s.
    """
    return bm25s.tokenize(
        [" ".join(_terms(folded(text))) for text in texts],
        lower=False,
        token_pattern=r"\S+",
        stopwords=stop_words,
        stemmer=_stemmer(language),
        return_ids=False,
        show_progress=False,
    )


def _terms(text: str) -> list[str]:
    spaced, pairs = take_unspaced(text)
    return _WORDS.find(spaced) + pairs


@lru_cache(maxsize=4)
def _stemmer(language: str) -> Stemmer.Stemmer:
    return Stemmer.Stemmer(language)
