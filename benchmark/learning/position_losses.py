"""Losses at the positions of a sequence: which state predicts a target, and against what."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

__all__ = ["catalogue_loss", "sampled_loss", "states_at"]

LOGITS_AT_ONCE = {"cpu": 2**19}
"""Logits that a softmax over the catalogue holds at a time: on a CPU what its caches hold."""
_ELSEWHERE = 2**24


def states_at(states: Tensor, places: Tensor, real: Tensor) -> Tensor:
    """Return the state that predicts each target, ``[targets, width]``, row by row.

    Args:
        states: ``[rows, positions, width]``.
        places: int64 ``[rows, targets]``, the position whose state it is; one state may predict
            several targets.
        real: bool ``[rows, targets]``, which targets there are.
    """
    row, column = real.nonzero(as_tuple=True)
    # An embedding's gradient has one order of summation, that of an index does not.
    return functional.embedding(row * states.shape[1] + places[row, column], states.flatten(0, 1))


def catalogue_loss(states: Tensor, targets: Tensor, table: Tensor) -> Tensor:
    """Return the summed cross-entropy of the items ``targets`` over the whole catalogue.

    The gradient is found while the logits are at hand, some rows at a time, so that they are
    neither kept nor read again: twice as fast on a CPU as :func:`torch.nn.functional.cross_entropy`
    of the same rows, with memory that does not grow with ``n``.

    Args:
        states: ``[n, width]``; a score is a dot product with an item's vector.
        targets: int64 ``[n]``.
        table: ``[items, width]``.
    """
    loss: Tensor = _CatalogueLoss.apply(states, targets, table)
    return loss


def sampled_loss(states: Tensor, targets: Tensor, table: Tensor, drawn: Tensor) -> Tensor:
    """Return the summed cross-entropy of the items ``targets`` among some drawn ones.

    All states are held against the same drawn items, so that a product of matrices does it: drawn
    for each state apart, their vectors would have to be gathered, which on a CPU costs more than
    the softmax over a catalogue of ten thousand. A drawn item that is the target does not count.

    Args:
        states: ``[n, width]``; a score is a dot product with an item's vector.
        targets: int64 ``[n]``.
        table: ``[items, width]``.
        drawn: int64 ``[negatives]``; an item that comes twice counts twice.
    """
    own = (states * functional.embedding(targets, table)).sum(dim=1, keepdim=True)
    others = states @ functional.embedding(drawn, table).T
    others = others.masked_fill(drawn == targets[:, None], -torch.inf)
    return (torch.logsumexp(torch.cat([own, others], dim=1), dim=1) - own[:, 0]).sum()


class _CatalogueLoss(torch.autograd.Function):
    """Cross-entropy whose backward pass only scales what the forward pass found."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, targets: Tensor, table: Tensor) -> Tensor:
        size = max(1, LOGITS_AT_ONCE.get(states.device.type, _ELSEWHERE) // len(table))
        by_state, by_item = torch.empty_like(states), torch.zeros_like(table)
        total = states.new_zeros(())
        for some, item, gradient in zip(
            states.split(size), targets[:, None].split(size), by_state.split(size), strict=True
        ):
            scores = some @ table.T
            highest = scores.amax(dim=1, keepdim=True)
            own = scores.gather(1, item)
            shares = scores.sub_(highest).exp_()
            sums = shares.sum(dim=1, keepdim=True)
            total += (sums.log() + highest - own).sum()
            shares.div_(sums)
            shares.scatter_add_(1, item, -torch.ones_like(own))
            torch.mm(shares, table, out=gradient)
            by_item.addmm_(shares.T, some)
        ctx.save_for_backward(by_state, by_item)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, Tensor]:
        by_state, by_item = ctx.saved_tensors
        return gradients[0] * by_state, None, gradients[0] * by_item
