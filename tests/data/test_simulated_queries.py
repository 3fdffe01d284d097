from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data import simulate_queries
from benchmark.data.query_protocols import CategoryProtocol, KnownItemProtocol, QueryProtocol
from benchmark.data.simulate_queries import (
    Simulated,
    category_paths,
    path_query,
    queries_digest,
    simulate,
)
from benchmark.data.words import words
from benchmark.errors import InputError

FILMS = {
    "movie_title": ["Red Sky", "Red Sea", "The Blue Sky", "Of The", "Lonely"],
    "class": ["Drama Comedy", "Sci-Fi", "Drama", "unknown", "Drama"],
    "release_year": ["1995", "1987", "1954", "", "V"],
}
LEVELS = [
    {"field": "class", "use": "each", "missing": ["unknown"]},
    {"field": "release_year", "use": "decade"},
]


def protocol(share: float = 0.3, category: float = 0.5, **known: object) -> QueryProtocol:
    values: dict[str, object] = {"share": share}
    if category > 0:
        values["category"] = {"share": category, "levels": LEVELS}
    if category < 1:
        values["known-item"] = {"share": 1 - category, "fields": list(FILMS), **known}
    return QueryProtocol.model_validate(values)


def made(how: QueryProtocol, item: np.ndarray, columns: dict = FILMS) -> tuple[Simulated, list]:
    simulated = simulate(how, item.astype(np.int32), columns)
    texts = [simulated.queries.texts[q] if q >= 0 else None for q in simulated.query.tolist()]
    return simulated, texts


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (["Camera, Photo", "Digital Camera Lenses"], "photo digital camera lenses"),
        (["Comedy", "1990s"], "comedy 1990s"),
        (["Comedy"], ""),
        ([], ""),
        (["Books", "The Art of the Book", "Books"], "art book books"),
    ],
)
def test_words_along_a_category_path(path: list[str], query: str) -> None:
    assert path_query(path) == query


def test_paths_of_films_and_of_a_column_of_paths() -> None:
    films = CategoryProtocol.model_validate({"share": 1, "levels": LEVELS})
    assert category_paths(films, FILMS, 0) == [["Drama", "1990s"], ["Comedy", "1990s"]]
    assert category_paths(films, FILMS, 3) == [[]]
    assert category_paths(films, FILMS, 4) == [["Drama"]]
    column = CategoryProtocol(share=1, paths="categories")
    cell = {"categories": ["Home > Lamps | Home > Office > Desks"]}
    assert category_paths(column, cell, 0) == [["Home", "Lamps"], ["Home", "Office", "Desks"]]


def test_share_of_searches_and_of_kinds() -> None:
    item = np.arange(40_000) % 3
    simulated, _ = made(protocol(0.3, 0.25), item)
    assert abs((simulated.query >= 0).mean() - 0.3) < 0.01
    kinds = np.array(simulated.queries.kinds)[simulated.query[simulated.query >= 0]]
    assert abs((kinds == "category").mean() - 0.25) < 0.015


def test_all_or_no_event_is_a_search() -> None:
    item = np.arange(300) % 3
    assert (made(protocol(0.0), item)[0].query == -1).all()
    assert (made(protocol(1.0), item)[0].query >= 0).all()


def test_same_seed_same_queries_other_seed_others() -> None:
    item = np.arange(2000) % 5
    user = np.zeros(2000, dtype=np.int32)

    def digest(seed: int) -> str:
        how = protocol().model_copy(update={"seed": seed})
        simulated, _ = made(how, item)
        return queries_digest(user, item.astype(np.int32), simulated.query, simulated.queries)

    assert digest(1) == digest(1)
    assert digest(1) != digest(2)


def test_identical_texts_are_one_row_with_a_stable_id() -> None:
    simulated, _ = made(protocol(1.0), np.arange(3000) % 3)
    texts = simulated.queries.texts
    assert len(set(texts)) == len(texts) == len(set(simulated.queries.ids))
    assert list(texts) == sorted(texts)
    fewer, _ = made(protocol(0.5), np.arange(3000) % 3)
    ids = dict(zip(texts, simulated.queries.ids, strict=True))
    assert all(
        ids.get(t, i) == i for t, i in zip(fewer.queries.texts, fewer.queries.ids, strict=True)
    )


def test_category_queries_are_of_the_items_own_categories() -> None:
    item = np.arange(400) % 3
    _, texts = made(protocol(1.0, 1.0), item)
    allowed = {0: {"drama 1990s", "comedy 1990s"}, 1: {"sci fi 1980s"}, 2: {"drama 1950s"}}
    found: dict[int, set] = {i: set() for i in allowed}
    for i, text in zip(item.tolist(), texts, strict=True):
        found[i].add(text)
    assert found == allowed


def test_item_without_words_for_a_kind_gets_the_other_or_none() -> None:
    item = np.array([3, 4] * 200)
    simulated, texts = made(protocol(1.0, 0.5, noise=0.0), item)
    kinds = {simulated.queries.kinds[q] for q in simulated.query.tolist()}
    assert kinds == {"known-item"}
    assert set(texts[::2]) == {"unknown"}
    columns = {"movie_title": ["Of The"], "class": [""], "release_year": [""]}
    bare, _ = made(protocol(1.0), np.zeros(20), columns)
    assert (bare.query == -1).all()
    assert len(bare.queries) == 0


def test_known_item_words_come_from_the_item_in_its_order_without_repetition() -> None:
    item = np.arange(3000) % 3
    _, texts = made(protocol(1.0, 0.0, noise=0.0, mean_length=3.0, longest=4), item)
    for i, text in zip(item.tolist(), texts, strict=True):
        own = words(" ".join(FILMS[name][i] for name in FILMS))
        drawn = text.split()
        assert drawn == [w for w in dict.fromkeys(own) if w in drawn]
        assert 1 <= len(drawn) <= 4


def test_known_item_length_is_a_shifted_poisson() -> None:
    texts = [" ".join(f"w{i}x{k}" for k in range(40)) for i in range(9)]
    columns = dict.fromkeys(FILMS, texts)
    item = np.arange(30_000) % 9
    _, drawn = made(protocol(1.0, 0.0, mean_length=2.5, longest=9), item, columns)
    length = np.array([len(t.split()) for t in drawn])
    assert abs(length.mean() - 2.5) < 0.05
    share = Counter(length.tolist())
    assert abs(share[1] / 30_000 - np.exp(-1.5)) < 0.015
    assert abs(share[2] / 30_000 - 1.5 * np.exp(-1.5)) < 0.015


def test_known_item_prefers_frequent_words_of_the_item_that_few_items_have() -> None:
    texts = ["rare common common2"] + ["common common2 twice twice once"] * 3
    columns = {name: texts if name == "movie_title" else [""] * 4 for name in FILMS}
    how = protocol(1.0, 0.0, mean_length=1.0, longest=1, noise=0.0)
    count = Counter(made(how, np.zeros(2000), columns)[1])
    assert count["rare"] == 2000, "words of every item have log(N / df) = 0"
    count = Counter(made(how, np.ones(20_000), columns)[1])
    assert abs(count["twice"] / 20_000 - 2 / 3) < 0.02
    assert abs(count["once"] / 20_000 - 1 / 3) < 0.02


def test_noise_draws_from_the_whole_collection() -> None:
    columns = {name: ["own", "far far far", "own2", "far2"] for name in FILMS}
    how = protocol(1.0, 0.0, mean_length=1.0, longest=1, noise=0.4)
    count = Counter(made(how, np.zeros(20_000), columns)[1])
    assert abs(count["far"] / 20_000 - 0.4 * 9 / 18) < 0.02
    assert abs(count["own"] / 20_000 - (0.6 + 0.4 * 3 / 18)) < 0.02


def test_unknown_column_is_named() -> None:
    with pytest.raises(InputError, match="items have no field 'class'"):
        simulate(protocol(), np.zeros(3, dtype=np.int32), {"title": ["a"]})


def test_longest_one_and_shares_are_checked() -> None:
    assert KnownItemProtocol(share=1, fields=("title",), longest=1).longest == 1
    with pytest.raises(ValueError, match="add up to 1"):
        QueryProtocol.model_validate({"share": 0.3, "category": {"share": 0.5, "paths": "c"}})


CELLS = st.lists(st.sampled_from(["red", "sky", "blue", "sea", "the", "old"]), max_size=5)


@settings(max_examples=60, deadline=None)
@given(st.lists(CELLS, min_size=1, max_size=4), st.integers(0, 99), st.floats(0, 1))
def test_words_stand_in_the_order_of_the_items_text_then_in_that_of_drawing(
    cells: list[list[str]], seed: int, noise: float
) -> None:
    columns = {"title": [" ".join(cell) for cell in cells]}
    values = {"share": 1, "fields": ["title"], "noise": noise, "mean_length": 3}
    how = KnownItemProtocol.model_validate(values)
    item = np.random.default_rng(seed).integers(0, len(cells), 30).astype(np.int32)
    drawn: list[np.ndarray] = []

    def seen(terms: Any, items: Any, chosen: np.ndarray) -> np.ndarray:
        drawn.append(chosen.copy())
        return in_order(terms, items, chosen)

    in_order = simulate_queries._in_order
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulate_queries, "_in_order", seen)
        made = simulate_queries._known_item(
            how, item, columns, "bigrams", np.random.default_rng(seed)
        )
    names = list(dict.fromkeys(word for text in columns["title"] for word in words(text)))
    for event, row in enumerate(drawn[0].tolist()):
        chosen = [names[term] for term in row if term >= 0]
        own = list(dict.fromkeys(words(columns["title"][item[event]])))
        expected = [word for word in own if word in chosen]
        expected += [word for word in chosen if word not in own]
        text = made.texts[made.text[event]] if made.text[event] >= 0 else ""
        assert text == " ".join(expected)


@settings(max_examples=60, deadline=None)
@given(st.lists(CELLS, min_size=1, max_size=5), st.integers(0, 99))
def test_categories_are_drawn_by_inversion_one_event_after_the_other(
    cells: list[list[str]], seed: int
) -> None:
    columns = {"class": [" ".join(cell) for cell in cells], "year": ["1995", ""] * 3}
    levels = [{"field": "class", "use": "each", "missing": ["old"]}, {"field": "year"}]
    how = CategoryProtocol.model_validate({"share": 1, "levels": levels})
    item = np.random.default_rng(seed).integers(0, len(cells), 30).astype(np.int32)
    made = simulate_queries._category(how, item, columns, "bigrams", np.random.default_rng(seed))
    draw = np.random.default_rng(seed).random(30).tolist()
    for event, u in enumerate(draw):
        paths = category_paths(how, columns, int(item[event]))
        texts = list(dict.fromkeys(filter(None, map(path_query, paths)))) or [""]
        text = made.texts[made.text[event]] if made.text[event] >= 0 else ""
        assert text == texts[int(u * len(texts))]
