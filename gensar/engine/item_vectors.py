"""The two vectors of each item that identifiers are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray

from benchmark.data.requests import Task
from benchmark.errors import InputError
from benchmark.learning.sentence_encoder import load_encoder
from benchmark.model import TrainingContext, TrainView, Validation
from benchmark.model_protocols import HasItemVectors
from benchmark.registry import find
from benchmark.settings import build_settings

__all__ = ["collaborative_vectors", "semantic_vectors"]


def semantic_vectors(
    texts: Sequence[str], encoder: str, context: TrainingContext
) -> NDArray[np.float32]:
    """Encode the items' texts, ``[items, width]``, rows of unit length.

    Of several processes one does it for all.

    Args:
        texts: one for each item; an item without text gets the vector of the empty text. Equal
            texts get equal vectors, to the last bit.
        encoder: ``minilm``, which comes with the installation, or a name on the hub.
        context: where to compute.

    Raises:
        BenchmarkError: the bundled weights are not the published ones, or the hub is out of reach.
    """
    return context.processes.once(lambda: _encoded(texts, encoder, context))


def _encoded(texts: Sequence[str], encoder: str, context: TrainingContext) -> NDArray[np.float32]:
    model = load_encoder(encoder, context.device)
    distinct = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    size = 256
    with context.run_log.progress("semantic vectors", len(distinct)) as bar:
        parts = []
        for start in range(0, len(distinct), size):
            batch = list(distinct)[start : start + size]
            parts.append(model.encode(batch, normalize_embeddings=True, show_progress_bar=False))
            bar.advance(len(batch))
    vectors = np.concatenate(parts).astype(np.float32)
    return vectors[[distinct[text] for text in texts]]


def collaborative_vectors(
    train: TrainView,
    validation: Validation,
    context: TrainingContext,
    preset: str,
    model: str = "sasrec",
) -> NDArray[np.float32]:
    """Return a model's item embeddings ``[items, width]``, trained on the same training events.

    Args:
        train: the training events.
        validation: decides when its training ends.
        context: a model that serves one of its tasks only is trained for that.
        preset: of the model's settings.
        model: its name in the registry; whoever calls names it in ``ModelEntry.uses``.

    Raises:
        InputError: it gives items no vectors.
    """
    source_class = find(model).load()
    source = source_class(build_settings(source_class.Settings, source_class.presets, preset))
    if not isinstance(source, HasItemVectors):
        raise InputError(f"model '{model}' gives items no vectors")
    run_log = context.run_log.apart()
    served = tuple(task for task in context.tasks if task in source.tasks) or (Task.REC,)
    measured = [task for task in validation.tasks if task in source.tasks]
    shared = context.shared(model, asdict(source.settings), served, measured)
    own = replace(shared.part("collaborative"), tasks=served, run_log=run_log)

    def vectors() -> NDArray[np.float32]:
        source.fit(train, validation, own)
        return source.item_vectors()

    learned = vectors() if source.shares_training else context.processes.once(vectors)
    context.run_log.facts["collaborative"] = {
        "model": model,
        "settings": asdict(source.settings),
        "curve": run_log.curve,
    }
    return learned
