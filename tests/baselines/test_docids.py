from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from baselines.generative.docids import clustered_codes, digit_codes, identifiers_of


@given(st.integers(1, 3000))
def test_digits_are_the_row_number_in_a_fixed_width(items: int) -> None:
    codes = digit_codes(items)
    width = len(str(items - 1))
    assert codes.shape == (items, width)
    for row in {0, items // 2, items - 1}:
        assert "".join(map(str, codes[row])) == f"{row:0{width}d}"
    assert (codes @ 10 ** np.arange(width - 1, -1, -1) == np.arange(items)).all()


def _expected(
    vectors: np.ndarray, rows: list[int], branches: int, leaf: int, seed: int
) -> list[list[int]]:
    """Return the clusters that are not split, as lists of rows, by plain recursion."""
    if len(rows) <= leaf:
        return [rows]
    labels = KMeans(branches, n_init=1, random_state=seed).fit_predict(vectors[rows])
    found = []
    for label in range(branches):
        inside = [row for row, own in zip(rows, labels, strict=True) if own == label]
        found += _expected(vectors, inside, branches, leaf, seed)
    return found


@pytest.mark.parametrize(("branches", "leaf"), [(3, 5), (10, 10), (4, 100)])
def test_identifiers_are_clusters_inside_clusters(branches: int, leaf: int) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((300, 6)).astype(np.float32)
    codes = clustered_codes(vectors, branches, leaf, 1)
    assert len(np.unique(codes, axis=0)) == 300
    assert codes[:, :-1].max() < branches
    assert codes[:, -1].max() < leaf
    _, group = np.unique(codes[:, :-1], axis=0, return_inverse=True)
    found = [np.flatnonzero(group == number).tolist() for number in range(group.max() + 1)]
    expected = _expected(vectors, list(range(300)), branches, leaf, 1)
    assert sorted(found) == sorted(sorted(rows) for rows in expected if rows)
    for rows in found:
        assert codes[rows, -1].tolist() == list(range(len(rows)))


def test_a_shared_prefix_is_one_cluster_of_k_means_at_that_level() -> None:
    vectors = np.random.default_rng(3).standard_normal((200, 4)).astype(np.float32)
    codes = clustered_codes(vectors, 4, 6, 5)
    for level in range(codes.shape[1] - 1):
        for prefix in np.unique(codes[:, :level], axis=0):
            rows = np.flatnonzero((codes[:, :level] == prefix).all(axis=1))
            if len(rows) <= 6:
                assert (codes[rows, level] == 0).all()
                continue
            labels = KMeans(4, n_init=1, random_state=5).fit_predict(vectors[rows])
            together = labels[:, None] == labels
            own = codes[rows, level]
            assert ((own[:, None] == own) == together).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(1, 4), st.integers(2, 5), st.integers(1, 7))
def test_items_that_no_vector_tells_apart_get_identifiers_too(
    items: int, distinct: int, branches: int, leaf: int
) -> None:
    vectors = np.eye(4, dtype=np.float32)[np.arange(items) % distinct]
    codes = clustered_codes(vectors, branches, leaf, 0)
    assert len(np.unique(codes, axis=0)) == items
    assert codes[:, -1].max() < leaf
    assert codes[:, :-1].max(initial=0) < branches


def test_first_codes_stand_for_the_mean_of_their_items() -> None:
    codes = np.array([[0, 1], [1, 0], [0, 0]])
    vectors = np.array([[1, 2], [5, 6], [3, 4]], dtype=np.float32)
    made = identifiers_of(codes, vectors)
    np.testing.assert_allclose(made.codebooks[0][0], [[2, 3], [5, 6]])
    assert made.level_sizes == ((2, 2), (2, 2))
    assert made.shared_levels == 2
    assert identifiers_of(codes, None).codebooks == ((), ())
