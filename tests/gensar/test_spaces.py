from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from baselines.generative.text_spaces import neighbour_pairs
from benchmark.data.catalogue import Items, Queries
from benchmark.data.events import EventLog
from benchmark.model import TrainView
from gensar.engine.spaces import (
    Space,
    fused_concat,
    fused_svd,
    interaction_vectors,
    unit,
)

RNG = np.random.default_rng(0)
WIDE = RNG.standard_normal((9, 5)).astype(np.float32)
NARROW = RNG.standard_normal((9, 3)).astype(np.float32)


def _log(user: Sequence[int], item: Sequence[int], users: int) -> EventLog:
    zeros = np.zeros(len(user), dtype=np.int64)
    times = np.arange(len(user))
    return EventLog.from_columns(np.array(user), np.array(item), times, zeros, zeros, zeros, users)


def _texts(rows: NDArray[np.float32]) -> Space:
    """Return a space in which the texts "0", "1", ... lie where the items of those rows do."""
    return Space(rows, lambda texts: rows[[int(text) for text in texts]])


def test_unit_leaves_a_row_of_zeros() -> None:
    np.testing.assert_allclose(unit(np.array([[3, 4], [0, 0]])), [[0.6, 0.8], [0, 0]])


def test_concatenation_by_hand() -> None:
    search = _texts(np.array([[3, 4], [0, 2]], dtype=np.float32))
    rec = Space(np.array([[5.0], [-1.0]], dtype=np.float32))
    both = fused_concat(search, rec)
    np.testing.assert_allclose(both.items, [[0.6, 0.8, 1], [0, 1, -1]])
    assert both.texts is not None
    np.testing.assert_allclose(both.texts(["1", "0"]), [[0, 1, 0], [0.6, 0.8, 0]])


@pytest.mark.parametrize("wide_first", [True, False])
def test_the_wider_is_reduced_to_its_singular_coordinates_and_added(wide_first: bool) -> None:
    left, weights, _ = np.linalg.svd(WIDE, full_matrices=False)
    expected = unit(left[:, :3] * weights[:3])
    search, rec = (WIDE, NARROW) if wide_first else (NARROW, WIDE)
    both = fused_svd(_texts(search), Space(rec))
    reduced = both.items - unit(NARROW)
    signs = np.sign((reduced * expected).sum(axis=0))
    np.testing.assert_allclose(reduced, expected * signs, atol=1e-5)
    assert both.texts is not None
    placed = reduced if wide_first else unit(NARROW)
    np.testing.assert_allclose(both.texts(["4", "2"]), placed[[4, 2]], atol=1e-5)


def test_equal_widths_are_only_added() -> None:
    both = fused_svd(Space(WIDE), Space(WIDE[::-1].copy()))
    np.testing.assert_allclose(both.items, unit(WIDE) + unit(WIDE)[::-1], atol=1e-6)
    assert both.texts is None


def test_interaction_vectors_keep_the_cosines_of_the_normalised_matrix() -> None:
    user = [0, 0, 0, 1, 1, 2, 2, 3]
    item = [0, 1, 1, 0, 2, 1, 2, 3]
    met = np.zeros((5, 6))
    met[user, item] = 1
    scaled = met / np.sqrt(np.maximum(met.sum(axis=1, keepdims=True), 1))
    scaled /= np.sqrt(np.maximum(met.sum(axis=0), 1))
    _, weights, right = np.linalg.svd(scaled, full_matrices=False)
    expected = (right.T * weights) @ right
    found = interaction_vectors(_log(user, item, 5), items=6, width=8, seed=1)
    assert found.shape == (6, 8)
    length = np.sqrt(np.maximum(np.diag(expected), 1e-12))
    np.testing.assert_allclose(
        (found @ found.T)[:4, :4], (expected / np.outer(length, length))[:4, :4], atol=1e-4
    )
    np.testing.assert_allclose(np.linalg.norm(found[:4], axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(found[:, 5:], 0)
    np.testing.assert_allclose(found[4:], 0, atol=1e-5)


def test_neighbours_are_items_with_text_that_one_user_met_in_a_row() -> None:
    log = _log([0, 0, 0, 0, 0, 1, 1, 2], [1, 2, 2, 0, 1, 3, 1, 2], 3)
    ids = tuple("abcd")
    items = Items(ids, ids, ("a", "b", "c", ""), {})
    train = TrainView(log, items, Queries((), (), ()), "")
    found = neighbour_pairs(train)
    assert found.pairs.tolist() == [[0, 1], [1, 2], [2, 0]]
    assert found.first is found.second is items.texts
