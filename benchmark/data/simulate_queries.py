"""Simulated queries for data that has none: ``category`` and ``known-item``.

Every random choice is a uniform number from one generator, drawn for all events at once and
turned into the choice by inversion, so that the result depends on the seed and the files only.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from benchmark.data.card import CategoryProtocol, KnownItemProtocol, Level, QueryProtocol
from benchmark.data.catalogue import Queries
from benchmark.data.words import searchable_words, words
from benchmark.errors import InputError

__all__ = ["Simulated", "category_paths", "path_query", "queries_digest", "simulate"]

Columns = Mapping[str, Sequence[str]]
_ROUNDS = 32
"""Draws for each word: after so many repetitions of words already drawn a query stays shorter."""


@dataclass(frozen=True)
class Simulated:
    """Queries for events in file order: ``query`` is int32 ``[events]``, -1 for no search."""

    query: NDArray[np.int32]
    queries: Queries


def simulate(protocol: QueryProtocol, item: NDArray[np.int32], columns: Columns) -> Simulated:
    """Turn a share of events into searches and give each its words.

    An event whose item has no words for the kind that was drawn gets the other kind; where
    neither can be made it stays a recommendation.

    Args:
        protocol: shares, parameters and seed.
        item: int32 ``[events]``, each event's item.
        columns: the items' columns as text, ``{name: [items]}``.

    Raises:
        InputError: the protocol names a column that the items do not have.
    """
    for name in protocol.columns():
        if name not in columns:
            raise InputError(f"query protocol: items have no field '{name}'; name one of theirs")
    generator = np.random.Generator(np.random.PCG64(protocol.seed))
    searched, kind_draw = generator.random((2, len(item)))
    events = np.flatnonzero(searched < protocol.share)
    items = item[events]
    category = _category(protocol.category, items, columns, generator)
    known = _known_item(protocol.known_item, items, columns, generator)
    share = protocol.category.share if protocol.category else 0.0
    texts, kinds = [], []
    for first, (c, k) in zip(
        (kind_draw[events] < share).tolist(), zip(category, known, strict=True), strict=True
    ):
        use_category = bool(c) and (first or not k)
        texts.append(c if use_category else k)
        kinds.append("category" if use_category else "known-item")
    return _table(len(item), events, texts, kinds)


def queries_digest(
    user: NDArray[np.int32], item: NDArray[np.int32], query: NDArray[np.int32], queries: Queries
) -> str:
    """Return the SHA-256 (hex) of which event has which words, for all events in file order."""
    digest = hashlib.sha256()
    for column in (user, item, query):
        digest.update(np.ascontiguousarray(column, dtype="<i4").tobytes())
    for text, kind in zip(queries.texts, queries.kinds, strict=True):
        digest.update(f"{kind}\t{text}\n".encode())
    return digest.hexdigest()


def category_paths(protocol: CategoryProtocol, columns: Columns, row: int) -> list[list[str]]:
    """Return the category paths of item ``row``, each a list of levels, top level first."""
    if protocol.paths is not None:
        cell = columns[protocol.paths][row]
        found = (path.split(protocol.between_levels) for path in cell.split(protocol.between_paths))
        return [[level.strip() for level in path if level.strip()] for path in found]
    choices = [_level_values(level, columns[level.field][row].strip()) for level in protocol.levels]
    return [[level for level in path if level] for path in product(*choices)]


def _level_values(level: Level, cell: str) -> list[str]:
    if level.use == "each":
        values = cell.split()
    elif level.use == "decade":
        values = [f"{cell[:3]}0s"] if len(cell) == 4 and cell.isdecimal() else []
    else:
        values = [cell]
    return [v for v in values if v not in level.missing] or [""]


def path_query(path: Sequence[str]) -> str:
    """Return the words along a category path, each at its last place; "" for a single level."""
    if len(path) < 2:
        return ""
    found = [word for level in path for word in words(level)]
    last = dict.fromkeys(reversed(found))
    return " ".join(reversed(last))


def _table(events: int, rows: NDArray[np.int64], texts: list[str], kinds: list[str]) -> Simulated:
    kind_of = dict(sorted(set(zip(texts, kinds, strict=True)), reverse=True))
    distinct = sorted(t for t in kind_of if t)
    place = {text: i for i, text in enumerate(distinct)} | {"": -1}
    query = np.full(events, -1, dtype=np.int32)
    query[rows] = [place[text] for text in texts]
    ids = tuple("q" + hashlib.sha256(text.encode()).hexdigest()[:12] for text in distinct)
    return Simulated(query, Queries(ids, tuple(distinct), tuple(kind_of[t] for t in distinct)))


def _category(
    protocol: CategoryProtocol | None,
    items: NDArray[np.int32],
    columns: Columns,
    generator: np.random.Generator,
) -> list[str]:
    """Draw one of the queries of each event's item, "" where the item has none."""
    if protocol is None:
        return [""] * len(items)
    distinct = np.unique(items)
    choices: dict[int, list[str]] = {}
    for row in distinct.tolist():
        made = (path_query(path) for path in category_paths(protocol, columns, row))
        choices[row] = list(dict.fromkeys(text for text in made if text)) or [""]
    draw = generator.random(len(items)).tolist()
    found = (choices[row] for row in items.tolist())
    return [texts[int(u * len(texts))] for texts, u in zip(found, draw, strict=True)]


@dataclass(frozen=True)
class _Terms:
    """Distinct terms of every item (CSR, in the order of the text) with selection weights."""

    words: list[str]
    offsets: NDArray[np.int64]
    term: NDArray[np.int64]
    cumulative: NDArray[np.float64]
    background: NDArray[np.float64]


def _known_item(
    protocol: KnownItemProtocol | None,
    items: NDArray[np.int32],
    columns: Columns,
    generator: np.random.Generator,
) -> list[str]:
    """Draw the words of a query for each event's item.

    Azzopardi et al. 2007: the number of words comes from a shifted Poisson distribution; each
    word is background noise with probability lambda, else a word of the item with probability
    proportional to ``n(t, d) log(N / df(t))``, their mixture of popular and discriminative
    selection. Unlike theirs, a query holds no word twice, and its words stand in the order of
    the item's text, as people type names.
    """
    if protocol is None or len(items) == 0:
        return [""] * len(items)
    terms = _index(protocol, columns)
    start, stop = terms.offsets[items], terms.offsets[items + 1]
    has_words = stop > start
    wanted = 1 + _poisson(protocol, generator.random(len(items)))
    chosen = np.full((len(items), protocol.longest), -1, dtype=np.int64)
    filled = np.zeros(len(items), dtype=np.int64)
    base = np.concatenate([[0.0], terms.cumulative])
    for _ in range(_ROUNDS):
        noise, draw = generator.random((2, len(items)))
        open_rows = np.flatnonzero(has_words & (filled < wanted))
        if len(open_rows) == 0:
            break
        low, high = base[start[open_rows]], base[stop[open_rows]]
        own = np.searchsorted(terms.cumulative, low + draw[open_rows] * (high - low), side="right")
        own = np.clip(own, start[open_rows], stop[open_rows] - 1)
        far = np.searchsorted(terms.background, draw[open_rows], side="right")
        far = np.minimum(far, len(terms.background) - 1)
        drawn = np.where(noise[open_rows] < protocol.noise, far, terms.term[own])
        new = ~(chosen[open_rows] == drawn[:, None]).any(axis=1)
        rows = open_rows[new]
        chosen[rows, filled[rows]] = drawn[new]
        filled[rows] += 1
    return [_in_order(terms, lo, hi, row) for lo, hi, row in zip(start, stop, chosen, strict=True)]


def _in_order(terms: _Terms, start: int, stop: int, chosen: NDArray[np.int64]) -> str:
    """Return the chosen words, the item's own in the order of its text, then the others."""
    drawn = [t for t in chosen.tolist() if t >= 0]
    own = [t for t in terms.term[start:stop].tolist() if t in drawn]
    return " ".join(terms.words[t] for t in own + [t for t in drawn if t not in own])


def _poisson(protocol: KnownItemProtocol, draw: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return Poisson numbers with mean ``mean_length - 1``, cut at ``longest - 1``."""
    rate = protocol.mean_length - 1
    probability, total, bounds = exp(-rate), 0.0, []
    for n in range(protocol.longest - 1):
        total += probability
        bounds.append(total)
        probability *= rate / (n + 1)
    return np.searchsorted(np.array(bounds), draw, side="right").astype(np.int64)


def _index(protocol: KnownItemProtocol, columns: Columns) -> _Terms:
    rows = zip(*(columns[name] for name in protocol.fields), strict=True)
    counts = [Counter(searchable_words(" ".join(cells))) for cells in rows]
    number: dict[str, int] = {}
    for count in counts:
        for word in count:
            number.setdefault(word, len(number))
    offsets = np.concatenate([[0], np.cumsum([len(c) for c in counts])]).astype(np.int64)
    term = np.array([number[w] for c in counts for w in c], dtype=np.int64)
    times = np.array([n for c in counts for n in c.values()], dtype=np.float64)
    found_in = np.bincount(term, minlength=len(number))
    logs = np.array([log(len(counts) / n) if n else 0.0 for n in found_in.tolist()])
    weight = times * (logs[term] if len(term) else 1.0)
    # A word that every item has weighs nothing; where an item has no other, its words weigh alike.
    owner = np.repeat(np.arange(len(counts)), np.diff(offsets))
    sums = np.bincount(owner, weights=weight, minlength=len(counts))
    weight = np.where(sums[owner] > 0, weight, times)
    collection = np.bincount(term, weights=times, minlength=len(number)).astype(np.float64)
    background = np.cumsum(collection)
    background /= background[-1] if len(background) else 1.0
    return _Terms(list(number), offsets, term, np.cumsum(weight), background)
