from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from benchmark.data.requests import Task
from benchmark.errors import DivergedError
from benchmark.model import TrainingContext
from benchmark.run_log import RunLog
from gensar import build_identifiers as building
from gensar.build_identifiers import Quantiser, build_identifiers
from gensar.engine.identifiers import (
    COLLABORATIVE,
    SEMANTIC,
    Identifiers,
    collision_rate,
    resolve_collisions,
)
from gensar.engine.rqvae import RQVAE
from gensar.settings import GenSARSettings
from tests.gensar.support import SMALL

CODES = st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=1, max_size=20)


def _vectors(items: int = 60, copies: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Return random vectors whose last ``copies`` rows are equal in both kinds."""
    rng = np.random.default_rng(0)
    semantic, collaborative = (rng.standard_normal((items, n)).astype(np.float32) for n in (10, 6))
    semantic[-copies:], collaborative[-copies:] = semantic[-1], collaborative[-1]
    return semantic, collaborative


def _build(run_log: RunLog | None = None, **changed: object) -> Quantiser:
    settings = GenSARSettings(**{**SMALL, **changed})  # type: ignore[arg-type]
    context = TrainingContext((Task.REC,), 3, run_log=run_log or RunLog(quiet=True))
    return build_identifiers(_vectors(), settings, context)


@given(CODES)
def test_the_collision_rate_is_the_share_of_items_beyond_the_distinct_identifiers(rows) -> None:
    assert collision_rate(np.array(rows)) == pytest.approx((len(rows) - len(set(rows))) / len(rows))


@given(CODES, st.integers(0, 5), st.integers(0, 10**6))
def test_passes_move_only_last_codes_and_never_make_more_collisions(rows, passes, seed) -> None:
    rng = np.random.default_rng(seed)
    before = np.array(rows)
    asked: list[np.ndarray] = []

    def reassign(groups: list[np.ndarray]) -> list[np.ndarray]:
        asked.extend(groups)
        return [rng.integers(0, 3, len(members)) for members in groups]

    after, rates = resolve_collisions(before, reassign, passes)
    assert rates[0] == collision_rate(before)
    assert rates[-1] == collision_rate(after)
    assert rates == sorted(rates, reverse=True)
    assert len(rates) <= passes + 1
    assert len(rates) == passes + 1 or rates[-1] in (0, *rates[-2:-1])
    np.testing.assert_array_equal(after[:, :-1], before[:, :-1])
    alone = [i for i, row in enumerate(rows) if rows.count(row) == 1]
    assert len({members.tobytes() for members in asked}) == len(asked)
    if len(rates) <= 2:
        np.testing.assert_array_equal(after[alone], before[alone])
        assert all(len({rows[i] for i in members}) == 1 < len(members) for members in asked)


@given(CODES)
def test_a_pass_that_separates_every_group_is_the_last(rows) -> None:
    before = np.array(rows)
    room = {row: 10 * i for i, row in enumerate(sorted(set(rows)))}

    def reassign(groups: list[np.ndarray]) -> list[np.ndarray]:
        return [100 + room[rows[g[0]]] * 10 + np.arange(len(g)) for g in groups]

    _, rates = resolve_collisions(before, reassign, 9)
    assert rates[1:] == ([0.0] if rates[0] > 0 else [])


@given(CODES)
def test_a_round_that_moves_nothing_is_the_last(rows) -> None:
    before = np.array(rows)
    after, rates = resolve_collisions(before, lambda all_: [before[g, -1] for g in all_], 9)
    np.testing.assert_array_equal(after, before)
    assert len(rates) == (2 if rates[0] > 0 else 1)


@given(CODES, st.integers(0, 10**6))
def test_when_rounds_end_early_one_more_would_move_nothing(rows, seed) -> None:
    def reassign(groups: list[np.ndarray]) -> list[np.ndarray]:
        drawn = (np.random.default_rng([seed, *members.tolist()]) for members in groups)
        return [rng.integers(0, 3, len(g)) for rng, g in zip(drawn, groups, strict=True)]

    found, rates = resolve_collisions(np.array(rows), reassign, 20)
    more, _ = resolve_collisions(found, reassign, 1)
    if len(rates) < 21:
        np.testing.assert_array_equal(more, found)


@pytest.fixture(scope="module")
def run_log() -> RunLog:
    return RunLog(quiet=True)


@pytest.fixture(scope="module")
def settled(run_log: RunLog) -> Quantiser:
    return _build(run_log)


def test_an_extra_code_makes_both_identifiers_of_every_item_unique(settled: Quantiser) -> None:
    found = settled.identifiers
    for kind in (SEMANTIC, COLLABORATIVE):
        assert collision_rate(found.codes[kind]) == 0
        assert collision_rate(found.codes[kind][:, :4]) > 0
        assert found.codes[kind].shape[1] == len(found.level_sizes[kind]) == 5
        assert (found.codes[kind] >= 0).all()
        assert (found.codes[kind] < found.level_sizes[kind]).all()


def test_the_first_levels_are_shared_and_the_others_differ(settled: Quantiser) -> None:
    semantic, collaborative = settled.identifiers.codes
    np.testing.assert_array_equal(semantic[:, :2], collaborative[:, :2])
    assert (semantic[:, 2:4] != collaborative[:, 2:4]).any()


def test_identifiers_of_the_paper_may_be_shared() -> None:
    found = _build(collisions="paper").identifiers
    for codes in found.codes:
        assert codes.shape == (60, 4)
        assert collision_rate(codes) > 0


def test_the_journal_tells_the_collision_rate_before_and_after_each_pass(
    run_log: RunLog, settled: Quantiser
) -> None:
    for kind, name in ((SEMANTIC, "semantic"), (COLLABORATIVE, "collaborative")):
        told = run_log.facts["identifiers"][name]  # type: ignore[index]
        rates = list(told["collision_rate_by_pass"])
        codes = settled.identifiers.codes[kind][:, :4]
        assert 1 < len(rates) <= 1 + GenSARSettings().collision_passes
        assert rates == sorted(rates, reverse=True)
        assert rates[-1] == collision_rate(codes)
        _, group, counts = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
        assert told["items_sharing_an_identifier"] == (counts[group.ravel()] > 1).sum()
        used = [level["used"] for level in told["levels"]]
        assert used == [len(set(column)) for column in codes.T.tolist()]


def test_items_of_one_vector_are_not_told_apart_by_the_machine_s_rounding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another processor adds up in another order, which depends on the row, too."""
    exact = _build().identifiers
    encode, codes_of = RQVAE.encode, building._codes_of

    def rounded_otherwise(self: RQVAE, vectors: tuple[Tensor, Tensor]) -> Tensor:
        states = encode(self, vectors)
        places = torch.arange(states.numel()).view_as(states).float()
        return states * (1 + 1e-7 * torch.sin(places))

    def elsewhere(*arguments: Any, balanced: bool) -> np.ndarray:
        with pytest.MonkeyPatch.context() as patch:
            if balanced:
                patch.setattr(RQVAE, "encode", rounded_otherwise)
            return codes_of(*arguments, balanced=balanced)

    monkeypatch.setattr(building, "_codes_of", elsewhere)
    other = _build().identifiers
    for kind in (SEMANTIC, COLLABORATIVE):
        copies = exact.codes[kind][-10:, :4]
        assert (copies == copies[0]).all()
        np.testing.assert_array_equal(other.codes[kind][-10:, :4], copies)


def test_the_seed_decides_the_identifiers(settled: Quantiser) -> None:
    again = _build().identifiers
    for kind in (SEMANTIC, COLLABORATIVE):
        np.testing.assert_array_equal(again.codes[kind], settled.identifiers.codes[kind])
        for book, same in zip(
            settled.identifiers.codebooks[kind], again.codebooks[kind], strict=True
        ):
            np.testing.assert_array_equal(book, same)


def test_vectors_are_placed_where_the_items_of_the_same_vector_are(settled: Quantiser) -> None:
    semantic, _ = _vectors()
    scaled = (semantic - semantic.mean(axis=0)) / np.sqrt(
        np.square(semantic - semantic.mean(axis=0)).mean()
    )
    hidden = scaled
    for layer in settled.rqvae.encoders[SEMANTIC]:  # type: ignore[attr-defined]
        if hasattr(layer, "weight"):
            hidden = hidden @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        else:
            hidden = np.maximum(hidden, 0)
    placed = settled.place(semantic)
    width = hidden.shape[1]
    np.testing.assert_allclose(placed[:, :width], hidden, atol=1e-5)
    assert placed.shape[1] == 2 * width
    assert (placed[:, width:] == 0).all()


def test_identifiers_come_back_from_arrays(settled: Quantiser) -> None:
    found = settled.identifiers
    arrays, values = found.to_arrays()
    again = Identifiers.from_arrays(arrays, json.loads(json.dumps(values)))
    assert (again.shared_levels, again.level_sizes) == (found.shared_levels, found.level_sizes)
    for kind in (SEMANTIC, COLLABORATIVE):
        np.testing.assert_array_equal(again.codes[kind], found.codes[kind])
        assert len(again.codebooks[kind]) == len(found.codebooks[kind]) > 0
        for book, same in zip(found.codebooks[kind], again.codebooks[kind], strict=True):
            np.testing.assert_array_equal(book, same)


def test_the_weights_of_the_fewest_collisions_late_in_training_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Early in training codes collide least of all, and say least."""
    seen: list[dict[str, Tensor]] = []

    def rate(rqvae: RQVAE, vectors: tuple[Tensor, ...]) -> float:
        seen.append({name: weight.clone() for name, weight in rqvae.state_dict().items()})
        return [0.9, 0.5, 0.3, 0.4][len(seen) % 4]

    monkeypatch.setattr(building, "_mean_collision_rate", rate)
    kept = _build(rqvae_epochs=8).rqvae.state_dict()
    assert len(seen) == 4
    for name, weight in seen[1].items():
        torch.testing.assert_close(kept[name], weight, rtol=0, atol=0)


def test_codebooks_start_from_more_items_than_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    start = RQVAE.init_codebooks

    def recorded(self: RQVAE, vectors: tuple[Tensor, ...], seed: int) -> None:
        sizes.append([len(part) for part in vectors])
        start(self, vectors, seed)

    monkeypatch.setattr(RQVAE, "init_codebooks", recorded)
    monkeypatch.setattr(building, "STARTING_ITEMS", 40)
    for batch in (16, 50):
        _build(rqvae_epochs=1, rqvae_batch_size=batch)
    assert sizes == [[40, 40], [50, 50]]


def test_an_autoencoder_that_diverges_is_named_so() -> None:
    with pytest.raises(DivergedError, match=r"rqvae diverged in epoch \d.*rqvae_learning_rate="):
        _build(rqvae_learning_rate=1e20)


@pytest.mark.parametrize("rows_at_once", [1, 7, 10**6])
@pytest.mark.parametrize("identifiers", ["both", "separate", "semantic"])
def test_groups_that_collide_get_the_codes_that_each_would_get_alone(
    monkeypatch: pytest.MonkeyPatch, rows_at_once: int, identifiers: str
) -> None:
    monkeypatch.setattr(building, "_ROWS_AT_ONCE", rows_at_once)
    # A larger epsilon than usual: with a small one whole sets of codes are worth the same to a row.
    found = _build(identifiers=identifiers, sinkhorn_epsilon=0.5).rqvae
    generator = torch.Generator().manual_seed(1)
    vectors = tuple(
        torch.randn(30, encoder[0].in_features, generator=generator)  # type: ignore[index]
        for encoder in found.encoders
    )
    for own in vectors:
        own[5] = own[3]  # the same item twice
    groups = [np.array(g) for g in ([0, 1], [2, 3, 4, 5], [6, 7], [5, 3], [8, 9, 10], [11])]
    for branch in range(len(vectors)):
        shared_out = building._balanced(found, vectors, branch, groups)
        for rows, codes in zip(groups, shared_out, strict=True):
            kinds = [3 if row == 5 else int(row) for row in rows]
            kept = sorted(set(kinds))
            alone = found(tuple(v[kept] for v in vectors), balanced=True).codes[:, branch, -1]
            expected = dict(zip(kept, alone.tolist(), strict=True))
            assert codes.tolist() == [expected[kind] for kind in kinds]


@pytest.mark.parametrize(("most", "made"), [(0, 35), (1, 1), (10, 10), (100, 35)])
def test_steps_are_bounded_however_many_items_an_epoch_has(
    monkeypatch: pytest.MonkeyPatch, most: int, made: int
) -> None:
    steps = []
    step = torch.optim.AdamW.step

    def counted(*arguments: Any, **named: Any) -> Any:
        steps.append(1)
        return step(*arguments, **named)

    monkeypatch.setattr(torch.optim.AdamW, "step", counted)
    _build(rqvae_epochs=5, rqvae_batch_size=9, rqvae_steps=most)  # 60 items
    assert len(steps) == made


@pytest.mark.parametrize(
    "changed", [{"sinkhorn_epsilon": 0}, {"shared_levels": 4, "specific_levels": 0}]
)
def test_where_no_code_can_move_identifiers_are_those_of_the_nearest_codes(
    run_log: RunLog, changed: dict[str, Any]
) -> None:
    _build(run_log, **changed)
    for fact in run_log.facts["identifiers"].values():
        assert len(fact["collision_rate_by_pass"]) == 1
