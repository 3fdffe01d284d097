from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.special import logsumexp

from gensar.engine.rqvae import RQVAE, Codebook, sinkhorn_codes
from gensar.settings import SMALLEST_EPSILON

ROWS, CODES, LATENT = 12, 5, 4


def _rqvae(seed: int) -> tuple[RQVAE, tuple[torch.Tensor, torch.Tensor]]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        rqvae = RQVAE((6, 3), LATENT, (8,), CODES, 2, 2, 0.003)
        for weight in rqvae.parameters():
            torch.nn.init.normal_(weight)
        return rqvae, (torch.randn(ROWS, 6), torch.randn(ROWS, 3))


def _nearest(rest: np.ndarray, book: np.ndarray) -> np.ndarray:
    return np.array([min(range(len(book)), key=lambda c: ((r - book[c]) ** 2).sum()) for r in rest])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_codes_are_the_nearest_of_what_the_levels_before_left(seed: int) -> None:
    rqvae, vectors = _rqvae(seed)
    codes = rqvae(vectors, balanced=False).codes.numpy()
    rest = rqvae.encode(vectors).detach().double().numpy()
    for level, book in enumerate(b.vectors.detach().double().numpy() for b in rqvae.shared):
        nearest = _nearest(rest, book)
        np.testing.assert_array_equal(codes[:, 0, level], nearest)
        np.testing.assert_array_equal(codes[:, 1, level], nearest)
        rest = rest - book[nearest]
    for branch, half in enumerate((rest[:, :LATENT], rest[:, LATENT:])):
        left = half
        for level, module in enumerate(rqvae.specific[branch]):
            book = module.vectors.detach().double().numpy()
            nearest = _nearest(left, book)
            np.testing.assert_array_equal(codes[:, branch, 2 + level], nearest)
            left = left - book[nearest]


def test_the_loss_is_that_of_the_paper_s_formulas() -> None:
    rqvae, vectors = _rqvae(3)
    out = rqvae(vectors, balanced=False)
    rest = rqvae.encode(vectors).detach()
    levels, summed = [], torch.zeros_like(rest)
    for level, book in enumerate(rqvae.shared):
        chosen = book.vectors[out.codes[:, 0, level]]
        levels.append(1.25 * (chosen - rest).square().mean())
        rest, summed = rest - chosen, summed + chosen
    reconstruction = torch.zeros(())
    for branch in (0, 1):
        half = rest.split(LATENT, 1)[branch]
        known = summed.split(LATENT, 1)[branch]
        for level, book in enumerate(rqvae.specific[branch]):
            chosen = book.vectors[out.codes[:, branch, 2 + level]]
            levels.append(1.25 * (chosen - half).square().mean())
            half, known = half - chosen, known + chosen
        decoded = rqvae.decoders[branch](known)
        reconstruction = reconstruction + (decoded - vectors[branch]).square().mean()
    torch.testing.assert_close(out.quantisation, torch.stack(levels).mean())
    torch.testing.assert_close(out.reconstruction, reconstruction)


def test_only_the_last_specific_level_is_balanced() -> None:
    rqvae, vectors = _rqvae(1)
    nearest, balanced = (rqvae(vectors, balanced=b).codes for b in (False, True))
    assert (nearest[:, :, :-1] == balanced[:, :, :-1]).all()
    assert (nearest[:, :, -1] != balanced[:, :, -1]).any()


def test_every_part_learns_from_the_loss() -> None:
    rqvae, vectors = _rqvae(2)
    out = rqvae(vectors, balanced=True)
    (out.reconstruction + out.quantisation).backward()
    for name, weight in rqvae.named_parameters():
        assert weight.grad is not None and weight.grad.abs().sum() > 0, name


def _log_plan(distances: np.ndarray, epsilon: float) -> np.ndarray:
    middle = (distances.max() + distances.min()) / 2
    mapped = (distances - middle).astype(np.float64) / ((distances.max() - distances.min()) / 2)
    plan = -mapped / epsilon
    rows, codes = plan.shape
    for _ in range(50):
        plan = plan - logsumexp(plan, axis=1, keepdims=True) - np.log(rows)
        plan = plan - logsumexp(plan, axis=0, keepdims=True) - np.log(codes)
    return plan


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.003, 0.05, 0.5]))
def test_sinkhorn_agrees_with_a_log_domain_reference(seed: int, epsilon: float) -> None:
    distances = np.random.default_rng(seed).random((9, 4)).astype(np.float32)
    plan = _log_plan(distances, epsilon)
    codes = sinkhorn_codes(torch.as_tensor(distances), epsilon).numpy()
    np.testing.assert_allclose(plan[np.arange(9), codes], plan.max(axis=1), atol=1e-3)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 6))
def test_several_assignments_at_once_are_those_one_by_one(seed: int, many: int, rows: int) -> None:
    distances = torch.as_tensor(np.random.default_rng(seed).random((many, rows, 4)))
    alone = torch.stack([sinkhorn_codes(each, 0.003) for each in distances])
    torch.testing.assert_close(sinkhorn_codes(distances, 0.003), alone, rtol=0, atol=0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 5))
def test_of_codes_that_belong_to_a_row_alike_it_takes_the_nearest(seed: int, rows: int) -> None:
    distances = np.random.default_rng(seed).random((rows, 64))
    plan = _log_plan(distances, 0.003)
    alike = plan > plan.max(axis=1, keepdims=True) - 1e-8
    assert alike.sum() > rows
    nearest = np.where(alike, distances, np.inf).argmin(axis=1)
    codes = sinkhorn_codes(torch.as_tensor(distances), 0.003).numpy()
    chosen = distances[np.arange(rows), codes]
    assert (chosen <= distances[np.arange(rows), nearest]).all()
    np.testing.assert_allclose(plan[np.arange(rows), codes], plan.max(axis=1), atol=1e-5)


def test_a_row_alone_takes_its_nearest_code() -> None:
    assert sinkhorn_codes(torch.tensor([[3.0, 1.0, 2.0]]), 0.003).tolist() == [1]


def test_the_smallest_regularisation_that_settings_allow_gives_numbers() -> None:
    distances = torch.as_tensor(np.random.default_rng(0).random((64, 8)))
    codes = sinkhorn_codes(distances, SMALLEST_EPSILON).numpy()
    assert np.bincount(codes, minlength=8).min() >= 4


def test_a_code_that_is_far_from_all_rows_spoils_no_other() -> None:
    distances = torch.as_tensor(np.random.default_rng(0).random((2, 6))) / 100
    distances[:, 0] = 1e3
    codes = sinkhorn_codes(distances, SMALLEST_EPSILON)
    assert 0 not in codes.tolist()
    assert len(set(codes.tolist())) == 2


@pytest.mark.parametrize("seed", range(5))
def test_sinkhorn_finds_the_cheapest_balanced_assignment(seed: int) -> None:
    distances = np.random.default_rng(seed).random((6, 6))
    codes = sinkhorn_codes(torch.as_tensor(distances), 0.02, iterations=3000).numpy()
    np.testing.assert_array_equal(codes, linear_sum_assignment(distances)[1])


def test_rows_that_crowd_around_one_code_are_spread_over_all() -> None:
    rng = np.random.default_rng(0)
    points = torch.as_tensor(0.1 * rng.standard_normal((64, 3)))
    book = torch.as_tensor(rng.standard_normal((8, 3)) + 2.0)
    book[0] = 0.0
    distances = torch.cdist(points, book).square()
    assert (distances.argmin(dim=1) == 0).all()
    counts = np.bincount(sinkhorn_codes(distances, 0.003, iterations=2000), minlength=8)
    assert counts.min() >= 4
    assert counts.max() <= 12


@given(st.integers(1, 12), st.integers(0, 2**31))
@settings(deadline=None, max_examples=30)
def test_with_codes_to_spare_every_point_is_a_code(distinct: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((distinct, 3)).astype(np.float32)
    rest = torch.as_tensor(
        points[np.concatenate([np.arange(distinct), rng.integers(0, distinct, 9)])]
    )
    books = [Codebook(12, 3), Codebook(12, 3)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for book in books:
            book.init_from(rest, seed)
    torch.testing.assert_close(books[0].vectors, books[1].vectors, rtol=0, atol=0)
    nearest = books[0].distances(rest).detach().min(dim=1).values
    assert nearest.max() < 1e-6
    to_points = torch.cdist(books[0].vectors.detach(), torch.as_tensor(points)).min(dim=1).values
    assert to_points.max() <= max(float(points.std()), 1e-3)
    assert len(torch.unique(books[0].vectors.detach(), dim=0)) == 12


def test_with_more_points_than_codes_each_code_is_the_mean_of_its_points() -> None:
    rng = np.random.default_rng(0)
    blobs = rng.standard_normal((4, 1, 3)) * 10 + 0.1 * rng.standard_normal((4, 20, 3))
    book = Codebook(4, 3)
    book.init_from(torch.as_tensor(blobs.reshape(-1, 3), dtype=torch.float32), 0)
    found = np.array(sorted(book.vectors.tolist()))
    np.testing.assert_allclose(found, sorted(blobs.mean(axis=1).tolist()), atol=1e-4)


def test_gradients_of_a_codebook_do_not_hang_on_the_threads() -> None:
    generator = torch.Generator().manual_seed(0)
    book, rest = Codebook(64, 64), torch.randn(4096, 64, generator=generator)
    book.init_from(rest, seed=0)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        found = set()
        for _ in range(20):
            book.zero_grad()
            book(rest, 0.0)[2].backward()
            found.add(book.vectors.grad.numpy().tobytes())
    finally:
        torch.set_num_threads(threads)
    assert len(found) == 1
