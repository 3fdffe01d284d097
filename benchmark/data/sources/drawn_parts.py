"""Splits and orders by lot, for sources without an order: all of a pair of user and item together.

The lot is a hash of seed, user and item, so neither the order of the lines nor other users' events
change it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.data.sources.source import TEST, TRAINING, VALIDATION, Interactions

__all__ = ["in_order_of_lots", "parts_by_lot"]


def parts_by_lot(
    inter: Interactions, validation: float, test: float, seed: int
) -> NDArray[np.uint8]:
    """Return the part of each event, drawn by user over the user's distinct items, ``[events]``.

    Of a user's n items ``int(test * n)`` test, ``int(validation * n)`` validate and the rest train,
    as HyperSaR has it (Thonet et al., ECIR 2022).

    Args:
        inter: the events.
        validation: share of a user's items; likewise ``test``.
        seed: of the lot.
    """
    rank, counts = _ranks(inter, seed)
    # Shares are decimal, so 0.2 of 5 items is one, however 0.2 is stored.
    tested, validated = (np.floor(share * counts + 1e-9) for share in (test, validation))
    trained = counts - tested - validated
    part = np.full(len(rank), TRAINING, dtype=np.uint8)
    part[rank >= trained[inter.user]] = VALIDATION
    part[rank >= (trained + validated)[inter.user]] = TEST
    return part


def in_order_of_lots(inter: Interactions, part: NDArray[np.uint8], seed: int) -> Interactions:
    """Return the events with their parts and with times that keep these apart.

    A user's items that train stand one behind the other, from time 0 and in an order by lot; the
    events of one item share its time. All that validates follows at one time, all that tests at the
    next.

    Args:
        inter: the events.
        part: of each event, ``[events]``.
        seed: of the order.
    """
    trains = part == TRAINING
    rank, counts = _ranks(inter.only(trains), seed)
    time = counts[inter.user] + (part == TEST)
    time[trains] = rank
    return replace(inter, time=time, part=part)


def _ranks(inter: Interactions, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the place of each event's item by lot among its user's, and how many these are.

    Returns:
        ``[events]``, from 0, and ``[users]``.
    """
    pair = inter.user.astype(np.int64) * len(inter.items) + inter.item
    _, first, owner = np.unique(pair, return_index=True, return_inverse=True)
    user, item = inter.user[first], inter.item[first]
    by_id = pc.rank(inter.items, tiebreaker="first").to_numpy()
    order = np.lexsort((by_id[item], _lots(inter, seed)[first], user))
    counts = np.bincount(user, minlength=len(inter.users))
    rank = np.empty(len(first), dtype=np.int64)
    rank[order] = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rank[owner], counts


def _lots(inter: Interactions, seed: int) -> NDArray[np.uint64]:
    user, item = (
        pd.util.hash_array(
            ids.to_numpy(zero_copy_only=False).astype(object),
            hash_key=f"{seed:016x}",
            categorize=False,
        )
        for ids in (inter.users, inter.items)
    )
    mixed = (user[inter.user] * np.uint64(0x9E3779B97F4A7C15)) ^ item[inter.item]
    mixed ^= mixed >> np.uint64(29)
    return mixed * np.uint64(0xBF58476D1CE4E5B9)
