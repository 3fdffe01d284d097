"""Simulated queries for data that has none: ``category`` and ``known-item``.

Every random choice is a uniform number from one generator, drawn for all events at once and
turned into the choice by inversion, so that the result depends on the seed and the files only.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import exp, log

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.data.card import Analyser
from benchmark.data.catalogue import Queries
from benchmark.data.keys import distinct, order_by
from benchmark.data.query_protocols import CategoryProtocol, KnownItemProtocol, Level, QueryProtocol
from benchmark.data.scripts import tokens
from benchmark.data.spans import find_in_spans
from benchmark.data.text_column import TextColumn
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


def simulate(
    protocol: QueryProtocol,
    item: NDArray[np.int32],
    columns: Columns,
    analyser: Analyser = "bigrams",
) -> Simulated:
    """Turn a share of events into searches and give each its words.

    An event whose item has no words for the kind that was drawn gets the other kind; where
    neither can be made it stays a recommendation.

    Args:
        protocol: shares, parameters and seed.
        item: int32 ``[events]``, each event's item.
        columns: the items' columns as text, ``{name: [items]}``.
        analyser: tells the words of a text.

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
    category = _category(protocol.category, items, columns, analyser, generator)
    known = _known_item(protocol.known_item, items, columns, analyser, generator)
    share = protocol.category.share if protocol.category else 0.0
    first = kind_draw[events] < share
    use_category = (category.text >= 0) & (first | (known.text < 0))
    return _table(len(item), events, category, known, use_category)


def queries_digest(
    user: NDArray[np.int32], item: NDArray[np.int32], query: NDArray[np.int32], queries: Queries
) -> str:
    """Return the SHA-256 (hex) of which event has which words, for all events in file order."""
    digest = hashlib.sha256()
    for column in (user, item, query):
        digest.update(np.ascontiguousarray(column, dtype="<i4").data)
    both = [TextColumn(column).array for column in (queries.kinds, queries.texts)]
    for lines in TextColumn(
        pc.binary_join_element_wise(*both, pa.scalar("\t", both[0].type))
    ).lines():
        digest.update(lines)
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


def path_query(path: Sequence[str], analyser: Analyser = "bigrams") -> str:
    """Return the words along a category path, each at its last place; "" for a single level."""
    if len(path) < 2:
        return ""
    read = tokens if analyser == "tokens" else words
    found = [word for level in path for word in read(level)]
    last = dict.fromkeys(reversed(found))
    return " ".join(reversed(last))


@dataclass(frozen=True)
class _Drawn:
    """Queries of one kind: ``text`` is int64 ``[events]``, index into ``texts``, -1 where none."""

    texts: list[str]
    text: NDArray[np.int64]

    @classmethod
    def none(cls, events: int) -> _Drawn:
        return cls([], np.full(events, -1, dtype=np.int64))


def _table(
    events: int,
    rows: NDArray[np.int64],
    category: _Drawn,
    known: _Drawn,
    use_category: NDArray[np.bool_],
) -> Simulated:
    """Give each event at ``rows`` its words; a text that both kinds make counts as a category."""
    query = np.full(events, -1, dtype=np.int32)
    parts = (
        ("known-item", known, ~use_category & (known.text >= 0)),
        ("category", category, use_category),
    )
    kind_of = {
        drawn.texts[text]: kind
        for kind, drawn, which in parts
        for text in distinct(drawn.text[which]).tolist()
    }
    texts = sorted(kind_of)
    place = {text: i for i, text in enumerate(texts)}
    for _, drawn, which in parts:
        number = np.array([place.get(text, -1) for text in drawn.texts], dtype=np.int32)
        query[rows[which]] = number[drawn.text[which]]
    ids = ["q" + hashlib.sha256(text.encode()).hexdigest()[:12] for text in texts]
    return Simulated(query, Queries(ids, texts, [kind_of[text] for text in texts]))


def _category(
    protocol: CategoryProtocol | None,
    items: NDArray[np.int32],
    columns: Columns,
    analyser: Analyser,
    generator: np.random.Generator,
) -> _Drawn:
    """Draw one of the queries of each event's item; an item may have none."""
    if protocol is None:
        return _Drawn.none(len(items))
    names = [protocol.paths] if protocol.paths else [level.field for level in protocol.levels]
    number: dict[str, int] = {}
    made: dict[tuple[str, ...], list[int]] = {}
    choices, lengths = array("q"), array("q")
    rows = distinct(items)
    for cells in zip(*(TextColumn(columns[name]).take(rows) for name in names), strict=True):
        if cells not in made:  # many items are of one category
            own = {name: [cell] for name, cell in zip(names, cells, strict=True)}
            texts = filter(
                None, (path_query(path, analyser) for path in category_paths(protocol, own, 0))
            )
            made[cells] = [number.setdefault(text, len(number)) for text in dict.fromkeys(texts)]
        choices.extend(made[cells])
        lengths.append(len(made[cells]))
    count = np.frombuffer(lengths, np.int64)
    row = np.searchsorted(rows, items)
    draw = (generator.random(len(items)) * np.maximum(count, 1)[row]).astype(np.int64)
    place = np.where(count[row] > 0, (np.cumsum(count) - count)[row] + draw, -1)
    return _Drawn(list(number), np.append(np.frombuffer(choices, np.int64), -1)[place])


@dataclass(frozen=True)
class _Terms:
    """Distinct terms of every item (CSR, in the order of the text) with selection weights.

    ``by_term`` are the places of ``term``, of each item in the order of the terms' numbers.
    """

    words: list[str]
    offsets: NDArray[np.int64]
    term: NDArray[np.int64]
    cumulative: NDArray[np.float64]
    background: NDArray[np.float64]
    by_term: NDArray[np.int64]


def _known_item(
    protocol: KnownItemProtocol | None,
    items: NDArray[np.int32],
    columns: Columns,
    analyser: Analyser,
    generator: np.random.Generator,
) -> _Drawn:
    """Draw the words of a query for each event's item.

    Azzopardi et al. 2007: the number of words comes from a shifted Poisson distribution; each
    word is background noise with probability lambda, else a word of the item with probability
    proportional to ``n(t, d) log(N / df(t))``, their mixture of popular and discriminative
    selection. Unlike theirs, a query holds no word twice, and its words stand in the order of
    the item's text, as people type names.
    """
    if protocol is None or len(items) == 0:
        return _Drawn.none(len(items))
    terms = _index(protocol, columns, analyser)
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
    return _texts_of(terms, _in_order(terms, items, chosen))


def _in_order(
    terms: _Terms, items: NDArray[np.int32], chosen: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the chosen words, the item's own in the order of its text, then the others.

    Args:
        terms: of the items.
        items: int32 ``[events]``.
        chosen: int64 ``[events, n]``, distinct terms in a row, -1 behind the last.
    """
    term, width = terms.term[terms.by_term], chosen.shape[1]
    order = np.empty(chosen.shape, dtype=np.int64)
    for column in range(width):
        found = find_in_spans(terms.offsets, term, items, chosen[:, column])
        other = len(term) + column + np.where(chosen[:, column] < 0, width, 0)
        order[:, column] = np.where(found >= 0, np.append(terms.by_term, -1)[found], other)
    return np.take_along_axis(chosen, np.argsort(order, axis=1), axis=1)


def _texts_of(terms: _Terms, chosen: NDArray[np.int64]) -> _Drawn:
    """Join the words of each row; equal rows are joined once."""
    order = order_by([*chosen.T[::-1]])
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (np.diff(chosen[order], axis=0) != 0).any(axis=1)
    rows = chosen[order[new]]
    texts = [" ".join(terms.words[t] for t in row if t >= 0) for row in rows.tolist()]
    text = np.empty(len(order), dtype=np.int64)
    text[order] = np.cumsum(new) - 1
    return _Drawn(texts, np.where(chosen[:, 0] >= 0, text, -1))


def _poisson(protocol: KnownItemProtocol, draw: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return Poisson numbers with mean ``mean_length - 1``, cut at ``longest - 1``."""
    rate = protocol.mean_length - 1
    probability, total, bounds = exp(-rate), 0.0, []
    for n in range(protocol.longest - 1):
        total += probability
        bounds.append(total)
        probability *= rate / (n + 1)
    return np.searchsorted(np.array(bounds), draw, side="right").astype(np.int64)


def _index(protocol: KnownItemProtocol, columns: Columns, analyser: Analyser) -> _Terms:
    number: dict[str, int] = {}
    terms, often, lengths = array("q"), array("d"), array("q")
    for cells in zip(*(columns[name] for name in protocol.fields), strict=True):
        count = Counter(searchable_words(" ".join(cells), analyser))
        lengths.append(len(count))
        terms.extend([number.setdefault(word, len(number)) for word in count])
        often.extend(count.values())
    offsets = np.concatenate([[0], np.cumsum(np.frombuffer(lengths, np.int64))]).astype(np.int64)
    term, times = np.frombuffer(terms, np.int64), np.frombuffer(often, np.float64)
    found_in = np.bincount(term, minlength=len(number))
    logs = np.array([log(len(lengths) / n) if n else 0.0 for n in found_in.tolist()])
    weight = times * (logs[term] if len(term) else 1.0)
    # A word that every item has weighs nothing; where an item has no other, its words weigh alike.
    owner = np.repeat(np.arange(len(lengths)), np.diff(offsets))
    sums = np.bincount(owner, weights=weight, minlength=len(lengths))
    weight = np.where(sums[owner] > 0, weight, times)
    collection = np.bincount(term, weights=times, minlength=len(number)).astype(np.float64)
    background = np.cumsum(collection)
    background /= background[-1] if len(background) else 1.0
    by_term = order_by((term, owner))
    return _Terms(list(number), offsets, term, np.cumsum(weight), background, by_term)
