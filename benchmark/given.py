"""What a model is given beside the events of users: declared by it, and printed by boards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Given"]


@dataclass(frozen=True)
class Given:
    """What a model reads with its settings; :mod:`benchmark.testing` holds it to that.

    Attributes:
        item_text: whether it reads titles and texts of items.
        query_text: whether it reads words of queries.
        times: what of an event's time it reads beside the order: nothing, or gaps and dates.
        users: whether it learns something for each user, beyond what the history tells.
        encoder: name of a pretrained encoder, "" for none.
        encoder_parameters: its number of weights; they are counted in the model's own only where
            they are trained.
        pseudo_queries: where it learns from queries that nobody asked, what writes them; "" where
            it does not. ``simulator`` marks the recipe by which this data's own queries were made.
        rec_targets: events that recommendation is learned from: its own, or those found by search
            too; "" where nothing is learned from events.
        longest_history: most events of a history that are read, ``None`` for all.
    """

    item_text: bool = False
    query_text: bool = False
    times: Literal["order", "gaps"] = "order"
    users: bool = False
    encoder: str = ""
    encoder_parameters: int = 0
    pseudo_queries: str = ""
    rec_targets: Literal["", "rec", "all"] = "all"
    longest_history: int | None = None
