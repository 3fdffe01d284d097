from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from baselines.synergen.inputs import context_of, request_tokens, target_tokens, window_context
from baselines.synergen.model import SynerGen
from baselines.synergen.network import Read
from baselines.synergen.settings import SynerGenSettings
from baselines.synergen.training import SynerGenTrainer
from benchmark.data.dataset import Dataset, TrainView
from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import Task
from benchmark.errors import InputError
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.learning.training_requests import TrainingRequests
from benchmark.learning.windows import windows
from benchmark.model import TrainingContext
from benchmark.settings import build_settings
from tests.baselines.support import reading

BOTH = (Task.REC, Task.SEARCH)
SMALL = SynerGenSettings(
    width=16, inner=16, max_history=20, queries="words", epochs=2, validate_every=1, shortlist=0
)


def _fit(
    data: Dataset,
    tasks: tuple[Task, ...] = BOTH,
    train: TrainView | None = None,
    **changed: object,
) -> SynerGen:
    model = SynerGen(replace(SMALL, **changed))  # type: ignore[arg-type]
    validation = HarnessValidation(data, tasks)
    model.fit(train or data.train, validation, TrainingContext(tasks, 1))
    return model


@pytest.fixture(scope="module")
def model(tiny: Dataset) -> SynerGen:
    return _fit(tiny)


def _tied(data: Dataset) -> TrainView:
    """Return the training view with events of a user in moments of three."""
    log = data.train.log
    return replace(data.train, log=replace(log, time=log.time // 30 * 30))


def _packed(model: SynerGen, train: TrainView) -> tuple[np.ndarray, torch.Tensor, Read]:
    """Return log rows ``[windows, window]``, the items' vectors and what is read."""
    rows = windows(train.log, model.settings.max_history, np.random.default_rng(0))
    context = window_context(train.log, rows)
    items = model.network.items()
    features = model.reader.queries.of(train.queries)
    read = model.reader.read(items, context, target_tokens(context), features)
    return rows[:, : context.real.shape[1]], items, read


def test_a_packed_pass_gives_what_a_pass_for_each_target_gives(tiny: Dataset) -> None:
    train = _tied(tiny)
    model = _fit(tiny, train=train)
    model.network.requires_grad_(False)
    rows, items, read = _packed(model, train)
    wished = model.network.wished(read)
    candidates = torch.arange(3).expand(*rows.shape, 3)
    ranked = model.network.rank(read, items, candidates)
    past = TrainingRequests(train)
    for task, kind in ((Task.REC, EventSource.RECOMMENDED), (Task.SEARCH, EventSource.SEARCHED)):
        chosen = (rows >= 0) & (train.log.kind[np.maximum(rows, 0)] == kind)
        asked = past.of(task, rows[chosen])
        context = context_of(asked.history(SMALL.max_history))
        tokens = request_tokens(asked, context)
        features = model.reader.queries.of(asked.queries)
        alone = model.reader.read(items, context, tokens, features)
        mask = torch.as_tensor(chosen)
        torch.testing.assert_close(model.network.wished(alone)[:, 0], wished[mask])
        one = model.network.rank(alone, items, candidates[mask].unsqueeze(1))
        torch.testing.assert_close(one[:, 0], ranked[mask], atol=1e-4, rtol=1e-4)
        assert len(asked) > 50


@torch.no_grad()
def test_tokens_do_not_notice_each_other(model: SynerGen, tiny: Dataset) -> None:
    rows, items, read = _packed(model, tiny.train)
    wished = model.network.wished(read)
    columns = torch.tensor([[4, 1]]).expand(len(rows), 2)
    torch.testing.assert_close(model.network.wished(read.at(columns)), wished[:, [4, 1]])
    candidates = torch.arange(7).expand(*rows.shape, 7)
    ranked = model.network.rank(read, items, candidates)
    fewer = model.network.rank(read.at(columns), items, candidates[:, :2, [5, 2]])
    torch.testing.assert_close(fewer, ranked[:, [4, 1]][..., [5, 2]])


@torch.no_grad()
def test_a_target_hears_nothing_of_its_moment_or_later(model: SynerGen, tiny: Dataset) -> None:
    train = _tied(tiny)
    before = model.network.wished(_packed(model, train)[2])
    log = train.log
    user = 3
    own = np.arange(log.offsets[user], log.offsets[user + 1])
    for moment in np.unique(log.time[own]):
        late = own[log.time[own] >= moment]
        items = log.item.copy()
        items[late] = (items[late] + 1) % len(train.items)
        changed = replace(train, log=replace(log, item=items))
        rows, _, read = _packed(model, changed)
        after = model.network.wished(read)
        place = {row: (i, j) for (i, j), row in np.ndenumerate(rows) if row >= 0}
        at = [place[row] for row in own if log.time[row] <= moment]
        later = [place[row] for row in own if log.time[row] > moment]
        assert all(torch.equal(before[p], after[p]) for p in at)
        assert all((before[p] - after[p]).abs().max() > 1e-6 for p in later)


@torch.no_grad()
def test_scores_are_the_same_at_any_hour(model: SynerGen, tiny: Dataset) -> None:
    log = tiny.log
    for task in BOTH:
        asked = tiny.evaluation["test", task].requests[:20]
        last = log.offsets[asked.user + 1] - 1
        scores, shifted, slower = (
            model.score(
                reading(
                    replace(asked, time=change(log.time[last])),
                    replace(log, time=change(log.time)),
                    last,
                )
            )
            for change in (lambda t: t, lambda t: t + 977_000, lambda t: 3 * t)
        )
        np.testing.assert_array_equal(shifted, scores)
        assert np.abs(slower - scores).max() > 1e-4


@pytest.mark.parametrize("shortlist", [0, 30])
@pytest.mark.parametrize("ranking", ["score", "retrieval", "sum"])
def test_a_candidate_s_score_does_not_depend_on_the_others(
    ranking: str, shortlist: int, model: SynerGen, tiny: Dataset
) -> None:
    other = _same_weights(model, ranking=ranking, shortlist=shortlist)
    for task in BOTH:
        asked = tiny.evaluation["test", task].requests[:10]
        whole = other.score(asked)
        lists = np.tile(np.array([2, 50, 119], dtype=np.int32), (len(asked), 1))
        some = other.score(replace(asked, candidates=lists))
        np.testing.assert_allclose(some, whole[:, [2, 50, 119]], atol=1e-5)


def test_the_shortlist_is_re_ranked_and_stands_above_the_rest(
    model: SynerGen, tiny: Dataset
) -> None:
    asked = tiny.evaluation["test", Task.SEARCH].requests[:10]
    ranked, cosines = (
        _same_weights(model, ranking=ranking).score(asked) for ranking in ("score", "retrieval")
    )
    both = _same_weights(model, ranking="score", shortlist=30).score(asked)
    for row in range(len(asked)):
        listed = np.argsort(-cosines[row])[:30]
        rest = np.setdiff1d(np.arange(asked.items), listed)
        expected = [
            *listed[np.argsort(-ranked[row][listed])],
            *rest[np.argsort(-cosines[row][rest])],
        ]
        assert np.argsort(-both[row]).tolist() == [int(item) for item in expected]


def _same_weights(model: SynerGen, **changed: object) -> SynerGen:
    other = SynerGen(replace(model.settings, **changed))  # type: ignore[arg-type]
    other.restore(*model.state())
    return other


@pytest.mark.parametrize("task", BOTH)
def test_one_task_alone_is_learned(task: Task, tiny: Dataset) -> None:
    trained = _fit(tiny, (task,), epochs=25, validate_every=25, learning_rate=5e-3)
    fresh = _fit(tiny, (task,), epochs=1, learning_rate=1e-9)
    validation = HarnessValidation(tiny, (task,))
    gained = validation.measure(trained)[str(task)] - validation.measure(fresh)[str(task)]
    assert gained > 0.1


@pytest.mark.parametrize("queries", ["words", "minilm"])
def test_data_without_searches_and_users_without_history(queries: str, tiny: Dataset) -> None:
    log = tiny.train.log
    train = replace(
        tiny.train, log=log.select((log.kind == EventSource.RECOMMENDED) & (log.user % 2 == 0))
    )
    model = _fit(tiny, (Task.REC,), train, queries=queries, epochs=1)
    assert np.isfinite(model.score(tiny.evaluation["test", Task.REC].requests)).all()


def test_a_log_without_a_single_target_leaves_the_model_usable(tiny: Dataset) -> None:
    log: EventLog = tiny.train.log
    train = replace(tiny.train, log=log.select(log.kind == EventSource.RECOMMENDED))
    model = _fit(tiny, (Task.SEARCH,), train, epochs=1)
    assert np.isfinite(model.score(tiny.evaluation["test", Task.SEARCH].requests)).all()


@pytest.mark.parametrize("loss", ["catalogue", "batch"])
def test_the_loss_falls_on_the_batch_that_is_trained(loss: str, tiny: Dataset) -> None:
    model = _fit(tiny, epochs=1, retrieval_loss=loss, dropout=0.0)
    context = TrainingContext(BOTH, 1)
    trainer = SynerGenTrainer(model.reader, model.settings, tiny.train, context)
    rows = windows(tiny.train.log, SMALL.max_history, np.random.default_rng(0))[:8]
    seen = []
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(30):
            value = trainer.loss(rows, np.random.default_rng(0))
            trainer.optimiser.zero_grad()
            value.backward()
            trainer.optimiser.step()
            seen.append(value.item())
    assert np.mean(seen[-5:]) < 0.8 * np.mean(seen[:5])


def test_unseen_queries_are_encoded_and_a_loaded_model_gets_the_same_bits(tiny: Dataset) -> None:
    model = _fit(tiny, queries="minilm", epochs=1)
    asked = tiny.evaluation["test", Task.SEARCH].requests[:10]
    loaded = SynerGen(model.settings)
    loaded.restore(*model.state())
    np.testing.assert_array_equal(loaded.score(asked), model.score(asked))
    table = replace(asked.queries, texts=("some other words",) * len(asked.queries))
    assert np.abs(model.score(replace(asked, queries=table)) - model.score(asked)).max() > 1e-4


def test_a_width_that_heads_cannot_share_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 4"):
        SynerGenSettings(width=18, heads=2)


@pytest.mark.parametrize("nothing", ["ranked", "negatives"])
def test_a_ranking_that_could_learn_nothing_is_refused(nothing: str) -> None:
    with pytest.raises(InputError, match=nothing):
        build_settings(SynerGen.Settings, SynerGen.presets, "quick", [(nothing, "0")])
