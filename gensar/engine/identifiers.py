"""The two identifiers of every item as data, and what is done where some collide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "COLLABORATIVE",
    "SEMANTIC",
    "Identifiers",
    "collision_rate",
    "extra_codes",
    "items_in_collision",
    "resolve_collisions",
]

SEMANTIC, COLLABORATIVE = 0, 1


@dataclass(frozen=True)
class Identifiers:
    """The identifiers of all items.

    Attributes:
        codes: ``SEMANTIC`` and ``COLLABORATIVE`` ones, int64 ``[items, levels]``. The first
            ``shared_levels`` columns of both are the same; one whose collisions needed an extra
            code has one level more.
        shared_levels: number of levels that both share.
        level_sizes: for each of both, the number of codes of each level.
        codebooks: for each of both and each level, what its codes stand for, ``[codes, width]`` of
            one width, from which a backbone can start its code embeddings. Later levels may have
            none.
    """

    codes: tuple[NDArray[np.int64], NDArray[np.int64]]
    shared_levels: int
    level_sizes: tuple[tuple[int, ...], tuple[int, ...]]
    codebooks: tuple[tuple[NDArray[np.float32], ...], tuple[NDArray[np.float32], ...]]

    def to_arrays(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return arrays and JSON-ready values for a model's state."""
        arrays: dict[str, NDArray] = {}
        for which in (SEMANTIC, COLLABORATIVE):
            arrays[f"codes.{which}"] = self.codes[which]
            for level, vectors in enumerate(self.codebooks[which]):
                arrays[f"codebooks.{which}.{level}"] = vectors
        return arrays, {"shared_levels": self.shared_levels, "level_sizes": self.level_sizes}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray], values: dict[str, Any]) -> Identifiers:
        """Take back what :meth:`to_arrays` returned; other arrays and values are passed over."""

        def books(which: int) -> tuple[NDArray[np.float32], ...]:
            levels = len(values["level_sizes"][which])
            names = (f"codebooks.{which}.{level}" for level in range(levels))
            return tuple(arrays[name] for name in names if name in arrays)

        first, second = values["level_sizes"]
        return cls(
            codes=(arrays["codes.0"], arrays["codes.1"]),
            shared_levels=values["shared_levels"],
            level_sizes=(tuple(first), tuple(second)),
            codebooks=(books(SEMANTIC), books(COLLABORATIVE)),
        )


def collision_rate(codes: NDArray[np.int64]) -> float:
    """Return (items - distinct identifiers) / items for ``codes`` of ``[items, levels]``."""
    return float(1 - len(np.unique(codes, axis=0)) / max(len(codes), 1))


def items_in_collision(codes: NDArray[np.int64]) -> int:
    """Return how many items have an identifier that another item has too."""
    _, counts = np.unique(codes, axis=0, return_counts=True)
    return int(counts[counts > 1].sum())


def resolve_collisions(
    codes: NDArray[np.int64],
    reassign: Callable[[list[NDArray[np.int64]]], Iterable[NDArray[np.int64]]],
    passes: int,
) -> tuple[NDArray[np.int64], list[float]]:
    """Encode each group of items that share an identifier again, together, by Sinkhorn.

    Only the last code moves. A group whose new identifiers would all be others' already stays as
    it is, so that no pass makes more collisions than it settles.

    Args:
        codes: int64 ``[items, levels]``.
        reassign: maps groups, rows of items ``[n]`` each, to their new last codes, ``[n]`` each.
            It is asked once for a group, which most passes meet again.
        passes: at most so many rounds; it ends early when every identifier is unique, and after a
            round that moved nothing, as no other round would.

    Returns:
        the new codes, and the collision rate before the first and after each pass.
    """
    codes = codes.copy()
    rates = [collision_rate(codes)]
    answers: dict[bytes, NDArray[np.int64]] = {}
    for _ in range(passes):
        if rates[-1] == 0:
            break
        before = codes.copy()
        groups = _colliding(codes)
        unasked = [rows for rows in groups if rows.tobytes() not in answers]
        answers.update(zip((rows.tobytes() for rows in unasked), reassign(unasked), strict=True))
        taken = Counter(map(tuple, codes.tolist()))
        for rows in groups:
            moved = codes[rows]
            moved[:, -1] = answers[rows.tobytes()]
            old = tuple(codes[rows[0]].tolist())
            taken[old] -= len(rows)
            new = Counter(map(tuple, moved.tolist()))
            if taken[old] > 0 or any(taken[one] == 0 for one in new):
                codes[rows] = moved
                taken += new
            else:
                taken[old] += len(rows)
        rates.append(collision_rate(codes))
        if np.array_equal(codes, before):
            break
    return codes, rates


def _colliding(codes: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the rows of each group of items that share an identifier."""
    _, group, counts = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(group.ravel(), kind="stable")
    return [rows for rows in np.split(order, np.cumsum(counts)[:-1]) if len(rows) > 1]


def extra_codes(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the items of each identifier 0, 1, … in the order of their rows."""
    _, group, counts = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    group = group.ravel()
    order = np.argsort(group, kind="stable")
    first = np.repeat(np.cumsum(counts) - counts, counts)
    numbers = np.empty(len(codes), dtype=np.int64)
    numbers[order] = np.arange(len(codes)) - first
    return numbers
