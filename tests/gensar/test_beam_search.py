from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from gensar.engine.backbone import Backbone, Normaliser
from gensar.engine.beam_search import Leaves, beam_search, score_catalogue, score_items
from gensar.engine.bucketed_encoder import encode_by_length
from gensar.engine.identifiers import COLLABORATIVE, SEMANTIC
from gensar.engine.incremental_decoder import EncoderOutput
from gensar.engine.trie import ExcludedItems, Trie
from gensar.engine.vocabulary import END, PADDING
from tests.gensar.support import (
    KINDS_OF_OUTPUT,
    backbone_of,
    log_probs_of,
    random_identifiers,
    vocabulary_of,
)

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


def _encoded(backbone: Backbone) -> EncoderOutput:
    tokens, real = _inputs()
    states = backbone.encode(torch.where(real, tokens, -1).unsqueeze(-1))
    lengths = real.sum(dim=1, keepdim=True)
    return EncoderOutput(states, real.unsqueeze(1), backbone.summary(states, lengths))


def _start(kind: int) -> int:
    return VOCABULARY.searched if kind == SEMANTIC else VOCABULARY.rec


def _exact(backbone: Backbone, encoded: EncoderOutput, kind: int) -> Tensor:
    return score_catalogue(backbone, encoded, _start(kind), kind, Trie.of(IDENTIFIERS.codes[kind]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("softmax", "node_vectors"), KINDS_OF_OUTPUT)
@torch.no_grad()
def test_scores_are_those_of_one_pass_of_t5_for_each_candidate(
    kind: int, softmax: Normaliser, node_vectors: bool
) -> None:
    backbone = backbone_of(VOCABULARY, softmax=softmax, node_vectors=node_vectors)
    tokens, real = _inputs()
    expected = torch.zeros(REQUESTS, ITEMS)
    for item, codes in enumerate(VOCABULARY.code_tokens(kind).tolist()):
        written = torch.tensor([[_start(kind), *codes[:-1]]]).expand(REQUESTS, -1)
        output = backbone.t5(
            tokens, attention_mask=real, decoder_input_ids=written, output_hidden_states=True
        )
        for level in range(len(codes)):
            expected[:, item] += log_probs_of(backbone, output, kind, item, level, softmax)
    encoded, trie = _encoded(backbone), Trie.of(IDENTIFIERS.codes[kind])
    found = _exact(backbone, encoded, kind)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    some = torch.arange(ITEMS).flip(0)[: ITEMS // 2].repeat(REQUESTS, 1)
    given = score_items(backbone, encoded, _start(kind), kind, trie, some)
    torch.testing.assert_close(given, expected.gather(1, some), atol=1e-5, rtol=1e-5)
    if softmax == "trie":  # the items share all of the probability
        distinct = np.unique(IDENTIFIERS.codes[kind], axis=0, return_index=True)[1]
        torch.testing.assert_close(found[:, distinct].exp().sum(dim=1), torch.ones(REQUESTS))


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_whole_answer_starts_behind_padding_and_its_end_counts(kind: int) -> None:
    backbone = backbone_of(VOCABULARY, whole_answers=True)
    tokens, real = _inputs()
    expected = torch.zeros(REQUESTS, ITEMS)
    for item, codes in enumerate(VOCABULARY.code_tokens(kind).tolist()):
        written = torch.tensor([[PADDING, _start(kind), *codes]]).expand(REQUESTS, -1)
        logits = backbone.t5(tokens, attention_mask=real, decoder_input_ids=written).logits
        for place, token in enumerate([*codes, END], start=1):
            expected[:, item] += functional.log_softmax(logits[:, place], dim=-1)[:, token]
    encoded, trie = _encoded(backbone), Trie.of(IDENTIFIERS.codes[kind])
    found = _exact(backbone, encoded, kind)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    items = torch.arange(ITEMS).flip(0).repeat(REQUESTS, 1)
    given = score_items(backbone, encoded, _start(kind), kind, trie, items)
    torch.testing.assert_close(given, expected.flip(1), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("at_once", [1, 2**18])
@torch.no_grad()
def test_a_few_rows_at_a_time_are_encoded_as_transformers_encodes_all_together(
    causal: bool, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gensar.engine.bucketed_encoder._WEIGHTS_AT_ONCE", at_once)
    backbone = backbone_of(VOCABULARY, causal)
    tokens, real = _inputs()
    inputs = torch.where(real, tokens, -1).unsqueeze(-1)
    together, apart = backbone.encode(inputs), encode_by_length(backbone, inputs)
    torch.testing.assert_close(apart[real], together[real], atol=1e-5, rtol=1e-5)
    nothing = encode_by_length(backbone, torch.full((2, 3, 1), -1))
    assert nothing.isfinite().all()


@pytest.mark.parametrize("scale", [1, 1000], ids=["small", "beyond float32"])
@pytest.mark.parametrize("at_once", [1, 2**18])
@torch.no_grad()
def test_a_few_logits_at_a_time_give_the_same_log_probabilities(
    scale: float, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = backbone_of(VOCABULARY, softmax="vocabulary")
    hidden = torch.randn(3, 5, 16, generator=torch.Generator().manual_seed(1))
    hidden[0] *= scale
    first, stop = VOCABULARY.level_range(SEMANTIC, 1)
    expected = functional.log_softmax(hidden @ backbone.t5.lm_head.weight.T, dim=-1)
    monkeypatch.setattr("gensar.engine.cpu_kernels._LOGITS_AT_ONCE", at_once)
    every = torch.arange(stop - first).expand(3, 5, -1)
    children = every, every, torch.ones_like(every, dtype=torch.bool)
    found = backbone.code_log_probs(hidden, SEMANTIC, 1, children)
    torch.testing.assert_close(found, expected[..., first:stop], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("softmax", ["trie", "node vectors", "level", "whole answers"])
@torch.no_grad()
def test_as_many_beams_as_identifiers_give_the_exact_order(
    kind: int, causal: bool, softmax: str
) -> None:
    if softmax == "whole answers":
        backbone = backbone_of(VOCABULARY, causal, whole_answers=True)
    elif softmax == "node vectors":
        backbone = backbone_of(VOCABULARY, causal, "trie", node_vectors=True)
    else:
        backbone = backbone_of(VOCABULARY, causal, softmax=softmax)  # type: ignore[arg-type]
    encoded = _encoded(backbone)
    exact = _exact(backbone, encoded, kind)
    trie = Trie.of(IDENTIFIERS.codes[kind])
    leaves, scores = beam_search(backbone, encoded, _start(kind), kind, trie, 100)
    owner = {leaf: item for item, leaf in enumerate(trie.path[:, -1].tolist())}
    for row in range(REQUESTS):
        real = scores[row].isfinite()
        items = [owner[leaf] for leaf in leaves[row][real].tolist()]
        assert len(items) == len(set(items)) == len(owner)
        torch.testing.assert_close(scores[row][real], exact[row, items], atol=1e-5, rtol=1e-5)
        assert scores[row].equal(scores[row].sort(descending=True).values)


@pytest.mark.parametrize("whole", [False, True], ids=["codes", "whole answers"])
@torch.no_grad()
def test_beams_are_those_of_transformers(whole: bool) -> None:
    backbone = backbone_of(VOCABULARY, softmax="vocabulary", whole_answers=whole)
    trie, kind, beams = Trie.of(IDENTIFIERS.codes[1]), COLLABORATIVE, 6
    front, back = ([PADDING], [END]) if whole else ([], [])
    paths = [
        [*front, _start(kind), *codes, *back] for codes in VOCABULARY.code_tokens(kind).tolist()
    ]

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
        decoder_start_token_id=paths[0][0],
        max_new_tokens=len(paths[0]) - 1,
        length_penalty=0.0,
        do_sample=False,
        output_scores=True,
        return_dict_in_generate=True,
    )
    leaves, scores = beam_search(backbone, _encoded(backbone), _start(kind), kind, trie, beams)
    owner = {leaf: paths[item] for item, leaf in enumerate(trie.path[:, -1].tolist())}
    written = [owner[leaf] for leaf in leaves.flatten().tolist()]
    assert written == out.sequences.tolist()
    expected = out.sequences_scores.view(REQUESTS, beams)
    if whole:  # they count the behaviour token, which is the same for all
        first = backbone.t5(tokens, attention_mask=real, decoder_input_ids=torch.zeros_like(tokens))
        expected = expected - first.logits.log_softmax(-1)[:, :1, _start(kind)]
    torch.testing.assert_close(scores, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("share", [1.0, 0.95, 0.5, 0.0])
@torch.no_grad()
def test_excluded_items_are_not_written_and_no_other_is_missed(share: float) -> None:
    kind = COLLABORATIVE
    backbone = backbone_of(VOCABULARY, causal=True)
    encoded = _encoded(backbone)
    trie = Trie.of(IDENTIFIERS.codes[kind])
    away = np.random.default_rng(1).random((REQUESTS, ITEMS)) < share
    excluded = ExcludedItems.of(trie, np.cumsum([0, *away.sum(axis=1)]), np.nonzero(away)[1])
    found = beam_search(backbone, encoded, _start(kind), kind, trie, 100, excluded)
    items, scores = Leaves.of(trie).items(*found, excluded)
    exact = _exact(backbone, encoded, kind)
    for row in range(REQUESTS):
        real = items[row] >= 0
        assert sorted(items[row][real].tolist()) == np.flatnonzero(~away[row]).tolist()
        assert scores[row][~real].isneginf().all()
        torch.testing.assert_close(
            scores[row][real], exact[row, items[row][real]], atol=1e-5, rtol=1e-5
        )
        assert scores[row].equal(scores[row].sort(descending=True).values)


@torch.no_grad()
def test_a_narrow_beam_is_not_spent_on_excluded_items() -> None:
    """Five beams find five identifiers, however many better ones are excluded."""
    kind = COLLABORATIVE
    backbone = backbone_of(VOCABULARY)
    encoded = _encoded(backbone)
    trie = Trie.of(IDENTIFIERS.codes[kind])
    best = _exact(backbone, encoded, kind).argsort(dim=1, descending=True)[:, :30].numpy()
    excluded = ExcludedItems.of(trie, np.arange(0, 30 * REQUESTS + 1, 30), best.ravel())
    found = beam_search(backbone, encoded, _start(kind), kind, trie, 5, excluded)
    items, _ = Leaves.of(trie).items(*found, excluded)
    for row in range(REQUESTS):
        given = items[row][items[row] >= 0].tolist()
        assert len(given) >= 5 and not set(given) & set(best[row].tolist())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("causal", [False, True])
@torch.no_grad()
def test_given_items_score_as_in_the_whole_catalogue(kind: int, causal: bool) -> None:
    """In any order, with repetitions, and with different numbers of shared prefixes."""
    backbone = backbone_of(VOCABULARY, causal)
    encoded = _encoded(backbone)
    trie = Trie.of(IDENTIFIERS.codes[kind])
    items = torch.as_tensor(np.random.default_rng(2).integers(0, ITEMS, (REQUESTS, 12)))
    items[1] = 7
    found = score_items(backbone, encoded, _start(kind), kind, trie, items)
    exact = _exact(backbone, encoded, kind).gather(1, items)
    torch.testing.assert_close(found, exact, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("beams", [1, 3, 8])
@torch.no_grad()
def test_beams_over_given_items_are_those_over_a_trie_of_them_alone(beams: int) -> None:
    kind = COLLABORATIVE
    backbone = backbone_of(VOCABULARY)
    encoded = _encoded(backbone)
    items = torch.as_tensor(
        np.stack([np.random.default_rng(row).permutation(ITEMS)[:15] for row in range(REQUESTS)])
    )
    found = score_items(
        backbone, encoded, _start(kind), kind, Trie.of(IDENTIFIERS.codes[kind]), items, beams
    )
    for row in range(REQUESTS):
        own = Trie.of(IDENTIFIERS.codes[kind][items[row].numpy()])
        alone = EncoderOutput(encoded.states[[row]], encoded.visible[[row]], None)
        leaves, scores = beam_search(backbone, alone, _start(kind), kind, own, beams)
        reached = dict(zip(leaves[0].tolist(), scores[0].tolist(), strict=True))
        expected = [reached.get(leaf, -np.inf) for leaf in own.path[:, -1].tolist()]
        np.testing.assert_allclose(found[row].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_bfloat16_orders_items_almost_as_float32(kind: int) -> None:
    backbone = backbone_of(VOCABULARY)
    encoded = _encoded(backbone)
    exact = _exact(backbone, encoded, kind)
    half = backbone.to(torch.bfloat16)
    rough = EncoderOutput(encoded.states.bfloat16(), encoded.visible, None)
    scores = _exact(half, rough, kind)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores, exact, atol=0.2, rtol=0.05)
    trie = Trie.of(IDENTIFIERS.codes[kind])
    leaves, found = beam_search(half, rough, _start(kind), kind, trie, 100)
    assert leaves[found.isfinite()].numel() == REQUESTS * len(trie.path[:, -1].unique())


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
    encoded = EncoderOutput(states, torch.ones(2, 1, 3, dtype=torch.bool), None)
    leaves, scores = beam_search(backbone, encoded, vocabulary.searched, SEMANTIC, trie, 64)
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
    excluded = ExcludedItems.of(trie, np.array([0, 2]), np.array([2, 1]))
    items, spread = Leaves.of(trie).items(nodes, scores, excluded)
    assert items[0, :2].tolist() == [0, 3]
    assert spread[0, 2:].isneginf().all()


def test_a_score_that_is_no_number_is_not_hidden() -> None:
    trie = Trie.of(np.array([[0, 1], [1, 0], [1, 1]]))
    nodes, scores = trie.path[:, -1][None], torch.tensor([[torch.nan, torch.inf, -torch.inf]])
    items, spread = Leaves.of(trie).items(nodes, scores, None)
    assert (items >= 0).sum() == 2
    assert sorted(spread[items >= 0].isfinite().tolist()) == [False, False]
