"""What some models offer beside :class:`benchmark.model.Model`: vectors and codes of items.

No model has to inherit from these; having the methods is enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from benchmark.data.requests import Requests
from benchmark.data.terms import Task

__all__ = [
    "HasItemCodes",
    "HasItemVectors",
    "IdentifierFacts",
    "LevelUse",
    "PrefixShare",
    "RankedItem",
    "ScoresByVectors",
]


@runtime_checkable
class HasItemVectors(Protocol):
    """A trained model that gives every item a vector, for others to build on."""

    def item_vectors(self) -> NDArray[np.float32]:
        """Return the vectors of the whole catalogue, ``[items, width]``."""
        ...


@runtime_checkable
class ScoresByVectors(Protocol):
    """A model whose score is the inner product of a request's vector and an item's.

    The harness multiplies them itself where the catalogue is large, a few items at a time.
    """

    def request_vectors(self, requests: Requests) -> NDArray[np.floating]:
        """Return a vector for each request, ``[requests, width]``.

        In double precision, products are made so and then rounded to single.
        """
        ...

    def ranked_vectors(self, task: Task) -> NDArray[np.float32]:
        """Return the vectors of all items that requests of a task are held against."""
        ...


@runtime_checkable
class HasItemCodes(Protocol):
    """A model that names items by codes."""

    item_ids: tuple[str, ...]
    item_titles: tuple[str, ...]

    def item_codes(self) -> dict[str, NDArray[np.int64]]:
        """Return the codes of every item, ``[items, levels]``, by the name of the identifier."""
        ...


@dataclass(frozen=True)
class RankedItem:
    """An item that a model gave.

    Attributes:
        item: its id.
        title: what a person calls it.
        score: the model's; only the order has a meaning that all models share.
    """

    item: str
    title: str
    score: float


@dataclass(frozen=True)
class LevelUse:
    """How the codes of one level are used.

    Attributes:
        codes: how many there are.
        used: how many of them some item has.
        perplexity: exponential of the entropy of the codes' frequencies: the number of codes that
            would divide the items as finely if all were used equally.
    """

    codes: int
    used: int
    perplexity: float


@dataclass(frozen=True)
class PrefixShare:
    """Who shares a prefix of an identifier with an item; both are mean shares, 0 to 1.

    Attributes:
        kept: of the item's nearest items.
        by_chance: of all other items.
    """

    kept: float
    by_chance: float


@dataclass(frozen=True)
class IdentifierFacts:
    """What a model tells of one identifier; a run's fact ``identifiers`` holds them by its name.

    Attributes:
        collision_rate_by_pass: (items - distinct identifiers) / items of the nearest codes, and
            after each pass that resolves collisions; one number where there are no passes.
        items_sharing_an_identifier: after the last pass.
        levels: use of the codes of each level.
        neighbours: by the space in which items are near: for prefixes of one code, two, …, who
            shares them. Empty where the model does not look.
        resolved_by: what is done with collisions that are left.
    """

    collision_rate_by_pass: tuple[float, ...]
    items_sharing_an_identifier: int
    levels: tuple[LevelUse, ...]
    neighbours: Mapping[str, tuple[PrefixShare, ...]] = field(default_factory=dict)
    resolved_by: str = "extra-code"

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> IdentifierFacts:
        """Take back what :meth:`to_json` returned, or what older runs told instead."""
        neighbours = values.get("neighbours") or {}
        return cls(
            tuple(values.get("collision_rate_by_pass") or [values.get("collision_rate", 0.0)]),
            values["items_sharing_an_identifier"],
            tuple(LevelUse(**level) for level in values["levels"]),
            {
                space: tuple(PrefixShare(**share) for share in shares)
                for space, shares in neighbours.items()
            },
            values.get("resolved_by", "extra-code"),
        )
