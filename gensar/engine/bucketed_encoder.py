"""The T5's encoder without gradients, a few inputs of like length at a time.

A CPU is fastest while what it works on stays in its caches: T5's bias and the mask, a number for
each pair of positions, do so for a few inputs only. Inputs of like length go together, so that
little is padding.
"""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional

from gensar.engine.backbone import Backbone, additive
from gensar.engine.cpu_kernels import feed_forward, product, rms_norm

__all__ = ["encode_by_length"]

_WEIGHTS_AT_ONCE = 2**20
"""Weights of a layer's attention that are computed together."""
_LENGTHS = 8
"""Inputs are padded to multiples of this."""


@torch.no_grad()
def encode_by_length(backbone: Backbone, tokens: Tensor, hidden: Tensor | None = None) -> Tensor:
    """Return the states ``[rows, length, d]`` of an input ``[rows, length, width]``.

    They are those of :meth:`Backbone.encode`, whose arguments these are; what stands behind the
    last token of a row may be 0.
    """
    if tokens.device.type != "cpu":
        return backbone.encode(tokens, hidden)
    rows, longest, _ = tokens.shape
    real = tokens[:, :, 0] >= 0
    # An input without a token is read as one of padding.
    lengths = (torch.arange(1, longest + 1) * real).amax(dim=1).clamp_min(1)
    order = lengths.argsort()
    encoder: Any = backbone.t5.encoder
    own = [cast(Any, block).layer[0].SelfAttention for block in encoder.block]
    projections = [torch.cat([a.q.weight, a.k.weight, a.v.weight]) for a in own]
    # [heads, positions, positions], in this order in memory too: attention would copy any other.
    bias = own[0].compute_bias(longest, longest)[0].contiguous()
    states = bias.new_zeros(rows, longest, backbone.t5.config.d_model)
    size = max(1, _WEIGHTS_AT_ONCE // (len(bias) * longest**2))
    # Few different sizes: the first product of a size takes longer.
    size = 2 ** int(math.log2(size))
    for part in order.split(size):
        length = min(longest, -(-int(lengths[part[-1]]) // _LENGTHS) * _LENGTHS)
        unseen = None if hidden is None else hidden[part, :length]
        seen = additive(backbone.attended(real[part, :length], unseen), bias.dtype)
        shown = bias[:, :length, :length] + seen
        states[part, :length] = _encode(backbone, tokens[part, :length], shown, projections)
    return states


def _encode(backbone: Backbone, tokens: Tensor, bias: Tensor, projections: list[Tensor]) -> Tensor:
    """Encode rows of one length.

    Args:
        backbone: the model.
        tokens: int64 ``[rows, length, width]``.
        bias: ``[rows, heads, length, length]``, added to the weights of attention.
        projections: of each block, to queries, keys and values, ``[3 * heads * width, d]``.
    """
    encoder: Any = backbone.t5.encoder
    rows, length, _ = tokens.shape
    states = backbone.embed(tokens)
    for block, projection in zip(encoder.block, projections, strict=True):
        own, last = block.layer
        parts = product(rms_norm(own.layer_norm, states), projection)
        # [rows, heads, length, width of a head]
        query, key, value = parts.view(rows, length, 3, bias.shape[1], -1).permute(2, 0, 3, 1, 4)
        # T5 does not scale by the width of a head.
        values = functional.scaled_dot_product_attention(query, key, value, bias, scale=1.0)
        values = values.transpose(1, 2).flatten(2)
        states = feed_forward(last, product(values, own.SelfAttention.o.weight, states))
    return rms_norm(encoder.final_layer_norm, states)
