from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from benchmark.learning.dropout import ByteDropout, use_byte_dropout

MANY = 400_000


def _dropped(probability: float, values: torch.Tensor, seed: int = 0) -> torch.Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return ByteDropout(probability).train()(values)


@pytest.mark.parametrize("probability", [0.1, 0.3, 0.5, 0.9])
def test_the_share_of_zeros_and_the_mean_are_those_of_dropout(probability: float) -> None:
    dropped = _dropped(probability, torch.ones(MANY))
    zeros = float((dropped == 0).double().mean())
    error = 4 * (probability * (1 - probability) / MANY) ** 0.5
    assert abs(zeros - probability) < 1 / 512 + error
    assert abs(float(dropped.double().mean()) - 1) < error / (1 - probability)


def test_all_may_be_dropped() -> None:
    assert (_dropped(1.0, torch.ones(9)) == 0).all()


@pytest.mark.parametrize("place", range(8))
def test_every_byte_of_a_random_number_drops_alike(place: int) -> None:
    dropped = _dropped(0.25, torch.ones(MANY))[place::8]
    error = 4 * (0.25 * 0.75 / len(dropped)) ** 0.5
    assert abs(float((dropped == 0).double().mean()) - 0.25) < error


def test_neighbours_are_dropped_independently() -> None:
    dropped = _dropped(0.5, torch.ones(MANY)) == 0
    for distance in (1, 2, 7, 8):
        both = float((dropped[:-distance] & dropped[distance:]).double().mean())
        assert abs(both - 0.25) < 4 * (0.25 * 0.75 / MANY) ** 0.5 * 2


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=3), st.floats(0, 0.95), st.integers(0, 99))
def test_what_is_kept_is_scaled_by_one_factor_and_keeps_its_shape(shape, probability, seed) -> None:
    values = 1 + torch.arange(torch.Size(shape).numel(), dtype=torch.float32).reshape(shape)
    dropped = _dropped(probability, values, seed)
    assert dropped.shape == values.shape
    kept = dropped != 0
    ratio = (dropped / values)[kept]
    assert ((ratio - 256 / (256 - round(256 * probability))).abs() < 1e-5).all()


def test_evaluation_and_probability_zero_change_nothing() -> None:
    values = torch.randn(50, generator=torch.Generator().manual_seed(0))
    before = torch.get_rng_state()
    assert ByteDropout(0.5).eval()(values) is values
    assert ByteDropout(0.0).train()(values) is values
    assert torch.get_rng_state().equal(before)


def test_gradients_flow_where_values_do() -> None:
    values = torch.ones(1000, requires_grad=True)
    dropped = _dropped(0.5, values)
    dropped.sum().backward()
    assert values.grad is not None
    assert values.grad.equal(dropped.detach())


def test_the_seed_decides_what_is_dropped() -> None:
    values = torch.ones(1000)
    assert _dropped(0.5, values).equal(_dropped(0.5, values))
    assert not _dropped(0.5, values).equal(_dropped(0.5, values, seed=1))


def test_every_dropout_inside_a_module_is_replaced() -> None:
    inner = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.25))
    module = nn.ModuleDict({"first": nn.Dropout(0.5), "second": nn.ModuleList([inner])})
    use_byte_dropout(module)
    found = [m for m in module.modules() if isinstance(m, ByteDropout)]
    assert [m.threshold for m in found] == [128, 64]
    assert not any(isinstance(m, nn.Dropout) for m in module.modules())
