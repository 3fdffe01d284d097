"""The rules of format ``jdsearch``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from benchmark.data.sources.reader import Rules

__all__ = ["JDsearchRules"]

Grade = Annotated[float, Field(ge=1e-6, le=1e6)]


class JDsearchRules(Rules):
    """What the paper leaves unsaid.

    Attributes:
        time: ``gaps`` adds up the published gaps, from 0 for each user's first event, in a unit
            that is not stated; ``positions`` counts events instead, so that the history is read as
            it is shipped, events of the test query's own moment included.
        sessions: ``runs`` takes a user's successive events of one query as one search; ``none``
            takes only what has one time.
        grades: of the events of histories, by type; a type that is not named is no event. The
            labels of the test queries are as published: 1 is a click, 2 the cart, 3 a purchase.
        missing: what becomes of products without metadata: ``keep``, without a text, or ``drop``.
    """

    time: Literal["gaps", "positions"] = "gaps"
    sessions: Literal["runs", "none"] = "runs"
    grades: dict[Literal["CLICK", "CART", "ORD", "FLW"], Grade] = Field(
        default={"CLICK": 1.0, "CART": 2.0, "ORD": 3.0, "FLW": 1.0}, min_length=1
    )
    missing: Literal["keep", "drop"] = "keep"
