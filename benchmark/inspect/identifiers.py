"""The identifiers of a stored model that writes some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["HasItemCodes", "Prefix", "prefixes_of"]


@runtime_checkable
class HasItemCodes(Protocol):
    """A model that names items by codes."""

    item_ids: tuple[str, ...]
    item_titles: tuple[str, ...]

    def item_codes(self) -> dict[str, NDArray[np.int64]]:
        """Return the codes of every item, ``[items, levels]``, by the kind of identifier."""
        ...


@dataclass(frozen=True)
class Prefix:
    """The beginning of an item's identifier.

    Attributes:
        codes: that it is made of.
        items: rows of the other items that share it.
    """

    codes: tuple[int, ...]
    items: tuple[int, ...]


def prefixes_of(item: int, codes: NDArray[np.int64]) -> list[Prefix]:
    """Return the prefixes of an item's identifier, shortest first; ``codes`` are those of all."""
    found = []
    for length in range(1, codes.shape[1] + 1):
        same = (codes[:, :length] == codes[item, :length]).all(axis=1)
        same[item] = False
        prefix = tuple(codes[item, :length].tolist())
        found.append(Prefix(prefix, tuple(np.flatnonzero(same).tolist())))
    return found
