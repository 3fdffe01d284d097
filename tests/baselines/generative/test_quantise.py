from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from baselines.generative.costs import quantisation_work
from baselines.generative.identify import separate_identifiers, single_identifiers
from baselines.generative.plain_rqvae import PlainRQVAE, train_rqvae
from baselines.generative.quantise import Quantisation, quantise, residual_kmeans, residual_lfq
from baselines.generative.settings import IdentifierSettings
from benchmark.errors import DivergedError, InputError
from benchmark.learning.subwords import train_tokenizer
from gensar.engine.identifiers import COLLABORATIVE, SEMANTIC
from gensar.engine.sequences import Sequences
from gensar.engine.vocabulary import Vocabulary

ITEMS, WIDTH, LEVELS, CODES = 60, 12, 3, 8
SMALL = {
    "levels": LEVELS,
    "codebook_size": CODES,
    "latent": 6,
    "rqvae_hidden": (10,),
    "rqvae_epochs": 20,
}
QUANTISERS = ("rq-kmeans", "rq-vae", "lfq")


def _vectors(items: int = ITEMS, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((5, WIDTH))
    drawn = centres[rng.integers(0, 5, items)] + 0.4 * rng.standard_normal((items, WIDTH))
    return drawn.astype(np.float32)


def _settings(quantiser: str, **changed: object) -> IdentifierSettings:
    return IdentifierSettings(**{**SMALL, **changed}, quantiser=quantiser)  # type: ignore[arg-type]


def _found(quantiser: str) -> Quantisation:
    return quantise(_vectors(), _settings(quantiser), 1, "cpu")


def _vocabulary(*, shared: bool) -> Vocabulary:
    first = residual_kmeans(_vectors(), LEVELS, CODES, 1)
    if shared:
        identifiers = single_identifiers(first.codes, first.vectors)
    else:
        second = residual_kmeans(_vectors(seed=1)[:, :5], 2, 6, 1)
        identifiers = separate_identifiers(first, second)
    tokenizer = train_tokenizer(["drama"], 20)
    return Vocabulary(tokenizer, tokenizer.get_vocab_size(), identifiers)


@pytest.mark.parametrize("quantiser", QUANTISERS)
def test_every_code_is_the_nearest_to_what_the_levels_before_leave(quantiser: str) -> None:
    found = _found(quantiser)
    assert found.codes.shape == (ITEMS, LEVELS)
    rest = found.place(_vectors()).astype(np.float64)
    for level, book in enumerate(found.vectors):
        assert book.shape == (CODES, rest.shape[1])
        distance = np.square(rest[:, None] - book[None]).sum(axis=2)
        np.testing.assert_array_equal(found.codes[:, level], distance.argmin(axis=1))
        rest = rest - book[found.codes[:, level]]


@pytest.mark.parametrize("quantiser", QUANTISERS)
def test_every_level_comes_closer(quantiser: str) -> None:
    found = _found(quantiser)
    rest = found.place(_vectors())
    error = [np.square(rest - rest.mean(axis=0)).sum()]
    for level, book in enumerate(found.vectors):
        rest = rest - book[found.codes[:, level]]
        error.append(np.square(rest).sum())
    assert (np.diff(error) < 0).all()


@pytest.mark.parametrize("quantiser", QUANTISERS)
def test_one_seed_gives_one_result(quantiser: str) -> None:
    for one, other in zip(_found(quantiser).vectors, _found(quantiser).vectors, strict=True):
        np.testing.assert_array_equal(one, other)


def test_sign_bits_by_hand() -> None:
    vectors = np.array([[3, 1], [1, -1], [-1, 1], [-3, -1]], dtype=np.float32)
    found = residual_lfq(vectors, 2, 2)
    axis = np.linalg.eigh(vectors.T @ vectors)[1][:, -1]
    axis = axis * np.sign(axis[np.abs(axis).argmax()])
    along = vectors @ axis
    reach = np.abs(along).mean()
    np.testing.assert_array_equal(found.codes[:, 0], (along > 0).astype(int))
    np.testing.assert_allclose(found.vectors[0], [-reach * axis, reach * axis], atol=1e-6)
    rest = vectors - np.sign(along)[:, None] * reach * axis
    assert np.square(rest).sum() < np.square(vectors - np.sign(along)[:, None] * axis).sum()


def test_more_bits_than_dimensions_leave_bits_unset() -> None:
    found = residual_lfq(_vectors()[:, :2], 1, 8)
    assert (found.codes < 4).all()
    np.testing.assert_allclose(found.vectors[0][:4], found.vectors[0][4:], atol=1e-6)


def test_signs_need_a_power_of_two() -> None:
    for codes in (1, 6, 100):
        with pytest.raises(InputError, match="power of 2"):
            residual_lfq(_vectors(), 2, codes)


def test_the_autoencoder_decodes_the_sum_of_its_codes() -> None:
    trained = train_rqvae(_vectors(), _settings("rq-vae"), 1, "cpu")
    books, codes = trained.codebooks(), trained.codes(_vectors())
    summed = sum(torch.as_tensor(books[level][codes[:, level]]) for level in range(LEVELS))
    scaled = (_vectors() - _vectors().mean(axis=0)).astype(np.float64)
    scaled /= np.sqrt(np.square(scaled).mean())
    expected = np.square(trained.network.decoder(summed).detach().numpy() - scaled).mean()
    _, error, _ = trained.network(torch.as_tensor(scaled.astype(np.float32)))
    assert error.item() == pytest.approx(expected, abs=1e-5)


def test_training_lowers_the_error_of_the_reconstruction() -> None:
    errors = []
    for epochs in (0, 200):
        chosen = _settings("rq-vae", rqvae_epochs=epochs, rqvae_learning_rate=1e-2)
        trained = train_rqvae(_vectors(), chosen, 1, "cpu")
        scaled = _vectors() - _vectors().mean(axis=0)
        scaled /= np.sqrt(np.square(scaled).mean())
        errors.append(trained.network(torch.as_tensor(scaled))[1].item())
    assert errors[1] < 0.5 * errors[0]


@pytest.mark.parametrize(("most", "made"), [(0, 35), (1, 1), (10, 10), (100, 35)])
def test_steps_are_bounded_however_many_items_an_epoch_has(
    monkeypatch: pytest.MonkeyPatch, most: int, made: int
) -> None:
    steps, step = [], torch.optim.AdamW.step
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda *a: (steps.append(1), step(*a)))
    chosen = _settings("rq-vae", rqvae_epochs=5, rqvae_batch_size=9, rqvae_steps=most)
    train_rqvae(_vectors(), chosen, 1, "cpu")
    assert len(steps) == made


def test_what_is_told_of_its_work_is_bounded_like_the_work() -> None:
    def told(items: int, most: int) -> float:
        return quantisation_work(_settings("rq-vae", rqvae_steps=most), items).flop

    assert told(10**7, 1000) < told(10**7, 0) / 100
    assert told(ITEMS, 1000) == told(ITEMS, 0)


def test_an_autoencoder_that_diverges_is_named_so() -> None:
    chosen = _settings("rq-vae", rqvae_learning_rate=1e20)
    with pytest.raises(DivergedError, match=r"rqvae diverged in epoch \d.*rqvae_learning_rate="):
        train_rqvae(_vectors(), chosen, 1, "cpu")


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(1, 4), st.booleans(), st.integers(0, 99))
def test_identifiers_are_unique(items: int, codes: int, always: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, codes, (items, 2))
    books = tuple(rng.standard_normal((codes, 3)).astype(np.float32) for _ in range(2))
    found = single_identifiers(drawn, books, always)
    whole = found.codes[SEMANTIC]
    collide = len(np.unique(drawn, axis=0)) < items
    assert len(np.unique(whole, axis=0)) == items
    assert whole.shape[1] == (3 if always or collide else 2)
    np.testing.assert_array_equal(whole[:, :2], drawn)
    assert (whole < np.array(found.level_sizes[SEMANTIC])).all()
    assert whole.shape[1] == len(found.level_sizes[SEMANTIC]) == found.shared_levels


def test_both_tasks_write_the_same_tokens() -> None:
    vocabulary = _vocabulary(shared=True)
    np.testing.assert_array_equal(
        vocabulary.code_tokens(SEMANTIC), vocabulary.code_tokens(COLLABORATIVE)
    )
    sizes = vocabulary.identifiers.level_sizes[0]
    assert vocabulary.size == vocabulary.first_code + sum(sizes)
    ranges = [vocabulary.level_range(1, level) for level in range(len(sizes))]
    assert [start for start, _ in ranges[1:]] == [stop for _, stop in ranges[:-1]]
    assert ranges[0][0] == vocabulary.first_code


def test_separate_identifiers_share_no_token() -> None:
    vocabulary = _vocabulary(shared=False)
    sizes = vocabulary.identifiers.level_sizes
    ranges = [
        vocabulary.level_range(kind, level) for kind in (0, 1) for level in range(len(sizes[kind]))
    ]
    assert ranges[0][0] == vocabulary.first_code
    assert [start for start, _ in ranges[1:]] == [stop for _, stop in ranges[:-1]]
    assert vocabulary.size == ranges[-1][1]
    search, rec = (set(vocabulary.code_tokens(kind).ravel().tolist()) for kind in (0, 1))
    assert not search & rec
    widths = {book.shape[1] for kind in vocabulary.identifiers.codebooks for book in kind}
    assert widths == {WIDTH}


def test_a_vocabulary_without_any_text_has_its_special_tokens_only() -> None:
    tokenizer = train_tokenizer([], 100)
    codes = residual_kmeans(_vectors(), 2, CODES, 1)
    identifiers = single_identifiers(codes.codes, codes.vectors, always=True)
    vocabulary = Vocabulary(tokenizer, tokenizer.get_vocab_size(), identifiers)
    assert vocabulary.text == 3
    assert len(vocabulary.encode(["never seen", ""], 4)) == 2
    assert (vocabulary.encode(["never seen"], 4).values < 3).all()
    assert Sequences(vocabulary, fused=True).width == 1 + codes.codes.shape[1] + 1


def test_the_commitment_of_every_level_and_the_reconstruction_once_move_the_encoder() -> None:
    """TIGER's loss: the residual is committed to its code at each level, not at the first alone."""
    torch.manual_seed(0)
    network = PlainRQVAE(width=5, latent=4, hidden=(), codebook_size=6, levels=3)
    vectors = torch.randn(7, 5)
    network.init_codebooks(torch.randn(30, 5), seed=1)
    encoded = network.encoder(vectors).detach().requires_grad_()
    network.encoder.forward = lambda _: encoded  # type: ignore[method-assign]
    codes, error, loss = network(vectors)
    (by_level,) = torch.autograd.grad(loss, encoded, retain_graph=True)
    (by_error,) = torch.autograd.grad(error, encoded)
    rest, expected = encoded.detach(), torch.zeros_like(encoded)
    for book, code in zip(network.books, codes.T, strict=True):
        left = rest - book.vectors[code].detach()
        expected += 0.25 * 2 * left / left.numel()
        rest = left
    torch.testing.assert_close(by_level, expected)
    summed = (encoded.detach() - rest).requires_grad_()
    again = torch.nn.functional.mse_loss(network.decoder(summed), vectors)
    torch.testing.assert_close(by_error, torch.autograd.grad(again, summed)[0])
