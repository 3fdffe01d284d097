"""Matrix products and sums of exponentials of a model that answers, as fast as a CPU can.

PyTorch leaves float32 products to MKL, which uses AVX-512 on Intel's processors only. oneDNN, which
PyTorch carries as well, uses it wherever it is: on an AMD EPYC of 2025 it multiplied ``[1920, 64]``
by ``[64, 512]`` 2.2 times as fast. But it writes the code of a product when it first meets its
sizes, which takes as long as a few products, and keeps it, in about half a MiB. So it is asked for
round numbers of rows only, which come again, and only without gradients: PyTorch knows none of it.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

__all__ = ["feed_forward", "keep_freed_memory", "logsumexp", "product", "rms_norm"]

_ROUND = 32
"""oneDNN is asked for multiples of so many rows."""
_HAS_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(
    torch.ops.mkldnn, "_linear_pointwise"
)
_LOGITS_AT_ONCE = 2**19
"""Logits that a CPU computes together; more would not fit into its caches."""
_LARGEST_EXPONENT = 64.0
"""Sums of exponentials of numbers up to this size, of either sign, are good in float32."""


def keep_freed_memory() -> None:
    """Let the C library keep what is freed, not give it back to the system.

    This holds for the whole process. Else it asks for the pages of every larger result anew, which
    takes longer than to compute it. glibc keeps twice the size of the largest piece freed so far;
    32 MiB is the most that counts (``mallopt(3)``).
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)


def product(
    states: Tensor, weight: Tensor, added: Tensor | None = None, *, relu: bool = False
) -> Tensor:
    """Return ``states @ weight.T``; what follows a product costs least while its rows are at hand.

    Args:
        states: ``[..., d]``.
        weight: ``[outputs, d]``.
        added: ``[..., outputs]``, added to the product, if given.
        relu: whether what is below 0 becomes 0; not together with ``added``.
    """
    if (
        _HAS_ONEDNN
        and states.device.type == "cpu"
        and {part.dtype for part in (states, weight, added) if part is not None} == {torch.float32}
        and states.numel() > 0
        and states.shape[:-1].numel() % _ROUND == 0
        and not (torch.is_grad_enabled() and (states.requires_grad or weight.requires_grad))
    ):
        by_onednn = torch.ops.mkldnn._linear_pointwise
        if added is not None:
            return by_onednn.binary(states, added, weight, None, "add")
        return by_onednn(states, weight, None, "relu" if relu else "none", [], "")
    result = states @ weight.T
    if added is not None:
        return result + added
    return result.relu() if relu else result


def rms_norm(layer: Any, states: Tensor) -> Tensor:
    """Return what a T5's layer norm makes of ``[..., d]``: rows divided by their root mean square.

    Transformers writes down the squares of all numbers; the length of a row needs no such copy.
    """
    plain = states.dtype == layer.weight.dtype == torch.float32 and states.device.type == "cpu"
    # With apex installed, transformers takes its layer norm, which has no such attribute.
    if not plain or torch.is_grad_enabled() or not hasattr(layer, "variance_epsilon"):
        return layer(states)
    length = torch.linalg.vector_norm(states, dim=-1, keepdim=True)
    scale = (length.square_() / states.shape[-1]).add_(layer.variance_epsilon).rsqrt_()
    return (states * scale).mul_(layer.weight)


def feed_forward(layer: Any, states: Tensor) -> Tensor:
    """Return what a T5's feed-forward layer makes of ``[..., d]``, without dropout."""
    dense = layer.DenseReluDense
    given = rms_norm(layer.layer_norm, states)
    if hasattr(dense, "wi_0"):  # gated, as in T5 1.1
        inner = dense.act(product(given, dense.wi_0.weight)) * product(given, dense.wi_1.weight)
    elif isinstance(dense.act, torch.nn.ReLU):
        inner = product(given, dense.wi.weight, relu=True)
    else:
        inner = dense.act(product(given, dense.wi.weight))
    # transformers keeps this weight in float32 where the others are float16.
    return product(inner.to(dense.wo.weight.dtype), dense.wo.weight, states)


def logsumexp(hidden: Tensor, table: Tensor) -> Tensor:
    """Return ``log sum exp(hidden @ table.T)`` over all rows of ``table``, as float32 ``[...]``.

    A CPU takes a few logits at a time, and powers of two, which cost it a quarter of powers of e.

    Args:
        hidden: ``[..., d]``.
        table: ``[tokens, d]``.
    """
    if hidden.device.type != "cpu":
        return (hidden @ table.T).float().logsumexp(dim=-1)
    states = hidden.flatten(0, -2)
    # No logit is larger than this, so that no exponential is beyond float32, nor are all too small.
    largest = states.float().norm(dim=-1).amax() * table.float().norm(dim=-1).amax()
    if largest > _LARGEST_EXPONENT or states.dtype != torch.float32:
        parts = states.split(max(1, _LOGITS_AT_ONCE // len(table)))
        total = torch.cat([product(part, table).float().logsumexp(-1) for part in parts])
        return total.view(hidden.shape[:-1])
    states = states * math.log2(math.e)
    total = states.new_zeros(len(states), dtype=torch.float32)
    for part in table.split(max(1, _LOGITS_AT_ONCE // max(len(states), 1))):
        total += product(states, part).exp2_().sum(dim=-1)
    return total.log_().view(hidden.shape[:-1])
