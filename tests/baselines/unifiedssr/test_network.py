from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from baselines.unifiedssr.encoder import SiameseEncoder, sinusoids
from baselines.unifiedssr.network import UnifiedSSRNetwork
from baselines.unifiedssr.sequences import Sequences
from baselines.unifiedssr.settings import UnifiedSSRSettings

SMALL = UnifiedSSRSettings(width=8, heads=2, inner=8, layers=2)
USERS, ITEMS, WORDS = 3, 20, 30
LENGTH = 6


def _network(**changed: object) -> UnifiedSSRNetwork:
    item_words = torch.arange(ITEMS)[:, None] % 7 + 1
    with torch.random.fork_rng():
        torch.manual_seed(3)
        chosen = replace(SMALL, **changed)  # type: ignore[arg-type]
        network = UnifiedSSRNetwork(USERS, ITEMS, WORDS, item_words, chosen)
        torch.nn.init.normal_(network.sessions.predictor.weight)
    return network.eval()


def _sequences(search: bool, length: tuple[int, ...] = (LENGTH, LENGTH)) -> Sequences:
    product = torch.arange(2 * LENGTH).reshape(2, LENGTH) + 1
    product[:, 0] = 0
    words = torch.arange(4 * LENGTH).reshape(2, LENGTH, 2) + 1
    return Sequences(torch.tensor([0, 2]), product, words if search else None, torch.tensor(length))


@torch.no_grad()
def _states(network: UnifiedSSRNetwork, batch: Sequences) -> list[Tensor]:
    return [states for _, states in network(batch, network.table()).branches]


@pytest.mark.parametrize("search", [False, True])
@pytest.mark.parametrize("layering", ["stacked", "published"])
@pytest.mark.parametrize("edges", ["soft", "hard"])
def test_later_events_do_not_influence_earlier_states(
    search: bool, layering: str, edges: str
) -> None:
    network, batch = _network(layering=layering, edges=edges), _sequences(search)
    whole = _states(network, batch)
    for place in range(1, LENGTH):
        product, words = batch.product.clone(), batch.words
        product[:, place:] = 19
        if words is not None:
            words = words.clone()
            words[:, place:] = 29
        changed = _states(network, replace(batch, product=product, words=words))
        for before, after in zip(whole, changed, strict=True):
            torch.testing.assert_close(after[:, :place], before[:, :place])
            assert (after[:, place] - before[:, place]).abs().max() > 1e-3


def test_position_t_of_search_sees_query_t_and_the_products_before() -> None:
    network, batch = _network(), _sequences(True)
    assert batch.words is not None
    whole = _states(network, batch)
    for place in range(LENGTH):
        words = batch.words.clone()
        words[:, place] = 29
        for before, after in zip(whole, _states(network, replace(batch, words=words)), strict=True):
            torch.testing.assert_close(after[:, :place], before[:, :place])
            assert (after[:, place] - before[:, place]).abs().max() > 1e-3
    # Product t stands at position t + 1, so it is among what later positions see only.
    product = batch.product.clone()
    product[:, 4] = 19
    for before, after in zip(whole, _states(network, replace(batch, product=product)), strict=True):
        torch.testing.assert_close(after[:, :4], before[:, :4])
        assert (after[:, 4] - before[:, 4]).abs().max() > 1e-3


@pytest.mark.parametrize("search", [False, True])
def test_the_published_mask_lets_later_events_in_but_not_the_padding(search: bool) -> None:
    network, batch = _network(masking="padding"), _sequences(search, (LENGTH - 2, LENGTH))
    product = batch.product.clone()
    product[0, LENGTH - 2 :] = 19
    product[1, LENGTH - 2 :] = 19
    for before, after in zip(
        _states(network, batch), _states(network, replace(batch, product=product)), strict=True
    ):
        real = slice(0, LENGTH - 2)
        torch.testing.assert_close(after[0, real], before[0, real])
        assert (after[1, 0] - before[1, 0]).abs().max() > 1e-4


@torch.no_grad()
def test_published_layering_is_one_layer() -> None:
    published, stacked = _network(layering="published"), _network(layering="stacked")
    layers = list(published.encoder.layers)
    one = SiameseEncoder(layers[-1:], SMALL.width, "stacked")  # type: ignore[arg-type]
    one.norm = published.encoder.norm
    streams = torch.randn(2, 2, LENGTH, SMALL.width, generator=torch.Generator().manual_seed(1))
    visible = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()
    expected = one(streams[0], streams[1], visible)
    torch.testing.assert_close(published.encoder(*streams, visible), expected)
    assert (stacked.encoder(*streams, visible) - expected).abs().max() > 1e-2


@pytest.mark.parametrize("search", [False, True])
def test_only_windows_in_the_batch_hang_on_the_padding(search: bool) -> None:
    batch = _sequences(search, (4, 4))
    short = replace(
        batch,
        product=batch.product[:, :4],
        words=None if batch.words is None else batch.words[:, :4],
    )
    for windows in ("own", "batch"):
        network = _network(windows=windows, edges="hard")
        torch.nn.init.zeros_(network.sessions.predictor.weight)
        gap = max(
            float((padded[:, 3] - own[:, 3]).abs().max())
            for padded, own in zip(_states(network, batch), _states(network, short), strict=True)
        )
        assert (gap > 1e-2) == (windows == "batch")
        assert windows == "batch" or gap < 1e-5


def test_recommendation_has_one_branch_and_search_shares_by_the_mixing_weight() -> None:
    network = _network()
    network.product_share.data.fill_(0.3)
    table = network.table()
    assert [float(share) for share, _ in network(_sequences(False), table).branches] == [1]
    shares = [float(share.detach()) for share, _ in network(_sequences(True), table).branches]
    assert shares == pytest.approx([0.3, 0.7])
    network.product_share.data.fill_(1.3)
    network.clamp_share()
    assert float(network.product_share.detach()) == pytest.approx(0.9)


def test_item_texts_are_added_to_item_vectors_only_where_asked() -> None:
    plain, texts = _network(item_vectors="id"), _network(item_vectors="text")
    scale = SMALL.width**0.5
    torch.testing.assert_close(plain.table(), plain.products.weight * scale)
    added = texts.table() - texts.products.weight * scale
    torch.testing.assert_close(added[0], torch.zeros(SMALL.width))
    torch.testing.assert_close(added[3], texts.query.table.weight[3] * scale)


def test_users_have_states_of_their_own() -> None:
    network, batch = _network(), _sequences(True)
    other = replace(batch, user=torch.tensor([1, 2]))
    for before, after in zip(_states(network, batch), _states(network, other), strict=True):
        assert (before[0] - after[0]).abs().max() > 1e-3
        torch.testing.assert_close(before[1], after[1])


def test_position_vectors_are_sines_and_cosines() -> None:
    found = sinusoids(3, 4, torch.device("cpu"))
    place = torch.arange(3.0)
    expected = torch.stack(
        [place.sin(), place.cos(), (place / 100).sin(), (place / 100).cos()], dim=1
    )
    torch.testing.assert_close(found, expected)
