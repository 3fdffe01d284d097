"""What all models of sequences hold: losses, strict time, one interface."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from baselines.esasrec.model import ESASRec
from baselines.hstu.model import HSTU
from baselines.sasrec.model import SASRec
from baselines.sequential.model import SequenceModel
from baselines.sequential.network import Sequences
from baselines.sequential.training import SequenceTrainer
from benchmark.data.catalogue import Queries
from benchmark.data.dataset import Dataset
from benchmark.data.events import NO_QUERY, EventLog
from benchmark.data.requests import Requests, Task
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.learning.position_losses import catalogue_loss, sampled_loss
from benchmark.model import TrainingContext

WINDOW, ITEMS = 8, 20
KINDS: dict[str, tuple[type[SequenceModel], dict[str, object]]] = {
    "sasrec": (SASRec, {"inner": 16}),
    "esasrec": (ESASRec, {"inner": 16}),
    "hstu": (HSTU, {}),
    "hstu, last": (HSTU, {"time": "last"}),
    "hstu, request": (HSTU, {"time": "request"}),
}


def _model(name: str, **changed: object) -> SequenceModel:
    kind, own = KINDS[name]
    sizes = {"width": 16, "max_history": WINDOW, "epochs": 3, "validate_every": 1}
    return kind(kind.Settings(**{**sizes, **own, **changed}))


@cache
def _fresh(name: str) -> SequenceModel:
    """Return a model whose weights are large enough to tell anything that it reads.

    Positions that are counted from the end say nothing: in training the end is somewhere else.
    """
    model = _model(name, loss="softmax")
    model._build(ITEMS, 1, "cpu")
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in model.module.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator), alpha=0.3)
        if name == "esasrec":
            model.module.positions.weight.zero_()
    return model


def _log(times: list[int], items: list[int]) -> EventLog:
    """Return the events of one user, all of them recommendations."""
    zeros = np.zeros(len(times), dtype=int)
    return EventLog.from_columns(zeros, np.array(items), np.array(times), zeros, zeros, zeros, 1)


def _asking(log: EventLog, row: int) -> Requests:
    """Return the request that leads to the event at a row, with nothing but what is earlier."""
    return Requests.before(
        log,
        log.first_of_moment[[row]],
        task=Task.REC,
        user=np.zeros(1, dtype=int),
        time=log.time[[row]],
        query=np.array([NO_QUERY]),
        queries=Queries((), (), ()),
        items=ITEMS,
    )


def _trainer(model: SequenceModel, log: EventLog) -> SequenceTrainer:
    return SequenceTrainer(model.module, model.settings, log, TrainingContext((Task.REC,), 1))


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=15, deadline=None)
@given(times=st.lists(st.integers(0, 400), min_size=1, max_size=WINDOW + 1).map(sorted))
@torch.no_grad()
def test_an_event_is_predicted_as_the_request_before_it_is_answered(name, times) -> None:
    model = _fresh(name)
    log = _log(times, list(range(3, 3 + len(times))))
    loss, count = _trainer(model, log).loss(np.arange(len(log))[None], np.random.default_rng(0))
    later = [row for row in range(len(log)) if times[row] > times[0]]
    expected = torch.zeros(())
    for row in later:
        scores = torch.as_tensor(model.score(_asking(log, row)))
        expected += functional.cross_entropy(scores, torch.tensor([int(log.item[row])]))
    assert count == len(later)
    torch.testing.assert_close(loss, expected, atol=1e-3, rtol=1e-4)


def _sequences(items: torch.Tensor) -> Sequences:
    times = torch.arange(items.shape[1]).expand_as(items) ** 3
    return Sequences(items, times, times + 1)


@pytest.mark.parametrize("name", KINDS)
@torch.no_grad()
def test_later_events_do_not_influence_earlier_states(name: str) -> None:
    network = _fresh(name).module
    sequences = _sequences(torch.arange(1, 1 + 2 * WINDOW).reshape(2, WINDOW))
    states = network.states_of(sequences)
    for cut in range(1, WINDOW):
        other = _sequences(sequences.items.clone())
        for column in (other.items, other.times, other.asked):
            column[:, cut:] = torch.full_like(column[:, cut:], 19)
        changed = network.states_of(other)
        torch.testing.assert_close(changed[:, :cut], states[:, :cut])
        assert (changed[:, cut:] - states[:, cut:]).abs().max() > 1e-3


@pytest.mark.parametrize("name", KINDS)
@torch.no_grad()
def test_padding_changes_nothing(name: str) -> None:
    network = _fresh(name).module
    alone = _sequences(torch.tensor([[3, 7, 2]]))
    padded = _sequences(torch.tensor([[3, 7, 2, 0, 0], [1, 2, 3, 4, 5]]))
    torch.testing.assert_close(network.states_of(padded)[:1, :3], network.states_of(alone))


@pytest.mark.parametrize("name", KINDS)
@torch.no_grad()
def test_a_sequence_is_learned_from_alike_whatever_stands_beside_it(name: str) -> None:
    model = _model(name, loss="softmax")
    model._build(ITEMS, 1, "cpu")
    log = _log([1, 2, 3, 50, 60, 61], [3, 4, 5, 6, 7, 8])
    trainer = _trainer(model, log)
    rows = np.array([[0, 1, 2, 3, 4, 5], [2, 3, 4, -1, -1, -1]])

    def loss(some: np.ndarray) -> float:
        return trainer.loss(some, np.random.default_rng(0))[0].item()

    assert math.isclose(loss(rows), loss(rows[:1]) + loss(rows[1:, :3]), rel_tol=1e-6)


@pytest.mark.parametrize("name", KINDS)
def test_only_where_it_is_told_to_does_a_model_read_the_time_of_the_request(name: str) -> None:
    model, log = _fresh(name), _log([10, 20, 90, 5000], [3, 4, 5, 6])
    asked = _asking(log, 3)
    later = replace(asked, time=asked.time + 10**6)
    reads = not np.array_equal(model.score(asked), model.score(later))
    assert reads == (name == "hstu, request")
    assert KINDS["hstu"][0].Settings().time == "off"
    assert all(preset.get("time") != "request" for preset in HSTU.presets.values())


@given(st.integers(1, 6), st.integers(1, 9), st.integers(0, 99))
def test_a_sampled_softmax_is_what_it_says_and_so_is_its_gradient(states, drawn, seed) -> None:
    rng = np.random.default_rng(seed)
    vectors = torch.tensor(rng.normal(size=(states, 3)), requires_grad=True)
    table = torch.tensor(rng.normal(size=(7, 3)), requires_grad=True)
    targets, others = rng.integers(7, size=states), rng.integers(7, size=drawn)
    found = sampled_loss(vectors, torch.tensor(targets), table, torch.tensor(others))
    gradients = torch.autograd.grad(found, (vectors, table))
    expected = 0.0
    by_state, by_item = np.zeros((states, 3)), np.zeros((7, 3))
    v, t = vectors.detach().numpy(), table.detach().numpy()
    for row, target in enumerate(targets):
        against = [target, *(item for item in others if item != target)]
        powers = [math.exp(v[row] @ t[item]) for item in against]
        expected -= math.log(powers[0] / sum(powers))
        for item, power in zip(against, powers, strict=True):
            by_state[row] += power / sum(powers) * t[item]
            by_item[item] += power / sum(powers) * v[row]
        by_state[row] -= t[target]
        by_item[target] -= v[row]
    assert math.isclose(found.item(), expected, rel_tol=1e-9, abs_tol=1e-9)
    np.testing.assert_allclose(gradients[0], by_state, atol=1e-9)
    np.testing.assert_allclose(gradients[1], by_item, atol=1e-9)


def test_with_every_item_drawn_once_it_is_the_softmax_over_the_catalogue() -> None:
    states, table = torch.randn(5, 4), torch.randn(9, 4)
    targets = torch.tensor([0, 3, 3, 8, 1])
    whole = catalogue_loss(states, targets, table)
    torch.testing.assert_close(sampled_loss(states, targets, table, torch.arange(9)), whole)


@torch.no_grad()
def test_parts_of_a_batch_draw_the_same_items(tiny: Dataset) -> None:
    model = _model("sasrec", loss="sampled", negatives=5)
    model._build(len(tiny.items), 1, "cpu")
    trainer = _trainer(model, tiny.train.log)
    batch = trainer.batches(0)[0]

    def loss(rows: slice, seed: int = 3) -> float:
        return trainer.loss(batch[rows], np.random.default_rng(seed))[0].item()

    assert math.isclose(loss(slice(None)), loss(slice(4)) + loss(slice(4, None)), rel_tol=1e-5)
    assert not math.isclose(loss(slice(None)), loss(slice(None), seed=4), rel_tol=1e-5)


@pytest.mark.parametrize("loss", ["softmax", "sampled", "binary"])
@pytest.mark.parametrize("name", ["sasrec", "esasrec", "hstu"])
def test_training_learns_the_walk_through_the_items(name: str, loss: str, tiny: Dataset) -> None:
    trained = _model(name, loss=loss, epochs=30, validate_every=30, learning_rate=1e-2)
    fresh = _model(name)
    validation = HarnessValidation(tiny, (Task.REC,))
    trained.fit(tiny.train, validation, TrainingContext((Task.REC,), 1))
    fresh._build(len(tiny.items), 1, "cpu")
    assert validation.measure(trained)["rec"] > 2 * validation.measure(fresh)["rec"] + 0.1
