from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.synergen.inputs import context_of, visible
from baselines.synergen.losses import in_batch_loss, ranking_loss
from baselines.synergen.network import Layer
from baselines.synergen.rotary import Clock, rotate
from baselines.synergen.training import _some, negatives
from benchmark.data.events import EventLog
from benchmark.data.requests import History

CLOCK = Clock(60.0, 1e8)


def _history(times: list[list[int]]) -> History:
    width = max(map(len, times))
    time = np.zeros((len(times), width), dtype=np.int64)
    for row, own in zip(time, times, strict=True):
        row[: len(own)] = sorted(own)
    filler = np.zeros(time.shape, dtype=np.int32)
    length = np.array([len(own) for own in times])
    return History(filler, filler.astype(np.uint8), filler, time, length)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 6), max_size=7), min_size=1, max_size=4))
def test_the_strict_mask_is_that_of_a_loop(times: list[list[int]]) -> None:
    history = _history(times)
    context = context_of(history)
    mask = visible(context, context.place)
    for row, own in enumerate(history.time):
        for reader in range(history.length[row]):
            for event in range(mask.shape[2]):
                wanted = event < history.length[row] and own[event] < own[reader]
                assert mask[row, reader, event] == wanted


def test_events_of_one_moment_share_a_place() -> None:
    history = _history([[5, 5, 7, 9, 9], [1]])
    assert context_of(history).place[0].tolist() == [0, 0, 2, 3, 3]


def test_attention_depends_on_differences_of_time_and_index_only() -> None:
    time = np.array([[0, 40, 41, 5_000, 90_000_000]])
    index = np.arange(5)[None]
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randn(1, 2, 5, 16, generator=generator) for _ in range(2))

    def logits(time: np.ndarray, index: np.ndarray, origin: int) -> torch.Tensor:
        by = CLOCK.rotation(time, index, np.array([origin]), 16, "cpu")
        return rotate(query, by) @ rotate(key, by).transpose(-1, -2)

    first = logits(time, index, 0)
    torch.testing.assert_close(logits(time + 123_456, index, 0), first, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(logits(time, index + 50, 777), first, atol=1e-4, rtol=1e-4)
    assert (logits(time * 2, index, 0) - first).abs().max() > 0.1
    assert (logits(time, index * 2, 0) - first).abs().max() > 0.1


def test_a_quarter_of_the_shortest_wave_is_a_quarter_turn() -> None:
    by = CLOCK.rotation(np.array([[15]]), np.array([[0]]), np.array([0]), 4, "cpu")
    turned = rotate(torch.tensor([[[[1.0, 0.0, 0.0, 0.0]]]]), by)
    torch.testing.assert_close(turned, torch.tensor([[[[0.0, 0.0, 1.0, 0.0]]]]))


def test_the_clock_follows_the_data_whatever_its_unit() -> None:
    user, zeros = np.array([0, 0, 0, 0, 2, 2]), np.zeros(6, dtype=int)
    time = np.array([10, 10, 12, 20, 100, 104])
    log = EventLog.from_columns(user, zeros, time, zeros, zeros, zeros, 3)
    assert Clock.of(log, "gaps") == Clock(4 * 4.0, 4 * 10.0)
    assert Clock.of(log, "days") == Clock(86_400.0, 4 * 365 * 86_400.0)
    empty = log.select(np.zeros(6, dtype=bool))
    assert Clock.of(empty, "gaps") == Clock(1.0, 1.0)


@torch.no_grad()
def test_a_token_that_sees_nothing_reads_itself() -> None:
    layer = Layer(8, 2, 8, 0.0).eval()
    states = torch.randn(1, 3, 8, generator=torch.Generator().manual_seed(0))
    by = CLOCK.rotation(np.zeros((1, 3)), np.zeros((1, 3)), np.zeros(1), 4, "cpu")
    found, _ = layer(states, by, torch.zeros(1, 3, 3, dtype=torch.bool))
    own = layer.project(layer.attention_norm(states))[..., 16:]
    middle = states + layer.out(own)
    gate, inner = layer.up(layer.inner_norm(middle)).chunk(2, dim=-1)
    expected = middle + layer.down(gate * torch.sigmoid(gate) * inner)
    torch.testing.assert_close(found, expected)


@torch.no_grad()
def test_attention_is_that_of_torch_over_visible_events_and_self() -> None:
    layer = Layer(8, 2, 8, 0.0).eval()
    states = torch.randn(1, 4, 8, generator=torch.Generator().manual_seed(1))
    by = CLOCK.rotation(
        np.array([[0, 50, 900, 5000]]), np.arange(4)[None], np.zeros(1, dtype=int), 4, "cpu"
    )
    earlier = torch.ones(4, 4).tril(-1).bool()
    found, _ = layer(states, by, earlier[None])
    query, key, value = (
        p.view(1, 4, 2, 4).transpose(1, 2)
        for p in layer.project(layer.attention_norm(states)).chunk(3, dim=-1)
    )
    read = torch.nn.functional.scaled_dot_product_attention(
        rotate(query, by), rotate(key, by), value, attn_mask=earlier | torch.eye(4).bool()
    )
    middle = states + layer.out(read.transpose(1, 2).flatten(2))
    gate, inner = layer.up(layer.inner_norm(middle)).chunk(2, dim=-1)
    expected = middle + layer.down(gate * torch.sigmoid(gate) * inner)
    torch.testing.assert_close(found, expected)


def test_the_logq_correction_by_hand() -> None:
    # Targets 0 and 2 ask for one item, so neither is the other's negative.
    logits = torch.tensor([[2.0, 1.0, 2.0], [0.5, 3.0, 0.5], [1.0, -1.0, 1.0]])
    share = torch.tensor([0.5, 0.1, 0.5])

    def one(own: float, p: float, other: float, q: float, times: int = 1) -> float:
        own, other = math.exp(own) / p, times * math.exp(other) / q
        return -math.log(own / (own + other))

    expected = (
        one(2.0, 0.5, 1.0, 0.1) + one(3.0, 0.1, 0.5, 0.5, times=2) + one(1.0, 0.5, -1.0, 0.1)
    ) / 3
    found = in_batch_loss(logits, torch.tensor([7, 4, 7]), share)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_the_corrected_loss_of_a_large_batch_is_that_of_the_catalogue() -> None:
    rng = np.random.default_rng(0)
    share = torch.as_tensor(rng.dirichlet(np.full(200, 2.0)))
    scores = torch.as_tensor(rng.normal(size=200))
    item = torch.as_tensor(rng.choice(200, size=4000, p=share.numpy()))
    logits = scores[item].expand(4000, -1)
    found = in_batch_loss(logits, item, share[item]).item()
    # Each target's own item stands in the catalogue once, in its row of 4,000 once too, so its
    # part of the sum is too small 4,000 times share; what is left over is a constant per item.
    others = torch.logsumexp(scores, 0).exp() - scores[item].exp()
    own = scores[item].exp() / share[item]
    expected = ((own + 4000 * others).log() - own.log()).mean().item()
    assert found == pytest.approx(expected, abs=0.02)


def test_the_ranking_loss_by_hand() -> None:
    scores = torch.tensor([[2.0, -1.0, 0.5]])

    def softplus(x: float) -> float:
        return math.log1p(math.exp(x))

    pointwise = (softplus(-2.0) + softplus(-1.0) + softplus(0.5)) / 3
    pairwise = (softplus(-3.0) + softplus(-1.5)) / 2
    assert ranking_loss(scores).item() == pytest.approx(pointwise + pairwise, rel=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 9), st.integers(1, 5), st.sampled_from([0.0, 0.5, 1.0]))
def test_negatives_are_never_the_relevant_item(items: int, count: int, hard: float) -> None:
    relevant = torch.arange(items).view(1, -1)
    logits = 50 * torch.nn.functional.one_hot(relevant, items).float()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found = negatives(logits, relevant, count, hard)
    assert found.shape == (1, items, count)
    assert ((found >= 0) & (found < items)).all()
    assert (found != relevant.unsqueeze(-1)).all()


def test_hard_negatives_are_what_retrieval_likes() -> None:
    logits = torch.zeros(1, 500, 100)
    logits[..., :2] = 20.0
    relevant = torch.full((1, 500), 99)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found = negatives(logits, relevant, 4, 0.5)
    assert (found[..., :2] < 2).all()
    assert (found[..., 2:].float().mean() - 49).abs() < 3


@pytest.mark.parametrize("share", [0.1, 0.25, 1.0])
def test_a_share_of_each_row_s_targets_is_drawn_however_wide_the_row(share: float) -> None:
    """Else a model of one task, whose rows hold fewer targets, would rank more of them."""
    rng = np.random.default_rng(3)
    wanted = rng.random((40, 64)) < rng.random((40, 1))
    wanted[0] = False
    columns, chosen = _some(wanted, share, rng)
    assert np.take_along_axis(wanted, columns, axis=1)[chosen].all()
    assert chosen.sum(axis=1).tolist() == np.ceil(share * wanted.sum(axis=1)).tolist()
    assert all(len(set(row[real])) == real.sum() for row, real in zip(columns, chosen, strict=True))
