"""How large pretrained text encoders are, told without loading them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.bounded_json import parse_json, read_bounded
from benchmark.settings import BUNDLED

__all__ = ["EncoderSizes", "sizes_of", "weights_of"]

_LONGEST_CONFIG = 2**20
_NAMES = {
    "width": ("hidden_size", "d_model", "dim"),
    "layers": ("num_hidden_layers", "num_layers", "n_layers"),
    "inner": ("intermediate_size", "d_ff", "hidden_dim"),
    "heads": ("num_attention_heads", "num_heads", "n_heads"),
    "words": ("vocab_size",),
}
"""What the files ``config.json`` of transformers call our sizes."""


@dataclass(frozen=True)
class EncoderSizes:
    """Sizes of a transformer that reads word pieces."""

    layers: int
    width: int
    inner: int
    heads: int
    weights: int


_PUBLISHED = {
    BUNDLED: EncoderSizes(6, 384, 1536, 12, 22_713_216),
    "sentence-transformers/all-MiniLM-L6-v2": EncoderSizes(6, 384, 1536, 12, 22_713_216),
    "cross-encoder/ms-marco-MiniLM-L6-v2": EncoderSizes(6, 384, 1536, 12, 22_713_601),
    "BAAI/bge-base-en-v1.5": EncoderSizes(12, 768, 3072, 12, 109_482_240),
    "sentence-transformers/all-mpnet-base-v2": EncoderSizes(12, 768, 3072, 12, 109_486_464),
    "sentence-transformers/sentence-t5-base": EncoderSizes(12, 768, 3072, 12, 110_218_752),
}
"""By the published files."""


def sizes_of(name: str) -> EncoderSizes | None:
    """Return an encoder's sizes; ``None`` where they are not known.

    They are known of some published ones, of a folder, and of what was loaded from the hub before,
    by its file ``config.json``. Weights are then those of word embeddings and layers. The hub is
    not asked.

    Args:
        name: :data:`BUNDLED`, a name on the hub, or a folder.
    """
    return _PUBLISHED.get(name) or _configured(name)


def _configured(name: str) -> EncoderSizes | None:
    file = _config_of(name)
    try:
        config = {} if file is None else parse_json(read_bounded(file, _LONGEST_CONFIG))
    except (OSError, ValueError):
        return None
    if not isinstance(config, dict):
        return None
    found: dict[str, Any] = {
        ours: next((config[their] for their in theirs if their in config), None)
        for ours, theirs in _NAMES.items()
    }
    if not all(type(value) is int and value > 0 for value in found.values()):
        return None
    words, width, layers, inner = (found[n] for n in ("words", "width", "layers", "inner"))
    weights = words * width + layers * (4 * width**2 + 2 * width * inner)
    return EncoderSizes(layers, width, inner, found["heads"], weights)


def _config_of(name: str) -> Path | None:
    """Return where ``config.json`` lies, if it lies on this machine."""
    if Path(name).is_dir():
        return Path(name) / "config.json"
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(name, "config.json")
    except HFValidationError:  # no name that a hub could have
        return None
    return Path(found) if isinstance(found, str) else None


def weights_of(name: str) -> int:
    """Return how many weights an encoder has, 0 where that is not known."""
    sizes = sizes_of(name)
    return 0 if sizes is None else sizes.weights
