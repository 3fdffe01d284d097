"""SESRec's parts against loops over events: co-attention, the split, six views, the losses."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from baselines.sesrec.interests import CoAttention, Interests, separation
from baselines.sesrec.network import HEAD, AskedRequests, SESRecNetwork
from baselines.sesrec.settings import SESRecSettings
from baselines.two_histories import network as shared
from baselines.two_histories.network import Events
from benchmark.data.requests import Task

WIDTH = 8
REC, SEARCH = (0, 1, 2, 5, 3), (3, 0, 2, 4, 1)
"""Events of each kind in the histories of some requests."""


def _real(lengths: tuple[int, ...]) -> Tensor:
    return torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


def _events(lengths: tuple[int, ...]) -> Events:
    real = _real(lengths)
    age = (torch.tensor(lengths)[:, None] - 1 - torch.arange(real.shape[1])).clamp_min(0)
    return Events(torch.randn(*real.shape, WIDTH), age, age, real)


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng():
        torch.manual_seed(5)
        yield


@pytest.fixture(params=[True, False], ids=["match", "no match"])
def network(request: pytest.FixtureRequest) -> SESRecNetwork:
    settings = SESRecSettings(
        width=WIDTH, id_width=4, inner=8, max_history=5, match=request.param, dropout=0.0
    )
    made = SESRecNetwork(5, torch.randint(0, 20, (11, 3)), 20, settings).eval()
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return made


@torch.no_grad()
def test_co_attention_is_that_of_a_loop() -> None:
    attention = CoAttention(WIDTH)
    rec, search = _events(REC), _events(SEARCH)
    found = attention(rec.vectors, rec.real, search.vectors, search.real)
    for row, (n, m) in enumerate(zip(REC, SEARCH, strict=True)):
        of_rec, of_search = torch.zeros(n), torch.zeros(m)
        for i in range(n):
            for j in range(m):
                left, right = rec.vectors[row, i], search.vectors[row, j]
                likeness = math.tanh((attention.affinity.weight @ left) @ right)
                of_search[j] += attention.by_rec.weight[0] @ left * likeness
                of_rec[i] += attention.by_search.weight[0] @ right * likeness
        for interests, logits in zip(found, (of_rec, of_search), strict=True):
            expected = torch.softmax(logits, dim=0)
            torch.testing.assert_close(interests.weights[row, : len(logits)], expected)
            assert (interests.weights[row, len(logits) :] == 0).all()


@torch.no_grad()
def test_what_weighs_at_least_the_mean_is_similar_and_without_a_rest_all_is_dissimilar() -> None:
    weights = torch.tensor([[0.5, 0.3, 0.2, 0], [1 / 3, 1 / 3, 1 / 3, 0], [1, 0, 0, 0], [0] * 4])
    real = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 0], [1, 0, 0, 0], [0] * 4])
    split = Interests.of(torch.randn(4, 4, WIDTH), weights, real.bool())
    assert split.similar.int().tolist() == [[1, 0, 0, 0], [1, 1, 1, 0], [1, 0, 0, 0], [0] * 4]
    assert split.dissimilar.int().tolist() == [[0, 1, 1, 0], [1, 1, 1, 0], [1, 0, 0, 0], [0] * 4]


def _scores_by_hand(network: SESRecNetwork, asked: AskedRequests, row: int, item: Tensor) -> float:
    """Return the score of one item for one request: six views, concatenated, through the layers."""
    views = []
    targets = (network.target_rec, network.target_search)
    for interests, target in zip((asked.rec, asked.search), targets, strict=True):
        for mask in (interests.real, interests.similar, interests.dissimilar):
            events = [interests.states[row, place] for place in mask[row].nonzero()[:, 0].tolist()]
            looks = [math.exp(target.turn.weight @ state @ item) for state in events]
            parts = [look / sum(looks) * s for look, s in zip(looks, events, strict=True)]
            views.append(sum(parts, torch.zeros(WIDTH)))
    user = asked.users[row]
    first = torch.relu(network.first(torch.cat([*views, item, user])))
    score = network.last(torch.relu(network.second(first)))[0]
    if network.match is not None:
        score = score + network.match(torch.cat([*views, user])) @ item
    return float(score)


@torch.no_grad()
def test_scores_are_those_of_six_views_of_every_candidate(
    network: SESRecNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "PAIRS_AT_ONCE", 15)  # three candidates at a time
    asked = network.ask(_events(REC), _events(SEARCH), torch.randn(5, WIDTH), None)
    assert network.first.out_features == HEAD[0]
    items = network.items(torch.arange(11))
    whole = network.score(Task.REC, asked, items, None)
    assert whole.shape == (5, 1, 11)
    expected = torch.tensor(
        [[_scores_by_hand(network, asked, row, item) for item in items] for row in range(5)]
    )
    torch.testing.assert_close(whole[:, 0], expected, atol=1e-4, rtol=1e-4)
    chosen = torch.tensor([[0, 3, 3, 10]]).repeat(5, 1) // torch.arange(1, 6)[:, None]
    some = network.score(Task.REC, asked, items, chosen)
    torch.testing.assert_close(some[:, 0], whole[:, 0].gather(1, chosen), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_what_stands_in_padding_changes_no_score(network: SESRecNetwork) -> None:
    rec, search, users = _events(REC), _events(SEARCH), torch.randn(5, WIDTH)

    def filled(events: Events) -> Events:
        vectors = torch.where(events.real[:, :, None], events.vectors, torch.tensor(7.0))
        return Events(vectors, events.age, events.age_among_all, events.real)

    items = network.items(torch.arange(11))
    scores = [
        network.score(Task.REC, network.ask(*pair, users, None), items, None)
        for pair in ((rec, search), (filled(rec), filled(search)))
    ]
    torch.testing.assert_close(scores[0], scores[1])


@torch.no_grad()
def test_separation_by_hand() -> None:
    states = torch.tensor([[[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]]])
    weights = torch.tensor([[0.4, 0.35, 0.25]])
    split = Interests.of(states, weights, torch.ones(1, 3, dtype=torch.bool))
    anchor, similar, dissimilar = (1.05, 1.0), (1.5, 0.0), (0.0, 4.0)
    assert split.similar.tolist() == [[True, True, False]]
    near, far = math.dist(anchor, similar), math.dist(anchor, dissimilar)
    for margin in (0.1, 5.0):
        expected = torch.tensor([max(near - far + margin, 0.0)])
        torch.testing.assert_close(separation(split, margin), expected, atol=1e-4, rtol=1e-4)


def test_gradients_are_finite_where_histories_are_empty_or_single(network: SESRecNetwork) -> None:
    asked = network.ask(_events(REC), _events(SEARCH), network.users(torch.arange(5)), None)
    items = network.items(torch.arange(11))
    loss = network.score(Task.REC, asked, items, None).square().mean()
    loss = loss + sum(separation(split, 0.1).sum() for split in (asked.rec, asked.search))
    loss.backward()
    for name, weight in network.named_parameters():
        if not name.startswith("align"):
            assert weight.grad is not None, name
            assert torch.isfinite(weight.grad).all(), name
