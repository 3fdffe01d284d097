from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from baselines.bi_encoder import (
    BiEncoder,
    PairGroup,
    TuneSettings,
    _Group,
    contrastive_loss,
    query_item_pairs,
    tune,
)
from baselines.dense import Dense, DenseSettings
from benchmark.data.dataset import Dataset
from benchmark.data.events import EventSource
from benchmark.data.requests import Task
from benchmark.errors import BenchmarkError
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.learning.sentence_encoder import load_encoder
from benchmark.model import Model, TrainingContext
from benchmark.processes import ALONE

SEARCH = (Task.SEARCH,)
ZERO = DenseSettings(tuning="none")
SHORT = DenseSettings(pairs=96, batch_size=48, epochs=2)


def _fit(data: Dataset, settings: DenseSettings, context: TrainingContext | None = None) -> Dense:
    model = Dense(settings)
    model.fit(data.train, HarnessValidation(data, SEARCH), context or TrainingContext(SEARCH, 1))
    return model


@pytest.fixture(scope="module")
def zero(tiny: Dataset) -> Dense:
    return _fit(tiny, ZERO)


@pytest.fixture(scope="module")
def context() -> TrainingContext:
    return TrainingContext(SEARCH, 1)


@pytest.fixture(scope="module")
def tuned(tiny: Dataset, context: TrainingContext) -> Dense:
    return _fit(tiny, SHORT, context)


def test_untuned_scores_are_those_of_sentence_transformers(tiny: Dataset, zero: Dense) -> None:
    asked = tiny.evaluation["test", Task.SEARCH].requests
    plain = load_encoder("minilm", "cpu")
    queries = plain.encode(asked.query_texts(), normalize_embeddings=True)
    items = plain.encode(list(tiny.items.texts), normalize_embeddings=True)
    np.testing.assert_allclose(zero.score(asked), queries @ items.T, atol=1e-5)


def test_a_vector_does_not_hang_on_the_texts_beside_it() -> None:
    encoder = BiEncoder("minilm", "cpu", 32)
    texts = ["a", "toy story", "a somewhat longer text of ten words or so, really", "", "a"]
    together = encoder.encode([*texts, "x " * 40])
    for text, vector in zip(texts, together, strict=False):
        np.testing.assert_array_equal(encoder.encode([text])[0], vector)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    assert encoder.encode([]).shape == (0, together.shape[1])


def test_training_and_search_see_the_same_vectors() -> None:
    encoder = BiEncoder("minilm", "cpu", 16)
    texts = [f"word{n} " * (n % 9 + 1) for n in range(70)]
    with torch.no_grad():
        found = encoder.embed(encoder.pieces(texts)).numpy()
    np.testing.assert_allclose(found, encoder.encode(texts), atol=1e-5)


def test_long_texts_are_cut() -> None:
    encoder = BiEncoder("minilm", "cpu", 6)
    pieces = encoder.pieces(["one two three four five six", "one"])
    assert pieces.length.tolist() == [6, 3]
    first, second = encoder.encode(["one two three four", "one two three four five six"])
    np.testing.assert_array_equal(first, second)


def test_the_loss_is_the_cross_entropy_without_what_is_no_negative() -> None:
    first = torch.nn.functional.normalize(
        torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 0.5]]), dim=1
    )
    second = torch.nn.functional.normalize(
        torch.tensor([[2.0, 1.0], [1.0, 0.0], [2.0, 1.0]]), dim=1
    )
    left_out = torch.tensor([[0, 0, 1], [0, 0, 0], [1, 0, 0]], dtype=torch.bool)
    cosines = (first @ second.T).numpy() / 0.1
    parts = []
    for row, allowed in enumerate(([0, 1], [0, 1, 2], [1, 2])):
        parts.append(np.log(np.exp(cosines[row, allowed]).sum()) - cosines[row, row])
    loss = contrastive_loss(first, second, left_out, 0.1)
    assert loss.item() == pytest.approx(np.mean(parts), rel=1e-5)


def test_pairs_are_the_distinct_training_searches_with_text(tiny: Dataset) -> None:
    log = tiny.train.log
    searched = log.kind == EventSource.SEARCHED
    expected = set(zip(log.query[searched].tolist(), log.item[searched].tolist(), strict=True))
    found = list(map(tuple, query_item_pairs(tiny.train).pairs.tolist()))
    assert set(found) == expected
    assert len(found) == len(expected)
    blank = replace(tiny.items, texts=("",) * len(tiny.items))
    assert len(query_item_pairs(replace(tiny.train, items=blank)).pairs) == 0


def _pair_scores(model: Dense, data: Dataset) -> float:
    group = query_item_pairs(data.train)
    queries = model.encoder.encode(group.first)[group.pairs[:, 0]]
    own = (queries * model.vectors[group.pairs[:, 1]]).sum(axis=1)
    return float((own - (queries @ model.vectors.T).mean(axis=1)).mean())


def test_tuning_lifts_trained_pairs_above_other_items(
    tiny: Dataset, zero: Dense, tuned: Dense, context: TrainingContext
) -> None:
    assert tuned.tuned
    assert _pair_scores(tuned, tiny) > _pair_scores(zero, tiny) + 0.02
    assert context.run_log.facts["pairs"] == len(query_item_pairs(tiny.train).pairs)
    assert context.run_log.curve[-1]["step"] == context.run_log.facts["trainings"]["dense"]["steps"]  # type: ignore[index]


def test_test_events_and_their_queries_change_nothing(tiny: Dataset, tuned: Dense) -> None:
    evaluation = {k: v for k, v in tiny.evaluation.items() if k[0] == "validation"}
    blind = replace(tiny, evaluation=evaluation, log=tiny.train.log, queries=tiny.train.queries)
    again = _fit(blind, SHORT)
    for name, array in tuned.state()[0].items():
        np.testing.assert_array_equal(again.state()[0][name], array, err_msg=name)


class _Failing(HarnessValidation):
    """Fails when a model is measured for the second time."""

    def measure(self, model: Model, limit: int | None = None) -> dict[str, float]:
        if model in _MEASURED:
            raise RuntimeError("interrupted")
        _MEASURED.append(model)
        return super().measure(model, limit)


_MEASURED: list[Model] = []


def test_interrupted_tuning_goes_on_to_the_same_weights(
    tiny: Dataset, tuned: Dense, tmp_path: Path
) -> None:
    again = TrainingContext(SEARCH, 1, checkpoints=tmp_path)
    with pytest.raises(RuntimeError, match="interrupted"):
        Dense(SHORT).fit(tiny.train, _Failing(tiny, SEARCH), again)
    resumed = _fit(tiny, SHORT, again)
    for name, array in tuned.state()[0].items():
        np.testing.assert_array_equal(resumed.state()[0][name], array, err_msg=name)


def test_without_searches_the_encoder_stays_as_it_is(tiny: Dataset, zero: Dense) -> None:
    log = tiny.train.log.select(tiny.train.log.kind == EventSource.RECOMMENDED)
    model = Dense(SHORT)
    train = replace(tiny.train, log=log)
    model.fit(train, HarnessValidation(tiny, SEARCH), TrainingContext(SEARCH, 1))
    assert not model.tuned
    np.testing.assert_array_equal(model.vectors, zero.vectors)


def test_an_untuned_model_stores_vectors_only(zero: Dense, tuned: Dense) -> None:
    assert set(zero.state()[0]) == {"items"}
    assert len(tuned.state()[0]) > 100


def test_several_groups_are_tuned_together() -> None:
    encoder = BiEncoder("minilm", "cpu", 16)
    words = ("night", "stone", "river", "cloud", "apple", "chair")
    partners = tuple(f"thing{n}" for n in range(6))
    own = np.stack([np.arange(6), np.arange(6)], axis=1)
    swapped = np.stack([np.arange(6), np.arange(6) ^ 1], axis=1)
    groups = [PairGroup(words, partners, own), PairGroup(partners, partners, swapped)]

    def margins() -> list[float]:
        found = []
        for group in groups:
            cosines = encoder.encode(group.first) @ encoder.encode(group.second).T
            found.append(
                float(cosines[group.pairs[:, 0], group.pairs[:, 1]].mean() - cosines.mean())
            )
        return found

    before = margins()
    settings = TuneSettings(epochs=8, batch_size=6, validate_every=8)
    tune(encoder, groups, settings, TrainingContext(SEARCH, 1), dict)
    assert all(after > b + 0.05 for after, b in zip(margins(), before, strict=True))


def test_known_partners_and_the_text_itself_are_no_negatives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rows 0 and 3 of the table are one text; a-b, b-a and a-c are known, c-d is not of a or b."""
    found = []
    monkeypatch.setattr(
        "baselines.bi_encoder.contrastive_loss",
        lambda *given: found.append(given[2]) or torch.zeros(()),
    )
    encoder = BiEncoder("minilm", "cpu", 8)
    pairs = np.array([[0, 1], [1, 3], [3, 2], [2, 4]])
    table = ("a", "b", "c", "a", "d")
    group = _Group(encoder, PairGroup(table, table, pairs))
    group.loss(encoder, group.keys, 1.0, ALONE)
    # The batch, in the order of its keys: a-b, a-c, b-a, c-d.
    expected = [[0, 1, 1, 0], [1, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]]
    assert found[0].int().tolist() == expected


@pytest.mark.parametrize("pairs", [0, 4, 7, 50])
def test_no_pair_comes_again_before_all_have_come(pairs: int) -> None:
    encoder = BiEncoder("minilm", "cpu", 8)
    texts = tuple(f"t{n}" for n in range(10))
    known = _Group(encoder, PairGroup(texts, texts, np.stack([np.arange(10)] * 2, axis=1)))
    count = min(pairs or 10, 10)
    drawn = np.concatenate([known.epoch(pairs, 1, epoch) for epoch in range(20)])
    assert len(drawn) == 20 * count
    for start in range(0, len(drawn) - 9, 10):
        assert len(set(drawn[start : start + 10].tolist())) == 10


def test_an_encoder_that_is_nowhere_is_told_in_one_line(
    tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(BenchmarkError, match=r"'no/such-encoder'.*--set encoder=minilm") as caught:
        _fit(tiny, replace(ZERO, encoder="no/such-encoder"))
    assert "\n" not in str(caught.value)
