from __future__ import annotations

import math

import torch

from baselines.two_histories.alignment import Alignment
from baselines.unisar.contrast import ViewContrast


def _cross_entropy(right: float, wrong: list[float]) -> float:
    return -right + math.log(sum(math.exp(value) for value in (right, *wrong)))


@torch.no_grad()
def test_alignment_is_the_mean_of_both_cross_entropies() -> None:
    align = Alignment(2, 0.5)
    align.turn.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
    queries, items = torch.tensor([[0.1, 0.2]]), torch.tensor([[0.3, 0.4]])
    others = torch.tensor([[0.5, 0.0], [0.0, 0.5]]), torch.tensor([[-0.1, 0.1], [0.2, 0.3]])
    # q W i = q1 i1 + 2 q2 i2, squashed by tanh and divided by 0.5.
    own = math.tanh(0.03 + 2 * 0.08) / 0.5
    of_items = [math.tanh(-0.01 + 2 * 0.02) / 0.5, math.tanh(0.02 + 2 * 0.06) / 0.5]
    of_queries = [math.tanh(0.15) / 0.5, math.tanh(2 * 0.2) / 0.5]
    expected = (_cross_entropy(own, of_items) + _cross_entropy(own, of_queries)) / 2
    found = align(queries, items, *others)
    torch.testing.assert_close(found, torch.tensor(expected))
    twice = align(queries.repeat(2, 1), items.repeat(2, 1), *others)
    torch.testing.assert_close(twice, found)


@torch.no_grad()
def test_view_contrast_holds_partners_against_all_the_rest_of_both_views() -> None:
    contrast = ViewContrast(1, 0.5)
    contrast.turn.weight.fill_(2.0)
    first, second = [0.1, 0.4], [0.2, -0.3]
    every = first + second
    expected = 0.0
    for row, value in enumerate(every):
        scores = [math.tanh(2 * value * other) / 0.5 for other in every]
        partner = (row + 2) % 4
        wrong = [s for place, s in enumerate(scores) if place not in (row, partner)]
        expected += _cross_entropy(scores[partner], wrong) / 4
    found = contrast(torch.tensor(first)[:, None], torch.tensor(second)[:, None])
    torch.testing.assert_close(found, torch.tensor(expected))


def test_no_history_at_all_costs_nothing() -> None:
    assert ViewContrast(3, 0.1)(torch.empty(0, 3), torch.empty(0, 3)).item() == 0
