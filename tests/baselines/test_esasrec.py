from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.esasrec.network import ESASRecNetwork, LiGRLayer
from baselines.sequential.network import Sequences

WINDOW, WIDTH, HEADS = 6, 8, 2


@pytest.fixture(scope="module")
def network() -> ESASRecNetwork:
    torch.manual_seed(3)
    network = ESASRecNetwork(9, WINDOW, WIDTH, 2, HEADS, 12, 0.5).eval()
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "norms" in name or name.endswith("bias"):
                weight.add_(torch.randn_like(weight), alpha=0.5)
    return network


def _layer(layer: LiGRLayer, states: Tensor, padding: Tensor) -> Tensor:
    """Return a layer by torch's own attention, of rows padded on the left."""
    attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
    attention.in_proj_weight = layer.attention.project.weight
    attention.in_proj_bias = layer.attention.project.bias
    attention.out_proj = layer.attention.out
    closed = torch.ones(WINDOW, WINDOW).triu(1).bool() | padding[:, None, :]
    closed = closed & ~torch.eye(WINDOW).bool()
    normal = layer.norms[0](states)
    mask = closed.repeat_interleave(HEADS, dim=0)
    read, _ = attention(normal, normal, normal, attn_mask=mask, need_weights=False)
    states = states + torch.sigmoid(layer.gates[0](states)) * read
    gate, value = layer.transform.inner.weight.chunk(2)
    normal = layer.norms[1](states)
    inner = functional.silu(normal @ gate.T) * (normal @ value.T)
    return states + torch.sigmoid(layer.gates[1](states)) * (inner @ layer.transform.outer.weight.T)


@torch.no_grad()
def test_states_are_those_of_left_padded_rows_by_torch_s_attention(network) -> None:
    rows = [[4, 1, 9], [2, 2, 5, 7, 1, 3], [8]]
    left = torch.tensor([[0] * (WINDOW - len(row)) + row for row in rows])
    states = network.items.weight[left] + network.positions.weight.flip(0)
    for layer in network.layers:
        states = _layer(layer, states, left == 0)
    right = torch.tensor([row + [0] * (WINDOW - len(row)) for row in rows])
    found = network.states_of(Sequences(right, right, right))
    for number, row in enumerate(rows):
        torch.testing.assert_close(found[number, : len(row)], states[number, -len(row) :])


@torch.no_grad()
def test_the_last_event_has_the_first_position_however_long_the_history(network) -> None:
    other = ESASRecNetwork(9, WINDOW, WIDTH, 2, HEADS, 12, 0.5).eval()
    other.load_state_dict(network.state_dict())
    other.positions.weight[0] += 1.0
    rows = torch.tensor([[4, 1, 9, 0], [2, 5, 0, 0]])
    before, after = (each.states_of(Sequences(rows, rows, rows)) for each in (network, other))
    changed = (before - after).abs().amax(dim=2) > 1e-6
    assert changed[0].tolist()[:3] == [False, False, True]
    assert changed[1].tolist()[:2] == [False, True]


@torch.no_grad()
def test_closed_gates_leave_the_states_as_they_are(network) -> None:
    layer = LiGRLayer(WIDTH, HEADS, 12, 0.0)
    for gate in layer.gates:
        gate.weight.zero_()
        gate.bias.fill_(-100.0)
    states = torch.randn(2, WINDOW, WIDTH)
    assert layer(states).equal(states)
