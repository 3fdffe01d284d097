from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from gensar.backbone import Backbone
from gensar.decoding import Leaves, Memory, beam_search, score_items
from gensar.identifiers import COLLABORATIVE, SEMANTIC
from gensar.trie import Trie
from tests.gensar.support import backbone_of, random_identifiers, vocabulary_of

ITEMS, REQUESTS = 40, 4
IDENTIFIERS = random_identifiers(ITEMS, ((4, 4, 4, 4, 7), (4, 4, 4, 4)))
VOCABULARY = vocabulary_of(IDENTIFIERS)
KINDS = [SEMANTIC, COLLABORATIVE]


def _inputs() -> tuple[Tensor, Tensor]:
    """Return token rows ``[requests, positions]`` padded with 0, and which are real."""
    generator = torch.Generator().manual_seed(5)
    tokens = torch.randint(1, VOCABULARY.size, (REQUESTS, 9), generator=generator)
    real = torch.arange(9) < torch.tensor([9, 4, 7, 1])[:, None]
    return tokens * real, real


def _memory(backbone: Backbone) -> Memory:
    tokens, real = _inputs()
    states = backbone.encode(torch.where(real, tokens, -1).unsqueeze(-1))
    lengths = real.sum(dim=1, keepdim=True)
    return Memory(states, real.unsqueeze(1), backbone.summary(states, lengths))


def _start(kind: int) -> int:
    return VOCABULARY.searched if kind == SEMANTIC else VOCABULARY.rec


def _exact(backbone: Backbone, memory: Memory, kind: int) -> Tensor:
    codes = torch.as_tensor(IDENTIFIERS.codes[kind]).expand(REQUESTS, -1, -1)
    tokens = torch.as_tensor(VOCABULARY.code_tokens(kind)).expand(REQUESTS, -1, -1)
    return score_items(backbone, memory, _start(kind), kind, codes, tokens)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("whole", [False, True], ids=["level", "vocabulary"])
@torch.no_grad()
def test_scores_are_those_of_one_pass_of_t5_for_each_candidate(kind: int, whole: bool) -> None:
    backbone = backbone_of(VOCABULARY, vocabulary_softmax=whole)
    tokens, real = _inputs()
    expected = torch.zeros(REQUESTS, ITEMS)
    for item, codes in enumerate(VOCABULARY.code_tokens(kind).tolist()):
        written = torch.tensor([[_start(kind), *codes[:-1]]]).expand(REQUESTS, -1)
        logits = backbone.t5(tokens, attention_mask=real, decoder_input_ids=written).logits
        for level, token in enumerate(codes):
            first, stop = (0, VOCABULARY.size) if whole else VOCABULARY.level_range(kind, level)
            log_probs = functional.log_softmax(logits[:, level, first:stop], dim=-1)
            expected[:, item] += log_probs[:, token - first]
    found = _exact(backbone, _memory(backbone), kind)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("causal", [False, True])
@torch.no_grad()
def test_as_many_beams_as_identifiers_give_the_exact_order(kind: int, causal: bool) -> None:
    backbone = backbone_of(VOCABULARY, causal)
    memory = _memory(backbone)
    exact = _exact(backbone, memory, kind)
    trie = Trie.of(IDENTIFIERS.codes[kind])
    leaves, scores = beam_search(backbone, memory, _start(kind), kind, trie, 100)
    owner = {leaf: item for item, leaf in enumerate(trie.path[:, -1].tolist())}
    for row in range(REQUESTS):
        real = scores[row].isfinite()
        items = [owner[leaf] for leaf in leaves[row][real].tolist()]
        assert len(items) == len(set(items)) == len(owner)
        torch.testing.assert_close(scores[row][real], exact[row, items], atol=1e-5, rtol=1e-5)
        assert scores[row].equal(scores[row].sort(descending=True).values)


@torch.no_grad()
def test_beams_are_those_of_transformers() -> None:
    backbone = backbone_of(VOCABULARY, vocabulary_softmax=True)
    trie, kind, beams = Trie.of(IDENTIFIERS.codes[1]), COLLABORATIVE, 6
    paths = [[_start(kind), *codes] for codes in VOCABULARY.code_tokens(kind).tolist()]

    def going_on(_: int, written: Tensor) -> list[int]:
        prefix = written.tolist()
        return sorted({p[len(prefix)] for p in paths if p[: len(prefix)] == prefix})

    tokens, real = _inputs()
    out = backbone.t5.generate(
        tokens,
        attention_mask=real.long(),
        num_beams=beams,
        num_return_sequences=beams,
        prefix_allowed_tokens_fn=going_on,
        decoder_start_token_id=_start(kind),
        max_new_tokens=4,
        length_penalty=0.0,
        do_sample=False,
        output_scores=True,
        return_dict_in_generate=True,
    )
    leaves, scores = beam_search(backbone, _memory(backbone), _start(kind), kind, trie, beams)
    owner = {leaf: paths[item] for item, leaf in enumerate(trie.path[:, -1].tolist())}
    written = [owner[leaf] for leaf in leaves.flatten().tolist()]
    assert written == out.sequences.tolist()
    torch.testing.assert_close(scores.flatten(), out.sequences_scores, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5])
@torch.no_grad()
def test_only_permitted_items_are_written_and_none_is_missed(share: float) -> None:
    kind = COLLABORATIVE
    backbone = backbone_of(VOCABULARY, causal=True)
    memory = _memory(backbone)
    trie = Trie.of(IDENTIFIERS.codes[kind])
    permitted = torch.as_tensor(np.random.default_rng(1).random((REQUESTS, ITEMS)) < share)
    allowed = trie.count_below(permitted)
    found = beam_search(backbone, memory, _start(kind), kind, trie, 100, allowed)
    items, scores = Leaves.of(trie).items(*found, permitted)
    exact = _exact(backbone, memory, kind)
    for row in range(REQUESTS):
        real = items[row] >= 0
        assert sorted(items[row][real].tolist()) == permitted[row].nonzero().flatten().tolist()
        assert scores[row][~real].isneginf().all()
        torch.testing.assert_close(
            scores[row][real], exact[row, items[row][real]], atol=1e-5, rtol=1e-5
        )
        assert scores[row].equal(scores[row].sort(descending=True).values)


@torch.no_grad()
def test_an_extra_level_wider_than_the_others_is_decoded() -> None:
    codes = np.zeros((30, 5), dtype=np.int64)
    codes[:20, 4], codes[20:, 3] = np.arange(20), np.arange(10) % 3 + 1
    codes[20:, 4] = np.arange(10) // 3
    identifiers = random_identifiers(30, ((4, 4, 4, 4, 20), (4, 4, 4, 4, 20)))
    identifiers.codes[SEMANTIC][:] = codes
    vocabulary = vocabulary_of(identifiers)
    backbone = backbone_of(vocabulary)
    trie = Trie.of(codes)
    states = backbone.encode(torch.ones(2, 3, 1, dtype=torch.int64))
    memory = Memory(states, torch.ones(2, 1, 3, dtype=torch.bool), None)
    leaves, scores = beam_search(backbone, memory, vocabulary.searched, SEMANTIC, trie, 64)
    assert scores.isfinite().sum(dim=1).tolist() == [30, 30]
    for row in range(2):
        assert set(leaves[row][:30].tolist()) == set(trie.path[:, -1].tolist())


def test_items_of_one_leaf_share_its_score() -> None:
    codes = np.array([[0, 1], [0, 1], [1, 0], [0, 1]])
    trie = Trie.of(codes)
    first, second = trie.path[0, -1], trie.path[2, -1]
    nodes, scores = torch.stack([second, first])[None], torch.tensor([[-1.0, -2.0]])
    items, spread = Leaves.of(trie).items(nodes, scores, None)
    assert items[0, :4].tolist() == [2, 0, 1, 3]
    assert spread[0, :4].tolist() == [-1.0, -2.0, -2.0, -2.0]
    assert (items[0, 4:] == -1).all()
    permitted = torch.tensor([[True, False, False, True]])
    items, spread = Leaves.of(trie).items(nodes, scores, permitted)
    assert items[0, :2].tolist() == [0, 3]
    assert spread[0, 2:].isneginf().all()
