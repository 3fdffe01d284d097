"""Models by themselves: fitted or loaded, asked for users and for histories."""

from __future__ import annotations

from pathlib import Path

import pytest

import benchmark as sr
from benchmark.data.dataset import Dataset
from benchmark.data.requests import Task
from benchmark.errors import InputError


@pytest.fixture(scope="module")
def knn(tiny: Dataset) -> sr.UsableModel:
    return sr.build("item-knn").fit(tiny)


def test_a_model_recommends_what_its_run_would(
    tiny: Dataset, tiny_folder: Path, knn: sr.UsableModel, tmp_path: Path
) -> None:
    (record,) = sr.run("item-knn", tiny, results=tmp_path)
    loaded = sr.load_model(record.folder, tiny_folder)
    found, again = (model.recommend("u3", k=5) for model in (knn, loaded))
    assert found.equals(again)
    top = record.top()
    assert top is not None
    rec = tiny.evaluation["test", Task.REC]
    request = int((rec.requests.user == tiny.users.index("u3")).nonzero()[0][0])
    rows = top[(top["task"] == "rec") & (top["protocol"] == "full") & (top["request"] == request)]
    assert found["item"].tolist() == [tiny.items.ids[i] for i in rows["item"][:5]]
    assert found.index.tolist() == [1, 2, 3, 4, 5]
    assert found["title"][1] == tiny.items.titles[tiny.items.ids.index(found["item"][1])]


def test_histories_stand_for_people_who_are_not_in_the_data(knn: sr.UsableModel) -> None:
    found = knn.recommend(history=["i0", ("i6", "drama"), "i12"], k=4)
    assert len(found) == 4
    assert not {"i0", "i6", "i12"} & set(found["item"])
    assert found["score"].is_monotonic_decreasing


def test_searches_need_nobody(tiny: Dataset) -> None:
    model = sr.build("bm25").fit(tiny)
    titles = model.search("word3", k=3)["title"]
    assert all("word3" in title.split() for title in titles)
    assert model.search("word3", "u1", k=3)["title"].tolist() == titles.tolist()


def test_models_are_saved_and_come_back(tiny: Dataset, knn: sr.UsableModel, tmp_path: Path) -> None:
    again = sr.build("item-knn").restore(knn.save(tmp_path / "knn"), tiny)
    assert again.recommend("u1").equals(knn.recommend("u1"))
    assert again.settings == knn.settings


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "one of the two"),
        ({"user": "u1", "history": ["i1"]}, "one of the two"),
        ({"user": "u999"}, "no user 'u999'"),
        ({"history": ["x1"]}, "unknown item 'x1'"),
        ({"history": [("i1", "a\x00b")]}, "no UTF-8"),
        ({"user": "u1", "k": 0}, "at least 1"),
    ],
)
def test_what_cannot_be_answered_is_told(
    knn: sr.UsableModel, asked: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        knn.recommend(**asked)  # type: ignore[arg-type]


def test_tasks_and_training_are_asked_for(tiny: Dataset) -> None:
    model = sr.build("bm25")
    with pytest.raises(InputError, match="call fit"):
        model.search("drama")
    model.fit(tiny)
    with pytest.raises(InputError, match="for search only"):
        model.recommend("u1")
    with pytest.raises(InputError, match="no words"):
        model.search(" ")
    with pytest.raises(InputError, match="unknown setting"):
        sr.build("bm25", k2=3)
    assert "trained on tiny" in repr(model)


def test_models_that_know_their_users_only_say_so(tiny: Dataset) -> None:
    model = sr.build("fm", "quick", steps=2).fit(tiny)
    assert len(model.recommend("u1", k=2)) == 2
    with pytest.raises(InputError, match="the users of its data only"):
        model.recommend(history=["i1"])
