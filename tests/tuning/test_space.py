"""What ``tune`` searches, of every registered model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from baselines.recbole_bridge.module import build
from benchmark.model import Model
from benchmark.registry import available
from benchmark.search_space import SHARED, Choice, Dimension, Range, space_of
from benchmark.settings import build_settings

MODELS = sorted(
    e.name for e in available().values() if e.source.startswith(("baselines", "gensar"))
)


def _space(kind: type[Model]) -> dict[str, Dimension]:
    return space_of(kind.Settings, kind.search_space)


@pytest.mark.parametrize("preset", ["quick", "standard", "thorough"])
@pytest.mark.parametrize("name", MODELS)
def test_every_point_of_a_space_is_one_that_the_model_takes(name: str, preset: str) -> None:
    kind = available()[name].load()
    base = build_settings(kind.Settings, kind.presets, preset)
    rng = np.random.default_rng(0)
    for _ in range(5):
        point = {
            setting: float(rng.uniform(dimension.low, dimension.high))
            if isinstance(dimension, Range)
            else dimension.values[rng.integers(len(dimension.values))]
            for setting, dimension in _space(kind).items()
        }
        model = kind(replace(base, **point))
        if name.startswith("recbole:"):
            build(name.partition(":")[2], model.settings, users=5, items=20, seed=1)


@pytest.mark.parametrize("name", MODELS)
def test_where_a_search_starts_lies_within_the_space(name: str) -> None:
    """Else the sampler would not be told of the first trial; ``None`` is what RecBole has."""
    kind = available()[name].load()
    base = build_settings(kind.Settings, kind.presets, "standard")
    for setting, dimension in _space(kind).items():
        if (name, setting) == ("synergen", "width"):
            continue  # no list of widths suits the numbers of heads of all its presets and has 64
        value = getattr(base, setting)
        assert value is None or value in dimension, (setting, value)


def test_a_trained_model_has_its_rate_searched_and_word_search_its_own() -> None:
    found = {name: set(_space(available()[name].load())) for name in MODELS}
    assert found["bm25"] == found["bm25+pop"] == {"b", "k1"}
    assert {"b", "k1", "constant", "learning_rate"} <= found["hybrid"]
    assert set(SHARED) <= found["recbole:SASRec"]
    assert set(SHARED) - found["recbole:FOSSIL"] == {"dropout"}
    trained = set(MODELS) - {"bm25", "bm25+pop", "popularity", "random", "constant"}
    trained -= {"item-knn", "query-pop", "query-pop+item-knn", "markov", "stan", "ease", "tgh"}
    assert all("learning_rate" in found[name] for name in trained)


def test_what_is_not_given_lies_in_no_range() -> None:
    assert None not in Range(0, 1)
    assert None not in Choice((1, 2))
