"""Decoding constrained to identifiers that exist: beam search, given items, the whole catalogue.

The official code asks a nested dictionary, in Python, for each beam of each request at each step.
Here the trie is a few flat tensors and a step is one lookup for all of them, as in STATIC
(arXiv 2602.22647), and a prefix that several identifiers share is read once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gensar.engine.backbone import Backbone
from gensar.engine.incremental_decoder import EncoderOutput, IncrementalDecoder
from gensar.engine.trie import ExcludedItems, Trie

__all__ = ["Leaves", "beam_search", "score_catalogue", "score_items"]

_WIDTHS = 4
"""Given items are scored by multiples of so many distinct prefixes."""


@torch.no_grad()
def beam_search(
    backbone: Backbone,
    encoded: EncoderOutput,
    start: int,
    identifier: int,
    trie: Trie,
    beams: int,
    excluded: ExcludedItems | None = None,
) -> tuple[Tensor, Tensor]:
    """Write the most probable identifiers of each request.

    Args:
        backbone: the model.
        encoded: the encoded requests.
        start: the behaviour token that the decoder starts with.
        identifier: which identifier it writes.
        trie: all of them.
        beams: how many prefixes are kept at each level.
        excluded: a prefix that leads to nothing else is never written.

    Returns:
        leaves of the trie int64 ``[requests, beams]``, best first, and their log-probabilities
        (float32); minus infinity where there were fewer identifiers than beams.
    """
    rows, device = len(encoded.states), encoded.states.device
    decoder = IncrementalDecoder(backbone, encoded)
    hidden, cache = decoder.first(start)
    nodes = torch.zeros(rows, 1, dtype=torch.int64, device=device)
    scores = torch.zeros(rows, 1, device=device)
    for level in range(trie.levels):
        children = trie.children(nodes, level)
        log_probs = backbone.code_log_probs(hidden, identifier, level, children)
        child, code, real = children
        if excluded is not None:
            real = excluded.allowed_children(nodes, real)
        grown = scores.unsqueeze(-1) + log_probs.gather(-1, code)
        grown = grown.masked_fill(~real, -torch.inf).flatten(1)
        scores, best = grown.topk(min(beams, grown.shape[1]), dim=1)
        nodes = child.flatten(1).gather(1, best)
        if level + 1 < trie.levels or backbone.whole_answers:
            first = backbone.vocabulary.level_range(identifier, level)[0]
            written = code.flatten(1).gather(1, best) + first
            hidden, cache = decoder.next(written, cache.select(best // child.shape[2]))
    if backbone.whole_answers:
        scores, best = (scores + backbone.end_log_probs(hidden)).sort(dim=1, descending=True)
        nodes = nodes.gather(1, best)
    return nodes, scores


@torch.no_grad()
def score_catalogue(
    backbone: Backbone, encoded: EncoderOutput, start: int, identifier: int, trie: Trie
) -> Tensor:
    """Return the exact log-probability of every item's identifier, ``[requests, items]``.

    See :func:`beam_search` for the arguments. Every node of the trie is read once.
    """

    levels = []
    for number in range(trie.levels):
        nodes = torch.arange(*trie.first_node[number : number + 2], device=trie.code.device)
        before = trie.first_node[number - 1] if number else 0
        edges = (nodes - 1).unsqueeze(0)
        levels.append(_Level(edges + 1, trie.parent[edges] - before, trie.code[edges]))
    scores = _walk(backbone, encoded, start, identifier, trie, levels)
    return scores[:, trie.path[:, -1] - trie.first_node[-2]]


@torch.no_grad()
def score_items(
    backbone: Backbone,
    encoded: EncoderOutput,
    start: int,
    identifier: int,
    trie: Trie,
    items: Tensor,
    beams: int | None = None,
) -> Tensor:
    """Return the exact log-probability of each given item's identifier.

    See :func:`beam_search` for the other arguments.

    Args:
        items: int64 ``[requests, candidates]``.
        beams: where given, what a beam search of that width over the candidates alone would not
            reach has minus infinity, as in the published evaluation.

    Returns:
        ``[requests, candidates]``, the sum over levels.
    """
    levels, place = [], torch.zeros_like(items)
    column = torch.arange(items.shape[1], device=items.device).expand_as(items)
    for number in range(trie.levels):
        before = place
        nodes = trie.path[items, number]
        order = nodes.sort(dim=1)
        new = order.values.diff(dim=1, prepend=order.values[:, :1]) != 0
        place = torch.empty_like(items).scatter_(1, order.indices, new.cumsum(dim=1))
        counts = place.amax(dim=1, keepdim=True) + 1
        # Round widths, see gensar.engine.cpu_kernels.
        widest = -(-int(counts.max()) // _WIDTHS) * _WIDTHS
        distinct = torch.arange(widest, device=items.device)
        # A candidate for each distinct prefix; rows of fewer prefixes repeat their first candidate.
        one_each = torch.zeros(len(items), len(distinct), dtype=torch.int64, device=items.device)
        one_each.scatter_(1, place, column)
        node = nodes.gather(1, one_each)
        code = trie.code[node - 1]
        levels.append(_Level(node, before.gather(1, one_each), code, distinct < counts))
    return _walk(backbone, encoded, start, identifier, trie, levels, beams).gather(1, place)


@dataclass(frozen=True)
class _Level:
    """The prefixes of one length that a walk reads.

    Attributes:
        node: int64 ``[requests or 1, prefixes]``, of the trie.
        parent: likewise, the place of each one's parent in the level before.
        code: likewise, the last code.
        real: bool, likewise, which of them there are; ``None`` for all.
    """

    node: Tensor
    parent: Tensor
    code: Tensor
    real: Tensor | None = None


def _walk(
    backbone: Backbone,
    encoded: EncoderOutput,
    start: int,
    identifier: int,
    trie: Trie,
    levels: list[_Level],
    beams: int | None = None,
) -> Tensor:
    """Return the log-probabilities of the last level's prefixes, ``[requests, prefixes]``.

    With ``beams``, only so many prefixes of each level are followed, the others and what is not
    real have minus infinity.
    """
    decoder = IncrementalDecoder(backbone, encoded)
    hidden, cache = decoder.first(start)
    rows, device = len(encoded.states), encoded.states.device
    scores = torch.zeros(rows, 1, device=device)
    row = torch.arange(rows, device=device).unsqueeze(1)
    nodes = torch.zeros(1, 1, dtype=torch.int64, device=device)
    for number, level in enumerate(levels):
        children = trie.children(nodes, number)
        log_probs = backbone.code_log_probs(hidden, identifier, number, children)
        nodes = level.node
        scores = scores[row, level.parent] + log_probs[row, level.parent, level.code]
        if beams is not None:
            if level.real is not None:
                scores = scores.masked_fill(~level.real, -torch.inf)
            kept = scores.topk(min(beams, scores.shape[1]), dim=1)
            scores = torch.full_like(scores, -torch.inf).scatter(1, kept.indices, kept.values)
        if number + 1 < len(levels) or backbone.whole_answers:
            first = backbone.vocabulary.level_range(identifier, number)[0]
            hidden, cache = decoder.next(level.code + first, cache.select(level.parent))
    return scores + backbone.end_log_probs(hidden) if backbone.whole_answers else scores


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
        self, nodes: Tensor, scores: Tensor, excluded: ExcludedItems | None
    ) -> tuple[Tensor, Tensor]:
        """Replace leaves by their items, which share the leaf's score.

        Args:
            nodes: int64 ``[requests, beams]``.
            scores: ``[requests, beams]``, descending.
            excluded: items that are left out, if any.

        Returns:
            items ``[requests, n]``, best first, and scores; -1 and minus infinity where none.
        """
        places = self.start[nodes].unsqueeze(-1) + torch.arange(self.widest, device=nodes.device)
        real = places < self.start[nodes + 1].unsqueeze(-1)
        # What is no number at all goes on, for whoever asked to notice.
        real = (real & ~scores.unsqueeze(-1).isneginf()).flatten(1)
        items = self.order[places.clamp_max(len(self.order) - 1)].flatten(1)
        if excluded is not None:
            real = real & ~excluded.holds(items)
        spread = scores.repeat_interleave(self.widest, dim=1).masked_fill(~real, -torch.inf)
        best = torch.argsort(spread, dim=1, descending=True, stable=True)
        items = items.masked_fill(~real, -1)
        return items.gather(1, best), spread.gather(1, best)
