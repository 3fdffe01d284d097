"""Where the token embeddings of a backbone without pretraining start from."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gensar.backbone import Backbone

__all__ = ["start_embeddings"]


@torch.no_grad()
def start_embeddings(
    backbone: Backbone, text: NDArray[np.float32], scale: float, seed: int
) -> None:
    """Start codes from their codebooks and text pieces from the semantic encoder.

    A code starts at its codebook vector; a specific codebook lives in its half of the shared
    codebooks' space. A text piece starts half from where the RQ-VAE's semantic encoder puts it,
    which is the space that the semantic codes divide, and half from a random vector that tells it
    from its neighbours. One random orthonormal map carries that space into the embeddings.

    Args:
        backbone: its embedding table is overwritten.
        text: ``[text pieces, latent]``, from :meth:`gensar.identifiers.Quantiser.place`.
        scale: root mean square of the embeddings. Much below T5's own 1, they are moved quickly
            by the few updates that a rare token gets.
        seed: of the map and the random part.
    """
    vocabulary = backbone.vocabulary
    books = vocabulary.identifiers.vectors
    shared, specific = torch.as_tensor(books["shared"]), torch.as_tensor(books["specific"])
    table = backbone.t5.shared.weight
    generator = torch.Generator().manual_seed(seed)
    basis = torch.empty(shared.shape[2], table.shape[1])
    nn.init.orthogonal_(basis, generator=generator)
    half = specific.shape[-1]
    table[:] = scale * torch.randn(table.shape, generator=generator).to(table)
    pieces = _unit(torch.as_tensor(text) @ basis[:half])
    start = len(pieces)
    table[:start] = 0.5**0.5 * (table[:start] + (scale * pieces).to(table))
    for kind in (0, 1):
        for level in range(len(shared) + specific.shape[1]):
            if level < len(shared):
                vectors = shared[level] @ basis
            else:
                vectors = specific[kind, level - len(shared)] @ basis[kind * half :][:half]
            first, stop = vocabulary.level_range(kind, level)
            table[first:stop] = (scale * _unit(vectors)).to(table)


def _unit(vectors: Tensor) -> Tensor:
    """Centre, and scale to a root mean square of 1."""
    vectors = vectors - vectors.mean(dim=0)
    return vectors / vectors.square().mean().sqrt().clamp_min(1e-6)
