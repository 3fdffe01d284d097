"""Made-up data are what their card says, a rule moves what it names, and a seed is a data set."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from benchmark.data.analyser import analyse
from benchmark.data.audit import audit
from benchmark.data.load import load_dataset
from benchmark.data.sources.source import Source
from benchmark.data.sources.synthetic.events import BEGIN, YEAR, YEARS, season_of
from benchmark.data.sources.synthetic.reader import drawn
from benchmark.data.sources.synthetic.rules import SyntheticRules
from benchmark.data.sources.synthetic.truth import truth_of
from benchmark.data.synthetic_card import write_synthetic_card
from benchmark.errors import InputError

SMALL = {"users": 300, "items": 150, "events": 6000, "tastes": 6, "subjects": 10}
COLUMNS = ("user", "item", "time", "query")


def rules_of(**rules: Any) -> SyntheticRules:
    return SyntheticRules(**{**SMALL, **rules})


def bytes_of(source: Source) -> dict[str, bytes]:
    inter = source.inter
    found = {name: getattr(inter, name).tobytes() for name in COLUMNS}
    texts = {"queries": inter.queries, **source.items.columns}
    return found | {name: "\n".join(column.to_pylist()).encode() for name, column in texts.items()}


def asked(source: Source) -> pa.Array:
    """Return the words of each event, null where it is no search."""
    query = source.inter.query
    return source.inter.queries.take(pa.array(query, mask=query < 0))


def test_a_seed_is_a_data_set_whatever_is_drawn_at_once() -> None:
    rules = rules_of(duplicates=0.1, seasonality=0.5, query_words=2, coupling=0.5)
    whole = bytes_of(drawn(rules))
    assert bytes_of(drawn(rules)) == whole
    for size in (1, 250):
        assert bytes_of(drawn(rules, size)) == whole
    other = bytes_of(drawn(rules.model_copy(update={"seed": 2})))
    assert all(other[name] != whole[name] for name in whole if name != "user")


@pytest.mark.parametrize("search", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("duplicates", [0.0, 0.0315, 1.0])
def test_counts_are_those_of_the_card(tmp_path: Path, search: float, duplicates: float) -> None:
    write_synthetic_card(
        tmp_path / "data", "made", {**SMALL, "search": search, "duplicates": duplicates}, ()
    )
    told: list[str] = []
    data = load_dataset(tmp_path / "data", cache=tmp_path / "cache", notify=told.append)
    log = data.log
    assert (len(log), len(data.users), len(data.items)) == (6000, 300, 150)
    assert (log.query >= 0).sum() == round(search * 6000)
    dropped = [int(found[1]) for line in told if (found := re.search(r"(\d+) of \d+ .*cop", line))]
    assert dropped == ([round(duplicates * 6000)] if duplicates else [])
    assert audit(data).ok
    kinds = {str(task) for (part, task) in data.evaluation if part == "test"}
    assert kinds == {0.0: {"rec"}, 0.25: {"rec", "search"}, 1.0: {"search"}}[search]
    if duplicates == 0 and search == 0.25:
        queries = data.queries.texts
        assert data.train.queries.texts
        assert 5 < len(set(queries)) <= 6 * 8 + 10 + 150


def test_a_user_takes_one_thing_at_a_time_and_nothing_twice() -> None:
    inter = drawn(rules_of(popularity=2.0)).inter
    same = np.diff(inter.user) == 0
    assert (np.diff(inter.user) >= 0).all()
    assert (np.diff(inter.time)[same] > 0).all()
    assert inter.time.min() >= BEGIN and inter.time.max() < BEGIN + YEARS * YEAR
    counts = np.bincount(inter.user)
    assert counts.min() >= 1 and counts.max() <= 75 and counts.std() > 5
    pairs = inter.user.astype(np.int64) * 150 + inter.item
    assert len(np.unique(pairs)) == len(pairs)


@pytest.mark.parametrize("strength", [0.0, 0.6])
def test_demand_for_a_taste_swings_with_the_year_as_far_as_asked(strength: float) -> None:
    rules = rules_of(users=2000, events=40_000, seasonality=strength)
    inter, truth = drawn(rules).inter, truth_of(rules)
    year = (inter.time - BEGIN) / YEAR
    angle = 2 * np.pi * (year - season_of(truth.taste, rules.tastes)[inter.item])
    # The mean of a cosine under the density 1 + s cos is s / 2; its error here is about 0.0035.
    assert abs(np.cos(angle).mean() - strength / 2) < 0.012
    assert abs(np.sin(angle).mean()) < 0.012
    assert abs((year >= 1).mean() - 0.5) < 0.01


def test_strengths_are_shares_of_events_words_and_classes() -> None:
    rules = rules_of(
        users=2000,
        events=40_000,
        collaborative=0.5,
        semantic=0.7,
        coupling=0.25,
        popularity=0.0,
        search=0.5,
    )
    source, truth = drawn(rules), truth_of(rules)
    inter = source.inter

    # What is not drawn within the taste meets it one time in six, and classes agree so by chance.
    def expected(share: float, by_chance: float = 1 / 6) -> float:
        return share + (1 - share) * by_chance

    search = inter.query >= 0
    for rows, of_user, of_item in (
        (~search, truth.favourite, truth.taste),
        (search, truth.interest, truth.topic),
    ):
        same = of_user[inter.user[rows]] == of_item[inter.item[rows]]
        # Nothing is taken twice, so that a taste runs low: a little less than asked.
        assert expected(0.5) - 0.05 < same.mean() < expected(0.5) + 0.01
    assert abs((truth.taste == truth.topic).mean() - expected(0.25)) < 0.1
    assert abs((truth.favourite == truth.interest).mean() - expected(0.25)) < 0.03
    title, about = (column.to_pylist() for column in source.items.columns.values())
    texts = [{*one.split(), *other.split()} for one, other in zip(title, about, strict=True)]
    words = asked(source).to_pylist()
    told = [words[row] in texts[inter.item[row]] for row in np.flatnonzero(search)]
    assert 0.7 < np.mean(told) < 0.78  # some words of other items are its own too


@pytest.mark.parametrize(
    ("rule", "value", "moved"),
    [
        ("collaborative", 0.0, {"item", "time", "query", "queries"}),
        ("semantic", 0.0, {"query", "queries"}),
        ("seasonality", 1.0, {"item", "time", "query", "queries"}),
        ("query_words", 3, {"query", "queries"}),
        ("specific", 0.9, {"query", "queries"}),
        ("search", 0.1, {"item", "time", "query", "queries"}),
        ("coupling", 0.0, {"item", "time", "query", "queries", "about"}),
    ],
)
def test_a_rule_moves_what_it_names_alone(rule: str, value: Any, moved: set[str]) -> None:
    before, after = bytes_of(drawn(rules_of())), bytes_of(drawn(rules_of(**{rule: value})))
    assert {name for name in before if before[name] != after[name]} <= moved
    assert any(before[name] != after[name] for name in moved)


def test_seasons_and_copies_change_no_event_of_a_user() -> None:
    def events(**rules: Any) -> set[tuple]:
        source = drawn(rules_of(**rules))
        words = asked(source).to_pylist()
        return set(zip(source.inter.user.tolist(), source.inter.item.tolist(), words, strict=True))

    assert events() == events(seasonality=1.0) == events(duplicates=0.5)


def test_recommendations_and_item_texts_do_not_hang_on_the_words_of_queries() -> None:
    one, other = (drawn(rules_of(semantic=s, coupling=0.3)) for s in (0.0, 1.0))
    assert np.array_equal(one.inter.item, other.inter.item)
    assert one.items.columns == other.items.columns


def test_words_are_distinct_for_every_analyser() -> None:
    source = drawn(rules_of(items=5000, users=5000))
    own = [title.partition(" ")[0] for title in source.items.columns["title"].to_pylist()]
    for analyser in ("english", "bigrams", "tokens"):
        terms = [tuple(each) for each in analyse(own, analyser)]
        assert len(set(terms)) == 5000
        assert {len(each) for each in terms} == {1}


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"coupling": 1.5}, "--coupling: .*less than or equal to 1"),
        ({"semantic": float("nan")}, "--semantic: .*finite"),
        ({"users": 0}, "--users: .*greater than or equal to 1"),
        ({"seed": -1}, "--seed: "),
        ({"query_words": 6}, "--query-words: "),
        ({"tastes": 200, "items": 150}, "--tastes: more than items"),
        ({"events": 200, "users": 300}, "--events: fewer than users"),
        ({"events": 10**9}, "--events: users would take more"),
        ({"events": 2**31 - 1, "users": 10**6, "items": 10**5, "duplicates": 1}, "--events: more"),
        ({"flavours": 3}, "--flavours: "),
    ],
)
def test_rules_that_make_no_data_are_refused_in_one_line(
    tmp_path: Path, rules: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message) as refused:
        write_synthetic_card(tmp_path / "data", None, rules, ())
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())
