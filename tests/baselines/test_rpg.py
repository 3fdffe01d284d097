"""RPG against loops over items, digits and places."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from baselines.rpg.graph import alike_items, walk
from baselines.rpg.model import RPG
from baselines.rpg.network import CodeEmbedding, CodeTrainer, RPGNetwork, sums_of_codes
from baselines.rpg.product_codes import product_codes, whitened
from baselines.rpg.settings import RPGSettings
from baselines.sequential.network import Sequences
from benchmark.data.dataset import Dataset
from benchmark.data.events import EventLog
from benchmark.data.requests import Requests, Task
from benchmark.errors import InputError
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.model import TrainingContext
from tests.baselines.generative.support import without_text_encoder, without_texts

REC = (Task.REC,)
ITEMS, DIGITS, CODES = 40, 3, 5
SMALL = RPGSettings(
    digits=DIGITS,
    codebook_size=8,
    rotations=2,
    width=16,
    heads=2,
    inner=16,
    max_history=8,
    epochs=2,
    validate_every=20,
    validation_requests=20,
)


def fitted(data: Dataset, **changed: Any) -> RPG:
    model = RPG(replace(SMALL, **changed))
    with without_text_encoder():
        model.fit(data.train, HarnessValidation(data, REC), TrainingContext(REC, 1))
    return model


@pytest.fixture(scope="module")
def model(tiny: Dataset) -> RPG:
    return fitted(tiny)


def asked(data: Dataset) -> Requests:
    return data.evaluation["test", Task.REC].requests[:20]


def network(**changed: Any) -> RPGNetwork:
    """Return a network of random weights, heads among them, whose last items share their codes."""
    torch.manual_seed(3)
    codes = torch.randint(CODES, (ITEMS, DIGITS))
    codes[-1] = codes[-2]
    made = RPGNetwork(replace(SMALL, codebook_size=CODES, **changed), codes)
    for weight in (made.weight, made.bias):
        torch.nn.init.normal_(weight, std=0.3)
    return made.eval()


def slow_log_probabilities(made: RPGNetwork, state: torch.Tensor) -> torch.Tensor:
    """Return ``[digits, codes]`` after one state, code by code."""
    table = made.items.weight.view(DIGITS, CODES, -1)
    rows = []
    for digit in range(DIGITS):
        turned = state @ made.weight[digit] + made.bias[digit, 0]
        head = state + turned * torch.sigmoid(turned)
        cosines = [functional.cosine_similarity(head, each, dim=0) for each in table[digit]]
        rows.append(torch.stack(cosines).div(made.temperature).log_softmax(dim=0))
    return torch.stack(rows)


@torch.no_grad()
def test_scores_are_sums_of_log_probabilities_of_digits() -> None:
    made, states = network(), torch.randn(4, SMALL.width)
    scores = sums_of_codes(made.log_probabilities(states), made.items.tokens())
    for state, found in zip(states, scores, strict=True):
        by_digit = slow_log_probabilities(made, state)
        for item, codes in enumerate(made.items.codes.tolist()):
            expected = sum(float(by_digit[d, code]) for d, code in enumerate(codes))
            assert float(found[item]) == pytest.approx(expected, rel=1e-5)
    assert (scores[:, -1] == scores[:, -2]).all()
    shares = made.log_probabilities(states).exp().sum(dim=-1)
    torch.testing.assert_close(shares, torch.ones_like(shares))


@torch.no_grad()
def test_an_item_is_read_as_the_mean_of_its_codes() -> None:
    items = network().items
    found = items(torch.tensor([[0, 1], [ITEMS, 0]]))
    table = items.weight.view(DIGITS, CODES, -1)
    for number, vector in ((1, found[0, 1]), (ITEMS, found[1, 0])):
        own = [table[digit, code] for digit, code in enumerate(items.codes[number - 1])]
        torch.testing.assert_close(vector, torch.stack(own).mean(dim=0))
    assert (found[0, 0] == 0).all() and (found[1, 1] == 0).all()


def test_heads_give_back_the_state_at_first_and_learn_all_the_same() -> None:
    made = RPGNetwork(SMALL, torch.randint(8, (ITEMS, DIGITS)))
    states = torch.randn(5, SMALL.width)
    direction = functional.normalize(states, dim=1) / SMALL.temperature
    torch.testing.assert_close(made.asked(states), direction.expand(DIGITS, -1, -1))
    made.loss(states, torch.arange(5)).backward()
    assert all(float(weight.grad.abs().max()) > 0 for weight in (made.weight, made.bias))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=9).map(sorted))
def test_digits_are_predicted_from_strictly_earlier_events_alone(times: list[int]) -> None:
    made, items = network(), list(range(3, 3 + len(times)))
    zeros = np.zeros(len(times), dtype=int)
    log = EventLog.from_columns(zeros, np.array(items), np.array(times), zeros, zeros, zeros, 1)
    trainer = CodeTrainer(made, SMALL, log, TrainingContext(REC, 1))
    with torch.no_grad():
        loss, count = trainer.loss(np.arange(len(log))[None], np.random.default_rng(0))
        expected, predictions = torch.zeros(()), 0
        for item, time in zip(items, times, strict=True):
            earlier = [i + 1 for i, t in zip(items, times, strict=True) if t < time]
            if earlier:
                alone = torch.tensor([earlier])
                state = made.encoder.states_of(Sequences(alone, alone * 0, alone * 0))[0, -1]
                by_digit = slow_log_probabilities(made, state)
                own = by_digit[torch.arange(DIGITS), made.items.codes[item]]
                expected, predictions = expected - own.mean(), predictions + 1
    assert count == predictions
    torch.testing.assert_close(loss, expected, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_along_a_complete_graph_one_step_finds_the_best() -> None:
    made = network()
    values, tokens = made.log_probabilities(torch.randn(6, SMALL.width)), made.items.tokens()
    exact = sums_of_codes(values, tokens)
    whole = torch.as_tensor(alike_items(made.items.books(), tokens, ITEMS)).long()
    assert (whole.sort(dim=1).values == torch.arange(ITEMS)).all()
    starts = torch.stack([torch.randperm(ITEMS)[:7] for _ in range(6)])
    items, scores = walk(values, tokens, whole, starts, 1)
    best = exact.sort(dim=1, descending=True, stable=True)
    torch.testing.assert_close(scores, best.values[:, :7])
    torch.testing.assert_close(exact.gather(1, items), scores)
    assert all(len(set(row)) == 7 for row in items.tolist())


@torch.no_grad()
def test_a_walk_is_that_of_the_rules() -> None:
    made = network()
    values, tokens = made.log_probabilities(torch.randn(4, SMALL.width)), made.items.tokens()
    exact = sums_of_codes(values, tokens)
    graph = alike_items(made.items.books(), tokens, 4)
    starts = torch.stack([torch.randperm(ITEMS)[:3] for _ in range(4)])
    for steps in range(4):
        items, _ = walk(values, tokens, torch.as_tensor(graph).long(), starts, steps)
        for row in range(4):
            beams = starts[row].tolist()
            for _ in range(steps):
                met = {*beams, *(int(near) for beam in beams for near in graph[beam])}
                beams = sorted(met, key=lambda item: (-float(exact[row, item]), item))[:3]
            assert set(items[row].tolist()) == set(beams)


@torch.no_grad()
def test_neighbours_are_alike_by_the_mean_cosine_of_their_codes() -> None:
    items = network().items
    table = functional.normalize(items.weight.view(DIGITS, CODES, -1), dim=-1)
    own = torch.stack([table[torch.arange(DIGITS), codes] for codes in items.codes])
    likeness = (1 + torch.einsum("idw,jdw->ijd", own, own)).mean(dim=-1) / 2
    graph = alike_items(items.books(), items.tokens(), 5)
    expected = likeness.sort(dim=1, descending=True).values[:, :5]
    found = likeness.gather(1, torch.as_tensor(graph).long())
    torch.testing.assert_close(found, expected)
    assert all(item in graph[item] for item in range(ITEMS - 2))


@pytest.mark.parametrize("seen", [True, False])
def test_by_a_complete_graph_the_answers_are_the_exact_ones(tiny: Dataset, seen: bool) -> None:
    exact = fitted(tiny)
    graph = fitted(tiny, decoding="graph", edges=200, num_beams=200, propagation_steps=1)
    requests = replace(asked(tiny), exclude_seen=seen)
    np.testing.assert_array_equal(exact.score(requests), graph.score(requests))
    assert exact.scores_catalogue and not graph.scores_catalogue
    assert RPG.scores_catalogue
    expected, found = exact.retrieve(requests, 30), graph.retrieve(requests, 30)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-5)
    assert (found[0] == expected[0]).mean() > 0.95  # sums of equal digits may be a bit apart


def test_a_loaded_graph_answers_as_before(tiny: Dataset, tmp_path: Path) -> None:
    model = fitted(tiny, decoding="graph", edges=3, num_beams=12)
    model.save(tmp_path)
    loaded, requests = RPG.load(tmp_path), asked(tiny)
    answers = (each.retrieve(requests, 20) for each in (model, loaded))
    for before, after in zip(*answers, strict=True):
        np.testing.assert_array_equal(before, after)
    items, scores = model.retrieve(requests, 20)
    assert (items[:, 12:] == -1).all() and np.isneginf(scores[:, 12:]).all()
    one = [model.retrieve(each, 20)[0] for each in requests.batches(1)]
    np.testing.assert_array_equal(np.concatenate(one), items)


def test_training_learns_the_walk_through_the_items(tiny: Dataset, model: RPG) -> None:
    trained = fitted(tiny, epochs=60, validate_every=100, learning_rate=5e-3, codebook_size=64)
    validation = HarnessValidation(tiny, REC)
    assert validation.measure(trained)["rec"] > validation.measure(model)["rec"] + 0.1


def test_what_cannot_be_coded_is_refused(tiny: Dataset) -> None:
    with pytest.raises(InputError, match="vectors=interactions"):
        RPG(SMALL).check(without_texts(tiny.train), REC)
    by_users = replace(tiny, train=without_texts(tiny.train))
    scores = fitted(by_users, vectors="interactions").score(asked(tiny))
    assert np.isfinite(scores).all() and len(np.unique(scores[0])) > 10


def test_components_are_whitened_and_padded() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((200, 3)) @ rng.standard_normal((3, 9)) + 5
    found = whitened(vectors, 7, 4)
    assert found.shape == (200, 4)
    np.testing.assert_allclose(np.cov(found.T, bias=True), np.diag([1, 1, 1, 0]), atol=1e-4)
    assert whitened(vectors, 2, 4).shape == (200, 4)
    assert (whitened(np.ones((5, 6)), 4, 3) == 0).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 99), st.integers(1, 60), st.integers(1, 12), st.integers(1, 3))
@example(0, 5, 9, 2)  # more codes than points, of which the first draw misses some
def test_codes_are_the_nearest_and_errors_never_rise(seed, count, codes, digits) -> None:
    vectors = np.random.default_rng(seed).standard_normal((count, 2 * digits)).astype(np.float32)
    learned = product_codes(vectors, digits, codes, 3, seed)
    np.testing.assert_allclose(learned.rotation @ learned.rotation.T, np.eye(2 * digits), atol=1e-5)
    errors = np.array(learned.errors)
    assert (np.diff(errors) <= 1e-5).all()
    found, rotated = learned.codes(vectors), vectors @ learned.rotation
    for row in range(count):
        for digit in range(digits):
            part = rotated[row, 2 * digit : 2 * digit + 2]
            distance = np.square(learned.books[digit] - part).sum(axis=1)
            assert distance[found[row, digit]] <= distance.min() + 1e-5
    left = np.square(vectors - learned.restored(found)).sum(axis=1).mean()
    assert left <= errors[-1] + 1e-4
    if codes >= count:
        assert left < 1e-6


def test_rotating_finds_axes_that_stand_apart() -> None:
    """Two clusters along each of 4 axes, hidden by a rotation: turned back, 2 times 4 codes do."""
    rng = np.random.default_rng(1)
    corners = rng.choice([-1.0, 1.0], (1000, 4)) + 0.05 * rng.standard_normal((1000, 4))
    hidden = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    vectors = (corners @ hidden).astype(np.float32)
    still, turned = (product_codes(vectors, 2, 4, rounds, 2).errors[-1] for rounds in (0, 60))
    assert still > 0.5
    assert turned == pytest.approx(4 * 0.05**2, rel=0.1)


def test_one_code_book_is_plain_k_means() -> None:
    points = np.array([[0.0], [0.1], [10], [10.2], [20], [20.3]], dtype=np.float32)
    learned = product_codes(points, 1, 3, 0, 0)
    np.testing.assert_allclose(
        np.sort(np.abs(learned.books.ravel())), [0.05, 10.1, 20.15], atol=1e-5
    )
    assert learned.errors[-1] == pytest.approx(2 * (0.05**2 + 0.1**2 + 0.15**2) / 6, rel=1e-3)


def test_codes_are_learned_from_what_training_shows(tiny: Dataset) -> None:
    log = tiny.train.log
    train = replace(tiny.train, log=log.select(log.item < 60))
    vectors = np.random.default_rng(0).standard_normal((len(tiny.items), 6)).astype(np.float32)
    model = RPG(replace(SMALL, codebook_size=64))
    codes = model._codes(vectors, train, 1)["codes"]
    shown, never = np.unique(train.log.item), np.setdiff1d(np.arange(len(vectors)), train.log.item)
    assert len(np.unique(codes[shown], axis=0)) == len(shown)
    assert set(codes[never][:, 0]) <= set(codes[shown][:, 0])


def test_embeddings_begin_as_wide_as_positions() -> None:
    torch.manual_seed(1)
    items = CodeEmbedding(torch.randint(64, (500, 16)), 64, 32)
    assert float(items(torch.arange(1, 501)).detach().std()) == pytest.approx(0.02, rel=0.1)
