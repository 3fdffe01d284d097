"""What word search reads of a text: its words without stop words, stemmed; in any script.

There are three ways, and a card may name one. ``english`` takes what blanks and signs part for
words and stems them. ``bigrams`` does the same, and cuts text that is written without blanks into
pairs of letters. ``tokens`` takes texts that were made unreadable, such as whole numbers, as they
stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

import bm25s
import pyarrow as pa
import pyarrow.compute as pc
import Stemmer

from benchmark.data.card import Analyser
from benchmark.data.scripts import (
    Words,
    folded,
    has_unspaced,
    is_of_lone_letters,
    take_unspaced,
    tokens,
    unspaced_letters,
)
from benchmark.data.text_column import TextColumn

__all__ = ["analyse", "analyser_for"]

_UNSPACED_SCRIPTS = (
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\x{30fc}]"
)
"""Signs of scripts that put no blanks between words, among them some that are no letters."""
_SAMPLE = 10_000
"""Texts that are looked at to tell a share."""
_WORDS = Words(r"\w\w+")


def analyse(
    texts: Sequence[str],
    analyser: Analyser = "bigrams",
    language: str = "english",
    stop_words: str = "en",
) -> list[list[str]]:
    """Return the terms of each text, those of one stem alike.

    Words are of two letters or more, folded (see :func:`benchmark.data.scripts.folded`). Under
    ``bigrams``, text that is written without blanks between words falls into pairs of letters (see
    :func:`benchmark.data.scripts.take_unspaced`). Under ``tokens`` nothing is folded, left out or
    stemmed.

    Args:
        texts: items' texts or queries; what both are matched by.
        analyser: tells what is a word.
        language: Snowball stemmer.
        stop_words: name of a list of bm25s.
    """
    if analyser == "tokens":
        return [tokens(text) for text in texts]
    read = _terms if analyser == "bigrams" else _WORDS.find
    words = [read(folded(text)) for text in texts]
    term = {word: word for word in chain.from_iterable(words)}
    # Millions of pairs of letters have no stem in any language of Snowball.
    stemmed = [word for word in term if not is_of_lone_letters(word)]
    term.update(zip(stemmed, _stemmer(language).stemWords(stemmed), strict=True))
    stopped = _stop_words(stop_words) & term.keys()
    if stopped:
        for word in stopped:
            del term[word]
        return [[term[word] for word in found if word in term] for found in words]
    return [list(map(term.__getitem__, found)) for found in words]


def analyser_for(
    named: Analyser | None, *columns: Sequence[str]
) -> tuple[Analyser, tuple[str, ...]]:
    """Return the analyser of a data set, and a line about it where there is something to tell.

    Where none is named, texts without a single letter but with numbers are ``tokens``; ``bigrams``
    are taken where any text is written without blanks, as they leave all other text alone.

    Args:
        named: by the card.
        columns: texts of items and given queries.
    """
    texts = [TextColumn(column) for column in columns]
    unspaced = any(map(_some_unspaced, texts))
    if named is None and not _any(texts, r"\p{L}") and _any(texts, r"[\p{N}_]"):
        note = "texts hold numbers and no letter: word search takes each number for a word"
        return "tokens", (f"{note} (analyser: tokens)",)
    if named is None:
        if not unspaced:
            return "english", ()
        share = unspaced_letters(chain(*(text[:: 1 + len(text) // _SAMPLE] for text in texts)))
        return "bigrams", (
            f"{share:.0%} of the letters of all texts are written without blanks between words:"
            " word search takes pairs of them for words (analyser: bigrams)",
        )
    if named == "english" and unspaced:
        return named, (
            "texts are written without blanks between words, and the card's analyser 'english'"
            " takes each run of them for one word; 'bigrams' would find parts of it",
        )
    return named, ()


def _any(columns: Sequence[TextColumn], pattern: str) -> bool:
    return any(
        pc.any(_matching(part, pattern)).as_py() for column in columns for part in column.parts()
    )


def _some_unspaced(column: TextColumn) -> bool:
    found = (part.filter(_matching(part, _UNSPACED_SCRIPTS)) for part in column.parts())
    return any(any(map(has_unspaced, TextColumn(some))) for some in found)


def _matching(texts: pa.Array, pattern: str) -> pa.BooleanArray:
    return pc.match_substring_regex(texts, pattern)


def _terms(text: str) -> list[str]:
    spaced, pairs = take_unspaced(text)
    return _WORDS.find(spaced) + pairs


@lru_cache(maxsize=4)
def _stop_words(name: str) -> frozenset[str]:
    return frozenset(bm25s.tokenization._infer_stopwords(name))


@lru_cache(maxsize=4)
def _stemmer(language: str) -> Stemmer.Stemmer:
    return Stemmer.Stemmer(language)
