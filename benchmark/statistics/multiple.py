"""Many comparisons at once: Holm's correction and the compact letter display."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from string import ascii_lowercase

import numpy as np
from numpy.typing import NDArray

__all__ = ["holm", "letters"]

MOST_GROUPS = 4
"""Groups for each model; with more, letters would tell nobody anything."""


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

    The groups are those of Piepho's insert and absorb (2004, "An algorithm for a letter-based
    representation of all-pairwise comparisons"): all largest sets of which no two differ, the
    maximal cliques of the graph of pairs that do not. Where these are more than
    :data:`MOST_GROUPS` for each model, so many of them are kept as make every pair that does not
    differ share one (a clique cover, found greedily).

    Args:
        differ: symmetric ``[models, models]``, best model first; ``False`` on the diagonal.

    Returns:
        for each model its letters in order; ``a`` is a group of the best model. After ``z`` come
        ``aa``, ``ab`` and so on, and a model's letters are then parted by a comma.
    """
    size = len(differ)
    if size == 0:
        return []
    alike = ~np.asarray(differ, dtype=np.bool_)
    groups = _largest(alike) or _cover(alike)
    groups.sort()
    names = [_name(number) for number in range(len(groups))]
    joint = "" if len(groups) <= len(ascii_lowercase) else ","
    return [
        joint.join(n for n, g in zip(names, groups, strict=True) if i in g) for i in range(size)
    ]


def _largest(alike: NDArray[np.bool_]) -> list[list[int]]:
    """Return all maximal cliques, ascending each; none where there are too many."""
    from networkx import Graph, find_cliques

    graph = Graph()
    graph.add_nodes_from(range(len(alike)))
    graph.add_edges_from(np.argwhere(np.triu(alike, 1)).tolist())
    most = MOST_GROUPS * len(alike)
    groups = [sorted(group) for group in islice(find_cliques(graph), most + 1)]
    return groups if len(groups) <= most else []


def _cover(alike: NDArray[np.bool_]) -> list[list[int]]:
    """Return maximal cliques that hold every pair that is alike, chosen greedily."""
    missing = np.triu(alike, 1)
    groups = []
    while missing.any():
        a, b = np.unravel_index(int(missing.argmax()), missing.shape)
        group = [int(a), int(b)]
        free = alike[a] & alike[b]
        free[group] = False
        while free.any():
            # Whoever holds most of the pairs that still lack a group comes next.
            gain = missing[group].sum(axis=0) + missing[:, group].sum(axis=1)
            best = int(np.where(free, gain, -1).argmax())
            group.append(best)
            free &= alike[best]
            free[best] = False
        missing[np.ix_(group, group)] = False
        groups.append(sorted(group))
    alone = sorted(set(range(len(alike))) - {i for group in groups for i in group})
    return [*groups, *([i] for i in alone)]


def _name(number: int) -> str:
    name = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, len(ascii_lowercase))
        name = ascii_lowercase[rest] + name
    return name
