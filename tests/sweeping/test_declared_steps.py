"""The steps that models say they share are those that their training takes, and change nothing."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.data.dataset import Dataset
from benchmark.data.requests import Task
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.model import Model, TrainingContext
from benchmark.registry import available, find
from benchmark.settings import build_settings
from benchmark.shared_steps import counts_in, is_made
from tests.gensar.support import bag_of_words

SMALL = {
    "gensar": {"collaborative_preset": "quick", "rqvae_epochs": 2, "codebook_size": 8},
    "gensar+own": {"collaborative_preset": "quick", "rqvae_epochs": 2, "codebook_size": 8},
    "tiger": {"rqvae_epochs": 2, "codebook_size": 8},
    "dsi": {"generator": "words", "queries_per_item": 2, "docid": "hierarchical"},
    "synergen": {"layers": 1},
    "tgh": {},
    "rpg": {"digits": 2, "codebook_size": 8, "rotations": 1},
}
"""Settings with which a model trains in a second or two, by the models that share anything."""
COMMON: dict[str, Any] = {"epochs": 1, "width": 16, "heads": 2, "validation_requests": 10}


@pytest.fixture(autouse=True)
def _without_text_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("gensar.engine.item_vectors", "gensar.model", "baselines.generative.dsi"):
        monkeypatch.setattr(f"{place}.semantic_vectors", bag_of_words)
    monkeypatch.setattr("baselines.synergen.texts.semantic_vectors", _wide)


def _wide(texts: tuple[str, ...], *_: object) -> np.ndarray:
    vectors = bag_of_words(texts)
    return np.pad(vectors, ((0, 0), (0, 384 - vectors.shape[1])))


def _model(name: str) -> Model:
    kind = find(name).load()
    fields = kind.Settings.__dataclass_fields__
    wanted = {n: v for n, v in {**COMMON, **SMALL[name]}.items() if n in fields}
    quick = asdict(build_settings(kind.Settings, kind.presets, "quick"))
    return kind(kind.Settings(**{**quick, **wanted}))


def _trained(name: str, data: Dataset, common: Path | None, by: str) -> Model:
    model = _model(name)
    tasks = tuple(task for task in Task if task in model.tasks)
    context = TrainingContext(tasks, 1, common=common, identity=by)
    model.fit(data.train, HarnessValidation(data, tasks), context)
    return model


def test_every_model_that_shares_steps_is_tried_here() -> None:
    sharing = {
        name
        for name, entry in available().items()
        if entry.load().shared_steps is not Model.shared_steps
    }
    assert sharing == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_what_is_declared_is_what_is_taken(name: str, tiny: Dataset, tmp_path: Path) -> None:
    common = tmp_path / "common"
    model = _model(name)
    tasks = tuple(task for task in Task if task in model.tasks)
    validation = HarnessValidation(tiny, tasks)
    context = TrainingContext(tasks, 1, common=common, identity="made for others")
    steps = list(model.shared_steps(tasks))
    assert steps
    for step in steps:
        assert not is_made(common, step.digest(1, "cpu"))
        step.make(tiny.train, validation, context)
        assert is_made(common, step.digest(1, "cpu"))
    assert {count.made for count in counts_in(common)} == {1}
    taught = _trained(name, tiny, common, "a run")
    counts = {count.digest: count for count in counts_in(common)}
    for step in steps:
        assert (counts[step.digest(1, "cpu")].made, counts[step.digest(1, "cpu")].used) == (1, 1)
    alone, arrays = _trained(name, tiny, None, "alone").state()[0], taught.state()[0]
    assert alone.keys() == arrays.keys()
    for key, array in alone.items():
        np.testing.assert_array_equal(array, arrays[key])


def test_a_seed_counts_only_where_it_decides_anything() -> None:
    texts, collaborative = _model("gensar").shared_steps((Task.REC, Task.SEARCH))
    assert texts.digest(1, "cpu") == texts.digest(2, "cpu") != texts.digest(1, "cuda")
    assert collaborative.digest(1, "cpu") != collaborative.digest(2, "cpu")


def test_models_share_what_is_the_same() -> None:
    (tiger,) = _model("tiger").shared_steps((Task.REC,))
    (dsi,) = _model("dsi").shared_steps((Task.SEARCH,))
    gensar = _model("gensar").shared_steps((Task.REC,))
    assert tiger.digest(1, "cpu") == dsi.digest(2, "cpu") == gensar[0].digest(3, "cpu")
