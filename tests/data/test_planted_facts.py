"""What is planted in made-up data is found where it was planted, and nowhere else.

These are the facts that counting shows. Those that take a training: ``python -m
tests.planted_facts``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.data.requests import Task
from tests.planted import gains, planted, user_scores

SMALL = {"users": 600, "items": 200, "events": 7200, "tastes": 8, "subjects": 20}
SPARSE = {
    "users": 800,
    "items": 400,
    "events": 8000,
    "tastes": 8,
    "subjects": 20,
    "search": 0.5,
}
"""Few events of a kind for each item: to know those of the other is worth a lot."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("planted")


@pytest.mark.parametrize("strength", [0.0, 0.8])
def test_neighbours_beat_popularity_if_and_only_if_tastes_are_shared(
    place: Path, strength: float
) -> None:
    data = planted(place, **SMALL, collaborative=strength)
    popular = user_scores(data, "popularity", Task.REC)
    assert len(popular) > 550
    found = gains({"item-knn": (popular, user_scores(data, "item-knn", Task.REC))})
    assert found["item-knn"].significant == (strength > 0), found


@pytest.mark.parametrize("strength", [0.0, 0.9])
def test_word_search_beats_popularity_if_and_only_if_queries_tell_of_items(
    place: Path, strength: float
) -> None:
    data = planted(place, **SMALL, semantic=strength)
    popular = user_scores(data, "popularity", Task.SEARCH)
    names = ("bm25", "bm25+pop", "query-pop")
    found = gains({name: (popular, user_scores(data, name, Task.SEARCH)) for name in names})
    assert [each.significant for each in found.values()] == [strength > 0] * 3, found


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_either_task_profits_from_the_events_of_the_other_if_and_only_if_they_are_coupled(
    place: Path, strength: float
) -> None:
    data = planted(place, **SPARSE, coupling=strength)
    found = gains(
        {
            task: tuple(user_scores(data, "query-pop+item-knn", task, only=o) for o in (task, None))
            for task in Task
        }
    )
    assert [each.significant for each in found.values()] == [strength > 0] * 2, found
