from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmark.errors import InputError
from benchmark.statistics import Recipe, compare_recipes, tiers
from benchmark.statistics.paired import by_unit

SYSTEMS, ITEMS = ("bm25", "dense", "hybrid"), 60


def table(seeds: int = 1, clusters: bool = False) -> pd.DataFrame:
    """Return scores of three systems, in an order that says nothing."""
    rng = np.random.default_rng(0)
    base = rng.random(ITEMS)
    rows = [
        (system, f"q{item}", seed, f"u{item // 2}", base[item] + 0.1 * place + rng.normal(0, 0.1))
        for place, system in enumerate(SYSTEMS)
        for seed in range(seeds)
        for item in range(ITEMS)
    ]
    frame = pd.DataFrame(rows, columns=["system", "item", "seed", "cluster", "score"])
    kept = ["score", "item", "system"] + ["seed"] * (seeds > 1) + ["cluster"] * clusters
    return frame.sample(frac=1, random_state=1)[kept]


def test_a_table_is_the_systems_that_it_holds() -> None:
    found = tiers(table(seeds=3))
    assert found.names == list(SYSTEMS)
    assert found.trainings == [3, 3, 3] and found.units == ITEMS
    assert found.order == [2, 1, 0] and found.letters == ["c", "b", "a"]
    assert tiers(table()).question == "requests"
    frame = table(seeds=3)
    grid = frame.pivot_table(index=["system", "seed"], columns="item", values="score")
    given = [Recipe(name, grid.loc[name].to_numpy()) for name in SYSTEMS]
    np.testing.assert_allclose(compare_recipes(given).p, found.p)


def test_items_of_a_cluster_count_as_one() -> None:
    found = tiers(table(clusters=True))
    assert found.units == ITEMS // 2
    whole = tiers(table())
    assert found.means == pytest.approx(whole.means)
    grid = table().pivot_table(index="system", columns="item", values="score")
    users = np.array([int(name[1:]) // 2 for name in grid.columns])
    units = by_unit(grid.to_numpy(), users)
    given = [Recipe(name, row[None]) for name, row in zip(grid.index, units, strict=True)]
    np.testing.assert_allclose(compare_recipes(given).p, found.p)


def test_systems_may_have_other_seeds_and_other_numbers_of_them() -> None:
    frame = table(seeds=3)
    frame = frame[(frame["system"] != "dense") | (frame["seed"] == 2)]
    found = tiers(frame)
    assert found.trainings == [3, 1, 3] and found.borrowed == [False, True, False]


def _without(name: str) -> pd.DataFrame:
    return table().drop(columns=name)


def _changed(place: int, column: str, value: object) -> pd.DataFrame:
    frame = table(clusters=True).reset_index(drop=True).astype({"score": object})
    frame.loc[place, column] = value
    return frame


def _one_twice() -> pd.DataFrame:
    frame = table().reset_index(drop=True)
    return pd.concat([frame, frame.iloc[[4]]], ignore_index=True)


ONE = table()[table()["system"] == "bm25"]
BAD = {
    "column": (_without("score"), "no column 'score' among the columns: item, system"),
    "rows": (table().iloc[:0], "there are no rows"),
    "one system": (ONE, "two or more systems can be compared, not 'bm25'"),
    "nan": (_changed(7, "score", float("nan")), "row 7: score 'nan' is no finite number"),
    "infinite": (_changed(7, "score", float("inf")), "row 7: score 'inf' is no finite number"),
    "words": (_changed(3, "score", "high"), "row 3: score 'high' is no finite number"),
    "no name": (_changed(3, "system", None), "row 3: no system"),
    "blank": (_changed(3, "item", " "), "row 3: no item"),
    "twice": (_one_twice(), "row 180: system '.*', item '.*' was there before, in row 4"),
    "cell": (table().iloc[1:], "system '.*' has no score of item '.*'"),
    "clusters": (_changed(9, "cluster", "elsewhere"), "item '.*' has another cluster elsewhere"),
    "one item": (table()[table()["item"] == "q1"], "one item: two or more"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_named(name: str) -> None:
    frame, message = BAD[name]
    with pytest.raises(InputError, match=message):
        tiers(frame)
