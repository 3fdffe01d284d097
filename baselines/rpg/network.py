"""The network of RPG: a causal transformer over items that are the mean of their codes, and as many
heads as an identifier has digits."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.rpg.settings import RPGSettings
from baselines.sasrec.network import new_network
from baselines.sequential.training import PositionTrainer
from benchmark.data.events import EventLog
from benchmark.learning.position_losses import catalogue_loss
from benchmark.model import TrainingContext

__all__ = ["CodeEmbedding", "CodeTrainer", "RPGNetwork", "sums_of_codes"]

SPREAD = 0.02
"""Standard deviation of an item's embedding at first, which is what RecBole's positions have."""


class CodeEmbedding(nn.Module):
    """Embeds an item as the mean of its codes' embeddings.

    Args:
        codes: int64 ``[items, digits]``.
        codebook_size: codes of each digit.
        width: of an embedding.
    """

    codes: Tensor

    def __init__(self, codes: Tensor, codebook_size: int, width: int) -> None:
        super().__init__()
        digits = codes.shape[1]
        self.register_buffer("codes", codes)
        self.shape = (digits, codebook_size, width)
        spread = SPREAD * digits**0.5
        self.weight = nn.Parameter(torch.randn(digits * codebook_size, width) * spread)

    def tokens(self, items: Tensor | slice = slice(None)) -> Tensor:
        """Return rows of the table of all digits' codes, int64 ``[n, digits]``, for some items."""
        digits, size, _ = self.shape
        return self.codes[items] + size * torch.arange(digits, device=self.codes.device)

    def forward(self, sequences: Tensor) -> Tensor:
        """Return embeddings, ``[..., width]``, of items counted from 1; of 0 it is zeros."""
        numbers = sequences.flatten()
        bags = self.tokens((numbers - 1).clamp_min(0))
        means = functional.embedding_bag(bags, self.weight, mode="mean")
        return (means * (numbers > 0)[:, None]).unflatten(0, sequences.shape)

    def books(self) -> Tensor:
        """Return the codes' embeddings, of unit length, ``[digits, codes, width]``."""
        return functional.normalize(self.weight.view(self.shape), dim=-1)


class RPGNetwork(nn.Module):
    """Reads items, and predicts every digit of the next one from the same state.

    Args:
        settings: sizes and temperature.
        codes: int64 ``[items, digits]``.
    """

    def __init__(self, settings: RPGSettings, codes: Tensor) -> None:
        super().__init__()
        digits, width = codes.shape[1], settings.width
        self.temperature = settings.temperature
        # The table of items, of which one row is made, gives way to the codes'.
        self.encoder = new_network(settings, 1)
        self.encoder.item_embedding = CodeEmbedding(codes, settings.codebook_size, width)
        self.weight = nn.Parameter(torch.zeros(digits, width, width))
        self.bias = nn.Parameter(torch.zeros(digits, 1, width))

    @property
    def items(self) -> CodeEmbedding:
        """What embeds the items, and holds their codes."""
        return cast(CodeEmbedding, self.encoder.item_embedding)

    def asked(self, states: Tensor) -> Tensor:
        """Return what each digit's head makes of ``states`` (``[n, width]``).

        Its product with a book of unit vectors is the cosine over the temperature; the result is
        ``[digits, n, width]``.
        """
        wide = states.expand(len(self.weight), -1, -1)
        heads = states + functional.silu(torch.baddbmm(self.bias, wide, self.weight))
        return functional.normalize(heads, dim=-1) / self.temperature

    def log_probabilities(self, states: Tensor) -> Tensor:
        """Return those of each digit's codes, ``[digits, n, codes]``, after ``states``."""
        logits = self.asked(states) @ self.items.books().transpose(1, 2)
        return logits.log_softmax(dim=-1)

    def loss(self, states: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over digits of the cross-entropy of items ``targets`` (``[n]``), summed
        over the ``states`` (``[n, width]``) that predict them."""
        codes = self.items.codes[targets].unbind(dim=1)
        digits = zip(self.asked(states), codes, self.items.books(), strict=True)
        losses = [catalogue_loss(asked, code, book) for asked, code, book in digits]
        return torch.stack(losses).mean()


def sums_of_codes(values: Tensor, tokens: Tensor) -> Tensor:
    """Return for each item the sum of what ``values`` say of its codes, ``[n, items]``.

    Items with equal codes get equal sums, to the last bit.

    Args:
        values: ``[digits, n, codes]``.
        tokens: rows of the table of all digits' codes, int64 ``[items, digits]``.
    """
    table = values.transpose(1, 2).reshape(-1, values.shape[1])
    return functional.embedding_bag(tokens, table, mode="sum").T


class CodeTrainer(PositionTrainer):
    """Trains the digits of every event's item."""

    clip = 1.0

    def __init__(
        self, network: RPGNetwork, settings: RPGSettings, log: EventLog, context: TrainingContext
    ) -> None:
        super().__init__(network, network.encoder, settings, log, context)
        self._network = network

    def _loss_of(self, states: Tensor, targets: Tensor, rng: np.random.Generator) -> Tensor:
        return self._network.loss(states, targets)
