"""Text that came from outside, made fit to be shown: it says what it holds and does nothing."""

from __future__ import annotations

import unicodedata

__all__ = ["plain"]


def plain(text: str, limit: int | None = None) -> str:
    r"""Return ``text`` in one line, without anything that a terminal would act on.

    Control and format characters (escapes, line ends, marks of direction) are written as Python
    writes them, ``\x1b``; blanks of every width become a space.

    Args:
        text: whatever was read.
        limit: the most characters to show of it; a longer text ends in ``…``.
    """
    head = text if limit is None else text[: limit + 1]
    shown = "".join(c if c.isprintable() else _escaped(c) for c in head)
    return shown if limit is None or len(shown) <= limit else shown[:limit] + "…"


def _escaped(character: str) -> str:
    return " " if unicodedata.category(character) == "Zs" else repr(character)[1:-1]
