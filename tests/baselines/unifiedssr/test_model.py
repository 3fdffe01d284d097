from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from baselines.unifiedssr.model import UnifiedSSR, UnifiedSSRSettings
from baselines.unifiedssr.sequences import of_requests
from baselines.unifiedssr.training import branch_loss
from benchmark.data.dataset import Dataset
from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import Requests, Task
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.model import Model, TrainingContext
from benchmark.run_log import RunLog
from tests.baselines.support import reading, without_history

BOTH = (Task.REC, Task.SEARCH)
SMALL = UnifiedSSRSettings(width=16, heads=2, inner=16, max_history=8, steps=40, validate_every=8)


def _fit(data: Dataset, context: TrainingContext | None = None, **changed: object) -> UnifiedSSR:
    context = context or TrainingContext(BOTH, 1)
    model = UnifiedSSR(replace(SMALL, **changed))  # type: ignore[arg-type]
    model.fit(data.train, HarnessValidation(data, context.tasks), context)
    return model


@pytest.fixture(scope="module")
def context() -> TrainingContext:
    return TrainingContext(BOTH, 1)


@pytest.fixture(scope="module")
def model(tiny: Dataset, context: TrainingContext) -> UnifiedSSR:
    return _fit(tiny, context)


def _requests(data: Dataset, task: Task) -> Requests:
    return data.evaluation["test", task].requests[:12]


def test_each_task_ends_with_weights_of_its_own(
    model: UnifiedSSR, context: TrainingContext
) -> None:
    rec, search = (model.networks[task].state_dict() for task in BOTH)
    assert (rec["products.weight"] - search["products.weight"]).abs().max() > 1e-4
    one = sum(weight.numel() for weight in model.networks[Task.REC].parameters())
    assert model.parameters() == 2 * one
    phases = ["pretrain", "fine-tune-rec", "fine-tune-search"]
    assert [phase.name for phase in context.run_log.phases] == phases
    trainings = context.run_log.facts["trainings"]
    assert isinstance(trainings, dict)
    assert list(trainings) == phases
    assert [trainings[phase]["stopped_by"] for phase in phases] == ["cap"] * 3
    for phase, most in zip(phases, (20, 10, 10), strict=True):
        assert most * 0.8 <= trainings[phase]["steps"] <= most
    curve = [set(point) & {"rec", "search"} for point in context.run_log.curve]
    assert [measured for measured, _ in groupby(curve)] == [{"rec", "search"}, {"rec"}, {"search"}]


def test_both_weight_sets_survive_saving(model: UnifiedSSR, tiny: Dataset, tmp_path: Path) -> None:
    model.save(tmp_path)
    loaded = UnifiedSSR.load(tmp_path)
    assert isinstance(loaded, UnifiedSSR)
    for task in BOTH:
        found = loaded.networks[task].state_dict()
        for name, weight in model.networks[task].state_dict().items():
            assert weight.equal(found[name]), f"{task} {name}"
        asked = _requests(tiny, task)
        np.testing.assert_array_equal(loaded.score(asked), model.score(asked))


def test_a_weight_set_serves_its_task_alone(model: UnifiedSSR, tiny: Dataset) -> None:
    again = UnifiedSSR(model.settings)
    again.restore(*model.state())
    for task, other in ((Task.REC, Task.SEARCH), (Task.SEARCH, Task.REC)):
        before = model.score(_requests(tiny, task))
        torch.nn.init.zeros_(again.networks[other].products.weight)
        np.testing.assert_array_equal(again.score(_requests(tiny, task)), before)
        again.restore(*model.state())


@torch.no_grad()
def test_search_mixes_the_last_states_of_both_branches(model: UnifiedSSR, tiny: Dataset) -> None:
    asked, network = _requests(tiny, Task.SEARCH), model.networks[Task.SEARCH]
    words = model.query_words(asked.queries)
    table, share = network.table(), float(network.product_share)
    expected = []
    for row in range(len(asked)):
        one = asked[np.array([row])]
        made = of_requests(one, SMALL.max_history, "all", words, "cpu")
        (_, products), (_, queries) = network(made, table).branches
        assert products.shape[1] == int(made.length)
        last = share * products[0, -1] @ table.T + (1 - share) * queries[0, -1] @ table.T
        expected.append(last[1:])
    np.testing.assert_allclose(model.score(asked), torch.stack(expected).numpy(), atol=1e-4)


def test_scores_hang_on_the_batch_s_padding_only_where_windows_do(tiny: Dataset) -> None:
    for windows, same in (("own", True), ("batch", False)):
        model = _fit(tiny, windows=windows, edges="hard", steps=8)
        asked = tiny.evaluation["validation", Task.SEARCH].requests
        mixed = _with_lengths(asked, tiny.log)
        whole = model.score(mixed)
        alone = np.concatenate([model.score(one) for one in mixed.batches(1)])
        assert (np.abs(whole - alone).max() < 1e-4) == same


def _with_lengths(asked: Requests, log: EventLog) -> Requests:
    """Return the requests with ever longer histories, so that a batch needs padding."""
    start = log.offsets[asked.user]
    span = log.offsets[asked.user + 1] - start
    return reading(asked, log, start + np.arange(len(asked)) % (span + 1))


@pytest.mark.parametrize("task", BOTH)
def test_one_task_alone_is_pretrained_and_fine_tuned(task: Task, tiny: Dataset) -> None:
    context = TrainingContext((task,), 1)
    model = _fit(tiny, context)
    assert list(model.networks) == [task]
    names = [phase.name for phase in context.run_log.phases]
    assert names == ["pretrain", f"fine-tune-{task}"]
    assert np.isfinite(model.score(_requests(tiny, task))).all()
    loaded = UnifiedSSR(model.settings)
    loaded.restore(*model.state())
    assert list(loaded.networks) == [task]


@pytest.mark.parametrize("tasks", [(Task.REC,), BOTH])
def test_data_without_searches_and_users_without_events(
    tasks: tuple[Task, ...], tiny: Dataset
) -> None:
    log = tiny.train.log
    for keep in (log.kind == EventSource.RECOMMENDED, log.user > 5, np.zeros(len(log), dtype=bool)):
        train = replace(tiny.train, log=log.select(keep))
        model = UnifiedSSR(replace(SMALL, steps=8))
        model.fit(train, HarnessValidation(tiny, tasks), TrainingContext(tasks, 1))
        for task in tasks:
            asked = _requests(tiny, task)
            for requests in (asked, without_history(asked, tiny.log)):
                assert np.isfinite(model.score(requests)).all()


def test_the_softmax_loss_is_the_cross_entropy() -> None:
    generator = torch.Generator().manual_seed(5)
    states, table = torch.randn(4, 3, generator=generator), torch.randn(9, 3, generator=generator)
    wanted = torch.tensor([0, 8, 3, 3])
    found = branch_loss(states, wanted, table, SMALL)
    torch.testing.assert_close(found, functional.cross_entropy(states @ table.T, wanted))
    assert branch_loss(states[:0], wanted[:0], table, SMALL) == 0


@pytest.mark.parametrize("negatives", [1, 4])
def test_the_binary_loss_never_draws_the_wanted_item(negatives: int) -> None:
    chosen = replace(SMALL, loss="binary", negatives=negatives)
    table = torch.tensor([[1.0], [2.0], [2.0]])
    states, wanted = torch.ones(50, 1), torch.zeros(50, dtype=torch.int64)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        found = branch_loss(states, wanted, table, chosen)
    own, other = torch.tensor(1.0), torch.tensor(2.0)
    expected = -functional.logsigmoid(own) - negatives * functional.logsigmoid(-other)
    torch.testing.assert_close(found, expected)


class _Failing(HarnessValidation):
    """Fails when it is asked for the n-th time."""

    left = 0

    def measure(self, model: Model, limit: int | None = None) -> dict[str, float]:
        _Failing.left -= 1
        if _Failing.left < 0:
            raise RuntimeError("interrupted")
        return super().measure(model, limit)


@pytest.mark.parametrize("measured", [1, 3, 5])
def test_training_interrupted_in_any_phase_goes_on_to_the_same_weights(
    measured: int, model: UnifiedSSR, context: TrainingContext, tiny: Dataset, tmp_path: Path
) -> None:
    _Failing.left = measured
    with pytest.raises(RuntimeError, match="interrupted"):
        UnifiedSSR(SMALL).fit(
            tiny.train, _Failing(tiny, BOTH), TrainingContext(BOTH, 1, checkpoints=tmp_path)
        )
    again = TrainingContext(BOTH, 1, "cpu", RunLog(quiet=True), tmp_path)
    resumed = _fit(tiny, again)
    arrays, _ = model.state()
    for name, array in resumed.state()[0].items():
        np.testing.assert_array_equal(array, arrays[name], err_msg=name)
    told = [
        [{k: v for k, v in point.items() if k != "seconds"} for point in c.run_log.curve]
        for c in (context, again)
    ]
    assert told[0] == told[1]


def test_training_learns_both_tasks(tiny: Dataset) -> None:
    changed = {"steps": 0, "epochs": 40, "validate_every": 25, "learning_rate": 5e-3}
    trained = _fit(tiny, dropout=0.1, **changed)
    measured = HarnessValidation(tiny, BOTH).measure(trained)
    # A random order of the 120 items would give 0.04.
    assert measured["rec"] > 0.3
    assert measured["search"] > 0.12
