from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from gensar.engine.backbone import Normaliser
from gensar.engine.identifiers import COLLABORATIVE, SEMANTIC
from gensar.engine.losses import CodeTable, code_loss, text_loss
from gensar.engine.targets import CodeTargets, TextTargets
from gensar.engine.vocabulary import END, PADDING
from tests.gensar.support import (
    KINDS_OF_OUTPUT,
    backbone_of,
    log_probs_of,
    random_identifiers,
    vocabulary_of,
)

UNEQUAL = ((4, 4, 4, 4, 3), (4, 4, 4, 4))
VOCABULARY = vocabulary_of(random_identifiers(9, UNEQUAL))


def _targets(seed: int = 0) -> CodeTargets:
    """Return two targets of each of three inputs, of which the last is no target."""
    rng = np.random.default_rng(seed)
    visible = np.array([[2, 5], [3, 4], [5, 0]])
    kind = np.array([[SEMANTIC, COLLABORATIVE], [COLLABORATIVE, SEMANTIC], [SEMANTIC, SEMANTIC]])
    return CodeTargets(
        inputs=rng.integers(1, VOCABULARY.size, (3, 5, 1)),
        first=np.array([[0, 2], [1, 0], [3, 4]]),
        visible=visible,
        start=np.where(kind == SEMANTIC, VOCABULARY.searched, VOCABULARY.rec),
        identifier=kind,
        item=rng.integers(0, 9, (3, 2)),
    )


@pytest.mark.parametrize(("softmax", "node_vectors"), KINDS_OF_OUTPUT)
@torch.no_grad()
def test_the_loss_of_codes_is_the_cross_entropy_among_what_they_compete_with(
    softmax: Normaliser, node_vectors: bool
) -> None:
    backbone = backbone_of(VOCABULARY, softmax=softmax, node_vectors=node_vectors)
    targets = _targets()
    expected, count = 0.0, 0
    for row, column in np.argwhere(targets.visible > 0):
        kind, item = int(targets.identifier[row, column]), targets.item[row, column]
        codes = VOCABULARY.code_tokens(kind)[item].tolist()
        states = backbone.encode(torch.as_tensor(targets.inputs[row : row + 1]))
        output = backbone.t5(
            encoder_outputs=(states[:, targets.first[row, column] : targets.visible[row, column]],),
            decoder_input_ids=torch.tensor([[int(targets.start[row, column]), *codes[:-1]]]),
            output_hidden_states=True,
        )
        for level in range(len(codes)):
            expected -= float(log_probs_of(backbone, output, kind, int(item), level, softmax))
            count += 1
    loss, codes_counted = code_loss(backbone, CodeTable(backbone, "cpu"), targets)
    assert codes_counted == count
    assert float(loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("behaviour", [False, True], ids=["bare", "behaviour token"])
@torch.no_grad()
def test_the_loss_of_whole_answers_counts_behaviour_and_end_tokens(behaviour: bool) -> None:
    backbone = backbone_of(VOCABULARY, whole_answers=True)
    targets = _targets()
    if not behaviour:
        targets = replace(targets, start=np.full_like(targets.start, PADDING))
    expected, count = 0.0, 0
    for row, column in np.argwhere(targets.visible > 0):
        kind, item = int(targets.identifier[row, column]), targets.item[row, column]
        lead = [int(targets.start[row, column])] if behaviour else []
        answer = [*lead, *VOCABULARY.code_tokens(kind)[item].tolist(), END]
        states = backbone.encode(torch.as_tensor(targets.inputs[row : row + 1]))
        logits = backbone.t5(
            encoder_outputs=(states[:, targets.first[row, column] : targets.visible[row, column]],),
            decoder_input_ids=torch.tensor([[PADDING, *answer[:-1]]]),
        ).logits[0]
        for place, token in enumerate(answer):
            expected -= float(functional.log_softmax(logits[place], 0)[token])
            count += 1
    loss, counted = code_loss(backbone, CodeTable(backbone, "cpu"), targets)
    assert counted == count
    assert float(loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("softmax", "node_vectors"), KINDS_OF_OUTPUT)
def test_identifiers_of_unequal_length_give_finite_gradients(
    softmax: Normaliser, node_vectors: bool
) -> None:
    backbone = backbone_of(VOCABULARY, softmax=softmax, node_vectors=node_vectors)
    loss, _ = code_loss(backbone, CodeTable(backbone, "cpu"), _targets())
    loss.backward()
    for name, weight in backbone.named_parameters():
        assert weight.grad is None or weight.grad.isfinite().all(), name
    assert backbone.t5.shared.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("whole", [False, True], ids=["text", "vocabulary"])
@torch.no_grad()
def test_the_loss_of_texts_is_the_cross_entropy_of_their_pieces(whole: bool) -> None:
    backbone = backbone_of(VOCABULARY, softmax="vocabulary" if whole else "level")
    rng = np.random.default_rng(0)
    text = np.array([[7, 8, END], [9, END, PADDING]])
    targets = TextTargets(
        inputs=rng.integers(1, VOCABULARY.size, (2, 4, 1)),
        visible=np.array([4, 2]),
        start=np.array([VOCABULARY.query, PADDING]),
        text=text,
    )
    expected = 0.0
    for row, length in enumerate([3, 2]):
        states = backbone.encode(torch.as_tensor(targets.inputs[row : row + 1]))
        logits = backbone.t5(
            encoder_outputs=(states[:, : targets.visible[row]],),
            decoder_input_ids=torch.tensor([[targets.start[row], *text[row, : length - 1]]]),
        ).logits[0]
        logits = logits if whole else logits[:, : VOCABULARY.text]
        wanted = torch.as_tensor(text[row, :length])
        expected += float(functional.cross_entropy(logits, wanted, reduction="sum"))
    loss, count = text_loss(backbone, targets, "cpu")
    assert count == 5
    assert float(loss) == pytest.approx(expected, rel=1e-5)
