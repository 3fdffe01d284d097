"""The two vectors of each item that identifiers are made from."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray

from baselines.encoder import load_encoder
from benchmark.journal import Journal
from benchmark.model import FitContext, TrainView, Validation
from benchmark.settings import build_settings

__all__ = ["collaborative_vectors", "semantic_vectors"]


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
    model = load_encoder(encoder, context.device)
    size = 256
    with context.journal.progress("semantic vectors", len(texts)) as bar:
        parts = []
        for start in range(0, len(texts), size):
            batch = list(texts[start : start + size])
            parts.append(model.encode(batch, normalize_embeddings=True, show_progress_bar=False))
            bar.advance(len(batch))
    return np.concatenate(parts).astype(np.float32)


def collaborative_vectors(
    train: TrainView, validation: Validation, context: FitContext, preset: str
) -> NDArray[np.float32]:
    """Return SASRec's item embeddings ``[items, width]``, trained on the same training events."""
    from baselines.sasrec import SASRec

    model = SASRec(build_settings(SASRec.Settings, SASRec.presets, preset))
    journal = Journal(quiet=context.journal.quiet)
    folder = None if context.checkpoints is None else context.checkpoints / "collaborative"
    model.fit(train, validation, replace(context, journal=journal, checkpoints=folder))
    context.journal.facts["collaborative"] = {
        "model": "sasrec",
        "settings": asdict(model.settings),
        "curve": journal.curve,
    }
    return model.item_vectors()
