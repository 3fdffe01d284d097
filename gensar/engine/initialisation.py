"""Where the token embeddings of a backbone without pretraining start from."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gensar.engine.backbone import Backbone

__all__ = ["init_embeddings"]


@torch.no_grad()
def init_embeddings(
    backbone: Backbone, text: NDArray[np.float32] | None, scale: float, seed: int
) -> None:
    """Start codes from their codebooks and text pieces from where they lie in the same space.

    A text piece starts half from there, and half from a random vector that tells it from its
    neighbours. One random orthonormal map carries the space into the embeddings. What has no
    place in it starts at random.

    Args:
        backbone: its embedding table is overwritten.
        text: ``[text pieces, width of the codebooks]``, or ``None`` where they have no place.
        scale: root mean square of the embeddings. Much below T5's own 1, they are moved quickly
            by the few updates that a rare token gets.
        seed: of the map and the random part.
    """
    vocabulary = backbone.vocabulary
    books = vocabulary.identifiers.codebooks
    table = backbone.t5.shared.weight
    generator = torch.Generator().manual_seed(seed)
    basis = torch.empty(books[0][0].shape[1], table.shape[1])
    nn.init.orthogonal_(basis, generator=generator)
    table[:] = scale * torch.randn(table.shape, generator=generator).to(table)
    if text is not None:
        pieces = (scale * _unit(torch.as_tensor(text) @ basis)).to(table)
        table[: len(pieces)] = 0.5**0.5 * (table[: len(pieces)] + pieces)
    for identifier, levels in enumerate(books):
        for level, vectors in enumerate(levels):
            first, stop = vocabulary.level_range(identifier, level)
            table[first:stop] = (scale * _unit(torch.as_tensor(vectors) @ basis)).to(table)


def _unit(vectors: Tensor) -> Tensor:
    """Centre, and scale to a root mean square of 1."""
    vectors = vectors - vectors.mean(dim=0)
    return vectors / vectors.square().mean().sqrt().clamp_min(1e-6)
