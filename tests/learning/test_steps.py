"""Each torch model's first step in two processes, held against that of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_pre_hook

from benchmark.data.dataset import Dataset
from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.learning.training_loop import TrainingLoop
from benchmark.model import TrainingContext
from benchmark.processes import ALONE, Processes
from benchmark.registry import find
from benchmark.run_log import RunLog
from benchmark.settings import settings_from_json
from tests.processes import together

READERS = (
    *("gensar.engine.item_vectors", "gensar.model", "baselines.generative.dsi"),
    "baselines.synergen.texts",
)
"""Modules that take vectors of texts."""
_GENERATOR = {"width": 16, "heads": 2, "feed_forward": 32, "layers": 1, "dropout": 0.0}
_SEMANTIC = {"identifiers": "semantic", "rqvae_epochs": 2, **_GENERATOR}
_UNISAR = {"dropout": 0.0, "align_pairs": 0, "align_weight": 1.0, "contrast_weight": 10.0}
_UNIFIED = {"width": 16, "heads": 2, "inner": 16, "dropout": 0.0, "attention_dropout": 0.0}
_SYNERGEN = {"dropout": 0.0, "queries": "words"}
_SASREC = {"dropout": 0.0, "attention_dropout": 0.0}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "sasrec": ("sasrec", {**_SASREC, "batch_size": 7}),
    "sasrec, one row": ("sasrec", {**_SASREC, "batch_size": 1}),
    "gensar": ("gensar", {**_SEMANTIC, "batch_size": 7, "rec_targets": "all"}),
    "gensar+own": ("gensar+own", {**_SEMANTIC, "batch_size": 7}),
    "gensar, one row": ("gensar", {**_SEMANTIC, "batch_size": 1}),
    "gensar, accumulated": ("gensar", {**_SEMANTIC, "batch_size": 5, "accumulate": 3}),
    "gensar, plain": ("gensar", {**_SEMANTIC, "batch_size": 9, "regime": "plain"}),
    "tiger": ("tiger", {**_GENERATOR, "rqvae_epochs": 2, "batch_size": 7}),
    "dsi": ("dsi", {**_GENERATOR, "generator": "words", "queries_per_item": 2, "batch_size": 9}),
    "unisar": ("unisar", {**_UNISAR, "batch_size": 301}),
    "unisar, one row": ("unisar", {**_UNISAR, "batch_size": 1, "ahead": 1}),
    "unisar, binary": ("unisar", {**_UNISAR, "batch_size": 37, "loss": "binary", "ahead": 1}),
    "unifiedssr": ("unifiedssr", {**_UNIFIED, "batch_size": 7}),
    "unifiedssr, one row": ("unifiedssr", {**_UNIFIED, "batch_size": 1}),
    "synergen": ("synergen", {**_SYNERGEN, "batch_size": 7, "retrieval_loss": "catalogue"}),
    "synergen, one row": ("synergen", {**_SYNERGEN, "batch_size": 1}),
    "synergen, batch": ("synergen", {**_SYNERGEN, "batch_size": 7, "retrieval_loss": "batch"}),
    "dense": ("dense", {"batch_size": 7}),
    "sasrec, sampled": ("sasrec", {**_SASREC, "batch_size": 7, "loss": "sampled"}),
    "esasrec": ("esasrec", {"dropout": 0.0, "batch_size": 7}),
    "hstu": ("hstu", {"dropout": 0.0, "batch_size": 7}),
    "rpg": ("rpg", {**_SASREC, "vectors": "interactions", "rotations": 1, "batch_size": 7}),
    "gru-words": ("gru-words", {"dropout": 0.0, "batch_size": 7}),
    "fm": ("fm", {"dropout": 0.0, "batch_size": 37}),
    "jsr": ("jsr", {"dropout": 0.0, "batch_size": 37}),
    "sesrec": ("sesrec", {"dropout": 0.0, "align_pairs": 0, "batch_size": 37}),
}
"""Settings without what each process draws for itself: dropout, and a model's own negatives."""


class _EnoughError(Exception):
    """The step that was waited for has come."""


def _first_step(case: str, data: Dataset, processes: Processes) -> dict[str, Tensor]:
    """Return the gradients that the first step of a model's main training goes by."""
    name, changed = CASES[case]
    kind = find(name).load()
    preset = {**kind.presets.get("quick", {}), "epochs": 1, "validation_requests": 5}
    model = kind(settings_from_json(kind.Settings, {**preset, **changed}))
    tasks = tuple(task for task in Task if task in model.tasks)
    context = TrainingContext(tasks, 1, processes=processes)
    found: dict[str, Tensor] = {}
    with _noticing(found), pytest.raises(_EnoughError):
        model.fit(data.train, HarnessValidation(data, tasks, processes), context)
    return found


@contextmanager
def _noticing(found: dict[str, Tensor]) -> Iterator[None]:
    """Note the gradients of the first step within an epoch loop, and end there."""
    loops: list[TrainingLoop] = []

    def begin(loop: TrainingLoop, *arguments: Any) -> float:
        loops.append(loop)
        return train(loop, *arguments)

    def notice(optimiser: torch.optim.Optimizer, *_: Any) -> None:
        if loops and optimiser is loops[-1].trainer.optimiser:
            weights = loops[-1].module.named_parameters()
            found.update({n: w.grad.clone() for n, w in weights if w.grad is not None})
            raise _EnoughError

    train = TrainingLoop._train
    hook = register_optimizer_step_pre_hook(notice)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingLoop, "_train", begin)
        patch.setattr("baselines.synergen.training.negatives", _same_negatives)
        for module in READERS:
            patch.setattr(f"{module}.semantic_vectors", _any_vectors)
        try:
            yield
        finally:
            hook.remove()


def _same_negatives(logits: Tensor, relevant: Tensor, count: int, hard: float) -> Tensor:
    """Stand in for what each process draws for itself."""
    return (relevant.unsqueeze(-1) + 1 + torch.arange(count)) % logits.shape[-1]


def _any_vectors(texts: Sequence[str], *_: Any) -> NDArray[np.float32]:
    """Stand in for vectors of texts, which would take most of the test's time."""
    rows = [np.random.default_rng(len(text)).normal(size=384) for text in texts]
    return np.array(rows, dtype=np.float32)


def _differences(processes: Processes, folder: Path, cache: Path) -> dict[str, Any]:
    """Return, for each case, how far the gradients of all processes are from those of one."""
    data = load_dataset(folder, cache=cache)
    found: dict[str, Any] = {}
    for case in CASES:
        alone = _first_step(case, data, ALONE)
        shared = _first_step(case, data, processes)
        largest = max(float(gradient.abs().max()) for gradient in alone.values())
        apart = [float((alone[name] - shared[name]).abs().max()) for name in alone]
        found[case] = (alone.keys() == shared.keys(), max(apart) / largest)
    return found


def test_two_processes_take_the_step_of_one(tiny_folder: Path, tmp_path: Path) -> None:
    for found in together(_differences, tiny_folder, tmp_path, within=300):
        assert isinstance(found, dict), found
        for case, (same_weights, apart) in found.items():
            assert same_weights and apart < 1e-5, f"{case}: {apart:.1g} of the largest gradient"


def _curves(processes: Processes, folder: Path, cache: Path) -> list[list[dict[str, float]]]:
    """Train GenSAR without dropout, alone and with the others; return both validation curves."""
    data, kind, curves = load_dataset(folder, cache=cache), find("gensar").load(), []
    changed = {**_SEMANTIC, "batch_size": 8, "epochs": 3, "validate_every": 1}
    settings = settings_from_json(kind.Settings, {**kind.presets["quick"], **changed})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gensar.engine.item_vectors.semantic_vectors", _any_vectors)
        for those in (ALONE, processes):
            log, validation = RunLog(quiet=True), HarnessValidation(data, tuple(Task), those)
            context = TrainingContext(tuple(Task), 1, run_log=log, processes=those)
            kind(settings).fit(data.train, validation, context)
            curves.append(log.curve)
    return curves


def test_whole_trainings_go_the_same_way(tiny_folder: Path, tmp_path: Path) -> None:
    first, second = together(_curves, tiny_folder, tmp_path, within=300)
    for alone, shared in (first, second):
        for expected, found in zip(alone, shared, strict=True):
            assert found["loss"] == pytest.approx(expected["loss"], abs=2e-3)
            assert found["rec"] == pytest.approx(expected["rec"], abs=0.02)
            assert found["search"] == pytest.approx(expected["search"], abs=0.02)
