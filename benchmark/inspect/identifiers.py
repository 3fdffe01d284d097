"""The identifiers of a stored model that writes some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.model_protocols import IdentifierFacts

__all__ = ["Prefix", "identifier_facts", "prefixes_of"]


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


def identifier_facts(told: Mapping[str, Any]) -> dict[str, IdentifierFacts] | None:
    """Return a run's fact ``identifiers`` by the name of the identifier.

    Older runs of a model with a single identifier tell of it without a name. ``None`` where a run
    is so old that it tells nothing of levels.
    """
    named = {"identifier": told} if "levels" in told else told
    if not all("levels" in values for values in named.values()):
        return None
    return {name: IdentifierFacts.from_json(values) for name, values in named.items()}
