from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from baselines.jsr import model as module
from baselines.jsr.model import JSR
from baselines.jsr.settings import JSRSettings
from baselines.jsr.training import JSRTrainer
from baselines.jsr.vocabulary import Vocabulary, pretrained_words
from benchmark.data.catalogue import Queries
from benchmark.data.dataset import Dataset, TrainView
from benchmark.data.events import EventSource
from benchmark.data.requests import PAD, Requests, Task
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.model import TrainingContext
from tests.baselines.support import reading, without_history

BOTH = tuple(Task)
SMALL = JSRSettings(width=8, batch_size=64, epochs=2, validate_every=20, learning_rate=1e-2)
PRETRAINED = pretrained_words()


@pytest.fixture(autouse=True)
def _read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "pretrained_words", lambda: PRETRAINED)


def _fit(
    data: Dataset,
    tasks: tuple[Task, ...] = BOTH,
    train: TrainView | None = None,
    **changed: object,
) -> JSR:
    model = JSR(replace(SMALL, **changed))  # type: ignore[arg-type]
    model.fit(train or data.train, HarnessValidation(data, tasks), TrainingContext(tasks, 1))
    return model


@pytest.fixture(scope="module")
def model(tiny: Dataset) -> JSR:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "pretrained_words", lambda: PRETRAINED)
        return _fit(tiny)


def _requests(data: Dataset, task: Task) -> Requests:
    return data.evaluation["test", task].requests[:12]


def _trainer(model: JSR, train: TrainView, tasks: tuple[Task, ...] = BOTH) -> JSRTrainer:
    context = TrainingContext(tasks, 1)
    return JSRTrainer(model.network, model._vocabulary, model.settings, train, context)


def _language_model(model: JSR, item: int) -> list[float]:
    """Log-probabilities of all words given an item, in the space of the word vectors."""
    turned = model.network.to_words.weight.detach().numpy() @ model.item_vectors()[item]
    logits = [float(vector @ turned) for vector in model.network.word_vectors.numpy()]
    total = math.log(sum(math.exp(logit) for logit in logits))
    return [logit - total for logit in logits]


def test_every_item_s_language_model_is_a_distribution_over_the_vocabulary(model: JSR) -> None:
    every_word = torch.arange(len(model._vocabulary))[:, None]
    logs = model.network.likelihoods(every_word).detach()
    sums = logs.exp().sum(dim=0)
    torch.testing.assert_close(sums, torch.ones(len(sums)))
    np.testing.assert_allclose(logs[:, 5], _language_model(model, 5), atol=1e-4)


def test_search_is_the_mean_log_probability_of_the_words_and_reads_no_user(
    model: JSR, tiny: Dataset
) -> None:
    texts = ("word1 word2", "", "qwyjibo word3")
    asked = replace(
        _requests(tiny, Task.SEARCH)[:3],
        queries=Queries(("a", "b", "c"), texts, ("given",) * 3),
        query=np.arange(3, dtype=np.int32),
    )
    scores = model.score(asked)
    for row, text in enumerate(texts):
        words = [w for w in model._vocabulary.rows([text], 16)[0] if w != PAD]
        for item in (0, 7, 19):
            logs = _language_model(model, item)
            expected = sum(logs[word] for word in words) / max(len(words), 1)
            assert scores[row, item] == pytest.approx(expected, abs=1e-4)
    others = model.score(replace(asked, user=asked.user[::-1]))
    np.testing.assert_array_equal(others, scores)


@pytest.mark.parametrize("layers", [0, 2])
def test_recommendation_is_a_dot_product_or_a_network_of_the_product(
    layers: int, tiny: Dataset
) -> None:
    model = _fit(tiny, layers=layers, epochs=1)
    asked = _requests(tiny, Task.REC)[:4]
    scores, items = model.score(asked), torch.as_tensor(model.item_vectors())
    users = model.network.users.table.weight.detach()
    for row, user in enumerate(asked.user):
        for item in (0, 11, 40):
            state = users[user] * items[item]
            if model.network.scorer is None:
                expected = state.sum()
            else:
                *hidden, last = [m for m in model.network.scorer if isinstance(m, torch.nn.Linear)]
                for layer in hidden:
                    state = (layer.weight @ state + layer.bias).clamp_min(0)
                expected = last.weight[0] @ state + last.bias[0]
            assert scores[row, item] == pytest.approx(expected.item(), abs=1e-5)


def test_losses_are_their_formulas_one_by_one(model: JSR, tiny: Dataset) -> None:
    trainer, log = _trainer(model, tiny.train), tiny.train.log
    rows = np.array([0, 2, 5, 5])
    others = np.array([[3, 7], [1, 3], [11, 2], [0, 0]])
    users, items = model.network.users.table.weight.detach().numpy(), model.item_vectors()
    expected = 0.0
    for row, wrong in zip(rows, others, strict=True):
        user = users[log.user[row]]
        own = math.log1p(math.exp(-(user @ items[log.item[row]])))
        against = [math.log1p(math.exp(user @ items[other])) for other in wrong]
        expected += (own + sum(against)) / 3
    assert trainer.event_loss(rows, others).item() == pytest.approx(expected, rel=1e-5)
    words = [[4, PAD, PAD], [1, 1, 2], [0, 3, PAD]]
    expected = 0.0
    for item, row_words in zip((5, 6, 5), words, strict=True):
        logs = [_language_model(model, item)[word] for word in row_words if word != PAD]
        expected -= sum(logs) / len(logs)
    found = model.network.language_loss(torch.tensor([5, 6, 5]), torch.tensor(words))
    assert found.item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("described_by", ["both", "queries", "texts"])
def test_items_are_described_by_searches_that_led_to_them_and_by_their_texts(
    described_by: str, tiny: Dataset
) -> None:
    kind = _fit(tiny, described_by=described_by, epochs=1)
    trainer, log = _trainer(kind, tiny.train), tiny.train.log
    for batch in trainer.batches(0)[:3]:
        expected = []
        for unit in [*batch[batch >= 0], *batch[batch < 0]]:
            if unit >= 0 and (log.kind[unit] != EventSource.SEARCHED or described_by == "texts"):
                continue
            item = int(log.item[unit]) if unit >= 0 else -1 - int(unit)
            query = tiny.train.queries.texts[log.query[unit]] if unit >= 0 else ""
            text = query if unit >= 0 else tiny.items.texts[item]
            expected.append((item, [w for w in kind._vocabulary.rows([text], 32)[0] if w != PAD]))
        items, words = trainer.described(batch)
        found = [
            (int(i), [w for w in row if w != PAD]) for i, row in zip(items, words, strict=True)
        ]
        assert found == expected
    texts = 0 if described_by == "queries" else len(tiny.items)
    every = np.concatenate(trainer.batches(0))
    assert sorted(every) == list(range(-texts, len(log)))


def test_words_stay_as_they_were_pretrained(model: JSR) -> None:
    tokenizer, vectors = PRETRAINED
    frozen = model.network.word_vectors.numpy()
    np.testing.assert_array_equal(frozen, vectors[model._vocabulary.pieces])
    assert "word_vectors" not in dict(model.network.named_parameters())
    assert tokenizer.id_to_token(int(model._vocabulary.pieces[0])) == "[UNK]"


def test_only_words_that_training_shows_have_a_place() -> None:
    tokenizer, _ = PRETRAINED
    vocabulary = Vocabulary.shown(tokenizer, ["rock music", "jazz"], 8)
    known = vocabulary.rows(["jazz rock", "rock folk", "folk", ""], 8)
    assert (known[0] != PAD).all()
    assert [(row != PAD).sum() for row in known] == [2, 1, 0, 0]
    assert len(vocabulary) == 4


def test_between_two_trainings_the_sums_of_language_models_are_made_anew(
    model: JSR, tiny: Dataset
) -> None:
    other = JSR(SMALL)
    other.restore(*model.state())
    asked = _requests(tiny, Task.SEARCH)
    before = other.score(asked)
    other.network.train()
    trainer = _trainer(other, tiny.train)
    trainer.step(trainer.batches(0)[0], np.random.default_rng(0))
    other.network.eval()
    fresh = JSR(SMALL)
    fresh.restore(*other.state())
    np.testing.assert_array_equal(other.score(asked), fresh.score(asked))
    assert not np.array_equal(other.score(asked), before)


def test_no_history_is_read_so_nothing_later_can_leak(model: JSR, tiny: Dataset) -> None:
    for task in BOTH:
        asked = _requests(tiny, task)
        scores = model.score(asked)
        whole = reading(asked, tiny.log, tiny.log.offsets[asked.user + 1])
        for other in (without_history(asked, tiny.log), whole):
            np.testing.assert_array_equal(model.score(other), scores)


def test_trained_for_recommendation_alone_it_reads_no_words(tiny: Dataset) -> None:
    log = tiny.train.log
    without = replace(tiny.train, log=log.select(log.kind == EventSource.RECOMMENDED))
    one, two = _fit(tiny, (Task.REC,)), _fit(tiny, (Task.REC,), without)
    asked = _requests(tiny, Task.REC)
    np.testing.assert_array_equal(one.score(asked), two.score(asked))


@pytest.mark.parametrize("kind", [None, EventSource.RECOMMENDED, EventSource.SEARCHED])
@pytest.mark.parametrize("described_by", ["queries", "both"])
def test_without_events_of_a_kind_it_trains_and_answers(
    described_by: str, kind: EventSource | None, tiny: Dataset
) -> None:
    log = tiny.train.log
    view = replace(tiny.train, log=log.select(log.kind == kind))
    model = _fit(tiny, train=view, described_by=described_by, epochs=1)
    for task in BOTH:
        assert np.isfinite(model.score(_requests(tiny, task))).all()


def test_training_learns_both(tiny: Dataset) -> None:
    trained = _fit(tiny, epochs=60, validate_every=2000, language_weight=0.3, negatives=4)
    found = HarnessValidation(tiny, BOTH).measure(trained)
    by_chance = 4.54 / 120
    assert found["rec"] > 1.5 * by_chance
    assert found["search"] > 2 * by_chance
