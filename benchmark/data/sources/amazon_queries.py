"""Queries of Ai et al. (SIGIR 2017) for the Amazon reviews of 2014, as searches of the reviewers.

Their folder holds the queries, a row for each (user, query, item) of training and of test, and the
lines of the reviews that train, counted from 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.data.sources.amazon_reviews import Reviews
from benchmark.data.sources.amazon_rules import AmazonRules
from benchmark.data.sources.cleaning import Cleaning
from benchmark.data.sources.diagnose import complain
from benchmark.data.sources.files.lines import Lines, blocks
from benchmark.data.sources.source import TEST, TRAINING, Texts
from benchmark.plain_text import plain

__all__ = ["Searches", "read_searches"]

_ROW = r"^(?P<user>\S+)_(?P<query>[0-9]{1,9})\s+\S+\s+(?P<item>\S+)\s+(?P<label>-?[0-9]{1,9})\s*$"
_LINE = r"^line_(?P<line>[0-9]{1,15})\s*$"


@dataclass(frozen=True)
class PublishedSplit:
    """What the files themselves train and test on.

    Attributes:
        session: int32 ``[searches]``, index into ``sessions``.
        sessions: one for each user, query and part.
        part: uint8 ``[searches]``.
        review_part: uint8 ``[reviews]``; a review that is hidden from training tests.
    """

    session: NDArray[np.int32]
    sessions: pa.Array
    part: NDArray[np.uint8]
    review_part: NDArray[np.uint8]


@dataclass(frozen=True)
class Searches:
    """Searches, each a copy of a review.

    Attributes:
        review: int64 ``[searches]``, which review.
        query: int32 ``[searches]``, which query of ``texts``.
        texts: the queries.
        split: under ``qrels: split``.
    """

    review: NDArray[np.int64]
    query: NDArray[np.int32]
    texts: Texts
    split: PublishedSplit | None = None

    def only(self, keep: NDArray[np.bool_]) -> Searches:
        """Return the searches where ``keep`` (``[searches]``) holds."""
        split = self.split
        if split is not None:
            split = replace(split, session=split.session[keep], part=split.part[keep])
        return replace(self, review=self.review[keep], query=self.query[keep], split=split)


@dataclass(frozen=True)
class _Rows:
    """Rows of a file: the review and the query of each, ``[rows]``."""

    review: NDArray[np.int64]
    query: NDArray[np.int64]


def read_searches(
    files: Mapping[str, Path], rules: AmazonRules, reviews: Reviews, cleaning: Cleaning
) -> Searches:
    """Read the queries, and turn the rows of both files into copies of their reviews.

    Where a user reviewed an item several times, the earliest review is copied.

    Raises:
        InputError: malformed files.
    """
    texts, earliest = _queries(files["query_text"], cleaning), _Earliest.of(reviews)
    train, test = (
        _rows(files[what], len(texts), reviews, earliest, cleaning)
        for what in ("train_qrels", "test_qrels")
    )
    part = np.repeat([TRAINING, TEST], [len(train.review), len(test.review)])
    rows = _Rows(
        np.concatenate([train.review, test.review]), np.concatenate([train.query, test.query])
    )
    if rules.qrels == "merged":
        drawn = _one_each(rows, reviews, earliest, len(texts), rules.seed)
        return Searches(drawn.review, drawn.query.astype(np.int32), texts)
    row = np.unique((rows.review * len(texts) + rows.query) * 2 + (part == TEST))
    review, query, tests = row // 2 // len(texts), row // 2 % len(texts), row % 2
    keys = (reviews.user[review].astype(np.int64) * len(texts) + query) * 2 + tests
    distinct, session = np.unique(keys, return_inverse=True)
    published = PublishedSplit(
        session=session.astype(np.int32),
        sessions=_names(distinct, len(texts), reviews.users),
        part=np.where(tests, TEST, TRAINING).astype(np.uint8),
        review_part=_parts(files["train_reviews"], reviews, cleaning),
    )
    return Searches(review, query.astype(np.int32), texts, published)


def _names(keys: NDArray[np.int64], queries: int, users: pa.Array) -> pa.Array:
    """Return names of sessions, each of a user, a query and a part."""
    user = users.take(pa.array(keys // 2 // queries)).cast(pa.string())
    query, tests = (pa.array(k).cast(pa.string()) for k in (keys // 2 % queries, keys % 2))
    return pc.binary_join_element_wise(user, query, tests, "_")


def _queries(path: Path, cleaning: Cleaning) -> Texts:
    words = [text.strip() for _, text in _text_of(path, cleaning)]
    ids = pa.array([str(number) for number in range(len(words))], pa.string())
    return Texts(ids, {"query": pa.array(words, pa.large_string())})


def _text_of(path: Path, cleaning: Cleaning) -> list[tuple[int, str]]:
    lines, texts = Lines(path), []
    for block in blocks(path):
        lines.total += len(block)
        for number, line in block.lines():
            # A query that is left out would move all others, so what is no text stays as none.
            texts.append((number, lines.decoded(number, line) or ""))
    lines.tell(cleaning)
    return texts


def _matches(lines: Lines, pattern: str) -> tuple[NDArray[np.int64], pa.StructArray]:
    """Return numbers of lines, and the groups of a pattern, of all lines that it fits."""
    numbers: list[NDArray[np.int64]] = []
    groups: list[pa.Array] = []
    for block in blocks(lines.path):
        lines.total += len(block)
        texts = [line.decode("utf-8", "replace") for _, line in block.lines()]
        found = pc.extract_regex(pa.array(texts, pa.string()), pattern)
        good = found.is_valid().to_numpy(zero_copy_only=False)
        if not good.all():
            number = block.first + int(np.argmin(good))
            lines.leave_out(number, "the line has another form", int((~good).sum()))
        numbers.append(block.numbers[good])
        groups.append(found.filter(pa.array(good)))
    if not groups:
        raise complain(lines.path, None, "the file holds no lines")
    return np.concatenate(numbers), pa.concat_arrays(groups)


@dataclass(frozen=True)
class _Earliest:
    """The earliest review of each user and item: ascending keys, and which reviews they are."""

    key: NDArray[np.int64]
    review: NDArray[np.int64]

    @classmethod
    def of(cls, reviews: Reviews) -> _Earliest:
        key = _key(reviews, np.arange(len(reviews.user)))
        order = np.lexsort((reviews.line, reviews.time, key))
        key, first = np.unique(key[order], return_index=True)
        return cls(key, order[first])

    def find(self, key: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the reviews of keys, -1 where there is none."""
        place = np.minimum(np.searchsorted(self.key, key), len(self.key) - 1)
        return np.where(self.key[place] == key, self.review[place], -1)


def _key(reviews: Reviews, review: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a number of user and item, in the order of their ids."""
    return reviews.user[review].astype(np.int64) * len(reviews.items) + reviews.item[review]


def _rows(
    path: Path, queries: int, reviews: Reviews, earliest: _Earliest, cleaning: Cleaning
) -> _Rows:
    """Read the rows whose label is above 0 and whose review and query there are."""
    lines = Lines(path)
    numbers, row = _matches(lines, _ROW)
    query = row.field("query").cast(pa.int64()).to_numpy()
    user, item = (
        pc.fill_null(pc.index_in(row.field(what), value_set=ids), -1).to_numpy().astype(np.int64)
        for what, ids in (("user", reviews.users), ("item", reviews.items))
    )
    known = (user >= 0) & (item >= 0)
    review = np.where(known, earliest.find(user * len(reviews.items) + item), -1)
    for lost, fault in (
        (review < 0, "no review is of user '{user}' and item '{item}'"),
        ((review >= 0) & (query >= queries), "query {query} is not in the file of queries"),
    ):
        if lost.any():
            at = int(np.argmax(lost))
            names = {
                name: plain(row.field(name)[at].as_py(), 40) for name in ("user", "item", "query")
            }
            lines.leave_out(int(numbers[at]), fault.format(**names), int(lost.sum()))
    lines.tell(cleaning)
    good = (review >= 0) & (query < queries)
    good &= row.field("label").cast(pa.int64()).to_numpy() > 0
    return _Rows(review[good], query[good])


def _one_each(rows: _Rows, reviews: Reviews, earliest: _Earliest, queries: int, seed: int) -> _Rows:
    """Draw one query for each user and item.

    The pairs stand in the order of their ids; of the n queries of a pair, in the order of their
    lines, the one at place floor(n u) is taken. The u are numbers of one generator, one a pair.
    """
    row = np.unique(_key(reviews, rows.review) * queries + rows.query)
    key, first, count = np.unique(row // queries, return_index=True, return_counts=True)
    u = np.random.Generator(np.random.PCG64(seed)).random(len(key))
    chosen = row[first + (u * count).astype(np.int64)]
    return _Rows(earliest.find(key), chosen % queries)


def _parts(path: Path, reviews: Reviews, cleaning: Cleaning) -> NDArray[np.uint8]:
    lines = Lines(path)
    numbers, row = _matches(lines, _LINE)
    trains = row.field("line").cast(pa.int64()).to_numpy() + 1
    lost = trains > reviews.line.max()
    if lost.any():
        fault = f"the reviews end before line {trains[np.argmax(lost)] - 1}"
        lines.leave_out(int(numbers[np.argmax(lost)]), fault, int(lost.sum()))
    lines.tell(cleaning)
    return np.where(np.isin(reviews.line, trains), TRAINING, TEST).astype(np.uint8)
