"""Cross-entropy of identifiers and of texts."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from gensar.engine.backbone import Backbone, readable
from gensar.engine.targets import CodeTargets, TextTargets
from gensar.engine.trie import Trie
from gensar.engine.vocabulary import END, PADDING

__all__ = ["CodeTable", "code_loss", "text_loss"]


class CodeTable:
    """Every item's codes and tokens on the device, and which outputs each level may take."""

    def __init__(self, backbone: Backbone, device: str) -> None:
        vocabulary = backbone.vocabulary
        codes_of = vocabulary.identifiers.codes
        self.levels = max(codes.shape[1] for codes in codes_of) + backbone.whole_answers
        self.codes = [torch.as_tensor(codes, device=device) for codes in codes_of]
        self.tokens = [torch.as_tensor(vocabulary.code_tokens(k), device=device) for k in (0, 1)]
        padded = np.full((2, len(codes_of[0]), self.levels), PADDING, dtype=np.int64)
        for identifier, codes in enumerate(codes_of):
            padded[identifier, :, : codes.shape[1]] = vocabulary.code_tokens(identifier)
            if backbone.whole_answers:
                padded[identifier, :, codes.shape[1]] = END
        self.padded = torch.as_tensor(padded, device=device)
        self.tries = [Trie.of(codes, device) for codes in codes_of]
        self.ranges, self.place = _choices(backbone, self.levels)


def _choices(backbone: Backbone, levels: int) -> tuple[list[tuple[int, int]], NDArray[np.int64]]:
    """Return the ranges of tokens that are chosen from, and which one holds where.

    Returns:
        first and last + 1 of the tokens of each range; and int64 ``[2, levels]``, the number of
        the range by identifier and level, -1 where the identifier has no such level.
    """
    vocabulary, place = backbone.vocabulary, np.full((2, levels), -1)
    if backbone.softmax == "vocabulary":
        for identifier, codes in enumerate(vocabulary.identifiers.codes):
            place[identifier, : codes.shape[1] + backbone.whole_answers] = 0
        return [(0, vocabulary.size)], place
    ranges: list[tuple[int, int]] = []
    for identifier, codes in enumerate(vocabulary.identifiers.codes):
        for level in range(codes.shape[1]):
            one = vocabulary.level_range(identifier, level)
            if one not in ranges:
                ranges.append(one)
            place[identifier, level] = ranges.index(one)
    return ranges, place


def code_loss(backbone: Backbone, table: CodeTable, targets: CodeTargets) -> tuple[Tensor, int]:
    """Return the summed cross-entropy over all codes of all targets, and how many codes.

    Where answers are whole, their behaviour and end tokens count too; the targets all start with
    a behaviour token then, or none does.
    """
    device = table.padded.device
    inputs, first, visible = (
        torch.as_tensor(a, device=device) for a in (targets.inputs, targets.first, targets.visible)
    )
    start, identifier, item = (
        torch.as_tensor(a, device=device) for a in (targets.start, targets.identifier, targets.item)
    )
    real = visible > 0
    states = backbone.encode(inputs, _on(targets.hidden, device))
    labels = table.padded[identifier, item]
    place = table.place[targets.identifier[targets.visible > 0]]
    if backbone.whole_answers and bool((targets.start != PADDING).any()):
        labels, start = torch.cat([start.unsqueeze(-1), labels], dim=-1), torch.zeros_like(start)
        place = np.pad(place, ((0, 0), (1, 0)))
    decoder_inputs = torch.cat([start.unsqueeze(-1), labels[..., :-1]], dim=-1)
    seen = readable(first, visible, states.shape[1])
    hidden = backbone.decode(decoder_inputs, states, seen, backbone.summary(states, visible))
    if backbone.softmax == "trie":
        return _among_children(backbone, table, hidden[real], identifier[real], item[real])
    return _cross_entropy(backbone.t5.lm_head.weight, hidden[real], labels[real], table, place)


def _cross_entropy(
    outputs: Tensor, hidden: Tensor, labels: Tensor, table: CodeTable, place: NDArray[np.int64]
) -> tuple[Tensor, int]:
    """Return the summed cross-entropy of codes, each among the tokens of its own range.

    Args:
        outputs: ``[vocabulary, width]``.
        hidden: ``[targets, levels, width]``.
        labels: int64 ``[targets, levels]``, the tokens.
        table: knows the ranges.
        place: ``[targets, levels]``, the number of the range, -1 where nothing is written.
    """
    counts = np.bincount(place[place >= 0], minlength=len(table.ranges)).tolist()
    order = torch.as_tensor(np.argsort(place, axis=None, kind="stable")[place.size - sum(counts) :])
    order = order.to(hidden.device)
    # Sorted by range, so that each is one product with the few outputs that it has.
    rows = hidden.flatten(0, 1)[order].split(counts)
    wanted = labels.flatten()[order].split(counts)
    losses = [
        functional.cross_entropy(row @ outputs[start:stop].T, label - start, reduction="sum")
        for (start, stop), row, label in zip(table.ranges, rows, wanted, strict=True)
    ]
    return torch.stack(losses).sum(), sum(counts)


def _among_children(
    backbone: Backbone, table: CodeTable, hidden: Tensor, identifier: Tensor, item: Tensor
) -> tuple[Tensor, int]:
    """Return the summed cross-entropy of codes, each among those that lead on to an item.

    So an item costs minus the logarithm of its probability among all items.

    Args:
        backbone: the model.
        table: knows the tries.
        hidden: ``[targets, levels, width]``.
        identifier: int64 ``[targets]``.
        item: int64 ``[targets]``.
    """
    outputs, losses, count = backbone.t5.lm_head.weight, [hidden.new_zeros(())], 0
    for kind, trie in enumerate(table.tries):
        rows = (identifier == kind).nonzero().squeeze(1)
        path = torch.cat([torch.zeros_like(rows)[:, None], trie.path[item[rows]]], dim=1)
        for level in range(trie.levels if len(rows) else 0):
            start, stop = backbone.vocabulary.level_range(kind, level)
            logits = hidden[rows, level] @ outputs[start:stop].T
            child, code, real = trie.children(path[:, level], level)
            state = hidden[rows, level]
            logits = (state @ outputs[start:stop].T).gather(1, code)
            if len(backbone.node_vectors):
                # All targets are at the root, then no two need be at one node.
                logits = logits + backbone.node_logits(state, kind, child if level else child[:1])
            wanted = path[:, level + 1] - child[:, 0]
            among = logits.masked_fill(~real, -torch.inf)
            losses.append(functional.cross_entropy(among, wanted, reduction="sum"))
        count += len(rows) * trie.levels
    return torch.stack(losses).sum(), count


def text_loss(backbone: Backbone, targets: TextTargets, device: str) -> tuple[Tensor, int]:
    """Return the summed cross-entropy over all text pieces of all targets, and how many."""
    inputs, visible, start, text = (
        torch.as_tensor(a, device=device)
        for a in (targets.inputs, targets.visible, targets.start, targets.text)
    )
    states = backbone.encode(inputs, _on(targets.hidden, device))
    decoder_inputs = torch.cat([start.unsqueeze(-1), text[:, :-1]], dim=-1).unsqueeze(1)
    lengths = visible.unsqueeze(1)
    seen = readable(torch.zeros_like(lengths), lengths, states.shape[1])
    summary = backbone.summary(states, lengths)
    logits = backbone.text_logits(backbone.decode(decoder_inputs, states, seen, summary)[:, 0])
    wanted = text.masked_fill(text == PADDING, -100)
    loss = functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="sum")
    return loss, int((wanted != -100).sum())


def _on(hidden: NDArray[np.int64] | None, device: torch.device | str) -> Tensor | None:
    return None if hidden is None else torch.as_tensor(hidden, device=device)
