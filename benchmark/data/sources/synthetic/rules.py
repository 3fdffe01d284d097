"""What a card of format ``synthetic`` may set: sizes, and the strength of everything planted."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from benchmark.data.sources.reader import Rules

__all__ = ["SLOTS", "SyntheticRules"]

SLOTS = 5
"""Words of an item: its own, its subject's, and three of its topic's."""
_MOST = 2**31 - 1
"""Users, items and events are counted in 32 bits."""

Strength = Annotated[float, Field(ge=0, le=1)]
Size = Annotated[int, Field(ge=1, le=_MOST)]
Kinds = Annotated[int, Field(ge=1, le=10**8)]


class SyntheticRules(Rules):
    """The rules of ``synthetic``; ``docs/data/synthetic.md`` says what is drawn from them.

    Attributes:
        seed: of every draw.
        users: who act; likewise ``items`` and ``events``, without the copies.
        tastes: classes of items and of users; likewise, of what texts are about, topics.
        subjects: classes of items that no user prefers, each with a word that names it.
        search: share of the events that are searches.
        collaborative: share of the events that stay within the user's taste, or when searching
            interest; the others are drawn from everything by popularity.
        semantic: share of a query's words that come from the text of the item that was taken; the
            others come from any item's.
        coupling: share of the items whose topic is their taste and who are as popular in search as
            in recommendation, and of the users whose interest is their taste.
        seasonality: how far the demand for a taste goes up in its season and down half a year
            later, as a share of its mean.
        duplicates: events that are written twice, as a share of all events.
        query_words: of every query.
        specific: how often a query names the item itself, before subject and topic are drawn from.
        popularity: exponent of Zipf's law; 0 makes all items equally popular.
    """

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    users: Size = 1000
    items: Kinds = 1000
    events: Size = 20_000
    tastes: Kinds = 20
    subjects: Kinds = 50
    search: Strength = 0.4
    collaborative: Strength = 0.8
    semantic: Strength = 0.9
    coupling: Strength = 1.0
    seasonality: Strength = 0.0
    duplicates: Strength = 0.0
    query_words: Annotated[int, Field(ge=1, le=SLOTS)] = 1
    specific: Strength = 0.2
    popularity: Annotated[float, Field(ge=0, le=3)] = 0.5

    @model_validator(mode="after")
    def _agree(self) -> SyntheticRules:
        for name in ("tastes", "subjects"):
            if getattr(self, name) > self.items:
                raise ValueError(f"{name}: more than items; lower it, or raise items")
        if self.events < self.users:
            raise ValueError("events: fewer than users, who have one each; raise events")
        if self.events > self.users * self.items // 2:
            raise ValueError(
                "events: users would take more than half of all items; raise users or items"
            )
        if self.events + round(self.duplicates * self.events) > _MOST:
            raise ValueError(f"events: more than {_MOST:,} with duplicates; lower one of them")
        return self
