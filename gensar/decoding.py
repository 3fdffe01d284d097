"""Decoding constrained to identifiers that exist."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gensar.backbone import Backbone
from gensar.trie import Trie

__all__ = ["Leaves", "Memory", "beam_search", "score_items"]


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


@torch.no_grad()
def score_items(
    backbone: Backbone, memory: Memory, start: int, kind: int, codes: Tensor, tokens: Tensor
) -> Tensor:
    """Return the exact log-probability of each given identifier.

    Args:
        backbone: the model.
        memory: the encoded requests.
        start: the behaviour token that the decoder starts with.
        kind: which identifier it writes.
        codes: int64 ``[requests, candidates, levels]``, and ``tokens``, the same as tokens.

    Returns:
        ``[requests, candidates]``, the sum over levels.
    """
    begin = torch.full_like(tokens[..., :1], start)
    inputs = torch.cat([begin, tokens[..., :-1]], dim=-1)
    hidden = backbone.decode(inputs, memory.states, memory.visible, memory.summary)
    total = torch.zeros(codes.shape[:2], dtype=hidden.dtype, device=hidden.device)
    for level in range(codes.shape[2]):
        log_probs = backbone.code_log_probs(hidden[:, :, level], kind, level)
        total = total + log_probs.gather(-1, codes[:, :, level : level + 1]).squeeze(-1)
    return total


@torch.no_grad()
def beam_search(
    backbone: Backbone,
    memory: Memory,
    start: int,
    kind: int,
    trie: Trie,
    beams: int,
    allowed: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Write the most probable identifiers of each request.

    Args:
        backbone: the model.
        memory: the encoded requests.
        start: the behaviour token that the decoder starts with.
        kind: which identifier it writes.
        trie: all identifiers of that kind.
        beams: how many prefixes are kept at each level.
        allowed: ``[requests, nodes]``, the number of permitted items below each node; a prefix
            without any is never written. ``None`` permits all.

    Returns:
        leaves of the trie int64 ``[requests, beams]``, best first, and their log-probabilities;
        minus infinity where there were fewer permitted identifiers than beams.
    """
    rows, device = len(memory.states), memory.states.device
    nodes = torch.zeros(rows, 1, dtype=torch.int64, device=device)
    tokens = torch.full((rows, 1, 1), start, dtype=torch.int64, device=device)
    scores = torch.zeros(rows, 1, device=device)
    for level in range(trie.levels):
        hidden = backbone.decode(tokens, memory.states, memory.visible, memory.summary)[:, :, -1]
        log_probs = backbone.code_log_probs(hidden, kind, level)
        child, code, real = trie.children(nodes, level)
        if allowed is not None:
            real = real & (allowed.gather(1, child.flatten(1)).view_as(child) > 0)
        grown = scores.unsqueeze(-1) + log_probs.gather(-1, code)
        grown = grown.masked_fill(~real, -torch.inf).flatten(1)
        scores, best = grown.topk(min(beams, grown.shape[1]), dim=1)
        nodes = child.flatten(1).gather(1, best)
        parent = best // child.shape[2]
        first = backbone.vocabulary.level_range(kind, level)[0]
        written = code.flatten(1).gather(1, best) + first
        kept = tokens.gather(1, parent.unsqueeze(-1).expand(-1, -1, tokens.shape[2]))
        tokens = torch.cat([kept, written.unsqueeze(-1)], dim=-1)
    return nodes, scores


@dataclass(frozen=True)
class Leaves:
    """The items that stand at each leaf of a trie; more than one only where they may collide.

    Attributes:
        order: int64 ``[items]``, all items by leaf.
        start: int64 ``[nodes + 1]``; node ``n`` owns ``order[start[n]:start[n + 1]]``.
        widest: the largest number of items at one leaf.
    """

    order: Tensor
    start: Tensor
    widest: int

    @classmethod
    def of(cls, trie: Trie) -> Leaves:
        """Index the items of a trie."""
        leaf = trie.path[:, -1]
        order = torch.argsort(leaf, stable=True)
        marks = torch.arange(trie.nodes + 1, device=leaf.device)
        start = torch.searchsorted(leaf[order], marks)
        return cls(order, start, int(start.diff().max()))

    def items(
        self, nodes: Tensor, scores: Tensor, permitted: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Replace leaves by their items, which share the leaf's score.

        Args:
            nodes: int64 ``[requests, beams]``.
            scores: ``[requests, beams]``, descending.
            permitted: bool ``[requests, items]``, or ``None`` where all are.

        Returns:
            items ``[requests, n]``, best first, and scores; -1 and minus infinity where none.
        """
        places = self.start[nodes].unsqueeze(-1) + torch.arange(self.widest, device=nodes.device)
        real = places < self.start[nodes + 1].unsqueeze(-1)
        real = (real & scores.unsqueeze(-1).isfinite()).flatten(1)
        items = self.order[places.clamp_max(len(self.order) - 1)].flatten(1)
        if permitted is not None:
            real = real & permitted.gather(1, items)
        spread = scores.repeat_interleave(self.widest, dim=1).masked_fill(~real, -torch.inf)
        best = torch.argsort(spread, dim=1, descending=True, stable=True)
        items = items.masked_fill(~real, -1)
        return items.gather(1, best), spread.gather(1, best)
