"""A residual-quantised autoencoder of one vector for each item (TIGER, section 3.1).

The autoencoder of :mod:`gensar.engine.rqvae` quantises two vectors at once, with codes that both
share; this is the one that it grew out of (Zeghidour et al. 2021), with the same codebooks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from baselines.generative.settings import IdentifierSettings
from benchmark.learning.divergence import check_finite
from gensar.engine.rqvae import Codebook, Scale, mlp, rise_and_fall, training_steps

__all__ = ["PlainRQVAE", "TrainedRQVAE", "train_rqvae"]


class PlainRQVAE(nn.Module):
    """Encodes a vector, quantises it level by level, and decodes the sum of the codes' vectors.

    Args:
        width: of the vectors.
        latent: of the codebooks.
        hidden: widths of the encoder's hidden layers; the decoder mirrors them.
        codebook_size: codes of every level.
        levels: number of levels.
    """

    def __init__(
        self, width: int, latent: int, hidden: tuple[int, ...], codebook_size: int, levels: int
    ) -> None:
        super().__init__()
        widths = [width, *hidden, latent]
        self.encoder = mlp(widths)
        self.decoder = mlp(widths[::-1])
        self.books = nn.ModuleList(Codebook(codebook_size, latent) for _ in range(levels))

    @torch.no_grad()
    def init_codebooks(self, vectors: Tensor, seed: int) -> None:
        """Place the codes of every level by k-means over what the levels before it leave."""
        rest = self.encoder(vectors)
        for book in cast(Iterable[Codebook], self.books):
            book.init_from(rest, seed)
            rest = rest - book(rest, 0.0)[1]

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Quantise ``vectors`` (``[rows, width]``).

        Returns:
            codes ``[rows, levels]``, the mean squared error of the reconstruction and the loss of
            the codebooks, summed over the levels.
        """
        encoded = rest = self.encoder(vectors)
        summed = torch.zeros_like(rest)
        codes, losses = [], []
        for book in cast(Iterable[Codebook], self.books):
            code, quantised, loss = book(rest, 0.0)
            # Detached, so that the commitment of every level moves the encoder.
            rest, summed = rest - quantised.detach(), summed + quantised.detach()
            codes.append(code)
            losses.append(loss)
        straight_through = encoded + (summed - encoded).detach()
        error = functional.mse_loss(self.decoder(straight_through), vectors)
        return torch.stack(codes, dim=1), error, torch.stack(losses).sum()


class TrainedRQVAE:
    """A trained autoencoder together with how its input was scaled."""

    def __init__(self, network: PlainRQVAE, scale: Scale, device: str) -> None:
        self.network = network
        self._scale = scale
        self._device = device

    @torch.no_grad()
    def codes(self, vectors: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the codes of ``vectors`` (``[n, width]``), int64 ``[n, levels]``."""
        scaled = self._scale.apply(vectors, self._device)
        parts = [self.network(part)[0].cpu().numpy() for part in scaled.split(4096)]
        return np.concatenate(parts)

    @torch.no_grad()
    def place(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the codes of ``vectors`` (``[n, width]``) approximate, ``[n, latent]``."""
        return self.network.encoder(self._scale.apply(vectors, self._device)).cpu().numpy()

    def codebooks(self) -> tuple[NDArray[np.float32], ...]:
        """Return the codes' vectors of every level, ``[codes, latent]``."""
        books = cast(Iterable[Codebook], self.network.books)
        return tuple(book.vectors.detach().cpu().numpy() for book in books)


def train_rqvae(
    vectors: NDArray[np.float32], settings: IdentifierSettings, seed: int, device: str
) -> TrainedRQVAE:
    """Train an autoencoder on the items' ``vectors`` (``[items, width]``).

    The learning rate rises for a tenth of the steps, then falls to 0.

    Raises:
        DivergedError: a loss or a weight is not finite.
    """
    scale = Scale.of(vectors)
    inputs = scale.apply(vectors, device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = PlainRQVAE(
            inputs.shape[1],
            settings.latent,
            settings.rqvae_hidden,
            settings.codebook_size,
            settings.levels,
        ).to(device)
    network.init_codebooks(inputs, seed)
    generator = torch.Generator().manual_seed(seed)
    batch = min(settings.rqvae_batch_size, len(inputs))
    steps, per_epoch = training_steps(
        len(inputs), batch, settings.rqvae_epochs, settings.rqvae_steps
    )
    optimiser = torch.optim.AdamW(
        network.parameters(), settings.rqvae_learning_rate, weight_decay=1e-5
    )
    schedule = rise_and_fall(optimiser, steps)
    for epoch in range(-(-steps // per_epoch)):
        order = torch.randperm(len(inputs), generator=generator).to(device)
        for rows in order.split(batch)[: steps - epoch * per_epoch]:
            _, error, loss = network(inputs[rows])
            optimiser.zero_grad()
            (error + loss).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
        last = float((error + loss).detach())
        check_finite(
            "rqvae", f"in epoch {epoch + 1}", last, network, optimiser, "rqvae_learning_rate"
        )
    return TrainedRQVAE(network.eval(), scale, device)
