"""The softmax over the catalogue, taken apart, is PyTorch's cross-entropy and its gradient."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from benchmark.learning import position_losses
from benchmark.learning.position_losses import catalogue_loss


def plain_loss(states: Tensor, targets: Tensor, table: Tensor) -> Tensor:
    return functional.cross_entropy(states @ table.T, targets, reduction="sum")


@pytest.mark.parametrize("predictions", [0, 1, 7, 64])
@pytest.mark.parametrize("at_once", [1, 100, 2**19])
def test_loss_and_gradients_are_those_of_cross_entropy(
    predictions: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(position_losses.LOGITS_AT_ONCE, "cpu", at_once)
    torch.manual_seed(predictions)
    targets = torch.randint(30, (predictions,))
    found = []
    for loss_of in (catalogue_loss, plain_loss):
        torch.manual_seed(1)
        states = (3 * torch.randn(predictions, 5, dtype=torch.float64)).requires_grad_()
        table = torch.randn(30, 5, dtype=torch.float64, requires_grad=True)
        loss = loss_of(states, targets, table)
        (loss / 7).backward()
        found.append((loss.detach(), states.grad, table.grad))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_scores_far_from_zero_give_neither_overflow_nor_a_lost_loss() -> None:
    states = torch.tensor([[300.0], [-300.0]], requires_grad=True)
    loss = catalogue_loss(states, torch.tensor([0, 0]), torch.tensor([[1.0], [-1.0]]))
    loss.backward()
    assert loss.item() == 600
    assert states.grad is not None and states.grad.flatten().tolist() == [0, -2]


def test_a_loss_that_is_no_number_stays_one() -> None:
    states = torch.tensor([[float("inf")]], requires_grad=True)
    assert catalogue_loss(states, torch.tensor([0]), torch.ones(3, 1)).isnan()
