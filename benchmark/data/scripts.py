"""Where words begin and end in any script: runs without blanks, vowels that are marks."""

from __future__ import annotations

import re
from itertools import pairwise
from unicodedata import normalize

import regex

__all__ = ["Words", "cut_unspaced", "take_unspaced"]

_UNSPACED = regex.compile(
    r"(?V1)(?:[[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\u30fc]"
    r"&&[\p{L}\p{Nl}]]\p{M}*)+"
)
"""A run of letters of scripts that put no blanks between words (Korean puts some), with marks."""
_LETTER = regex.compile(r"\X")
_HAN = regex.compile(r"\p{Han}")
_MARKED = regex.compile(r"(?V1)(?<=[\p{L}--\p{Latin}])\p{M}")


class Words:
    """Finds the words that ``pattern`` describes.

    Python's ``\\w`` leaves marks out, which many scripts write vowels with: a word of Hindi would
    fall apart. Texts with such marks are read by ``regex``, whose ``\\w`` has them; all others
    as ever.
    """

    def __init__(self, pattern: str) -> None:
        self._plain = re.compile(pattern)
        self._marked = regex.compile(pattern)

    def find(self, text: str) -> list[str]:
        """Return the words in order."""
        marked = not text.isascii() and _MARKED.search(text)
        return (self._marked if marked else self._plain).findall(text)


def cut_unspaced(text: str) -> str:
    """Return ``text`` with runs without blanks cut into overlapping pairs of letters.

    Pairs stand for words there, as in Lucene's analyser for Chinese, Japanese and Korean; a lone
    letter stands for itself. Other text is returned as it is.
    """
    if not _has_unspaced(text):
        return text
    return _UNSPACED.sub(lambda run: f" {' '.join(_pairs(run[0]))} ", normalize("NFKC", text))


def take_unspaced(text: str) -> tuple[str, list[str]]:
    """Return ``text`` without its runs that have no blanks, and what they are found by.

    That is their pairs of letters and, so that a query of one is answered, each Han letter.
    """
    if not _has_unspaced(text):
        return text, []
    text = normalize("NFKC", text)
    found: list[str] = []
    for run in _UNSPACED.findall(text):
        pairs = _pairs(run)
        found += pairs
        if len(run) > 1:
            found += _HAN.findall(run)
    return _UNSPACED.sub(" ", text), found


def _has_unspaced(text: str) -> bool:
    return not text.isascii() and _UNSPACED.search(text) is not None


def _pairs(run: str) -> list[str]:
    letters = _LETTER.findall(run)
    pairs = [a + b for a, b in pairwise(letters)]
    return pairs or letters
