"""The rules of format ``amazon``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from benchmark.data.sources.reader import Rules

__all__ = ["AmazonRules"]


class AmazonRules(Rules):
    """What the papers choose, or leave unsaid; the defaults are those of Shi et al. 2025.

    They prepare Electronics of 2014 for joint search and recommendation (arXiv 2504.05730), in
    notebooks that ``docs/data/amazon.md`` describes.

    Attributes:
        release: the year of the files, which says how their fields are named.
        least_rating: reviews with fewer stars are left out; those without stars too, if above 0.
        core: reviews that every user and every item must have, again and again until nothing
            changes, after ``least_rating``; 0 where the files are a core already.
        without_text: what becomes of the reviews of items without title and description: ``drop``,
            and the core is not looked for again, or ``keep``.
        clean: unescape HTML entities; take out tags, quotation marks and line ends; make several
            dots at the end one.
        longest_text: characters from which on a title or description is blanked, as it then is
            mostly no text but a page; ``None`` for no limit.
        qrels: ``merged`` takes both files of Ai et al. together and draws one query for each user
            and item; ``split`` takes every row, those of one user and query as one session, and the
            files' own split.
        seed: of that draw.
        twins: whether a review with a query is a recommendation and a search, as the published data
            have it, or a search only.
    """

    release: Literal[2014, 2018, 2023] = 2014
    least_rating: Annotated[float, Field(ge=0, le=5)] = 0
    core: Annotated[int, Field(ge=0, le=1000)] = 0
    without_text: Literal["drop", "keep"] = "drop"
    clean: bool = True
    longest_text: Annotated[int, Field(gt=0)] | None = 2000
    qrels: Literal["merged", "split"] = "merged"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    twins: bool = True
