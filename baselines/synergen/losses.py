"""InfoNCE for retrieval tokens; pointwise and pairwise losses for ranking tokens."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["in_batch_loss", "ranking_loss"]


def in_batch_loss(logits: Tensor, item: Tensor, share: Tensor, first: int = 0) -> Tensor:
    """Return the mean InfoNCE of targets against the other targets of their batch.

    An item is a negative as often as it is a target, so its logit is lowered by the logarithm of
    its share (logQ correction, Yi et al. 2019); other targets of the same item are no negatives.

    Args:
        logits: ``[rows, targets]``, of the token of some targets, or of all, with each one's item.
        item: int64 ``[targets]``.
        share: ``[targets]``, share of the target's item among all training targets.
        first: the target of the first row; the others follow.
    """
    corrected = logits - share.log()
    wanted = torch.arange(first, first + len(logits), device=item.device)
    twice = item[wanted].unsqueeze(1) == item
    twice.scatter_(1, wanted.unsqueeze(1), False)
    return functional.cross_entropy(corrected.masked_fill(twice, -torch.inf), wanted)


def ranking_loss(scores: Tensor) -> Tensor:
    """Return binary cross-entropy plus the pairwise logistic loss.

    Each is a mean, over all scores and over all pairs.

    Args:
        scores: ``[targets, 1 + negatives]``, the relevant item first.
    """
    relevant, others = scores[:, :1], scores[:, 1:]
    signs = torch.ones_like(scores)
    signs[:, 1:] = -1
    pointwise = functional.softplus(-signs * scores).mean()
    return pointwise + functional.softplus(others - relevant).mean()
