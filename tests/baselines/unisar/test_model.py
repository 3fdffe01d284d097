from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from baselines.unisar.extraction import Extraction
from baselines.unisar.model import UniSAR
from baselines.unisar.settings import UniSARSettings
from benchmark.data.dataset import Dataset, TrainView
from benchmark.data.events import EventSource
from benchmark.data.requests import Requests, Task
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.model import Model, TrainingContext
from tests.baselines.support import without_history

BOTH = tuple(Task)
SMALL = UniSARSettings(
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


def _fit(
    data: Dataset,
    tasks: tuple[Task, ...] = BOTH,
    train: TrainView | None = None,
    context: TrainingContext | None = None,
    **changed: object,
) -> UniSAR:
    model = UniSAR(replace(SMALL, **changed))  # type: ignore[arg-type]
    validation = HarnessValidation(data, tasks)
    model.fit(train or data.train, validation, context or TrainingContext(tasks, 1))
    return model


@pytest.fixture(scope="module")
def model(tiny: Dataset) -> UniSAR:
    return _fit(tiny)


def _requests(data: Dataset, task: Task) -> Requests:
    return data.evaluation["test", task].requests[:12]


@torch.no_grad()
def test_extraction_is_the_network_over_the_whole_concatenation() -> None:
    extraction = Extraction(4, 3, 5, experts=2, dropout=0.0).eval()
    pair, items, requests = torch.randn(2, 6, 4), torch.randn(6, 3), torch.randn(2, 5)
    for task in Task:
        of_pair, of_item, of_request = extraction.shares(task, items, requests)
        found = extraction(task, pair @ of_pair.T + of_item + of_request[:, None])
        branch = extraction.branches[str(task)]
        for row in range(2):
            for place in range(6):
                whole = torch.cat([pair[row, place], items[place], requests[row]])
                opinions = [
                    torch.relu(own(whole)).unflatten(0, (2, -1))
                    for own in (extraction.experts, branch.experts)
                ]
                gate = torch.softmax(branch.gate(whole), dim=0)
                mixed = (gate[:, None] * torch.cat(opinions)).sum(dim=0)
                torch.testing.assert_close(found[row, place], branch.tower(mixed)[0])


@pytest.mark.parametrize("task", BOTH)
def test_no_candidate_s_score_depends_on_the_others(
    model: UniSAR, tiny: Dataset, task: Task
) -> None:
    asked = _requests(tiny, task)
    whole = model.score(asked)
    rng = np.random.default_rng(3)
    for count in (1, 2, 17):
        chosen = np.sort(
            np.stack([rng.choice(asked.items, count, replace=False) for _ in range(len(asked))])
        ).astype(np.int32)
        found = model.score(replace(asked, candidates=chosen))
        np.testing.assert_allclose(
            found, np.take_along_axis(whole, chosen, axis=1), atol=1e-5, rtol=1e-5
        )
    assert whole.std(axis=1).min() > 1e-4


def test_a_query_is_read_for_search_only(model: UniSAR, tiny: Dataset) -> None:
    queries = np.arange(12, dtype=np.int32) % len(tiny.queries)
    for task in BOTH:
        asked = _requests(tiny, task)
        changed = model.score(replace(asked, query=queries)) - model.score(asked)
        assert (np.abs(changed).max() > 1e-3) == (task is Task.SEARCH)


@pytest.mark.parametrize("task", BOTH)
def test_trained_for_one_task_it_learns_nothing_from_the_other_s_events(
    tiny: Dataset, task: Task
) -> None:
    alone = _fit(tiny, (task,), contrast_weight=0.0, align_weight=0.0, epochs=1)
    fresh = UniSAR(SMALL)
    fresh.restore(*alone.state())
    with torch.random.fork_rng():
        torch.manual_seed(1)
        fresh.network.__init__(  # type: ignore[misc]
            tiny.train.log.users, fresh.network.item_words, len(fresh.reader.words), SMALL
        )
    start = dict(fresh.network.named_parameters())
    for name, weight in alone.network.named_parameters():
        branch = [t for t in Task if name.startswith(f"extraction.branches.{t}.")]
        if branch and branch[0] is not task:
            assert torch.equal(weight, start[name]), name
    assert np.isfinite(alone.score(_requests(tiny, task))).all()


def test_without_any_search_it_trains_and_answers(tiny: Dataset) -> None:
    log = tiny.train.log
    view = replace(tiny.train, log=log.select(log.kind == EventSource.RECOMMENDED))
    for tasks in ((Task.REC,), BOTH):
        model = _fit(tiny, tasks, view, epochs=1)
        for weight in model.network.parameters():
            assert torch.isfinite(weight).all()
        for task in tasks:
            asked = _requests(tiny, task)
            assert np.isfinite(model.score(without_history(asked, view.log))).all()


def test_without_any_event_it_answers(tiny: Dataset) -> None:
    nothing = np.zeros(len(tiny.train.log), dtype=bool)
    model = _fit(tiny, train=replace(tiny.train, log=tiny.train.log.select(nothing)), epochs=1)
    assert np.isfinite(model.score(_requests(tiny, Task.REC))).all()


@pytest.mark.parametrize(
    "changed", [{"loss": "binary", "ahead": 1}, {"align_pairs": 3}, {"batch_size": 1, "ahead": 8}]
)
def test_other_settings_train_too(tiny: Dataset, changed: dict[str, object]) -> None:
    model = _fit(tiny, epochs=1, **changed)
    assert np.isfinite(model.score(_requests(tiny, Task.SEARCH))).all()


def test_training_learns_queries_and_the_walk_through_the_items(tiny: Dataset) -> None:
    trained = _fit(tiny, epochs=25, validate_every=25, dropout=0.0, negatives=16)
    found = HarnessValidation(tiny, BOTH).measure(trained)
    by_chance = 4.54 / 120
    assert found["rec"] > 3 * by_chance
    assert found["search"] > 4 * by_chance


def test_item_vectors_are_those_that_the_network_reads(model: UniSAR, tiny: Dataset) -> None:
    vectors = model.item_vectors()
    assert vectors.shape == (len(tiny.items), SMALL.width)
    assert vectors.dtype == np.float32
    assert np.abs(vectors).max() < 1
    assert len(np.unique(vectors.round(5), axis=0)) == len(tiny.items)
    read = model.reader.items(np.array([3, 8]))
    np.testing.assert_allclose(read.vectors.detach().numpy(), vectors[[3, 8]], atol=1e-6)


class _Failing(HarnessValidation):
    """Fails when it measures for the second time."""

    measured = False

    def measure(self, model: Model, limit: int | None = None) -> dict[str, float]:
        if self.measured:
            raise RuntimeError("interrupted")
        self.measured = True
        return super().measure(model, limit)


def test_interrupted_training_goes_on_to_the_same_weights(
    model: UniSAR, tiny: Dataset, tmp_path: Path
) -> None:
    again = TrainingContext(BOTH, 1, checkpoints=tmp_path)
    with pytest.raises(RuntimeError, match="interrupted"):
        UniSAR(SMALL).fit(tiny.train, _Failing(tiny, BOTH), again)
    resumed = _fit(tiny, context=again)
    arrays, _ = model.state()
    for name, array in resumed.state()[0].items():
        np.testing.assert_array_equal(array, arrays[name], err_msg=name)
