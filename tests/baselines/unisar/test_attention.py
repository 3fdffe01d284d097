from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from baselines.two_histories.attention import DecoderLayer, EncoderLayer, TargetAttention
from baselines.two_histories.network import Events
from baselines.unisar.encoder import HistoryEncoder
from baselines.unisar.settings import UniSARSettings

WIDTH, HEADS = 8, 2
SMALL = UniSARSettings(width=WIDTH, heads=HEADS, inner=6, max_history=5, layers=2, dropout=0.0)
Times = tuple[tuple[int, ...], ...]

REC_TIMES = ((1, 2, 5, 5, 9), (3, 4), ())
SEARCH_TIMES = ((2, 5, 7), (), (1, 6, 6))


def _events(own: Times, other: Times, before_equals: bool) -> Events:
    """Random vectors at given times, before or after those of the other kind at equal times."""
    places = max(len(times) for times in own)
    age = torch.zeros(len(own), places, dtype=torch.int64)
    among_all, real = age.clone(), torch.zeros(len(own), places, dtype=torch.bool)
    for row, times in enumerate(own):
        for place, time in enumerate(times):
            later = sum(t > time or (before_equals and t == time) for t in other[row])
            age[row, place] = len(times) - 1 - place
            among_all[row, place] = age[row, place] + later
            real[row, place] = True
    generator = torch.Generator().manual_seed(places)
    vectors = torch.randn(len(own), places, WIDTH, generator=generator)
    return Events(vectors, age, among_all, real)


@pytest.fixture
def encoder() -> HistoryEncoder:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        made = HistoryEncoder(SMALL)
        for ages in (made.rec_age, made.search_age, made.age_among_all):
            nn.init.normal_(ages.weight)
    return made.eval()


@pytest.fixture
def rec() -> Events:
    return _events(REC_TIMES, SEARCH_TIMES, True)


@pytest.fixture
def search() -> Events:
    return _events(SEARCH_TIMES, REC_TIMES, False)


def _naive_layer(layer: EncoderLayer, states: Tensor, kinds: list[int]) -> Tensor:
    """One layer over a merged sequence, event by event, pairs of one kind forbidden."""
    attention, made = layer.attention, []
    size = WIDTH // HEADS
    for i in range(len(states)):
        partners = [j for j in range(len(states)) if kinds[j] != kinds[i]]
        read = torch.zeros(WIDTH)
        if partners:
            heads = []
            for head in range(HEADS):
                part = slice(head * size, (head + 1) * size)
                asked = attention.ask(states[i])[part]
                offered = [attention.offer(states[j]).chunk(2) for j in partners]
                logits = torch.stack([asked @ key[part] / math.sqrt(size) for key, _ in offered])
                weights = torch.softmax(logits, dim=0)
                values = torch.stack([value[part] for _, value in offered])
                heads.append((weights[:, None] * values).sum(dim=0))
            read = attention.out(torch.cat(heads))
        own = layer.norms[0](states[i] + read)
        made.append(layer.norms[1](own + layer.feed(own)))
    return torch.stack(made)


@torch.no_grad()
def test_transitions_are_those_of_the_merged_sequence_whose_mask_forbids_pairs_of_a_kind(
    encoder: HistoryEncoder, rec: Events, search: Events
) -> None:
    found = encoder.transitions(rec, search)
    for row in range(len(REC_TIMES)):
        merged = [(time, 0, place) for place, time in enumerate(REC_TIMES[row])]
        merged += [(time, 1, place) for place, time in enumerate(SEARCH_TIMES[row])]
        merged.sort()
        kinds = [kind for _, kind, _ in merged]
        vectors = [(rec, search)[kind].vectors[row, place] for _, kind, place in merged]
        ages = encoder.age_among_all.weight[: len(merged)].flip(0)
        states = torch.stack(vectors) + ages
        for layer in encoder.cross:
            states = _naive_layer(layer, states, kinds)
        for state, (_, kind, place) in zip(states, merged, strict=True):
            torch.testing.assert_close(found[kind][row, place], state)


def test_an_event_without_partner_is_finite_and_so_are_its_gradients(
    encoder: HistoryEncoder, rec: Events, search: Events
) -> None:
    readings = encoder(rec, search)
    loss = sum((r.fused[r.real].sum() + r.across[r.real].square().sum()) for r in readings)
    loss.backward()
    for name, weight in encoder.named_parameters():
        assert weight.grad is not None
        assert torch.isfinite(weight.grad).all(), name
    for reading in readings:
        for states in (reading.within, reading.across, reading.fused):
            assert torch.isfinite(states).all()


@torch.no_grad()
def test_what_stands_in_padding_changes_no_event(
    encoder: HistoryEncoder, rec: Events, search: Events
) -> None:
    def filled(events: Events) -> Events:
        vectors = torch.where(events.real[:, :, None], events.vectors, torch.tensor(7.0))
        return Events(vectors, events.age, events.age_among_all, events.real)

    for own, again in zip(encoder(rec, search), encoder(filled(rec), filled(search)), strict=True):
        torch.testing.assert_close(own.fused[own.real], again.fused[own.real])


@torch.no_grad()
def test_a_full_layer_is_torch_s_own(rec: Events) -> None:
    layer = EncoderLayer(WIDTH, HEADS, 6, 0.0).eval()
    peer = nn.TransformerEncoderLayer(WIDTH, HEADS, 6, 0.0, batch_first=True).eval()
    attention = layer.attention
    peer.self_attn.in_proj_weight.copy_(torch.cat([attention.ask.weight, attention.offer.weight]))
    peer.self_attn.in_proj_bias.copy_(torch.cat([attention.ask.bias, attention.offer.bias]))
    peer.self_attn.out_proj.load_state_dict(attention.out.state_dict())
    peer.linear1.load_state_dict(layer.feed.wide.state_dict())
    peer.linear2.load_state_dict(layer.feed.narrow.state_dict())
    some = rec.real.any(dim=1)
    own, real = rec.vectors[some], rec.real[some]
    expected = peer(own, src_key_padding_mask=~real)
    torch.testing.assert_close(layer(own, own, real)[real], expected[real])


@torch.no_grad()
def test_the_fusing_layer_is_torch_s_own_decoder_layer(rec: Events) -> None:
    layer = DecoderLayer(WIDTH, HEADS, 6, 0.0).eval()
    peer = nn.TransformerDecoderLayer(WIDTH, HEADS, 6, 0.0, batch_first=True).eval()
    for ours, theirs in ((layer.within, peer.self_attn), (layer.across, peer.multihead_attn)):
        theirs.in_proj_weight.copy_(torch.cat([ours.ask.weight, ours.offer.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.ask.bias, ours.offer.bias]))
        theirs.out_proj.load_state_dict(ours.out.state_dict())
    peer.linear1.load_state_dict(layer.feed.wide.state_dict())
    peer.linear2.load_state_dict(layer.feed.narrow.state_dict())
    some = rec.real.any(dim=1)
    own, real = rec.vectors[some], rec.real[some]
    memory = own.flip(2)
    expected = peer(own, memory, tgt_key_padding_mask=~real, memory_key_padding_mask=~real)
    torch.testing.assert_close(layer(own, memory, real)[real], expected[real])


@pytest.mark.parametrize("shared", [True, False])
@torch.no_grad()
def test_target_attention_is_that_of_a_loop(rec: Events, shared: bool) -> None:
    target = TargetAttention(WIDTH)
    items = torch.randn(*(() if shared else (3,)), 4, WIDTH)
    found = target(target.keys(rec.vectors), rec.vectors, rec.real, items)
    assert found.shape == (3, 4, WIDTH)
    for row, times in enumerate(REC_TIMES):
        for place in range(4):
            item = items[place] if shared else items[row, place]
            states = rec.vectors[row, : len(times)]
            weights = [math.exp(state @ target.turn.weight.T @ item) for state in states]
            expected = torch.zeros(WIDTH)
            for weight, state in zip(weights, states, strict=True):
                expected += weight / sum(weights) * state
            torch.testing.assert_close(found[row, place], expected)
