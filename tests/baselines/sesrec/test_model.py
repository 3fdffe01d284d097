from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from baselines.sesrec.model import SESRec
from baselines.sesrec.settings import SESRecSettings
from baselines.sesrec.training import SESRecTrainer
from baselines.words import Words
from benchmark.data.dataset import Dataset, TrainView
from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import Requests, Task
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.model import TrainingContext
from tests.baselines.support import without_history

REC = (Task.REC,)
SMALL = SESRecSettings(
    width=16,
    id_width=8,
    inner=16,
    max_history=5,
    ahead=2,
    batch_size=64,
    epochs=2,
    learning_rate=3e-3,
    validate_every=1,
)


def _fit(data: Dataset, train: TrainView | None = None, **changed: Any) -> SESRec:
    model = SESRec(replace(SMALL, **changed))
    model.fit(train or data.train, HarnessValidation(data, REC), TrainingContext(REC, 1))
    return model


@pytest.fixture(scope="module")
def model(tiny: Dataset) -> SESRec:
    return _fit(tiny)


def _requests(data: Dataset) -> Requests:
    return data.evaluation["test", Task.REC].requests[:12]


def test_search_history_is_read(model: SESRec, tiny: Dataset) -> None:
    asked, log = _requests(tiny), tiny.log
    rows = asked._stop
    other = replace(log, query=np.where(log.query >= 0, (log.query + 1) % len(tiny.queries), -1))
    changed = Requests.before(
        other,
        rows,
        task=Task.REC,
        user=asked.user,
        time=asked.time,
        query=asked.query,
        queries=asked.queries,
        items=asked.items,
    )
    assert np.abs(model.score(changed) - model.score(asked)).max() > 1e-4


def test_no_candidate_s_score_depends_on_the_others(model: SESRec, tiny: Dataset) -> None:
    asked = _requests(tiny)
    whole = model.score(asked)
    rng = np.random.default_rng(3)
    chosen = np.sort(
        np.stack([rng.choice(asked.items, 17, replace=False) for _ in range(len(asked))])
    ).astype(np.int32)
    found = model.score(replace(asked, candidates=chosen))
    np.testing.assert_allclose(found, np.take_along_axis(whole, chosen, axis=1), atol=1e-5)
    assert whole.std(axis=1).min() > 1e-4


def test_the_loss_reads_nothing_of_the_events_own_moment(tiny: Dataset) -> None:
    """With other events at the moment and after it, the loss of a stretch stays what it was."""
    model = SESRec(replace(SMALL, dropout=0.0, align_weight=0.0, ahead=1))
    log, words = tiny.train.log, Words.learn(tiny.train)
    log = replace(log, time=log.time // 20 * 20)
    late = np.arange(len(log)) - log.offsets[log.user] > 4
    same = (np.diff(log.time, prepend=-1) == 0) & (np.diff(log.time, append=-1) != 0)
    own = int(np.flatnonzero(late & same & (log.kind == EventSource.RECOMMENDED))[0])
    moment, rows = log.time[own], np.array([[own]])

    def loss(other: EventLog) -> float:
        train = replace(tiny.train, log=other)
        texts = words.rows(train.items.texts, model.settings.words)
        model._build(log.users, texts, words, 1, "cpu")
        trainer = SESRecTrainer(model.reader, model.settings, train, TrainingContext(REC, 1))
        return float(trainer.loss(Task.REC, rows, np.random.default_rng(0)).detach())

    others = np.arange(len(log)) != own

    def with_others(where: NDArray[np.bool_]) -> EventLog:
        items = np.where(where & others, (log.item + 7) % len(tiny.items), log.item)
        return replace(log, item=items.astype(log.item.dtype))

    assert loss(with_others(log.time >= moment)) == loss(log)
    assert loss(with_others(log.time < moment)) != loss(log)


def test_without_any_search_or_any_event_it_trains_and_answers(tiny: Dataset) -> None:
    log = tiny.train.log
    for kept in (log.kind == EventSource.RECOMMENDED, np.zeros(len(log), dtype=bool)):
        view = replace(tiny.train, log=log.select(kept))
        model = _fit(tiny, view, epochs=1)
        for weight in model.network.parameters():
            assert torch.isfinite(weight).all()
        asked = _requests(tiny)
        assert np.isfinite(model.score(without_history(asked, view.log))).all()


@pytest.mark.parametrize(
    "changed",
    [{"loss": "binary", "ahead": 1, "match": False}, {"separate_weight": 0.0, "batch_size": 1}],
)
def test_other_settings_train_too(tiny: Dataset, changed: dict[str, Any]) -> None:
    model = _fit(tiny, epochs=0, steps=3, **changed)
    assert np.isfinite(model.score(_requests(tiny))).all()


def test_training_learns_the_walk_through_the_items(tiny: Dataset) -> None:
    trained = _fit(tiny, epochs=25, validate_every=25, dropout=0.0, negatives=16)
    assert HarnessValidation(tiny, REC).measure(trained)["rec"] > 3 * 4.54 / 120


def test_trained_twice_it_is_the_same(model: SESRec, tiny: Dataset) -> None:
    again = _fit(tiny)
    for name, array in again.state()[0].items():
        np.testing.assert_array_equal(array, model.state()[0][name], err_msg=name)
