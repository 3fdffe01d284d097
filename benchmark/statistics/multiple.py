"""Many comparisons at once: Holm's correction and the compact letter display."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase

import numpy as np
from numpy.typing import NDArray

__all__ = ["holm", "letters"]


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's (1979) adjusted p-values, in the given order."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def letters(differ: NDArray[np.bool_]) -> list[str]:
    """Give each model letters such that two models share one if and only if they do not differ.

    Insert and absorb (Piepho 2004, "An algorithm for a letter-based representation of all-pairwise
    comparisons"): begin with one group of all, split each group that holds a differing pair,
    and drop groups that lie within another.

    Args:
        differ: symmetric ``[models, models]``, best model first; ``False`` on the diagonal.

    Returns:
        for each model its letters in order; ``a`` is a group of the best model. After ``z`` come
        ``aa``, ``ab`` and so on, and a model's letters are then parted by a comma.
    """
    size = len(differ)
    if size == 0:
        return []
    groups = [frozenset(range(size))]
    for a, b in np.argwhere(np.triu(differ, 1)).tolist():
        split = [part for group in groups for part in _parted(group, a, b)]
        # Of equal groups one stays, of nested ones the larger.
        unique = sorted(set(split), key=lambda g: (-len(g), sorted(g)))
        groups = []
        for group in unique:
            if not any(group < kept for kept in groups):
                groups.append(group)
    groups.sort(key=sorted)
    names = [_name(number) for number in range(len(groups))]
    joint = "" if len(groups) <= len(ascii_lowercase) else ","
    return [
        joint.join(n for n, g in zip(names, groups, strict=True) if i in g) for i in range(size)
    ]


def _parted(group: frozenset[int], a: int, b: int) -> list[frozenset[int]]:
    return [group - {a}, group - {b}] if {a, b} <= group else [group]


def _name(number: int) -> str:
    name = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, len(ascii_lowercase))
        name = ascii_lowercase[rest] + name
    return name
