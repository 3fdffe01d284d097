from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import Stemmer

from baselines.bm25 import BM25, BM25Settings
from benchmark.data.card import Analyser
from benchmark.data.catalogue import Items, Queries
from benchmark.data.dataset import Dataset
from benchmark.data.requests import Requests, Task
from benchmark.errors import InputError
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.model import TrainingContext

TEXTS = (
    "running shoes for the runner",
    "a shoe box, and another shoe",
    "boxes boxes boxes of apples",
    "apple",
    "",
    "wired headphones with a very long description of wires and runners who run with them",
)
ASKED = ("running shoes", "apple apples", "wire box unheard", "the of and", "unheard", "")
STOP = {"the", "for", "a", "and", "of", "with", "an", "in", "to", "is", "this", "that"}


def _words(text: str) -> list[str]:
    stemmer = Stemmer.Stemmer("english")
    found = re.findall(r"\b\w\w+\b", text.lower())
    return [stemmer.stemWord(word) for word in found if word not in STOP]


def _bm25(texts: tuple[str, ...], query: str, k1: float, b: float) -> list[float]:
    """Score every text by the formula of Robertson and Zaragoza with Lucene's idf."""
    documents = [Counter(_words(text)) for text in texts]
    lengths = [sum(d.values()) for d in documents]
    mean = sum(lengths) / len(lengths)
    scores = [0.0] * len(texts)
    for word in _words(query):
        holding = sum(word in d for d in documents)
        idf = math.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
        for i, document in enumerate(documents):
            frequency = document[word]
            held_back = k1 * (1 - b + b * lengths[i] / mean)
            scores[i] += idf * frequency / (frequency + held_back)
    return scores


def _fitted(data: Dataset, texts: tuple[str, ...], settings: BM25Settings) -> BM25:
    model = BM25(settings)
    items = Items(texts, texts, texts, {})
    view = replace(data.train, items=items)
    model.fit(view, HarnessValidation(data, (Task.SEARCH,)), TrainingContext((Task.SEARCH,), 1))
    return model


def _search(data: Dataset, texts: tuple[str, ...], items: int) -> Requests:
    asked = data.evaluation["test", Task.SEARCH].requests[: len(texts)]
    queries = Queries(texts, texts, ("given",) * len(texts))
    numbers = np.arange(len(texts), dtype=np.int32)
    return replace(asked, query=numbers, queries=queries, items=items)


@pytest.mark.parametrize(("k1", "b"), [(1.2, 0.75), (0.9, 0.4)])
def test_scores_are_those_of_the_formula(tiny: Dataset, k1: float, b: float) -> None:
    model = _fitted(tiny, TEXTS, BM25Settings(k1=k1, b=b))
    scores = model.score(_search(tiny, ASKED, len(TEXTS)))
    expected = [_bm25(TEXTS, query, k1, b) for query in ASKED]
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)
    assert (scores[:3].max(axis=1) > 0).all()
    assert (scores[3:] == 0).all()


def test_scores_on_a_data_set_are_those_of_the_formula(tiny: Dataset) -> None:
    model = _fitted(tiny, tiny.items.texts, BM25Settings())
    asked = tiny.evaluation["test", Task.SEARCH].requests[:10]
    expected = [_bm25(tiny.items.texts, query, 1.2, 0.75) for query in asked.query_texts()]
    np.testing.assert_allclose(model.score(asked), expected, rtol=1e-5, atol=1e-6)


def test_candidates_have_the_scores_that_they_have_in_the_catalogue(tiny: Dataset) -> None:
    model = _fitted(tiny, tiny.items.texts, BM25Settings())
    whole = tiny.evaluation["test", Task.SEARCH]
    candidates = whole.lists["sampled"].rectangle()
    scores = model.score(replace(whole.requests, candidates=candidates))
    expected = np.take_along_axis(model.score(whole.requests), candidates, axis=1)
    np.testing.assert_array_equal(scores, expected)


@pytest.mark.parametrize("text", ["", "the of", "?!"])
def test_a_catalogue_without_a_word_is_refused_in_one_line(tiny: Dataset, text: str) -> None:
    with pytest.raises(InputError, match="no item has a word"):
        _fitted(tiny, (text,) * len(tiny.items), BM25Settings())


@pytest.mark.parametrize(
    ("analyser", "query", "found"),
    [
        ("tokens", "7 2", [True, False, True]),
        ("bigrams", "椅子", [False, True, False]),
        ("english", "椅子", [False] * 3),
    ],
)
def test_a_stored_index_reads_queries_as_it_read_the_items(
    analyser: Analyser, query: str, found: list[bool], tiny: Dataset, tmp_path: Path
) -> None:
    texts = ("7 1 5", "红色木制椅子", "2 2 9")
    train = replace(tiny.train, items=Items(texts, texts, texts, {}), analyser=analyser)
    model = BM25(BM25Settings())
    model.fit(train, HarnessValidation(tiny, (Task.SEARCH,)), TrainingContext((Task.SEARCH,), 1))
    model.save(tmp_path / "model")
    asked = _search(tiny, (query,), len(texts))
    for each in (model, BM25.load(tmp_path / "model")):
        assert (each.score(asked)[0] > 0).tolist() == found
