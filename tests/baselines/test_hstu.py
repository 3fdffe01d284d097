from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from baselines.hstu.network import BUCKETS, HSTUNetwork, time_buckets
from baselines.sequential.network import Sequences

WINDOW, WIDTH, HEADS, LAYERS = 6, 8, 2, 2
ITEMS = [4, 1, 9, 2, 2]
TIMES = [100, 100, 160, 90_000, 10**9]
ASKED = [100, 160, 90_000, 10**9, 10**9 + 7]


def _network(clock: str) -> HSTUNetwork:
    torch.manual_seed(3)
    network = HSTUNetwork(9, WINDOW, WIDTH, LAYERS, HEADS, 0.5, 0.05, clock)  # type: ignore[arg-type]
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.3)
    return network.double().eval()


def _silu(values: np.ndarray) -> np.ndarray:
    return values / (1 + np.exp(-values))


def _normal(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / np.sqrt(values.var() + 1e-6)


def _bucket(span: int) -> int:
    return min(math.floor(math.log(max(1, abs(span))) / 0.301), BUCKETS - 1)


def _slowly(network: HSTUNetwork, clock: str) -> np.ndarray:
    """Return the states of one sequence, one sum after the other."""
    w = {name: weight.detach().numpy() for name, weight in network.state_dict().items()}
    now = {"off": None, "last": TIMES, "request": ASKED}[clock]
    x = [
        math.sqrt(WIDTH) * w["items.weight"][item] + w["positions.weight"][place]
        for place, item in enumerate(ITEMS)
    ]
    size = WIDTH // HEADS
    for number in range(LAYERS):
        inside = [_silu(w[f"layers.{number}.project.weight"] @ _normal(each)) for each in x]
        u, v, q, k = zip(*(np.split(each, 4) for each in inside), strict=True)
        new = []
        for i in range(len(ITEMS)):
            read = np.zeros(WIDTH)
            for j in range(i + 1):
                bias = w["distances.weight"][i - j, number]
                if now is not None:
                    bias += w["spans.weight"][_bucket(now[i] - TIMES[j]), number]
                for head in range(HEADS):
                    part = slice(head * size, (head + 1) * size)
                    weight = _silu(np.array(q[i][part] @ k[j][part] + bias))
                    read[part] += weight / WINDOW * v[j][part]
            out = w[f"layers.{number}.out.weight"] @ (_normal(read) * u[i])
            new.append(x[i] + out + w[f"layers.{number}.out.bias"])
        x = new
    return np.array([each / np.linalg.norm(each) for each in x]) / 0.05


@pytest.mark.parametrize("clock", ["off", "last", "request"])
@torch.no_grad()
def test_states_are_the_sums_that_the_paper_writes(clock: str) -> None:
    network = _network(clock)
    sequences = Sequences(*(torch.tensor([each]) for each in (ITEMS, TIMES, ASKED)))
    found = network.states_of(sequences)[0].numpy()
    np.testing.assert_allclose(found, _slowly(network, clock), atol=1e-9)


@torch.no_grad()
def test_scores_are_cosines_over_the_temperature() -> None:
    network = _network("off")
    items = torch.tensor([ITEMS])
    states = network.states_of(Sequences(items, items, items))
    torch.testing.assert_close(states.norm(dim=-1), torch.full((1, 5), 20.0).double())
    torch.testing.assert_close(network.item_table().norm(dim=-1), torch.ones(9).double())


def test_buckets_grow_by_factors_of_1_35() -> None:
    spans = torch.tensor([0, 1, 2, 86_400, 10**15, 2**62])
    expected = [_bucket(int(span)) for span in spans]
    assert time_buckets(spans, torch.zeros_like(spans)).tolist() == expected
    assert time_buckets(torch.zeros_like(spans), spans).tolist() == expected
    assert expected[:4] == [0, 0, 2, 37]
    assert max(expected) == BUCKETS - 1
