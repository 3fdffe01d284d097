"""The k-core of a log: users and items that have enough of each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["iterated_core"]


def iterated_core(
    user: NDArray[np.integer], item: NDArray[np.integer], least_user: int, least_item: int
) -> NDArray[np.bool_]:
    """Return which events are left once every user and every item has enough events.

    Users and items with fewer go, with their events, until nothing changes. A repeated pair counts
    as often as it occurs.

    Args:
        user: ``[events]``, from 0.
        item: ``[events]``, from 0.
        least_user: events that a user needs.
        least_item: events that an item needs.
    """
    left = np.arange(len(user))
    while len(left):
        enough = np.bincount(user[left])[user[left]] >= least_user
        enough &= np.bincount(item[left])[item[left]] >= least_item
        if enough.all():
            break
        left = left[enough]
    kept = np.zeros(len(user), dtype=np.bool_)
    kept[left] = True
    return kept
