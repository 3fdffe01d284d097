"""Words of a text, as the query protocols see them."""

from __future__ import annotations

from benchmark.data.card import Analyser
from benchmark.data.scripts import Words, cut_unspaced, folded, tokens

__all__ = ["STOP_WORDS", "searchable_words", "words"]

STOP_WORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "but",
        "by",
        "for",
        "if",
        "in",
        "into",
        "is",
        "it",
        "no",
        "not",
        "of",
        "on",
        "or",
        "such",
        "that",
        "the",
        "their",
        "then",
        "there",
        "these",
        "they",
        "this",
        "to",
        "was",
        "will",
        "with",
    ]
)
"""Lucene's English stop words: a fixed list, so that simulated queries stay the same."""

_WORDS = Words(r"[^\W_]+(?:['\u2019][^\W_]+)*")


def words(text: str) -> list[str]:
    """Return the lower-case words of ``text`` in order, without stop words."""
    return [w for w in _WORDS.find(folded(text)) if w not in STOP_WORDS]


def searchable_words(text: str, analyser: Analyser = "bigrams") -> list[str]:
    """Return the words of ``text`` that a query can hold, in order.

    Those of :func:`words`; under ``bigrams`` pairs of letters where no blanks part the words;
    under ``tokens`` the tokens.
    """
    if analyser == "tokens":
        return tokens(text)
    return words(cut_unspaced(folded(text)) if analyser == "bigrams" else folded(text))
