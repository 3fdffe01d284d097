from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import T5ForConditionalGeneration

from benchmark.data.dataset import Dataset
from benchmark.data.events import EventSource
from benchmark.data.requests import Task
from benchmark.errors import BenchmarkError
from benchmark.model import TrainingContext, TrainView
from gensar.engine.query_generation import PseudoQuerySettings, generate_queries, known_pairs

CONTEXT = TrainingContext((Task.SEARCH,), 1)
SMALL = PseudoQuerySettings(
    queries_per_item=3,
    generator_width=16,
    generator_copies=1,
    generator_epochs=1,
    generated_tokens=6,
)


@pytest.fixture(scope="module")
def written(tiny: Dataset) -> tuple[list[str], np.ndarray]:
    return generate_queries(tiny.train, SMALL, CONTEXT)


def _with_texts(train: TrainView, texts: tuple[str, ...]) -> TrainView:
    return replace(train, items=replace(train.items, texts=texts))


def test_the_same_seed_writes_the_same_queries(tiny: Dataset, written) -> None:
    before = torch.get_rng_state()
    queries, items = generate_queries(tiny.train, SMALL, CONTEXT)
    assert queries == written[0]
    np.testing.assert_array_equal(items, written[1])
    assert torch.get_rng_state().equal(before)
    other, _ = generate_queries(tiny.train, SMALL, replace(CONTEXT, seed=2))
    assert other != queries


def test_every_item_with_text_gets_queries_whether_or_not_it_was_ever_searched(
    tiny: Dataset,
) -> None:
    log = tiny.train.log
    train = replace(
        tiny.train, log=log.select((log.kind == EventSource.RECOMMENDED) | (log.item < 9))
    )
    texts = tuple("" if item == 4 else text for item, text in enumerate(train.items.texts))
    queries, items = generate_queries(
        _with_texts(train, texts), replace(SMALL, queries_per_item=5), CONTEXT
    )
    assert all(query.strip() == query and query for query in queries)
    assert set(items.tolist()) == set(range(len(texts))) - {4}
    assert (np.diff(items) >= 0).all()
    assert np.bincount(items).max() <= 5


def test_words_of_queries_that_no_training_event_asked_are_never_read(
    tiny: Dataset, written
) -> None:
    asked = set(tiny.train.log.query.tolist())
    row = len(tiny.train.queries)
    table = tiny.train.queries
    longer = replace(
        table,
        ids=(*table.ids, "hidden"),
        texts=(*table.texts, "zzyzx drama drama"),
        kinds=(*table.kinds, "given"),
    )
    assert row not in asked
    assert generate_queries(replace(tiny.train, queries=longer), SMALL, CONTEXT)[0] == written[0]


def test_pairs_are_the_distinct_ones_of_training_searches(tiny: Dataset) -> None:
    log = tiny.train.log
    expected = {
        (item, query)
        for item, query, kind in zip(log.item, log.query, log.kind, strict=True)
        if kind == EventSource.SEARCHED
    }
    found = known_pairs(tiny.train)
    assert len(found) == len(expected)
    assert set(map(tuple, found.tolist())) == {(int(i), int(q)) for i, q in expected}


def test_words_are_up_to_four_of_the_text_in_their_order(tiny: Dataset) -> None:
    queries, items = generate_queries(tiny.train, replace(SMALL, generator="words"), CONTEXT)
    assert len(queries) == 3 * len(tiny.train.items)
    for query, item in zip(queries, items.tolist(), strict=True):
        text = iter(tiny.train.items.texts[item].lower().split())
        assert 1 <= len(query.split()) <= 4
        assert all(word in text for word in query.split())


def test_without_a_search_to_learn_from_words_are_taken(tiny: Dataset) -> None:
    log = tiny.train.log
    train = replace(tiny.train, log=log.select(log.kind == EventSource.RECOMMENDED))
    words = generate_queries(train, replace(SMALL, generator="words"), CONTEXT)
    assert generate_queries(train, SMALL, CONTEXT)[0] == words[0]


def test_items_without_any_text_get_nothing(tiny: Dataset) -> None:
    empty = _with_texts(tiny.train, ("",) * len(tiny.train.items))
    queries, items = generate_queries(empty, SMALL, CONTEXT)
    assert queries == []
    assert items.shape == (0,)


def test_training_learns_to_write_the_item_s_own_words(tiny: Dataset) -> None:
    settings = replace(
        SMALL, generator_width=32, generator_copies=5, generator_epochs=5, sampled_from=1
    )
    queries, items = generate_queries(tiny.train, settings, CONTEXT)
    own = [
        all(word in tiny.train.items.texts[item].lower() for word in query.split())
        for query, item in zip(queries, items.tolist(), strict=True)
    ]
    assert np.mean(own) > 0.7


def test_a_hub_out_of_reach_is_one_line(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError("no net\nno model")

    monkeypatch.setattr("gensar.engine.query_generation.AutoTokenizer.from_pretrained", fails)
    monkeypatch.setattr(T5ForConditionalGeneration, "from_pretrained", fails)
    with pytest.raises(BenchmarkError, match="'some/doc2query' cannot be loaded") as raised:
        generate_queries(tiny.train, replace(SMALL, generator="some/doc2query"), CONTEXT)
    assert "\n" not in str(raised.value)
