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
        cached: ``[tokens, requests, prefixes, blocks, 2, heads * width of a head]``, keys first.
    """

    cached: Tensor

    def taken(self, parent: Tensor) -> Past:
        """Return the past of the prefixes at ``parent``, with room for one more token.

        Args:
            parent: int64 ``[requests or 1, prefixes]``.
        """
        tokens, requests, prefixes, *width = self.cached.shape
        room = self.cached.new_empty(tokens + 1, requests, parent.shape[1], *width)
        if len(parent) == 1:
            torch.index_select(self.cached, 2, parent[0], out=room[:tokens])
            return Past(room)
        first = torch.arange(0, requests * prefixes, prefixes, device=parent.device)
        rows = (first.unsqueeze(1) + parent).flatten()
        torch.index_select(self.cached.flatten(1, 2), 1, rows, out=room[:tokens].flatten(1, 2))
        return Past(room)


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
        self._own, self._cross = [], []
        for block in backbone.t5.decoder.block:
            own, cross = (cast(Any, layer) for layer in list(cast(Any, block).layer)[:2])
            own, cross = own.SelfAttention, cross.EncDecAttention
            self._own.append(torch.cat([own.k.weight, own.v.weight, own.q.weight]).T)
            parts = (cross.k(memory.states), cross.v(memory.states))
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
        shape = (1, *embedded.shape[:2], len(self._own), 2, self._own[0].shape[1] // 3)
        return self._read(embedded, Past(embedded.new_empty(shape)))

    def next(self, tokens: Tensor, past: Past) -> tuple[Tensor, Past]:
        """Read one more token behind each prefix.

        Args:
            tokens: int64 ``[requests or 1, prefixes]``.
            past: of as many prefixes, with room for the tokens; it is filled.

        Returns:
            the states that the next token follows from, ``[requests, prefixes, d]``, and the past
            with these tokens.
        """
        embedded = self._backbone.t5.shared(tokens)
        return self._read(embedded.expand(len(self._memory.states), -1, -1), past)

    def _read(self, hidden: Tensor, past: Past) -> tuple[Tensor, Past]:
        decoder: Any = self._backbone.t5.decoder
        length = len(past.cached)
        places = decoder.block[0].layer[0].SelfAttention
        bias = places.compute_bias(1, length, device=hidden.device, past_seen_tokens=length - 1)
        bias = bias[0, :, 0].T[:, None, None]  # [tokens, 1, 1, heads]
        for number, block in enumerate(decoder.block):
            own, cross, feed_forward = block.layer
            found = self._look_back(number, own.layer_norm(hidden), past.cached, bias)
            hidden = hidden + own.SelfAttention.o(found)
            found = self._look_up(number, cross.EncDecAttention.q(cross.layer_norm(hidden)))
            hidden = feed_forward(hidden + cross.EncDecAttention.o(found))
        hidden = decoder.final_layer_norm(hidden)
        if self._backbone.t5.config.scale_decoder_outputs:
            hidden = hidden * hidden.shape[-1] ** -0.5
        return hidden, past

    def _look_back(self, number: int, normed: Tensor, cached: Tensor, bias: Tensor) -> Tensor:
        """Return what each prefix's newest token takes from all its tokens; note its own keys and
        values in ``cached``."""
        width = cached.shape[-1]
        parts = normed @ self._own[number]
        cached[-1, :, :, number] = parts[..., : 2 * width].unflatten(-1, (2, width))
        keys, values = cached[:, :, :, number].unflatten(-1, (self._heads, -1)).unbind(3)
        query = parts[..., 2 * width :].unflatten(-1, (self._heads, -1))
        # A sum over few tokens: a matrix product for each prefix would cost more.
        weights = (query * keys).sum(-1).add_(bias).softmax(dim=0)
        return (weights.unsqueeze(-1) * values).sum(0).flatten(2)

    def _look_up(self, number: int, query: Tensor) -> Tensor:
        """Return what a block's prefixes take from their request's states."""
        keys, values = self._cross[number]
        mask = self._mask.expand(-1, -1, query.shape[1], -1)
        # T5 does not scale by the width of a head.
        found = functional.scaled_dot_product_attention(
            self._by_head(query), keys, values, mask, scale=1.0
        )
        return found.transpose(1, 2).flatten(2)
