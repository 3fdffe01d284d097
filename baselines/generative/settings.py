"""Settings that the baselines with semantic identifiers share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmark.settings import setting
from gensar.engine.settings import GeneratorSettings

__all__ = ["IdentifierSettings"]


@dataclass(frozen=True)
class IdentifierSettings(GeneratorSettings):
    """How items get their identifiers, beside how the backbone learns to write them."""

    encoder: str = setting("minilm", "text encoder: the bundled MiniLM or a hub name")
    quantiser: Literal["rq-kmeans", "rq-vae", "lfq"] = setting(
        "rq-kmeans", "residual k-means, a residual-quantised autoencoder, or residual sign bits"
    )
    levels: int = setting(
        3, "levels of an identifier, without the one that tells collisions apart", low=1
    )
    codebook_size: int = setting(64, "codes of each level; a power of 2 for lfq", low=1)
    latent: int = setting(32, "width of the codebooks (rq-vae)", low=1)
    rqvae_hidden: tuple[int, ...] = setting(
        (128, 64), "hidden widths of the encoder (rq-vae)", low=1
    )
    rqvae_epochs: int = setting(200, "epochs over the items, at most (rq-vae)")
    rqvae_steps: int = setting(30_000, "most steps, 0 for no limit (rq-vae)")
    rqvae_batch_size: int = setting(1024, "items in a batch (rq-vae)", low=1)
    rqvae_learning_rate: float = setting(1e-3, "learning rate (rq-vae)", low=1e-9)
