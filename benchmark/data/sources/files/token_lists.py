"""Lists of integer tokens in text, ``[20, 34, 3]``, as words separated by blanks."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["words_of_tokens"]

_LIST = r"^\s*\[\s*([+-]?[0-9]+(\s*,\s*[+-]?[0-9]+)*)?\s*\]\s*$"


def words_of_tokens(column: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return the words of each list, and whether it is one; the words of what is none are "".

    Nothing is evaluated: a text that is not a list of integers from end to end is none.

    Args:
        column: text ``[rows]``.
    """
    proper = pc.match_substring_regex(column, _LIST)
    words = pc.utf8_trim(column, characters="[] \t")
    words = pc.replace_substring(pc.replace_substring(words, ", ", " "), ",", " ")
    odd = pc.match_substring_regex(words, r"[^0-9 -]|  ")
    if pc.any(odd).as_py():
        tidy = pc.replace_substring_regex(pc.replace_substring(words, "+", ""), r"\s+", " ")
        words = pc.if_else(odd, pc.utf8_trim_whitespace(tidy), words)
    return pc.if_else(proper, words, ""), proper
