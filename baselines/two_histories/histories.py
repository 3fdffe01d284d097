"""From requests to the two histories before them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.data.events import EventSource
from benchmark.data.requests import History, Requests

__all__ = ["Behaviour", "Histories", "read_histories"]


@dataclass(frozen=True)
class Behaviour:
    """The last events of one kind before each request, oldest first, padded on the right.

    All arrays are ``[requests, places]``, with at least one place.

    Attributes:
        item: int64, ``PAD`` where there is no event.
        query: int64, ``NO_QUERY`` where there is none.
        age: int64, the number of later events among those of this kind that are read.
        age_among_all: int64, the same among those of both kinds.
        real: bool, whether there is an event.
    """

    item: NDArray[np.int64]
    query: NDArray[np.int64]
    age: NDArray[np.int64]
    age_among_all: NDArray[np.int64]
    real: NDArray[np.bool_]


@dataclass(frozen=True)
class Histories:
    """What was recommended and what was searched for before each request."""

    rec: Behaviour
    search: Behaviour


def read_histories(requests: Requests, window: int) -> Histories:
    """Return the last ``window`` events of each kind before each request.

    Events of both kinds are put into one order by time; at equal times what was recommended
    comes first, as in the authors' stable merge.
    """
    rec = requests.history(window, EventSource.RECOMMENDED)
    search = requests.history(window, EventSource.SEARCHED)
    rec_real, search_real = _real(rec), _real(search)
    both = rec_real[:, :, None] & search_real[:, None, :]
    earlier = rec.time[:, : rec_real.shape[1], None] <= search.time[:, None, : search_real.shape[1]]
    return Histories(
        _behaviour(rec, rec_real, (both & earlier).sum(axis=2)),
        _behaviour(search, search_real, (both & ~earlier).sum(axis=1)),
    )


def _real(history: History) -> NDArray[np.bool_]:
    """Return which places hold an event, as far as the longest history reaches."""
    longest = max(int(history.length.max(initial=0)), 1)
    return np.arange(longest) < history.length[:, None]


def _behaviour(history: History, real: NDArray[np.bool_], later: NDArray[np.int64]) -> Behaviour:
    """Cut the history; ``later`` counts the later events of the other kind."""
    longest = real.shape[1]
    age = np.where(real, history.length[:, None] - 1 - np.arange(longest), 0)
    return Behaviour(
        history.item[:, :longest].astype(np.int64),
        history.query[:, :longest].astype(np.int64),
        age,
        age + later,
        real,
    )
