from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from baselines.unifiedssr.sessions import (
    Sessions,
    inter_correlation,
    intra_correlation,
    prefix_pooling,
)

WIDTH = 4


def _states(rows: int, positions: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, positions, WIDTH, generator=torch.Generator().manual_seed(seed))


def _trained(windows: str, edges: str) -> Sessions:
    """Return windows whose predictor is not zero any more."""
    sessions = Sessions(WIDTH, 2, windows, edges)  # type: ignore[arg-type]
    weight = torch.tensor([[0.3, -0.2, 0.5, 0.1], [0.4, 0.2, -0.3, 0.6]])
    sessions.predictor.weight.data = weight
    return sessions


@pytest.mark.parametrize("count", [1, 2, 3])
def test_every_prefix_is_pooled_as_torch_pools_it(count: int) -> None:
    states = _states(2, 9)
    pooled = torch.einsum("tkj,bjd->btkd", prefix_pooling(9, count), states)
    for length in range(1, 10):
        expected = functional.adaptive_avg_pool1d(states[:, :length].transpose(1, 2), count)
        torch.testing.assert_close(pooled[:, length - 1], expected.transpose(1, 2))


def test_windows_start_as_the_middle_halves_of_their_parts() -> None:
    sessions = Sessions(WIDTH, 2, "own", "hard")
    torch.nn.init.zeros_(sessions.predictor.weight)
    bounds = sessions.bounds(_states(3, 2), torch.full((3,), 8))
    torch.testing.assert_close(bounds, torch.tensor([[1.0, 3.0], [5.0, 7.0]]).expand(3, 2, 2))


def test_shift_and_width_are_those_of_the_formula() -> None:
    sessions = _trained("own", "hard")
    pooled = torch.tensor([[1.0, -5.0, 0.5, 0.0], [0.0, 1.0, -2.0, 2.0]])
    first, second = sessions.bounds(pooled, torch.tensor(10)).tolist()
    shift, spread = 0.3 + 0.25, 0.4 - 0.15 + math.log(math.sqrt(5 / 3))
    centre, half = 0.25 + math.tanh(shift) / 2, math.tanh(spread) / 2
    assert first == pytest.approx([10 * (centre - half), 10 * (centre + half)], abs=1e-5)
    spread = 0.2 + 1.2 + math.log(math.sqrt(5 / 3))
    centre, half = 0.75 + math.tanh(-0.2 + 0.2) / 2, math.tanh(spread) / 2
    assert second == pytest.approx([10 * (centre - half), 10], abs=1e-5)
    assert centre + half > 1


def test_correlations_are_those_computed_by_hand() -> None:
    products = torch.tensor([[[1.0, 0.0], [-1.0, 1.0]], [[0.0, 2.0], [3.0, 0.0]]])
    queries = torch.tensor([[[2.0, 2.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]]])
    real = torch.ones(2, 2, dtype=torch.bool)
    half = math.sqrt(0.5)
    assert intra_correlation(products, real)[0].item() == pytest.approx((half + 0) / 2)
    expected = -(half - half + 1 + 0) / 4
    assert inter_correlation(products, queries, real)[0].item() == pytest.approx(expected)
    empty = torch.tensor([[True, True], [True, False]])
    assert intra_correlation(products, empty)[0].item() == pytest.approx(half)
    assert inter_correlation(products, queries, empty)[0].item() == pytest.approx(-1 / 3)
    assert intra_correlation(products, torch.zeros_like(real))[0].item() == 0
    three = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]])
    mean, count = intra_correlation(three, torch.ones(1, 3, dtype=torch.bool))
    assert (mean.item(), count.item()) == (pytest.approx(half / 2), 2)


@pytest.mark.parametrize("edges", ["hard", "soft"])
def test_own_windows_of_a_position_hang_on_its_prefix_alone(edges: str) -> None:
    sessions, states = _trained("own", edges), _states(2, 7)
    whole, _, _ = sessions(states, torch.tensor([7, 7]))
    for length in range(1, 8):
        prefix, vectors, real = sessions(states[:, :length], torch.full((2,), length))
        torch.testing.assert_close(prefix[:, -1], whole[:, length - 1])
        padded, others, those = sessions(states, torch.full((2,), length))
        torch.testing.assert_close(padded[:, :length], whole[:, :length])
        torch.testing.assert_close(others, vectors)
        assert those.equal(real)


def test_windows_in_the_batch_count_its_padding() -> None:
    sessions, states = Sessions(WIDTH, 2, "batch", "hard"), _states(1, 8)
    torch.nn.init.zeros_(sessions.predictor.weight)
    doubled, vectors, real = sessions(states, torch.tensor([4]))
    factor = torch.tensor([1.0, 2, 2, 2, 1, 2, 2, 2])[:, None]
    torch.testing.assert_close(doubled[0], states[0] * factor)
    torch.testing.assert_close(vectors[0, 0], states[0, 1:4].mean(dim=0))
    assert real.tolist() == [[True, False]]
    doubled, vectors, real = sessions(states[:, :4], torch.tensor([4]))
    factor = torch.tensor([1.0, 2, 1, 2])[:, None]
    torch.testing.assert_close(doubled[0], states[0, :4] * factor)
    torch.testing.assert_close(vectors[0], states[0, [1, 3]])
    assert real.all()


def test_a_place_in_two_windows_is_doubled_once() -> None:
    sessions = Sessions(WIDTH, 2, "batch", "hard")
    torch.nn.init.zeros_(sessions.predictor.weight)
    sessions.start_width.data.fill_(9.0)
    doubled, _, _ = sessions(_states(1, 6), torch.tensor([6]))
    torch.testing.assert_close(doubled, 2 * _states(1, 6))


def test_soft_windows_learn_and_hard_ones_cannot() -> None:
    for edges in ("soft", "hard"):
        sessions, states = _trained("own", edges), _states(2, 9).requires_grad_()
        doubled, vectors, real = sessions(states, torch.tensor([9, 6]))
        loss = intra_correlation(vectors, real)[0] + doubled.square().sum()
        loss.backward()
        assert states.grad is not None
        gradient = sessions.predictor.weight.grad
        assert (gradient is not None and bool(gradient.abs().max() > 0)) == (edges == "soft")
