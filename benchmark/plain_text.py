"""Text that came from outside, made fit to be shown: it says what it holds and does nothing."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

__all__ = ["LONGEST_NAME", "plain", "plain_json", "plain_list"]

LONGEST_NAME = 40
"""The most characters that a message shows of a name: a file may hold names of any length."""

_BEYOND_ASCII = re.compile(r"[^\n -~]")


def plain(text: str, limit: int | None = None) -> str:
    r"""Return ``text`` in one line, without anything that a terminal would act on.

    Control and format characters (escapes, line ends, marks of direction) and halves of surrogate
    pairs are written as Python writes them, ``\x1b``; blanks of every width become a space.

    Args:
        text: whatever was read.
        limit: the most characters to show of it; a longer text ends in ``…``.
    """
    head = text if limit is None else text[: limit + 1]
    shown = head if head.isprintable() else "".join(map(_escaped, head))
    return shown if limit is None or len(shown) <= limit else shown[:limit] + "…"


def plain_list(names: Iterable[str], most: int | None = None) -> str:
    """Return names in one line, each fit to be shown.

    Args:
        names: whatever was read.
        most: the most names to show; a longer list ends in how many more there are.
    """
    shown = [plain(name, LONGEST_NAME) for name in names]
    if most is not None and len(shown) > most:
        return f"{', '.join(shown[:most])} and {len(shown) - most} more"
    return ", ".join(shown)


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    return " " if unicodedata.category(character) == "Zs" else repr(character)[1:-1]


def plain_json(value: Any, encoding: str = "utf-8") -> str:
    r"""Return one JSON document with a line's end, exact and yet fit to be shown.

    What a terminal would act on, and what ``encoding`` lacks, is written as JSON's ``\u001b``.

    Raises:
        ValueError: a number is not finite.
    """

    def written(found: re.Match[str]) -> str:
        character = found[0]
        known = character.encode(encoding, "ignore").decode(encoding) == character
        return character if known and character.isprintable() else json.dumps(character)[1:-1]

    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    return _BEYOND_ASCII.sub(written, text) + "\n"
