from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from gensar.engine.backbone import Backbone
from gensar.engine.initialisation import init_embeddings
from tests.gensar.support import backbone_of, random_identifiers, vocabulary_of

IDENTIFIERS = random_identifiers(9, ((6, 6, 6, 6, 3), (6, 6, 6, 6)))
VOCABULARY = vocabulary_of(IDENTIFIERS)
SCALE = 0.3


TEXT = np.random.default_rng(7).standard_normal((VOCABULARY.text, 8)).astype(np.float32)


def _started(seed: int = 0, text: NDArray[np.float32] | None = TEXT) -> Backbone:
    backbone = backbone_of(VOCABULARY)
    init_embeddings(backbone, text, SCALE, seed)
    return backbone


def _rows(backbone: Backbone, kind: int, level: int) -> torch.Tensor:
    first, stop = VOCABULARY.level_range(kind, level)
    return backbone.t5.shared.weight.detach()[first:stop]


def test_codes_lie_to_each_other_as_their_codebook_vectors_do() -> None:
    backbone = _started()
    for kind in (0, 1):
        for level in range(4):
            book = torch.as_tensor(IDENTIFIERS.codebooks[kind][level])
            ratio = torch.pdist(_rows(backbone, kind, level)) / torch.pdist(book)
            torch.testing.assert_close(ratio, ratio.mean().expand_as(ratio), atol=1e-4, rtol=1e-4)


def test_every_token_has_the_wanted_scale() -> None:
    table = _started().t5.shared.weight.detach()
    for part in (table[: VOCABULARY.text], table[VOCABULARY.text :]):
        root = float(part.square().mean().sqrt())
        assert 0.8 * SCALE < root < 1.2 * SCALE


def test_specific_codes_of_the_two_kinds_lie_in_different_halves() -> None:
    backbone = _started()
    crossed = _rows(backbone, 0, 2) @ _rows(backbone, 1, 3).T
    torch.testing.assert_close(crossed, torch.zeros_like(crossed), atol=1e-5, rtol=0)


def test_the_output_layer_starts_with_the_same_vectors_and_the_seed_decides_them() -> None:
    first, same, other = _started(), _started(), _started(seed=1)
    assert first.t5.lm_head.weight.equal(first.t5.shared.weight)
    assert first.t5.shared.weight.equal(same.t5.shared.weight)
    assert not first.t5.shared.weight.equal(other.t5.shared.weight)


def test_text_pieces_lie_to_each_other_about_as_their_places_do() -> None:
    distances = torch.pdist(torch.as_tensor(TEXT))

    def agreement(text: NDArray[np.float32] | None) -> float:
        rows = _started(text=text).t5.shared.weight.detach()[: VOCABULARY.text]
        return float(torch.corrcoef(torch.stack([torch.pdist(rows), distances]))[0, 1])

    assert agreement(TEXT) > 0.5
    assert abs(agreement(None)) < 0.2


def test_text_without_a_place_starts_at_random_and_leaves_the_codes_where_they_are() -> None:
    placed, random = (_started(text=text).t5.shared.weight.detach() for text in (TEXT, None))
    assert random[VOCABULARY.text :].equal(placed[VOCABULARY.text :])
    assert 0.8 * SCALE < float(random[: VOCABULARY.text].square().mean().sqrt()) < 1.2 * SCALE
