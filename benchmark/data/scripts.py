"""Where words begin and end in any script: runs without blanks, vowels that are marks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import pairwise
from operator import add
from unicodedata import normalize

import regex

__all__ = [
    "Words",
    "cut_unspaced",
    "folded",
    "has_unspaced",
    "is_of_lone_letters",
    "letters_outside_latin",
    "script_shares",
    "take_unspaced",
    "tokens",
    "unspaced_letters",
]

_UNSPACED = regex.compile(
    r"(?V1)(?:[[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\u30fc]"
    r"&&[\p{L}\p{Nl}]]\p{M}*)+"
)
"""A run of letters of scripts that put no blanks between words (Korean puts some), with marks."""
_LETTER = regex.compile(r"\X")
_LONE = re.compile("[\u3041-\u3096\u30a1-\u30fa\u30fc\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3]+")
"""A run of the usual letters of Chinese, Japanese and Korean, each of one sign."""
_LONE_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]+")
_LETTERS = regex.compile(r"\p{L}")
_OUTSIDE_LATIN = regex.compile(r"(?V1)[\p{L}--\p{Latin}]")
_SCRIPTS = {
    name: regex.compile(rf"(?V1)[\p{{L}}&&[{signs}]]")
    for name, signs in {
        "Latin": r"\p{Latin}",
        "Han": r"\p{Han}",
        "Kana": r"\p{Hiragana}\p{Katakana}\u30fc",
        "Hangul": r"\p{Hangul}",
        "Cyrillic": r"\p{Cyrillic}",
        "Arabic": r"\p{Arabic}",
        "Devanagari": r"\p{Devanagari}",
        "Thai": r"\p{Thai}",
        "Greek": r"\p{Greek}",
        "Hebrew": r"\p{Hebrew}",
    }.items()
}
_TOKEN = re.compile(r"\w+")
_HAN = regex.compile(r"\p{Han}")
_MARKED = regex.compile(r"(?<=\p{L})\p{M}")
_VARIANTS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_WIDTHS = re.compile("[\uff01-\uffee]+")


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


def folded(text: str) -> str:
    """Return ``text`` in lower case, with one spelling of what looks the same.

    Signs that choose a letter's drawing are dropped, letters and marks are composed (NFC), wide
    Latin and narrow Japanese or Korean letters have their usual width, and a capital i with a dot
    is an i. Other signs stay as they are.
    """
    if text.isascii():
        return text.lower()
    usual = _WIDTHS.sub(lambda run: normalize("NFKC", run[0]), _VARIANTS.sub("", text))
    return normalize("NFC", usual.lower().replace("i\u0307", "i"))


def cut_unspaced(text: str) -> str:
    """Return ``text`` with runs without blanks cut into overlapping pairs of letters.

    Pairs stand for words there, as in Lucene's analyser for Chinese, Japanese and Korean; a lone
    letter stands for itself. Other text is returned as it is.
    """
    if not has_unspaced(text):
        return text
    return _UNSPACED.sub(lambda run: f" {' '.join(_pairs(run[0]))} ", text)


def take_unspaced(text: str) -> tuple[str, list[str]]:
    """Return ``text`` without its runs that have no blanks, and what they are found by.

    That is their pairs of letters and, so that a query of one is answered, each Han letter.
    """
    if not has_unspaced(text):
        return text, []
    found: list[str] = []
    for run in _UNSPACED.findall(text):
        pairs = _pairs(run)
        found += pairs
        if len(run) > 1:
            found += run if _LONE_HAN.fullmatch(run) else _HAN.findall(run)
    return _UNSPACED.sub(" ", text), found


def is_of_lone_letters(word: str) -> bool:
    """Return whether a word is of usual Chinese, Japanese and Korean letters, each of one sign."""
    return _LONE.fullmatch(word) is not None


def tokens(text: str) -> list[str]:
    """Return the tokens of a text that was made unreadable, such as whole numbers, in order."""
    return _TOKEN.findall(text)


def unspaced_letters(texts: Iterable[str]) -> float:
    """Return the share of letters that stand in runs without blanks, 0 where there is none."""
    return _share(texts, lambda text: sum(map(len, _UNSPACED.findall(text))))


def letters_outside_latin(texts: Iterable[str]) -> float:
    """Return the share of letters that are of another script than Latin, 0 where there is none."""
    return _share(texts, lambda text: len(_OUTSIDE_LATIN.findall(text)))


def script_shares(texts: Iterable[str]) -> dict[str, float]:
    """Return the share of letters that are of each script, the largest first; none is left out.

    Scripts that are not told apart are ``other``; without a letter the shares are empty.
    """
    letters = Counter("".join(texts))
    found: Counter[str] = Counter()
    for letter, count in letters.items():
        if _LETTERS.match(letter):
            named = (name for name, signs in _SCRIPTS.items() if signs.match(letter))
            found[next(named, "other")] += count
    whole = found.total()
    return {name: count / whole for name, count in found.most_common()}


def _share(texts: Iterable[str], count: Callable[[str], int]) -> float:
    part = whole = 0
    for text in texts:
        whole += len(_LETTERS.findall(text))
        part += 0 if text.isascii() else count(text)
    return min(part / whole, 1.0) if whole else 0.0


def has_unspaced(text: str) -> bool:
    """Return whether a text has letters of a script that puts no blanks between words."""
    return not text.isascii() and _UNSPACED.search(text) is not None


def _pairs(run: str) -> list[str]:
    if _LONE.fullmatch(run):
        return list(map(add, run, run[1:])) or [run]
    letters = _LETTER.findall(run)
    pairs = [a + b for a, b in pairwise(letters)]
    return pairs or letters
