"""What a search may choose from.

A setting that means the same in every model is searched over the same range in every model. What
only one kind of model has (BM25's ``k1``), and what means something else there (the learning rate
of an encoder that was trained before), that model names itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

__all__ = ["SHARED", "Choice", "Dimension", "Range", "space_of"]


@dataclass(frozen=True)
class Range:
    """Any number from ``low`` to ``high``, both included; ``log`` spreads draws over its powers."""

    low: float
    high: float
    log: bool = False

    def __contains__(self, value: Any) -> bool:
        return value is not None and self.low <= value <= self.high

    def described(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {"low": self.low, "high": self.high, "log": self.log}


@dataclass(frozen=True)
class Choice:
    """One of ``values``."""

    values: tuple[Any, ...]

    def __contains__(self, value: Any) -> bool:
        return value in self.values

    def described(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {"values": [list(v) if isinstance(v, tuple) else v for v in self.values]}


Dimension = Range | Choice

SHARED: Mapping[str, Dimension] = {
    "learning_rate": Range(3e-4, 1e-2, log=True),
    "dropout": Range(0.0, 0.5),
    "weight_decay": Choice((0.0, 0.01, 0.1)),
    "width": Choice((32, 64, 128)),
}


def space_of(settings: type, own: Mapping[str, Dimension | None]) -> dict[str, Dimension]:
    """Return which settings of a model are searched, by name.

    Args:
        settings: the model's dataclass of settings.
        own: what the model names itself; ``None`` takes a shared setting out.
    """
    names = {f.name for f in fields(settings)}
    shared = {name: dimension for name, dimension in SHARED.items() if name in names}
    both = {**shared, **own}
    return {name: dimension for name, dimension in sorted(both.items()) if dimension is not None}
