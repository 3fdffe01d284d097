"""What GenSAR may know of an item or a prefix beside its codes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmark.data.dataset import Dataset
from benchmark.data.requests import Task
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.model import TrainingContext
from benchmark.needs import Sizes
from gensar.engine.identifiers import COLLABORATIVE, SEMANTIC
from gensar.engine.sequences import NOTHING
from gensar.engine.trie import Trie
from gensar.model import GenSAR
from gensar.settings import GenSARSettings
from tests.gensar.support import SMALL, TASKS, fit, some_requests, without_text_encoder


def test_own_tokens_come_back_and_matter(tiny: Dataset) -> None:
    model = fit(tiny, item_tokens="own")
    table = model.backbone.t5.shared.weight
    own = table[model.vocabulary.first_item :].detach()
    assert len(own) == len(tiny.train.items)
    assert own.any()
    untrained = GenSAR(model.settings)
    with without_text_encoder():
        untrained.prepare(tiny.train, HarnessValidation(tiny, TASKS), TrainingContext(TASKS, 1))
    assert not untrained.backbone.t5.shared.weight[model.vocabulary.first_item :].any()
    again = GenSAR(model.settings)
    again.restore(*model.state())
    asked = some_requests(tiny, Task.REC)
    assert np.array_equal(model.score(asked), again.score(asked))
    with torch.no_grad():
        again.backbone.t5.shared.weight[model.vocabulary.first_item :] = 0
    assert not np.allclose(model.score(asked), again.score(asked))


def test_own_tokens_are_counted_among_what_is_kept(tiny: Dataset) -> None:
    sizes = Sizes.of(tiny)
    own, fused = (
        GenSAR(GenSARSettings(item_tokens=tokens)).needs(sizes, TASKS)
        for tokens in ("own", "fused")
    )
    assert own is not None
    assert fused is not None
    assert own.kept - fused.kept == 4 * GenSARSettings().width * sizes.items


def test_vectors_of_prefixes_come_back_and_matter(tiny: Dataset) -> None:
    model = fit(tiny, softmax="trie", node_vectors=True)
    assert all(vectors.any() for vectors in model.backbone.node_vectors)
    again = GenSAR(model.settings)
    again.restore(*model.state())
    assert again.parameters() == model.parameters()
    for kind, task in enumerate((Task.SEARCH, Task.REC)):
        asked = some_requests(tiny, task)
        assert np.array_equal(model.score(asked), again.score(asked))
        with torch.no_grad():
            again.backbone.node_vectors[kind].zero_()
        assert not np.allclose(model.score(asked), again.score(asked))


def test_before_training_vectors_of_prefixes_change_nothing(tiny: Dataset) -> None:
    small, scores = GenSARSettings(**SMALL, softmax="trie"), []  # type: ignore[arg-type]
    for own, tokens in ((False, "fused"), (True, "fused"), (True, "tied")):
        model = GenSAR(replace(small, node_vectors=own, item_tokens=tokens))
        with without_text_encoder():
            model.prepare(tiny.train, HarnessValidation(tiny, TASKS), TrainingContext(TASKS, 1))
        scores.append(model.score(some_requests(tiny, Task.REC)))
    assert all(np.array_equal(scores[0], other) for other in scores[1:])


def test_vectors_of_prefixes_are_counted_among_what_is_kept(tiny: Dataset) -> None:
    sizes = Sizes.of(tiny)
    own, shared = (
        GenSAR(GenSARSettings(softmax="trie", node_vectors=own)).needs(sizes, TASKS)
        for own in (True, False)
    )
    assert own is not None
    assert shared is not None
    model = fit(tiny, softmax="trie", node_vectors=True)
    counted = (own.kept - shared.kept) / 4 / GenSARSettings().width
    assert sum(map(len, model.backbone.node_vectors)) <= counted


def test_a_tied_item_is_read_by_its_codes_and_the_vector_of_its_identifier(tiny: Dataset) -> None:
    model = fit(tiny, softmax="trie", node_vectors=True, item_tokens="tied")
    vocabulary, backbone = model.vocabulary, model.backbone
    assert len(backbone.t5.shared.weight) == vocabulary.first_item
    path = Trie.of(vocabulary.identifiers.codes[COLLABORATIVE]).path[:, -1]
    items = np.arange(len(tiny.train.items))
    for behaviour, kind in ((vocabulary.rec, COLLABORATIVE), (vocabulary.searched, SEMANTIC)):
        codes = vocabulary.code_tokens(kind)
        wide = model.sequences.width - 2 - codes.shape[1]
        row = np.column_stack(
            [
                np.full(len(items), behaviour),
                codes,
                np.full((len(items), wide), NOTHING),
                vocabulary.first_item + items,
            ]
        )
        expected = backbone.t5.shared.weight[behaviour] + backbone.node_vectors[COLLABORATIVE][path]
        expected = expected + backbone.t5.shared.weight[codes].sum(dim=1)
        read = backbone.embed(torch.as_tensor(row)[None])[0]
        torch.testing.assert_close(read, expected)
    query = torch.full((1, 1, model.sequences.width), NOTHING)
    assert not backbone.embed(query).any()


def test_tied_items_are_read_in_histories_and_come_back(tiny: Dataset) -> None:
    model = fit(tiny, softmax="trie", node_vectors=True, item_tokens="tied")
    again = GenSAR(model.settings)
    again.restore(*model.state())
    assert again.parameters() == model.parameters()
    asked = some_requests(tiny, Task.SEARCH)  # these vectors are no part of its answers
    assert np.array_equal(model.score(asked), again.score(asked))
    with torch.no_grad():
        again.backbone.node_vectors[COLLABORATIVE].zero_()
    assert not np.allclose(model.score(asked), again.score(asked))


def test_tied_items_need_no_memory_of_their_own(tiny: Dataset) -> None:
    kept = [
        GenSAR(GenSARSettings(softmax="trie", node_vectors=True, item_tokens=tokens)).needs(
            Sizes.of(tiny), TASKS
        )
        for tokens in ("tied", "fused")
    ]
    assert kept[0] == kept[1]


def test_items_are_tied_to_vectors_that_there_are() -> None:
    with pytest.raises(ValueError, match="there are none"):
        GenSARSettings(item_tokens="tied")


def test_vectors_of_prefixes_want_the_softmax_over_the_trie() -> None:
    with pytest.raises(ValueError, match="only with softmax=trie"):
        GenSARSettings(softmax="level", node_vectors=True)


def test_own_tokens_are_never_written() -> None:
    with pytest.raises(ValueError, match="own tokens are not written"):
        GenSARSettings(item_tokens="own", softmax="vocabulary")
