"""A cross-encoder behind other models, held against itself over everything, pair by pair."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sentence_transformers import CrossEncoder

from baselines.bm25 import BM25, BM25Settings
from baselines.pair_scores import PairScorer
from baselines.rerank import Rerank, RerankSettings, stacked
from benchmark.data.dataset import Dataset
from benchmark.data.requests import Requests, Task
from benchmark.errors import InputError
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.model import Model, TrainingContext
from benchmark.needs import Sizes
from benchmark.registry import find
from benchmark.settings import build_settings
from benchmark.testing import CHECKS, Subject, seen_mask
from tests.baselines.tiny_encoders import cross_encoder, sentence_encoder

SEARCH = (Task.SEARCH,)


@pytest.fixture(scope="module")
def folder(tiny: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cross_encoder(tiny, tmp_path_factory.mktemp("cross"))


@pytest.fixture(scope="module")
def subject(tiny: Dataset, folder: Path) -> Subject:
    return Subject(find(f"rerank:bm25+{folder}"), tiny)


def trained(model: Model, data: Dataset) -> Model:
    model.fit(data.train, HarnessValidation(data, SEARCH), TrainingContext(SEARCH, 1))
    return model


def reranked(data: Dataset, folder: Path, depth: int, first: str = "bm25", more: str = "") -> Model:
    settings = RerankSettings(first, str(folder), depth, first_settings=more)
    return trained(Rerank(settings), data)


def asked(data: Dataset) -> Requests:
    return data.evaluation["test", Task.SEARCH].requests[:9]


def fits(data: Dataset, folder: Path) -> NDArray[np.float32]:
    """Return the cross-encoder's number for every pair of a request and an item."""
    network = CrossEncoder(str(folder), device="cpu")
    pairs = [(query, item) for query in asked(data).query_texts() for item in data.items.texts]
    found = network.predict(pairs, activation_fn=torch.nn.Identity(), show_progress_bar=False)
    return np.asarray(found).reshape(-1, len(data.items))


def by_hand(first: NDArray, fit: NDArray, depth: int, allowed: NDArray) -> list[list[set[int]]]:
    """Return for each request the items in their order, those that are tied together."""
    orders = []
    for scores, own, may in zip(first, fit, allowed, strict=True):
        real = [i for i in range(len(scores)) if np.isfinite(scores[i])]
        best = sorted((i for i in real if may[i]), key=lambda i: (-scores[i], i))[:depth]
        order = [{i} for i in sorted(best, key=lambda i: -own[i])]
        rest = [i for i in real if i not in best]
        levels = sorted({scores[i] for i in rest}, reverse=True)
        order += [{i for i in rest if scores[i] == level} for level in levels]
        orders.append(order)
    return orders


def orders_of(scores: NDArray) -> list[list[set[int]]]:
    found = []
    for row in scores:
        levels = sorted(set(row[np.isfinite(row)].tolist()), reverse=True)
        found.append([set(np.flatnonzero(row == level).tolist()) for level in levels])
    return found


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.strip("_"))
def test_it_conforms(subject: Subject, check) -> None:
    check(subject)


def test_numbers_of_pairs_are_those_of_the_library_whatever_stands_beside_them(
    tiny: Dataset, folder: Path
) -> None:
    scorer, expected = PairScorer(str(folder), "cpu", 512), fits(tiny, folder)
    queries, items = asked(tiny).query_texts(), list(tiny.items.texts)
    found = scorer([q for q in queries for _ in items], items * len(queries))
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-4, atol=1e-5)
    texts = [" ".join(items[:n]) for n in range(1, 9)]
    together = scorer(queries[:1] * len(texts), texts)
    for row, text in enumerate(texts):
        np.testing.assert_array_equal(scorer(queries[:1], [text]), together[row : row + 1])
    assert scorer([], []).shape == (0,)


def test_pairs_at_a_time_change_nothing(
    tiny: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer, items = PairScorer(str(folder), "cpu", 512), list(tiny.items.texts)
    whole = scorer(["query"] * len(items), items)
    monkeypatch.setattr("baselines.pair_scores.PAIRS_AT_ONCE", 7)
    np.testing.assert_array_equal(scorer(["query"] * len(items), items), whole)


@pytest.mark.parametrize("first", ["bm25", "encoder:minilm"])
@pytest.mark.parametrize("depth", [1, 7, 10_000])
def test_the_best_are_in_the_order_of_the_cross_encoder_and_the_rest_as_before(
    tiny: Dataset, folder: Path, depth: int, first: str
) -> None:
    requests = replace(asked(tiny), exclude_seen=False)
    model = reranked(tiny, folder, depth, first)
    alone = trained(find(first).load()(), tiny).score(requests)
    fit = fits(tiny, folder)
    scores = model.score(requests)
    expected = by_hand(alone, fit, depth, np.ones(alone.shape, dtype=bool))
    assert orders_of(scores) == expected
    if depth > len(tiny.items):
        np.testing.assert_allclose(scores, fit, rtol=1e-4, atol=1e-5)
    items, best = model.retrieve(requests, len(tiny.items))
    np.testing.assert_array_equal(np.take_along_axis(scores, items, axis=1), best)


def test_seen_items_take_no_place_where_they_are_no_answer(tiny: Dataset, folder: Path) -> None:
    requests = replace(asked(tiny), exclude_seen=True)
    model, unseen = reranked(tiny, folder, 5), ~seen_mask(requests)
    first, fit = trained(BM25(), tiny).score(requests), fits(tiny, folder)
    expected = by_hand(first, fit, 5, unseen)
    assert orders_of(model.score(requests)) == expected
    items, _ = model.retrieve(requests, 5)
    top = [[item for level in order[:5] for item in level] for order in expected]
    assert items.tolist() == top


def test_without_depth_it_is_the_first_model(tiny: Dataset, folder: Path) -> None:
    model, alone = reranked(tiny, folder, 0), trained(BM25(), tiny)
    np.testing.assert_array_equal(model.score(asked(tiny)), alone.score(asked(tiny)))
    for mine, theirs in zip(
        model.retrieve(asked(tiny), 10), alone.retrieve(asked(tiny), 10), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_candidates_are_ordered_by_the_first_model_and_their_best_reordered(
    tiny: Dataset, folder: Path
) -> None:
    lists = np.sort(np.random.default_rng(0).permuted(np.tile(np.arange(60), (9, 1)), axis=1))
    lists = lists[:, :12].astype(np.int32)
    lists[:, 9:] = lists[:, 8:9]  # as a shorter list is filled up
    requests = replace(asked(tiny), candidates=lists)
    scores = reranked(tiny, folder, 4).score(requests)
    first = trained(BM25(), tiny).score(replace(requests, candidates=lists[:, :9]))
    fit = np.take_along_axis(fits(tiny, folder), lists[:, :9], axis=1)
    expected = by_hand(first, fit, 4, np.ones(first.shape, dtype=bool))
    assert orders_of(scores[:, :9]) == expected
    np.testing.assert_array_equal(scores[:, 9:], np.repeat(scores[:, 8:9], 3, axis=1))
    short = reranked(tiny, folder, 4).score(replace(requests, candidates=lists[:, :9]))
    np.testing.assert_array_equal(scores[:, :9], short)


def test_the_rest_keeps_its_order_and_its_ties_however_near_they_are() -> None:
    near = np.nextafter(np.float32(1e6), np.float32(2e6))
    scores = np.array([[1e6, near, 0.5, 0.5, -np.inf, 3], [2, 2, 1, -np.inf, 0, 0]], np.float32)
    columns = np.array([[5, 2], [-1, -1]], np.int32)
    numbers = np.array([[-7.25, 4.5], [-np.inf, -np.inf]], np.float32)
    found = stacked(scores, columns, numbers)
    expected = [[-10, -9, 4.5, -11, -np.inf, -7.25], [-1, -1, -2, -np.inf, -3, -3]]
    np.testing.assert_array_equal(found, expected)


def test_the_first_model_is_trained_as_in_its_own_run(tiny: Dataset, folder: Path) -> None:
    model = reranked(tiny, folder, 5, "bm25", "k1=0.5; b=0.1")
    alone = trained(BM25(BM25Settings(k1=0.5, b=0.1)), tiny)
    assert isinstance(model, Rerank)
    assert model.first.settings == alone.settings
    for name, array in alone.state()[0].items():
        np.testing.assert_array_equal(model.state()[0][f"first.{name}"], array)
    weights = CrossEncoder(str(folder), device="cpu").parameters()
    assert model.parameters() == alone.parameters() + sum(weight.numel() for weight in weights)
    dense = Rerank(build_settings(RerankSettings, Rerank.presets, "quick", [("first", "dense")]))
    kind = find("dense").load()
    assert dense.first.settings == build_settings(kind.Settings, kind.presets, "quick")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"first_settings": "k1"}, "write it as name=value"),
        ({"first_settings": "kk1=2"}, "unknown setting 'kk1'; did you mean 'k1'"),
        ({"first_settings": "k1=-1"}, "setting 'k1'"),
        ({"first": "encoder:x", "first_settings": "encoder=y"}, "the name of the model says it"),
        ({"first_preset": "large"}, "unknown preset 'large'"),
        ({"first": "nothing"}, "unknown model 'nothing'"),
    ],
)
def test_settings_that_the_first_model_does_not_take_are_refused(
    changes: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Rerank(RerankSettings(**changes))


def test_rerankers_stand_behind_one_another(tiny: Dataset, folder: Path, tmp_path: Path) -> None:
    entry = find(f"rerank:rerank:bm25+pop+{folder}+{folder}")
    assert dict(entry.settings) == {
        "first": f"rerank:bm25+pop+{folder}",
        "cross_encoder": str(folder),
    }
    model = reranked(tiny, folder, 3, f"rerank:bm25+{folder}", "depth=10")
    model.save(tmp_path)
    again = Rerank.load(tmp_path)
    np.testing.assert_array_equal(again.score(asked(tiny)), model.score(asked(tiny)))


def test_a_cross_encoder_that_changed_is_not_taken_for_the_one_of_the_run(
    tiny: Dataset, tmp_path: Path
) -> None:
    folder = cross_encoder(tiny, tmp_path / "cross")
    reranked(tiny, folder, 3).save(tmp_path / "kept")
    cross_encoder(tiny, folder, seed=1)
    with pytest.raises(InputError, match="other weights than it had"):
        Rerank.load(tmp_path / "kept")


def test_what_is_no_cross_encoder_is_refused(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    plain = sentence_encoder(tiny, tmp_path / "plain")
    with pytest.raises(InputError, match="BertModel, which has no weights that say how well"):
        reranked(tiny, plain, 3)
    two = cross_encoder(tiny, tmp_path / "two", labels=2)
    with pytest.raises(InputError, match="gives 2 numbers for a pair"):
        reranked(tiny, two, 3)
    with pytest.raises(InputError, match=r"cross-encoder 'no/such' cannot be loaded from the hub"):
        reranked(tiny, Path("no/such"), 3)
    absent = Rerank(RerankSettings(cross_encoder=str(tmp_path / "absent")))
    with pytest.raises(InputError, match="there is no such folder"):
        absent.check(tiny.train, SEARCH)


def test_needs_grow_with_the_depth(tiny: Dataset, folder: Path) -> None:
    sizes = Sizes.of(tiny)
    few, many = (
        Rerank(RerankSettings("bm25", str(folder), depth)).needs(sizes, SEARCH)
        for depth in (10, 20)
    )
    words = BM25().needs(sizes, SEARCH)
    assert few is not None and many is not None and words is not None
    pairs = [told.request.flop - words.request.flop for told in (few, many)]
    assert pairs[1] == pytest.approx(2 * pairs[0]) and pairs[0] > 0
    assert few.kept > words.kept
    assert Rerank(RerankSettings("bm25", "no/such")).needs(sizes, SEARCH) is None
