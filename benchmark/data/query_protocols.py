"""How a card says that queries are simulated: which events are searches, and of what words."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from benchmark.data.card_fields import Seed, Share, Strict

__all__ = ["CategoryProtocol", "KnownItemProtocol", "Level", "QueryProtocol"]


class Level(Strict):
    """One level of a category path taken from a column, top level first.

    ``each`` makes a path for every word of the column, ``whole`` uses the cell as it stands,
    ``decade`` turns a year into its decade (1995 into 1990s). Values in ``missing`` are no level.
    """

    field: str
    use: Literal["each", "whole", "decade"] = "whole"
    missing: tuple[str, ...] = ()


class CategoryProtocol(Strict):
    """Queries from category paths (Van Gysel et al. 2016; Ai et al. 2017).

    The paths are either built from ``levels``, or read from column ``paths``, where
    ``between_paths`` and ``between_levels`` separate them.
    """

    share: Share
    levels: tuple[Level, ...] = ()
    paths: str | None = None
    between_paths: str = "|"
    between_levels: str = ">"

    @model_validator(mode="after")
    def _one_source(self) -> CategoryProtocol:
        if bool(self.levels) == bool(self.paths):
            raise ValueError("give either levels or paths")
        return self


class KnownItemProtocol(Strict):
    """Queries by Azzopardi, de Rijke and Balog 2007.

    Attributes:
        share: of the searches that are of this kind.
        fields: the columns whose words a query can hold.
        mean_length: words wanted in a query on average; the length is 1 + Poisson(mean - 1).
        longest: the most words in a query.
        noise: probability lambda that a word comes from the whole collection instead.
    """

    share: Share
    fields: tuple[str, ...]
    mean_length: Annotated[float, Field(ge=1, le=50)] = 2.0
    longest: Annotated[int, Field(ge=1, le=50)] = 5
    noise: Share = 0.1


class QueryProtocol(Strict):
    """Simulated queries: which share of events is a search, and how its words are made.

    ``twins`` keeps each such event as a recommendation too and adds the search as a copy of the
    same user, item and time behind it, as the semi-synthetic Amazon data have it.
    """

    seed: Seed = 1
    share: Share
    twins: bool = False
    category: CategoryProtocol | None = None
    known_item: KnownItemProtocol | None = Field(default=None, alias="known-item")

    model_config = ConfigDict(populate_by_name=True)

    @model_validator(mode="after")
    def _shares(self) -> QueryProtocol:
        kinds = [k for k in (self.category, self.known_item) if k is not None]
        if not kinds or abs(sum(k.share for k in kinds) - 1) > 1e-9:
            raise ValueError("the shares of category and known-item must add up to 1")
        return self

    def columns(self) -> tuple[str, ...]:
        """Return the item columns that queries are made of."""
        names = [level.field for level in self.category.levels] if self.category else []
        if self.category and self.category.paths:
            names.append(self.category.paths)
        return (*names, *(self.known_item.fields if self.known_item else ()))
