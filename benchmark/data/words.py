"""Words of a text, as the query protocols see them."""

from __future__ import annotations

import re

__all__ = ["STOP_WORDS", "words"]

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

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")


def words(text: str) -> list[str]:
    """Return the lower-case words of ``text`` in order, without stop words."""
    return [w for w in _WORD.findall(text.lower()) if w not in STOP_WORDS]
