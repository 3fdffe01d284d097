"""The RQ-VAE: residual quantisation of an item's two vectors with shared and specific codebooks.

GenSAR section 3.2 and its published code: both vectors are encoded, the shared codebooks quantise
the concatenation, and the rest is quantised half by half by codebooks of its own. Without shared
levels each vector is quantised for itself, and there may be one only.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from torch import Tensor, nn
from torch.nn import functional

__all__ = [
    "RQVAE",
    "Codebook",
    "Quantised",
    "Scale",
    "mlp",
    "rise_and_fall",
    "sinkhorn_codes",
    "training_steps",
]

LEAST = 1e-300
"""What an entry of a plan is at least: of a code that is far from all rows there would be none."""
TIED = 1e-6
"""Share of its largest by which a row's entry of a plan has to be smaller to count as smaller."""
SAME_PLACE = 5
"""Decimals to which points have to agree to count as one when codebooks are started."""


@dataclass(frozen=True)
class Scale:
    """Centres vectors and scales them to unit mean square, so that no branch outweighs."""

    mean: NDArray[np.float32]
    root: float

    @classmethod
    def of(cls, vectors: NDArray[np.float32]) -> Scale:
        """Take mean and scale from ``vectors`` (``[n, width]``)."""
        mean = vectors.mean(axis=0, keepdims=True)
        return cls(mean, float(np.sqrt(np.square(vectors - mean).mean())) + 1e-12)

    def apply(self, vectors: NDArray[np.float32], device: str) -> Tensor:
        """Return scaled ``vectors`` on the device."""
        return torch.as_tensor(((vectors - self.mean) / self.root).astype(np.float32)).to(device)


def sinkhorn_codes(distances: Tensor, epsilon: float, iterations: int = 50) -> Tensor:
    """Assign rows to codes so that all codes are used about equally.

    Args:
        distances: ``[rows, codes]``, or ``[…, rows, codes]`` for several such assignments.
        epsilon: the entropic regularisation; the smaller, the closer to the nearest code.
        iterations: alternations of row and column normalisation.

    Returns:
        int64 ``[…, rows]``. Distances are first mapped to [-1, 1], as the published code does. A
        row alone, which would always get code 0, takes the nearest; so does one to which several
        codes belong alike, as they do where there are more codes than rows: which of them is
        largest, only the rounding of a machine would tell.
    """
    rows, codes = distances.shape[-2:]
    if rows == 1:
        return distances.argmin(dim=-1)
    low, high = distances.amin((-2, -1), keepdim=True), distances.amax((-2, -1), keepdim=True)
    middle, reach = (high + low) / 2, ((high - low) / 2).clamp_min(1e-5)
    kernel = torch.exp(-((distances - middle) / reach).double() / epsilon)
    kernel = (kernel / kernel.sum(dim=-1, keepdim=True) / rows).clamp_min(LEAST)
    kernel = kernel / kernel.sum(dim=-2, keepdim=True) / codes
    # From here on factors of rows and columns stay in range, and cost less than whole matrices.
    of_columns = kernel.new_ones((*kernel.shape[:-2], codes, 1))
    for _ in range(iterations - 1):
        of_rows = 1 / (kernel @ of_columns * rows)
        of_columns = 1 / (kernel.mT @ of_rows * codes)
    plan = kernel * of_columns.mT
    tied = plan >= (1 - TIED) * plan.amax(dim=-1, keepdim=True)
    return distances.masked_fill(~tied, torch.inf).argmin(dim=-1)


class Codebook(nn.Module):
    """One level of residual quantisation: ``codes`` vectors of ``width`` numbers."""

    def __init__(self, codes: int, width: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.zeros(codes, width))

    def distances(self, rest: Tensor) -> Tensor:
        """Return squared Euclidean distances ``[rows, codes]``."""
        return torch.cdist(rest, self.vectors).square()

    @torch.no_grad()
    def init_from(self, rest: Tensor, seed: int) -> None:
        """Place the codes by k-means over ``rest`` (``[rows, width]``).

        Where there are no more distinct points than codes, each point is a code and the codes to
        spare lie near points drawn at random.
        """
        codes = len(self.vectors)
        points = rest.cpu().double().numpy()
        _, first = np.unique(points.round(SAME_PLACE), axis=0, return_index=True)
        if len(first) > codes:
            fitted = KMeans(codes, max_iter=100, n_init=1, random_state=seed).fit(points)
            centres = fitted.cluster_centers_
        else:
            distinct = points[np.sort(first)]
            rng = np.random.default_rng(seed)
            near = distinct[rng.integers(0, len(distinct), codes - len(distinct))]
            reach = 0.1 * float(distinct.std()) or 10.0**-SAME_PLACE
            centres = np.concatenate([distinct, near + reach * rng.standard_normal(near.shape)])
        self.vectors.copy_(torch.as_tensor(centres).to(self.vectors))

    def forward(self, rest: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
        """Quantise ``rest`` (``[rows, width]``).

        ``epsilon`` of 0 takes the nearest code, above 0 the Sinkhorn assignment.

        Returns:
            codes ``[rows]``, the straight-through quantised vectors ``[rows, width]`` and the
            loss of this level (codebook term plus 0.25 times the commitment term).
        """
        distances = self.distances(rest.detach())
        codes = sinkhorn_codes(distances, epsilon) if epsilon > 0 else distances.argmin(dim=1)
        # Indexing would add up the gradient in whatever order the threads come by.
        nearest = functional.embedding(codes, self.vectors)
        loss = functional.mse_loss(nearest, rest.detach())
        loss = loss + 0.25 * functional.mse_loss(rest, nearest.detach())
        return codes, rest + (nearest - rest).detach(), loss


@dataclass(frozen=True)
class Quantised:
    """What one pass over a batch gives.

    Attributes:
        codes: ``[rows, branches, levels]``; of two branches 0 is semantic, 1 collaborative.
        reconstruction: mean squared error of each decoder, summed.
        quantisation: mean loss of the levels.
    """

    codes: Tensor
    reconstruction: Tensor
    quantisation: Tensor


def rise_and_fall(
    optimiser: torch.optim.Optimizer, steps: int
) -> torch.optim.lr_scheduler.LambdaLR:
    """Let the learning rate rise for a tenth of the ``steps``, then fall linearly to 0."""
    warm = max(1, steps // 10)
    return torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda s: min((s + 1) / warm, max(0.0, (steps - s) / max(1, steps - warm)))
    )


def training_steps(items: int, batch: int, epochs: int, most: int) -> tuple[int, int]:
    """Return how many steps an RQ-VAE is trained for, and how many of them are an epoch.

    Args:
        items: number of vectors.
        batch: items in a step.
        epochs: passes over them, at most.
        most: steps at most, 0 for no limit. A catalogue of millions needs no more steps than one of
            thousands to find its codes, and would use up a model's whole budget.
    """
    epoch = -(-items // max(1, min(batch, items)))
    return min(epoch * epochs, most or epoch * epochs), epoch


def mlp(widths: list[int]) -> nn.Sequential:
    """Return linear layers from each width to the next, with ReLU between them."""
    layers: list[nn.Module] = []
    for into, out in itertools.pairwise(widths):
        linear = nn.Linear(into, out)
        nn.init.xavier_normal_(linear.weight)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class RQVAE(nn.Module):
    """Quantises an item's vectors together, semantic and collaborative ones, or one alone.

    Args:
        widths: of the vectors, one number for each branch.
        latent: width of each encoder's output; the shared codebooks are as wide as all together.
        hidden: widths of the encoders' hidden layers; the decoders mirror them.
        codebook_size: codes of every level.
        shared_levels: levels over all vectors together; 0 keeps the branches apart.
        specific_levels: levels of each vector's own, at least 1.
        epsilon: Sinkhorn regularisation of the last specific level.
    """

    def __init__(
        self,
        widths: tuple[int, ...],
        latent: int,
        hidden: tuple[int, ...],
        codebook_size: int,
        shared_levels: int,
        specific_levels: int,
        epsilon: float,
    ) -> None:
        super().__init__()
        self.latent = latent
        self.epsilon = epsilon
        whole = len(widths) * latent
        stacks = [[width, *hidden, latent] for width in widths]
        self.encoders = nn.ModuleList(mlp(w) for w in stacks)
        self.decoders = nn.ModuleList(mlp(w[::-1]) for w in stacks)
        self.shared = nn.ModuleList(Codebook(codebook_size, whole) for _ in range(shared_levels))
        self.specific = nn.ModuleList(
            nn.ModuleList(Codebook(codebook_size, latent) for _ in range(specific_levels))
            for _ in widths
        )

    def encode(self, vectors: tuple[Tensor, ...]) -> Tensor:
        """Return the concatenated latent vectors ``[rows, branches * latent]``."""
        parts = [enc(v) for enc, v in zip(self.encoders, vectors, strict=True)]
        return torch.cat(parts, dim=1)

    def branch(self, number: int) -> list[Codebook]:
        """Return the specific codebooks of a branch."""
        return list(cast(Iterable[Codebook], self.specific[number]))

    @torch.no_grad()
    def init_codebooks(self, vectors: tuple[Tensor, ...], seed: int) -> None:
        """Place the codes of every level by k-means over what the levels before it leave."""
        rest = self.encode(vectors)
        for book in cast(Iterable[Codebook], self.shared):
            book.init_from(rest, seed)
            rest = rest - book(rest, 0.0)[1]
        for branch, half in enumerate(rest.split(self.latent, dim=1)):
            for book in self.branch(branch):
                book.init_from(half, seed)
                half = half - book(half, 0.0)[1]  # noqa: PLW2901

    @torch.no_grad()
    def last_distances(self, vectors: tuple[Tensor, ...], branch: int) -> Tensor:
        """Return how far each row is from the codes of a branch's last level, ``[rows, codes]``.

        Squared, behind the nearest codes of the levels before; ``vectors`` as in :meth:`forward`.
        """
        rest = self.encode(vectors)
        for book in cast(Iterable[Codebook], self.shared):
            rest = rest - book(rest, 0.0)[1]
        half = rest.split(self.latent, 1)[branch]
        *before, last = self.branch(branch)
        for book in before:
            half = half - book(half, 0.0)[1]
        return last.distances(half)

    def forward(self, vectors: tuple[Tensor, ...], balanced: bool) -> Quantised:
        """Quantise a batch, ``[rows, width]`` for each branch.

        ``balanced`` uses the Sinkhorn assignment on the last specific level of each branch, as
        training and the collision passes do; otherwise every level takes the nearest code.
        """
        rest = self.encode(vectors)
        losses, shared_codes = [], []
        summed = torch.zeros_like(rest)
        for module in self.shared:
            codes, quantised, loss = cast(Codebook, module)(rest, 0.0)
            rest, summed = rest - quantised, summed + quantised
            shared_codes.append(codes)
            losses.append(loss)
        identifiers, reconstruction = [], rest.new_zeros(())
        halves = zip(rest.split(self.latent, 1), summed.split(self.latent, 1), strict=True)
        for branch, (half, known) in enumerate(halves):
            codes_here, known_here, half_losses = self._quantise_half(branch, half, balanced)
            losses += half_losses
            identifiers.append(torch.stack([*shared_codes, *codes_here], dim=1))
            decoded = self.decoders[branch](known + known_here)
            reconstruction = reconstruction + functional.mse_loss(decoded, vectors[branch])
        return Quantised(
            torch.stack(identifiers, dim=1), reconstruction, torch.stack(losses).mean()
        )

    def _quantise_half(
        self, branch: int, half: Tensor, balanced: bool
    ) -> tuple[list[Tensor], Tensor, list[Tensor]]:
        codes_here, losses = [], []
        summed = torch.zeros_like(half)
        books = self.branch(branch)
        for level, book in enumerate(books):
            last = level == len(books) - 1
            codes, quantised, loss = book(half, self.epsilon if balanced and last else 0.0)
            half, summed = half - quantised, summed + quantised
            codes_here.append(codes)
            losses.append(loss)
        return codes_here, summed, losses
