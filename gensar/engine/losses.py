"""Cross-entropy of identifiers and of texts."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from gensar.engine.backbone import Backbone, readable
from gensar.engine.targets import CodeTargets, TextTargets
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
        self.first_output = 0 if backbone.vocabulary_softmax else vocabulary.first_code
        # A level that only the other identifier has permits everything: nothing is learned there,
        # and a softmax over nothing would make its gradient NaN.
        permitted = torch.ones(2, self.levels, vocabulary.size, dtype=torch.bool)
        for identifier, codes in enumerate(codes_of):
            for level in range(codes.shape[1]):
                start, stop = vocabulary.level_range(identifier, level)
                permitted[identifier, level] = False
                permitted[identifier, level, start:stop] = True
        if backbone.vocabulary_softmax:
            permitted[:] = True
        self.mask = torch.zeros(permitted.shape).masked_fill(~permitted, -torch.inf)
        self.mask = self.mask[:, :, self.first_output :].to(device)


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
    mask = table.mask[identifier[real]]
    if backbone.whole_answers and bool((start != PADDING).any()):
        labels, start = torch.cat([start.unsqueeze(-1), labels], dim=-1), torch.zeros_like(start)
        mask = mask[:, :1]  # permits every token at every level
    decoder_inputs = torch.cat([start.unsqueeze(-1), labels[..., :-1]], dim=-1)
    seen = readable(first, visible, states.shape[1])
    hidden = backbone.decode(decoder_inputs, states, seen, backbone.summary(states, visible))
    hidden, labels = hidden[real], labels[real]
    logits = hidden @ backbone.t5.lm_head.weight[table.first_output :].T
    logits = logits + mask
    wanted = (labels - table.first_output).masked_fill(labels == PADDING, -100)
    loss = functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="sum")
    return loss, int((wanted != -100).sum())


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
