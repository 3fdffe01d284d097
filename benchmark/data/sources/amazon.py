"""Format ``amazon``: product reviews as purchases, of the releases of 2014, 2018 and 2023.

Searches are made of the reviews: by the queries of Ai et al. (SIGIR 2017), where the files hold
them, else by the card's query protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmark.data.sources.amazon_items import read_items
from benchmark.data.sources.amazon_queries import Searches, read_searches
from benchmark.data.sources.amazon_reviews import Reviews, read_reviews
from benchmark.data.sources.amazon_rules import AmazonRules
from benchmark.data.sources.core import iterated_core
from benchmark.data.sources.diagnose import complain
from benchmark.data.sources.reader import Reader, Wanted
from benchmark.data.sources.source import Interactions, Source, Texts
from benchmark.errors import InputError

__all__ = ["READER"]

_QRELS = ("query_text", "train_qrels", "test_qrels")


def _read(files: Mapping[str, Path], rules: AmazonRules, wanted: Wanted) -> Source:
    """Read the reviews, what is known of their items, and the queries that led to them.

    Raises:
        InputError: malformed files, or nothing is left.
    """
    _check(files, rules)
    notes: list[str] = []
    reviews = read_reviews(files["reviews"], rules.release, wanted.cleaning)
    kept = _chosen(reviews, rules, notes)
    items = Texts(reviews.items, {})
    if "meta" in files:
        asked = np.bincount(reviews.item[kept], minlength=len(reviews.items)) > 0
        items, bare = read_items(files["meta"], rules, reviews.items, asked, wanted.cleaning)
        if rules.without_text == "drop":
            kept = _with_text(reviews, kept, bare, notes)
    if not kept.any():
        raise complain(reviews.path, None, "the card's rules leave no review")
    searches = None
    if "query_text" in files:
        searches = read_searches(files, rules, reviews, wanted.cleaning)
    inter = _interactions(reviews, kept, searches, rules, notes).compact()
    rows = np.flatnonzero(np.bincount(reviews.item[kept], minlength=len(reviews.items)))
    texts = None if searches is None else searches.texts
    return Source(inter, items.take(rows), texts, tuple(notes))


def _check(files: Mapping[str, Path], rules: AmazonRules) -> None:
    """Refuse a part of Ai et al.'s files."""
    named = [what for what in (*_QRELS, "train_reviews") if what in files]
    needed = (*_QRELS, *(("train_reviews",) if rules.qrels == "split" else ()))
    missing = [what for what in needed if what not in files]
    if missing and (named or rules.qrels == "split"):
        raise InputError(f"files: the queries of Ai et al. need {', '.join(missing)} too")


def _chosen(reviews: Reviews, rules: AmazonRules, notes: list[str]) -> NDArray[np.bool_]:
    """Return which reviews have the stars, and then the company, that the rules ask for."""
    kept = np.ones(len(reviews.user), dtype=np.bool_)
    if rules.least_rating > 0:
        kept = reviews.rating >= rules.least_rating
        told = (
            f"{(~kept).sum()} of {len(kept)} reviews have fewer than {rules.least_rating:g} stars"
        )
        notes.append(f"{told} and are left out (rule least_rating)")
    if rules.core > 1:
        rows = np.flatnonzero(kept)
        core = iterated_core(reviews.user[rows], reviews.item[rows], rules.core, rules.core)
        kept = np.zeros_like(kept)
        kept[rows[core]] = True
        notes.append(
            f"{len(rows) - core.sum()} of {len(rows)} reviews do not belong to the"
            f" {rules.core}-core and are left out (rule core)"
        )
    return kept


def _with_text(
    reviews: Reviews, kept: NDArray[np.bool_], bare: NDArray[np.bool_], notes: list[str]
) -> NDArray[np.bool_]:
    lost = kept & bare[reviews.item]
    if lost.any():
        items = len(np.unique(reviews.item[lost])), len(np.unique(reviews.item[kept]))
        notes.append(
            f"{items[0]} of {items[1]} items have neither title nor description; their"
            f" {lost.sum()} of {kept.sum()} reviews are left out (rule without_text)"
        )
    return kept & ~lost


def _interactions(
    reviews: Reviews,
    kept: NDArray[np.bool_],
    searches: Searches | None,
    rules: AmazonRules,
    notes: list[str],
) -> Interactions:
    """Return the reviews as recommendations, and the searches as copies of theirs."""
    rec, search = np.flatnonzero(kept), np.zeros(0, dtype=np.int64)
    if searches is not None:
        told = len(searches.review)
        searches = searches.only(kept[searches.review])
        search = searches.review
        if told > len(search):
            lost = told - len(search)
            notes.append(f"{lost} of {told} searches are of reviews that are left out")
        if not rules.twins:
            rec = np.setdiff1d(rec, search)
    rows = np.concatenate([rec, search])
    none = np.full(len(rec), -1, dtype=np.int32)
    query = session = np.full(len(rows), -1, dtype=np.int32)
    part = None
    queries = sessions = pa.array([], pa.string())
    if searches is not None:
        query, queries = np.concatenate([none, searches.query]), searches.texts.ids
        if (split := searches.split) is not None:
            session, sessions = np.concatenate([none, split.session]), split.sessions
            part = np.concatenate([split.review_part[rec], split.part])
    # Published preprocessing sorts a day by stars; searches follow, as if they had 10,000.
    place = np.empty(len(reviews.user), dtype=np.int64)
    place[np.lexsort((reviews.line, reviews.rating))] = np.arange(len(place))
    return Interactions(
        user=reviews.user[rows],
        item=reviews.item[rows],
        time=reviews.time[rows],
        query=query,
        session=session,
        users=reviews.users,
        items=reviews.items,
        queries=queries,
        sessions=sessions,
        row=reviews.line[rows] - 1,
        origin=lambda row: (reviews.path, row + 1),
        part=part,
        place=np.concatenate([place[rec], len(place) + reviews.line[search]]),
    )


READER = Reader(
    needed=("reviews",),
    optional=("meta", *_QRELS, "train_reviews"),
    rules=AmazonRules,
    read=_read,
)
