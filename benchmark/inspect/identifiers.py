"""The identifiers of a stored model that writes some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from benchmark.errors import BenchmarkError
from benchmark.model_protocols import IdentifierFacts
from benchmark.results.run_info import Count, Share
from benchmark.type_faults import first_fault

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


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class _Level(_Part):
    codes: Count
    used: Count
    perplexity: Annotated[float, Field(ge=0, le=2**31)]


class _Prefix(_Part):
    kept: Share
    by_chance: Share


class _Told(_Part):
    """What a model of any version told of one identifier; see :class:`IdentifierFacts`."""

    model_config = ConfigDict(strict=True, extra="allow")
    collision_rate_by_pass: list[Share] | None = None
    collision_rate: Share = 0.0
    items_sharing_an_identifier: Count
    levels: list[_Level]
    neighbours: dict[str, list[_Prefix]] | None = None
    resolved_by: str = ""


_TOLD = TypeAdapter(dict[str, _Told])


def identifier_facts(told: Mapping[str, Any]) -> dict[str, IdentifierFacts] | None:
    """Return a run's fact ``identifiers`` by the name of the identifier.

    Older runs of a model with a single identifier tell of it without a name. ``None`` where a run
    is so old that it tells nothing of levels.

    Raises:
        BenchmarkError: it is no such fact.
    """
    named = {"identifier": told} if "levels" in told else told
    if not all(isinstance(values, dict) and "levels" in values for values in named.values()):
        return None
    try:
        _TOLD.validate_python(named)
    except ValidationError as error:
        raise BenchmarkError(f"run.json: facts.identifiers.{first_fault(error)}") from None
    return {name: IdentifierFacts.from_json(values) for name, values in named.items()}
