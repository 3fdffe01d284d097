"""Users' events cut into training sequences of bounded length, as rows of the log."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.data.events import EventLog
from benchmark.data.requests import PAD

__all__ = ["all_predicted", "stretches", "windows"]


def windows(log: EventLog, window: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Cut every user's events into consecutive stretches of at most ``window``.

    The first cut falls at a random place, so that every epoch shows other beginnings.

    Returns:
        log rows int64 ``[sequences, window]``, padded with ``PAD``.
    """
    counts = np.diff(log.offsets)
    shift = rng.integers(0, window, size=len(counts))
    shift = np.where(counts <= window, 0, shift)
    pieces = -(-(counts + shift) // window)
    owner = np.repeat(np.arange(len(counts)), pieces)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    first = log.offsets[owner] + number * window - shift[owner]
    rows = first[:, None] + np.arange(window)
    real = (rows >= log.offsets[owner][:, None]) & (rows < log.offsets[owner + 1][:, None])
    rows = np.where(real, rows, PAD)
    rows = np.take_along_axis(rows, np.argsort(~real, axis=1, kind="stable"), axis=1)
    return rows[real.any(axis=1)]


def stretches(
    log: EventLog, window: int, rng: np.random.Generator | None = None
) -> NDArray[np.int64]:
    """Cut every user's events, from the last backwards, into stretches of ``window + 1``.

    Neighbouring stretches share one event, so that every event but a user's first is predicted
    exactly once. With ``rng`` the last stretch of a user with several is cut short at random, so
    that every epoch sees an event behind other beginnings and at another position.

    Returns:
        log rows int64 ``[stretches, window + 1]``, padded with ``PAD`` on the right.
    """
    counts = np.diff(log.offsets)
    missing: NDArray[np.int64] = np.zeros(len(counts), dtype=np.int64)
    if rng is not None:
        missing = np.where(counts - 1 > window, rng.integers(0, window, len(counts)), 0)
    pieces = np.where(counts > 1, -(-(counts - 1 + missing) // window), 0)
    owner = np.repeat(np.arange(len(counts)), pieces)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    stop = log.offsets[owner + 1] + missing[owner] - number * window
    start = np.maximum(stop - window - 1, log.offsets[owner])
    stop = np.minimum(stop, log.offsets[owner + 1])
    rows = start[:, None] + np.arange(window + 1)
    return np.where(rows < stop[:, None], rows, PAD)


def all_predicted(
    log: EventLog, window: int, rng: np.random.Generator | None = None
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Cut every user's events into stretches as :func:`stretches` does, each to be predicted once.

    So a user's first event is predicted too, from nothing but the beginning; a user's only event
    is a stretch of its own.

    Returns:
        log rows int64 ``[stretches, window + 1]``, padded with ``PAD`` on the right, and which of
        them are to be predicted: each event of the log exactly once.
    """
    counts = np.diff(log.offsets)
    single = np.full(((counts == 1).sum(), window + 1), PAD, dtype=np.int64)
    single[:, 0] = log.offsets[:-1][counts == 1]
    rows = np.concatenate([stretches(log, window, rng), single])
    predicted = rows != PAD
    # What a later stretch begins with is predicted by the one before.
    predicted[:, 0] = np.isin(rows[:, 0], log.offsets[:-1])
    return rows, predicted
