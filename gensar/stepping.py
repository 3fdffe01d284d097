"""The T5's decoder one token at a time, for many prefixes of each request at once.

What ``transformers.generate`` does for one sequence after the other is shared here: the prefixes of
a request attend to one copy of its keys and values, and each prefix adds one token to those of the
prefix that it grew from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional

from gensar.backbone import Backbone, additive

__all__ = ["Memory", "Past", "Stepper"]


@dataclass(frozen=True)
class Memory:
    """An encoded batch of requests.

    Attributes:
        states: ``[requests, positions, d]``.
        visible: bool ``[requests, 1, positions]``.
        summary: ``[requests, 1, d]``, see :meth:`Backbone.summary`, or ``None``.
    """

    states: Tensor
    visible: Tensor
    summary: Tensor | None


@dataclass(frozen=True)
class Past:
    """Keys and values of the tokens that prefixes are made of.

    Attributes:
        keys: of each block, ``[requests, prefixes, tokens, heads, width of a head]``.
        values: likewise.
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]

    def taken(self, parent: Tensor) -> Past:
        """Return the past of the prefixes at ``parent``, int64 ``[requests or 1, prefixes]``."""

        def take(cached: Tensor) -> Tensor:
            if len(parent) == 1:
                return cached.index_select(1, parent[0])
            rows = torch.arange(len(cached), device=cached.device).unsqueeze(1)
            return cached[rows, parent]

        return Past(tuple(map(take, self.keys)), tuple(map(take, self.values)))


class Stepper:
    """Steps through the decoder over one batch of requests.

    Args:
        backbone: the model.
        memory: the encoded requests, whose keys and values are computed here, once.
    """

    def __init__(self, backbone: Backbone, memory: Memory) -> None:
        self._backbone = backbone
        self._memory = memory
        self._heads = backbone.t5.config.num_heads
        # [requests, 1, 1, positions]
        self._mask = additive(memory.visible.unsqueeze(1), memory.states.dtype)
        self._cross = []
        for block in backbone.t5.decoder.block:
            attention = cast(Any, block).layer[1].EncDecAttention
            parts = (attention.k(memory.states), attention.v(memory.states))
            self._cross.append([self._by_head(part).contiguous() for part in parts])

    def _by_head(self, states: Tensor) -> Tensor:
        """``[requests, n, heads * width]`` to ``[requests, heads, n, width]``."""
        return states.unflatten(-1, (self._heads, -1)).transpose(1, 2)

    def first(self, start: int) -> tuple[Tensor, Past]:
        """Read the token that every request's decoder starts with; see :meth:`next`."""
        memory, t5 = self._memory, self._backbone.t5
        embedded = t5.shared.weight[start].expand(len(memory.states), 1, -1)
        if memory.summary is not None:
            embedded = embedded + memory.summary
        return self._read(embedded, None)

    def next(self, tokens: Tensor, past: Past) -> tuple[Tensor, Past]:
        """Read one more token behind each prefix.

        Args:
            tokens: int64 ``[requests or 1, prefixes]``.
            past: of as many prefixes.

        Returns:
            the states that the next token follows from, ``[requests, prefixes, d]``, and the past
            with these tokens.
        """
        embedded = self._backbone.t5.shared(tokens)
        return self._read(embedded.expand(len(self._memory.states), -1, -1), past)

    def _read(self, hidden: Tensor, past: Past | None) -> tuple[Tensor, Past]:
        decoder = self._backbone.t5.decoder
        keys, values = [], []
        bias = None
        for number, block in enumerate(decoder.block):
            own, cross, feed_forward = cast(Any, block).layer
            attention = own.SelfAttention
            normed = own.layer_norm(hidden)
            shape = (*normed.shape[:2], 1, self._heads, -1)
            new_keys, new_values = (part(normed).view(shape) for part in (attention.k, attention.v))
            if past is not None:
                new_keys = torch.cat([past.keys[number], new_keys], dim=2)
                new_values = torch.cat([past.values[number], new_values], dim=2)
            keys.append(new_keys)
            values.append(new_values)
            if bias is None:
                length = new_keys.shape[2]
                bias = attention.compute_bias(
                    1, length, device=hidden.device, past_seen_tokens=length - 1
                )[0, :, 0].T.unsqueeze(-1)
            query = attention.q(normed).view(shape)
            # A sum over few tokens: a matrix product for each prefix would cost more.
            weights = (query * new_keys).sum(-1, keepdim=True).add(bias).softmax(dim=2)
            hidden = hidden + attention.o((weights * new_values).sum(2).flatten(2))
            hidden = hidden + self._look(number, cross, hidden)
            hidden = feed_forward(hidden)
        hidden = decoder.final_layer_norm(hidden)
        if self._backbone.t5.config.scale_decoder_outputs:
            hidden = hidden * hidden.shape[-1] ** -0.5
        return hidden, Past(tuple(keys), tuple(values))

    def _look(self, number: int, layer: Any, hidden: Tensor) -> Tensor:
        """Return what a block's prefixes take from their request's states."""
        attention = layer.EncDecAttention
        keys, values = self._cross[number]
        query = self._by_head(attention.q(layer.layer_norm(hidden)))
        mask = self._mask.expand(-1, -1, hidden.shape[1], -1)
        # T5 does not scale by the width of a head.
        found = functional.scaled_dot_product_attention(query, keys, values, mask, scale=1.0)
        return attention.o(found.transpose(1, 2).flatten(2))
