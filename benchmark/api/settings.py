"""Settings as Python's values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["Settings", "assignments"]

Settings = Mapping[str, Any]
"""Values of settings by name, or such values by the name of the model that they are for."""


def assignments(settings: Settings) -> list[str]:
    """Return settings as ``--set`` takes them, which checks their names, types and bounds.

    >>> assignments({"width": 32, "bm25": {"k1": 0.9}, "sizes": (64, 32)})
    ['width=32', 'bm25.k1=0.9', 'sizes=64,32']
    """
    said = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            said += [f"{name}.{own}={_as_text(one)}" for own, one in value.items()]
        else:
            said.append(f"{name}={_as_text(value)}")
    return said


def _as_text(value: Any) -> str:
    return ",".join(map(_as_text, value)) if isinstance(value, (tuple, list)) else str(value)
