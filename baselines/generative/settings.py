"""Settings that the baselines with semantic identifiers share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from gensar.settings import GeneratorSettings

__all__ = ["IdentifierSettings"]


def _doc(default: Any, text: str) -> Any:
    return field(default=default, metadata={"doc": text})


@dataclass(frozen=True)
class IdentifierSettings(GeneratorSettings):
    """How items get their identifiers, beside how the backbone learns to write them."""

    encoder: str = _doc("minilm", "text encoder: the bundled MiniLM or a hub name")
    quantiser: Literal["rq-kmeans", "rq-vae", "lfq"] = _doc(
        "rq-kmeans", "residual k-means, a residual-quantised autoencoder, or residual sign bits"
    )
    levels: int = _doc(3, "levels of an identifier, without the one that tells collisions apart")
    codes: int = _doc(64, "codes of each level; a power of 2 for lfq")
    latent: int = _doc(32, "width of the codebooks (rq-vae)")
    rqvae_hidden: tuple[int, ...] = _doc((128, 64), "hidden widths of the encoder (rq-vae)")
    rqvae_epochs: int = _doc(200, "epochs over the items (rq-vae)")
    rqvae_batch: int = _doc(1024, "items in a batch (rq-vae)")
    rqvae_rate: float = _doc(1e-3, "learning rate (rq-vae)")
