from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from baselines.generative.tiger import Tiger, TigerSettings
from benchmark.data.dataset import Dataset
from benchmark.data.requests import Task
from benchmark.errors import BenchmarkError
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.model import TrainingContext, TrainView
from benchmark.run_log import RunLog
from gensar.engine.identifiers import COLLABORATIVE, SEMANTIC
from tests.baselines.generative.support import (
    SMALL,
    asked,
    without_first_users,
    without_text_encoder,
    without_texts,
)

REC = (Task.REC,)


def _fit(
    data: Dataset, train: TrainView | None = None, run_log: RunLog | None = None, **changed: object
) -> Tiger:
    model = Tiger(TigerSettings(**{**SMALL, **changed}))  # type: ignore[arg-type]
    context = TrainingContext(REC, 1, run_log=run_log or RunLog(quiet=True))
    with without_text_encoder():
        model.fit(train or data.train, HarnessValidation(data, REC), context)
    return model


@pytest.fixture(scope="module")
def run_log() -> RunLog:
    return RunLog(quiet=True)


@pytest.fixture(scope="module")
def model(tiny: Dataset, run_log: RunLog) -> Tiger:
    return _fit(tiny, run_log=run_log)


def test_every_item_has_an_identifier_of_its_own_with_a_last_code(
    model: Tiger, tiny: Dataset, run_log: RunLog
) -> None:
    codes = model.vocabulary.identifiers.codes[COLLABORATIVE]
    assert codes.shape == (len(tiny.items), SMALL["levels"] + 1)
    assert len(np.unique(codes, axis=0)) == len(codes)
    assert codes is model.vocabulary.identifiers.codes[SEMANTIC]
    told = run_log.facts["identifiers"]["identifier"]  # type: ignore[index]
    shared = len(codes) - len(np.unique(codes[:, :-1], axis=0))
    assert told["collision_rate_by_pass"] == (pytest.approx(shared / len(codes)),)


def test_no_word_is_in_its_vocabulary(model: Tiger) -> None:
    assert model.vocabulary.text == 3
    sizes = model.vocabulary.identifiers.level_sizes[0]
    assert model.backbone.t5.shared.weight.shape[0] == 3 + 3 + sum(sizes)


def test_it_writes_the_next_item_of_the_walk(tiny: Dataset) -> None:
    model = _fit(tiny, epochs=25, validate_every=100, patience=99, batch_size=4, width=32)
    reached = HarnessValidation(tiny, REC).measure(model)["rec"]
    assert reached > 0.2


def test_a_catalogue_without_text_needs_collaborative_vectors(tiny: Dataset) -> None:
    blank = without_texts(tiny.train)
    with pytest.raises(BenchmarkError, match="vectors=collaborative"):
        _fit(tiny, blank)
    model = _fit(tiny, blank, vectors="collaborative", collaborative_preset="quick", epochs=1)
    assert np.isfinite(model.score(asked(tiny, Task.REC))).all()


def test_users_without_any_event_do_no_harm(tiny: Dataset) -> None:
    model = _fit(tiny, without_first_users(tiny.train), epochs=1)
    assert np.isfinite(model.score(asked(tiny, Task.REC))).all()


@pytest.mark.parametrize("quantiser", ["rq-kmeans", "lfq"])
def test_other_quantisers_and_the_published_input_train_too(quantiser: str, tiny: Dataset) -> None:
    model = _fit(
        tiny,
        quantiser=quantiser,
        item_tokens="codes",
        softmax="vocabulary",
        codebook_start=False,
        epochs=1,
    )
    requests = asked(tiny, Task.REC)
    items, scores = model.retrieve(requests, 5)
    whole = model.score(requests)
    np.testing.assert_allclose(np.take_along_axis(whole, items, axis=1), scores, atol=1e-4)


def test_what_is_asked_for_does_not_hang_on_the_kinds_of_the_history(
    model: Tiger, tiny: Dataset
) -> None:
    requests = asked(tiny, Task.REC)
    log = requests._log
    other = replace(requests, _log=replace(log, kind=1 - log.kind))
    np.testing.assert_array_equal(model.score(requests), model.score(other))
