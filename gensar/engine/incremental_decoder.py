"""The T5's decoder one token at a time, for many prefixes of each request at once.

What ``transformers.generate`` does for one sequence after the other is shared here: the prefixes of
a request attend to one copy of its keys and values, and each prefix adds one token to those of the
prefix that it grew from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional

from gensar.engine.backbone import Backbone, additive
from gensar.engine.cpu_kernels import feed_forward, product, rms_norm
from gensar.engine.vocabulary import PADDING

__all__ = ["EncoderOutput", "IncrementalDecoder", "KVCache"]


@dataclass(frozen=True)
class EncoderOutput:
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
class KVCache:
    """Keys and values of the tokens that prefixes are made of.

    They lie in many tensors, not in one: memory of a few pages is used again and again, where a
    large piece would be asked of the system anew for each batch.

    Attributes:
        tokens: for each token, and there for each block, ``[requests, prefixes, 2 * heads * width
            of a head]``, keys first.
    """

    tokens: tuple[tuple[Tensor, ...], ...] = ()

    def select(self, parent: Tensor) -> KVCache:
        """Return the cache of the prefixes at ``parent``, int64 ``[requests or 1, prefixes]``."""
        if len(parent) == 1:
            return self._each(lambda part: part.index_select(1, parent[0]))
        requests, prefixes, _ = self.tokens[0][0].shape
        first = torch.arange(0, requests * prefixes, prefixes, device=parent.device)
        rows = (first.unsqueeze(1) + parent).flatten()
        return self._each(
            lambda part: part.flatten(0, 1).index_select(0, rows).unflatten(0, parent.shape)
        )

    def _each(self, change: Callable[[Tensor], Tensor]) -> KVCache:
        return KVCache(tuple(tuple(change(part) for part in token) for token in self.tokens))


class IncrementalDecoder:
    """Steps through the decoder over one batch of requests.

    Args:
        backbone: the model.
        encoded: the encoded requests, whose keys and values are computed here, once.
    """

    def __init__(self, backbone: Backbone, encoded: EncoderOutput) -> None:
        self._backbone = backbone
        self._encoded = encoded
        self._heads = backbone.t5.config.num_heads
        # [requests, 1, 1, positions]
        self._mask = additive(encoded.visible.unsqueeze(1), encoded.states.dtype)
        self._own, self._cross = [], []
        for block in backbone.t5.decoder.block:
            own, cross = (cast(Any, layer) for layer in list(cast(Any, block).layer)[:2])
            own, cross = own.SelfAttention, cross.EncDecAttention
            self._own.append(torch.cat([own.q.weight, own.k.weight, own.v.weight]))
            parts = product(encoded.states, torch.cat([cross.k.weight, cross.v.weight]))
            # Keys and values [requests, heads, positions, width of a head].
            self._cross.append(parts.unflatten(-1, (2, self._heads, -1)).permute(2, 0, 3, 1, 4))

    def _by_head(self, states: Tensor) -> Tensor:
        """``[requests, n, heads * width]`` to ``[requests, heads, n, width]``."""
        return states.unflatten(-1, (self._heads, -1)).transpose(1, 2)

    def first(self, start: int) -> tuple[Tensor, KVCache]:
        """Read the token that every request's decoder starts with; see :meth:`next`.

        Where answers are whole, padding stands before it.
        """
        encoded, t5 = self._encoded, self._backbone.t5
        written = self._backbone.whole_answers and start != PADDING
        first = PADDING if written else start
        embedded = t5.shared.weight[first].expand(len(encoded.states), 1, -1)
        if encoded.summary is not None:
            embedded = embedded + encoded.summary
        hidden, cache = self._read(embedded, KVCache())
        if not written:
            return hidden, cache
        return self.next(torch.full((1, 1), start, device=hidden.device), cache)

    def next(self, tokens: Tensor, cache: KVCache) -> tuple[Tensor, KVCache]:
        """Read one more token behind each prefix.

        Args:
            tokens: int64 ``[requests or 1, prefixes]``.
            cache: of as many prefixes.

        Returns:
            the states that the next token follows from, ``[requests, prefixes, d]``, and the cache
            with these tokens.
        """
        embedded = self._backbone.t5.shared(tokens)
        return self._read(embedded.expand(len(self._encoded.states), -1, -1), cache)

    def _read(self, hidden: Tensor, cache: KVCache) -> tuple[Tensor, KVCache]:
        decoder: Any = self._backbone.t5.decoder
        before = len(cache.tokens)
        places = decoder.block[0].layer[0].SelfAttention
        bias = places.compute_bias(1, before + 1, device=hidden.device, past_seen_tokens=before)
        bias = bias[0, :, 0].T[:, None, None]  # [tokens, 1, 1, heads]
        newest = []
        for number, block in enumerate(decoder.block):
            own, cross, last = block.layer
            parts = product(rms_norm(own.layer_norm, hidden), self._own[number])
            query, noted = parts.tensor_split([parts.shape[-1] // 3], dim=-1)
            newest.append(noted.contiguous())
            read = [token[number] for token in cache.tokens] + newest[-1:]
            values = self._self_attention(query, read, bias)
            hidden = product(values, own.SelfAttention.o.weight, hidden)
            query = product(rms_norm(cross.layer_norm, hidden), cross.EncDecAttention.q.weight)
            values = self._cross_attention(number, query)
            hidden = feed_forward(last, product(values, cross.EncDecAttention.o.weight, hidden))
        hidden = rms_norm(decoder.final_layer_norm, hidden)
        if self._backbone.t5.config.scale_decoder_outputs:
            hidden = hidden * hidden.shape[-1] ** -0.5
        return hidden, KVCache((*cache.tokens, tuple(newest)))

    def _self_attention(self, query: Tensor, tokens: list[Tensor], bias: Tensor) -> Tensor:
        """Return what each prefix's newest token takes from all its tokens.

        A sum over few tokens: a matrix product for each prefix would cost more.
        """
        query = query.unflatten(-1, (self._heads, -1))
        # [requests, prefixes, 2, heads, width of a head]
        by_head = [part.unflatten(-1, (2, self._heads, -1)) for part in tokens]
        weights = torch.stack([(query * part[:, :, 0]).sum(-1) for part in by_head])
        weights = weights.add_(bias).softmax(dim=0).unsqueeze(-1)
        total = weights[0] * by_head[0][:, :, 1]
        for weight, part in zip(weights[1:], by_head[1:], strict=True):
            total.addcmul_(weight, part[:, :, 1])
        return total.flatten(2)

    def _cross_attention(self, number: int, query: Tensor) -> Tensor:
        """Return what a block's prefixes take from their request's states."""
        keys, values = self._cross[number]
        mask = self._mask.expand(-1, -1, query.shape[1], -1)
        # T5 does not scale by the width of a head.
        values = functional.scaled_dot_product_attention(
            self._by_head(query), keys, values, mask, scale=1.0
        )
        return values.transpose(1, 2).flatten(2)
