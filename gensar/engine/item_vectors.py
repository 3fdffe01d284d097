"""The two vectors of each item that identifiers are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.budget import STEP_SHARE, Budget
from benchmark.data.requests import Task
from benchmark.errors import InputError
from benchmark.learning.sentence_encoder import load_encoder
from benchmark.model import Model, SharedStep, TrainingContext, TrainView, Validation
from benchmark.model_protocols import HasItemVectors
from benchmark.registry import find
from benchmark.settings import build_settings

__all__ = [
    "collaborative_step",
    "collaborative_vectors",
    "semantic_vectors",
    "text_step",
    "text_vectors",
]

_TEXTS = "semantic vectors"


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


def text_vectors(train: TrainView, context: TrainingContext, encoder: str) -> NDArray[np.float32]:
    """Return :func:`semantic_vectors` of the items, once for all runs that share them."""
    shared = context.shared(_TEXTS, encoder, seeded=False)
    with shared.making():
        return shared.kept(
            "semantic", lambda: {"items": semantic_vectors(train.items.texts, encoder, context)}
        )["items"]


def text_step(encoder: str) -> SharedStep:
    """Return what :func:`text_vectors` does."""

    def make(train: TrainView, validation: Validation, context: TrainingContext) -> None:
        text_vectors(train, context, encoder)

    return SharedStep(_TEXTS, (encoder,), make, seeded=False)


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
    source = _source(model, preset)
    if not isinstance(source, HasItemVectors):
        raise InputError(f"model '{model}' gives items no vectors")
    run_log = context.run_log.apart()
    served = _served(source, context.tasks)
    measured = [task for task in validation.tasks if task in source.tasks]
    shared = context.shared(*_decided_by(model, source.settings, served, measured))
    own = replace(shared.part("collaborative"), tasks=served, run_log=run_log)

    def vectors() -> NDArray[np.float32]:
        with shared.making():
            source.fit(train, validation, own)
        return source.item_vectors()

    learned = vectors() if source.shares_training else context.processes.once(vectors)
    context.run_log.facts["collaborative"] = {
        "model": model,
        "settings": asdict(source.settings),
        "curve": run_log.curve,
    }
    return learned


def collaborative_step(tasks: tuple[Task, ...], preset: str, model: str = "sasrec") -> SharedStep:
    """Return what :func:`collaborative_vectors` does, for a run that learns ``tasks``."""
    source = _source(model, preset)
    measured = [task for task in tasks if task in source.tasks]
    name, *decided_by = _decided_by(model, source.settings, _served(source, tasks), measured)
    make = partial(collaborative_vectors, preset=preset, model=model)
    return SharedStep(str(name), tuple(decided_by), make)


def _source(model: str, preset: str) -> Model:
    kind = find(model).load()
    settings = build_settings(kind.Settings, kind.presets, preset)
    if isinstance(settings, Budget):
        settings = replace(settings, minutes=settings.minutes * STEP_SHARE)
    return kind(settings)


def _served(source: Model, tasks: tuple[Task, ...]) -> tuple[Task, ...]:
    return tuple(task for task in tasks if task in source.tasks) or (Task.REC,)


def _decided_by(
    model: str, settings: Any, served: tuple[Task, ...], measured: list[Task]
) -> tuple[str, Any, tuple[Task, ...], list[Task]]:
    """Return the name of the step, and whatever decides it."""
    return f"collaborative vectors ({model})", asdict(settings), served, measured
