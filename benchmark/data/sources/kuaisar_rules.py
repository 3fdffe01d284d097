"""What a card may say about KuaiSAR: the choices that papers make and often leave unsaid."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

from benchmark.data.sources.reader import Rules

__all__ = ["Core", "ItemType", "KuaisarRules", "Label"]

Label = Literal["click", "like", "follow", "forward", "search", "long-view"]
"""What a user can have done with a recommended item."""
ItemType = Literal["VIDEO", "USER", "IMAGE_ATLAS", "LIVE", "COMMODITY", "MUSIC", "ADVERT"]
"""What a search can show."""
_Grade = Annotated[float, Field(ge=1e-6, le=1e6)]
_Least = Annotated[int, Field(ge=1)]


class Core(BaseModel):
    """How many events a user and an item need, in both services together; see ``iterated_core``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user: _Least = 1
    item: _Least = 1


class KuaisarRules(Rules):
    """The rules of format ``kuaisar``, applied in this order.

    Attributes:
        item_types: the types of search results that count; ``None`` are all. Recommended items are
            of VIDEO and IMAGE_ATLAS by themselves.
        positive: the labels that make a recommended item an event, each with its grade; of several
            the best counts. A search's results are events if they were clicked, with the grade of
            ``click``, or 1 where that is no positive label.
        long_view: a view of at least this many seconds, or of the whole item, is a ``long-view``.
        clickless: what becomes of searches and deliveries without an event. ``drop`` leaves their
            exposures out; ``keep`` leaves them in as items that were shown, of no request;
            ``earliest`` takes the first result of such a search for clicked, as the publishers
            suggest (the app plays it by itself), and drops such deliveries.
        most_clicks: the most items of a search that count as clicked; the first ones of the file
            stay, further ones are neither events nor exposures.
        exposures: ``given`` makes what was shown and not taken a given candidate of its request,
            and a delivery (all that one user was sent at one time) one request; ``drop`` leaves
            exposures out, and each recommended event is a request of its own.
        core: the least events of a user and of an item.
        catalogue: ``log`` are the items of the events and exposures that are left; ``listed`` are
            those of ``item_features.csv`` too.
    """

    item_types: tuple[ItemType, ...] | None = None
    positive: dict[Label, _Grade] = Field(default={"click": 1.0})
    long_view: Annotated[float, Field(gt=0)] = 18.0
    clickless: Literal["drop", "keep", "earliest"] = "drop"
    most_clicks: Annotated[int, Field(ge=1)] | None = None
    exposures: Literal["given", "drop"] = "given"
    core: Core = Core()
    catalogue: Literal["log", "listed"] = "log"

    @field_validator("positive")
    @classmethod
    def _some(cls, value: dict[Label, float]) -> dict[Label, float]:
        if not value:
            raise ValueError(f"name at least one of {', '.join(get_args(Label))}")
        return value

    @field_validator("item_types")
    @classmethod
    def _any(cls, value: tuple[ItemType, ...] | None) -> tuple[ItemType, ...] | None:
        if value == ():
            raise ValueError("name at least one type, or null for all")
        return value
