"""Products without gradients are those of PyTorch and of the T5's own modules."""

from __future__ import annotations

import pytest
import torch
from transformers import T5Config
from transformers.models.t5.modeling_t5 import T5LayerFF, T5LayerNorm

from gensar.engine.cpu_kernels import feed_forward, product, rms_norm


@pytest.mark.parametrize("shape", [(5, 8), (64, 8), (4, 16, 8), (2, 3, 8), (0, 8), (2, 0, 8)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.no_grad()
def test_a_product_is_that_with_the_transposed_weight(
    shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    torch.manual_seed(1)
    states, weight = torch.randn(shape, dtype=dtype), torch.randn(6, 8, dtype=dtype)
    torch.testing.assert_close(product(states, weight), states @ weight.T)


@torch.no_grad()
def test_parts_of_larger_tensors_are_multiplied_as_copies_are() -> None:
    torch.manual_seed(1)
    states, weight = torch.randn(8, 16, 5).transpose(1, 2)[:, 1:], torch.randn(9, 16)[2:7]
    torch.testing.assert_close(product(states, weight), states.clone() @ weight.clone().T)


@pytest.mark.parametrize("rows", [5, 64])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.no_grad()
def test_what_follows_a_product_is_what_would_be_done_to_it(rows: int, dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    states, weight = torch.randn(rows, 8, dtype=dtype), torch.randn(6, 8, dtype=dtype)
    added = torch.randn(1, 6, dtype=dtype).expand(rows, 6)
    alone = states @ weight.T
    torch.testing.assert_close(product(states, weight, added), alone + added)
    torch.testing.assert_close(product(states, weight, relu=True), alone.relu())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [1e-4, 1.0, 1e4])
@torch.no_grad()
def test_a_layer_norm_is_that_of_transformers(dtype: torch.dtype, size: float) -> None:
    torch.manual_seed(1)
    layer = T5LayerNorm(8).to(dtype)
    torch.nn.init.normal_(layer.weight)
    states = size * torch.randn(3, 4, 8, dtype=dtype)
    states[0, 0] = 0
    torch.testing.assert_close(rms_norm(layer, states), layer(states))


@pytest.mark.parametrize("kind", ["relu", "gated-gelu"])
@torch.no_grad()
def test_the_feed_forward_layer_is_that_of_transformers(kind: str) -> None:
    torch.manual_seed(1)
    layer = T5LayerFF(T5Config(d_model=8, d_ff=12, feed_forward_proj=kind)).eval()
    states = torch.randn(2, 32, 8)
    torch.testing.assert_close(feed_forward(layer, states), layer(states))


@pytest.mark.parametrize("kind", ["relu", "gated-gelu"])
@torch.no_grad()
def test_a_weight_that_stays_float32_in_half_precision_is_met(kind: str) -> None:
    torch.manual_seed(1)
    layer = T5LayerFF(T5Config(d_model=8, d_ff=12, feed_forward_proj=kind)).eval().bfloat16()
    layer.DenseReluDense.wo.float()
    states = torch.randn(2, 32, 8, dtype=torch.bfloat16)
    torch.testing.assert_close(feed_forward(layer, states), layer(states))


def test_gradients_flow_through_a_product() -> None:
    states, weight = torch.randn(32, 8), torch.randn(6, 8, requires_grad=True)
    product(states, weight).sum().backward()
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, states.sum(0).expand(6, 8))
