"""The events of synthetic data, drawn for some users at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmark.data.sources.synthetic.draws import Stream, uniforms
from benchmark.data.sources.synthetic.rules import SLOTS, SyntheticRules
from benchmark.data.sources.synthetic.truth import Truth

__all__ = ["BEGIN", "BLOCK", "YEAR", "YEARS", "Block", "blocks", "season_of"]

BLOCK = 2**20
"""Events that are drawn together, or those of one user where these are more."""
BEGIN = 1_577_836_800
"""The first second: 2020 begins, in UTC."""
YEAR = 365 * 86_400
YEARS = 2
_ROUNDS, _ANY = 24, 48
"""How often an item that its user has already is drawn again; and then from all items alike."""
_FINE = np.linspace(0, 1, 4097)


@dataclass(frozen=True)
class Block:
    """The events of some users, in order of user and time, with the copies behind their originals.

    Attributes:
        user: int32 ``[events]``; likewise ``item``.
        time: int64 ``[events]``, in seconds, of one user ascending, and equal for copies alone.
        search: bool ``[events]``.
        queries: strings ``[searches]``.
    """

    user: NDArray[np.int32]
    item: NDArray[np.int32]
    time: NDArray[np.int64]
    search: NDArray[np.bool_]
    queries: pa.Array


def season_of(taste: NDArray[np.integer], tastes: int) -> NDArray[np.float64]:
    """Return when in the year the demand for tastes is highest, in [0, 1)."""
    return taste / tastes


def blocks(rules: SyntheticRules, truth: Truth, size: int = BLOCK) -> Iterator[Block]:
    """Yield all events, users in order; what a user does hangs on no other user.

    Args:
        rules: of the card.
        truth: of items and users, from the same rules.
        size: events that are drawn together, at most, unless one user has more.
    """
    shelves = _Shelves.of(truth.taste, truth.weight), _Shelves.of(truth.topic, truth.search_weight)
    first = 0
    while first < rules.users:
        limit = truth.offsets[first] + size
        last = max(int(np.searchsorted(truth.offsets, limit, side="right")) - 1, first + 1)
        yield _block(rules, truth, shelves, first, last)
        first = last


@dataclass(frozen=True)
class _Shelves:
    """Items by class, to draw from by weight.

    Attributes:
        items: int64 ``[items]``, class after class.
        total: ``[items + 1]``, the weight of all before each.
        bounds: ``[classes + 1]``, the weight of all before each class.
    """

    items: NDArray[np.int64]
    total: NDArray[np.float64]
    bounds: NDArray[np.float64]

    @classmethod
    def of(cls, label: NDArray[np.int32], weight: NDArray[np.float64]) -> _Shelves:
        order = np.argsort(label, kind="stable")
        total = np.concatenate([[0.0], np.cumsum(weight[order])])
        ends = np.searchsorted(label[order], np.arange(int(label.max()) + 2))
        return cls(order, total, total[ends])

    def draw(
        self, label: NDArray[np.int32], within: NDArray[np.bool_], lots: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """Return an item for each lot: of the class, or of all where that is empty or not asked."""
        known = np.minimum(label, len(self.bounds) - 2)
        low, high = self.bounds[known], self.bounds[known + 1]
        whole = ~within | (low == high) | (label != known)
        low, high = np.where(whole, 0.0, low), np.where(whole, self.total[-1], high)
        place = np.searchsorted(self.total, low + lots * (high - low), side="right") - 1
        return self.items[np.minimum(place, len(self.items) - 1)]


def _block(
    rules: SyntheticRules, truth: Truth, shelves: tuple[_Shelves, _Shelves], first: int, last: int
) -> Block:
    start, stop = int(truth.offsets[first]), int(truth.offsets[last])
    user = np.repeat(np.arange(first, last), np.diff(truth.offsets[first : last + 1]))
    search = _spread(start, stop, round(rules.search * rules.events), rules.events)
    item = _items(rules, truth, shelves, user, search, start)
    moment = _moments(rules, truth.taste[item], start)
    order = np.lexsort((moment, user))
    user, search, item, moment = user[order], search[order], item[order], moment[order]
    asked = order[search]
    queries = truth.phrases(_queries(rules, truth, item[search], start, stop, asked))
    rank = np.arange(start, stop) - truth.offsets[user]
    room = YEARS * YEAR - np.diff(truth.offsets)[user]
    time = BEGIN + np.floor(moment * room).astype(np.int64) + rank
    copied = _spread(start, stop, round(rules.duplicates * rules.events), rules.events)
    rows = np.repeat(np.arange(len(user)), 1 + copied)
    place = np.cumsum(search) - 1
    return Block(
        user[rows].astype(np.int32),
        item[rows].astype(np.int32),
        time[rows],
        search[rows],
        queries.take(pa.array(place[rows][search[rows]])),
    )


def _spread(start: int, stop: int, count: int, total: int) -> NDArray[np.bool_]:
    """Return which of ``start`` to ``stop`` are marked if ``count`` of ``total`` are, evenly."""
    places = np.arange(start, stop + 1, dtype=np.int64)
    return np.diff(places * count // total) == 1


def _items(
    rules: SyntheticRules,
    truth: Truth,
    shelves: tuple[_Shelves, _Shelves],
    user: NDArray[np.int64],
    search: NDArray[np.bool_],
    start: int,
) -> NDArray[np.int64]:
    """Return the item of each event; none is met twice by one user, ``[events]``."""
    stop = start + len(user)
    lots = uniforms(rules.seed, Stream.EVENT_WITHIN, start, stop)
    within = lots < rules.collaborative
    item = np.zeros(len(user), dtype=np.int64)
    left = np.arange(len(user))
    for attempt in range(_ROUNDS + _ANY):
        lots = uniforms(rules.seed, Stream.EVENT_ITEM + attempt, start, stop)
        if attempt < _ROUNDS:
            for shelf, label, asked in (
                (shelves[0], truth.favourite, left[~search[left]]),
                (shelves[1], truth.interest, left[search[left]]),
            ):
                item[asked] = shelf.draw(label[user[asked]], within[asked], lots[asked])
        else:
            item[left] = (lots[left] * rules.items).astype(np.int64)
        left = _again(user, item)
        if not len(left):
            break
    return item


def _again(user: NDArray[np.int64], item: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the events whose user has the item from an earlier one."""
    order = np.lexsort((item, user))
    same = (np.diff(user[order]) == 0) & (np.diff(item[order]) == 0)
    return np.sort(order[1:][same])


def _moments(rules: SyntheticRules, taste: NDArray[np.int32], start: int) -> NDArray[np.float64]:
    """Return when each event is, as a share of all the years, ``[events]``.

    At the distance x from its season, in years, the density of a taste is
    ``1 + seasonality * cos(2 pi x)``.
    """
    stop = start + len(taste)
    lots = uniforms(rules.seed, Stream.EVENT_MOMENT, start, stop)
    share = _FINE + rules.seasonality * np.sin(2 * np.pi * _FINE) / (2 * np.pi)
    day = (np.interp(lots, share, _FINE) + season_of(taste, rules.tastes)) % 1.0
    year = np.floor(uniforms(rules.seed, Stream.EVENT_YEAR, start, stop) * YEARS)
    return (day + year) / YEARS


def _queries(
    rules: SyntheticRules,
    truth: Truth,
    item: NDArray[np.int64],
    start: int,
    stop: int,
    asked: NDArray[np.int64],
) -> NDArray[np.int32]:
    """Return the words of each search, ``[searches, query words]``.

    Args:
        rules: of the card.
        truth: of the items.
        item: that each search led to, ``[searches]``.
        start: the block's first event.
        stop: that behind its last.
        asked: which of the block's events, as they were drawn, the searches are.
    """

    def lots(stream: Stream, width: int) -> NDArray[np.float64]:
        drawn = uniforms(rules.seed, stream, start, stop, width)
        return drawn.reshape(stop - start, width)[asked]

    own = rules.specific
    weights = np.array([own, (1 - own) / 2, *[(1 - own) / 2 / (SLOTS - 2)] * (SLOTS - 2)])
    with np.errstate(divide="ignore"):
        # The least of exponential times is drawn by weight, then the next without it, and so on.
        waits = -np.log1p(-lots(Stream.QUERY_SLOT, SLOTS)) / weights
    slot = np.argsort(waits, axis=1, kind="stable")[:, : rules.query_words]
    told = lots(Stream.QUERY_TOLD, rules.query_words) < rules.semantic
    other = (lots(Stream.QUERY_OTHER, rules.query_words) * rules.items).astype(np.int64)
    return truth.slots[np.where(told, item[:, None], other), slot]
