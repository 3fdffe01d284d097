from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmark.data.audit import audit
from benchmark.data.card import Card, read_card
from benchmark.data.dataset import Dataset
from benchmark.data.departures import counted
from benchmark.data.describe import describe
from benchmark.data.events import EventSource
from benchmark.data.load import load_dataset
from benchmark.data.locate import card_names, cards_folder
from benchmark.data.requests import Task
from benchmark.errors import InputError
from benchmark.names import is_name
from tests.data.conftest import MakeFolder

from .test_card import ITEMS, card_in, rows


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return load_dataset("ml-100k", cache=tmp_path_factory.mktemp("cache"))


@pytest.mark.parametrize("name", card_names())
def test_data_are_what_the_card_says_and_nothing_looks_wrong(
    name: str, films: Dataset, real_card: Callable[[str], Card]
) -> None:
    statistics = read_card(cards_folder() / name / "card.yaml").statistics
    if statistics is None or statistics.published is not None:
        pytest.skip("its files were never here, so nothing was counted")
    card = real_card(name)
    told: list[str] = []
    if name == films.name:
        dataset, told = films, list(films.about.notes)
    else:
        dataset = load_dataset(name, notify=told.append)
    assert card.statistics is not None
    said, found = card.statistics.counts(), describe(dataset)
    assert said == counted(dataset)
    assert json.loads(json.dumps(found)) == found
    assert said["users"] == found["users"]
    assert said["items"] == found["items"]
    assert said["events"] == found["events"]["all"]
    assert said["searches"] == found["events"]["search"]
    assert said["queries"] == found["queries"]["distinct"]
    assert said.get("mean_query_words") == found["queries"].get("mean_words")
    assert said["training"] == {task: found["training"][task] for task in ("rec", "search")}
    for part in ("validation", "test"):
        counts = {"rec": 0, "search": 0}
        counts |= {task: v["requests"] for task, v in found["requests"][part].items()}
        assert said[part] == counts
    assert [line for line in told if ALARM.search(line)] == []


ALARM = re.compile(
    "departs|1970|future|same time|different times|looks like|no text in|written twice"
    "|not logged in|placeholder"
)
"""Words of each remark on what is likely to be a mistake; the data of our cards hold none."""


def test_ml_100k_searches_are_about_30_percent_half_of_each_kind(films: Dataset) -> None:
    found = describe(films)
    assert 0.29 < found["events"]["search"] / found["events"]["all"] < 0.31
    kinds = found["queries"]["kinds"]
    share = kinds["category"]["searches"] / found["events"]["search"]
    assert 0.48 < share < 0.52
    assert 1.9 < found["queries"]["mean_words"] < 2.1
    assert found["queries"]["ambiguous_searches"] > 0.5
    assert "comedy 1990s" in films.queries.texts


def test_ml_100k_texts(films: Dataset) -> None:
    row = films.items.ids.index("1")
    assert films.items.titles[row] == "Toy Story (1995)"
    assert films.items.texts[row] == "Toy Story (1995) Animation Children's Comedy"


def test_ml_100k_leaks_nothing_and_paper_changes_only_what_it_should(films: Dataset) -> None:
    report = audit(films)
    assert report.ok, report.problems
    assert json.loads(json.dumps(report.to_dict()))["ok"] is True


def test_training_view_hides_words_of_other_queries(films: Dataset) -> None:
    used = set(films.train.log.query.tolist())
    for row, text in enumerate(films.train.queries.texts):
        assert bool(text) == (row in used)
    assert "" in films.train.queries.texts
    assert films.train.digest == films.digest


def test_candidates_of_search_hold_the_best_wrong_answers(films: Dataset) -> None:
    asked = films.evaluation["test", Task.SEARCH]
    texts = asked.requests.query_texts()
    row = next(i for i, text in enumerate(texts) if text.startswith("comedy"))
    comedies = [i for i, t in enumerate(films.items.texts) if "Comedy" in t]
    line = asked.lists["sampled"].at(np.array([row]))
    assert len(set(line.items.tolist()) & set(comedies)) >= 99


def test_seen_is_part_of_the_digest_and_of_recommendation_only(make_folder: MakeFolder) -> None:
    folder = make_folder(rows())
    exclude, keep = load_dataset(folder), load_dataset(folder, seen="keep")
    assert exclude.digest != keep.digest
    assert exclude.evaluation["test", Task.REC].requests.exclude_seen
    assert not keep.evaluation["test", Task.REC].requests.exclude_seen
    assert (exclude.about.seen, keep.about.seen) == ("exclude", "keep")
    with pytest.raises(InputError, match="write exclude or keep"):
        load_dataset(folder, seen="maybe")  # type: ignore[arg-type]


def test_leakage_can_be_overruled(make_folder: MakeFolder) -> None:
    folder = make_folder(rows())
    safe, paper = load_dataset(folder), load_dataset(folder, leakage="paper")
    assert (safe.about.leakage, paper.about.leakage) == ("safe", "paper")
    assert safe.digest != paper.digest


def test_digest_follows_the_data(make_folder: MakeFolder) -> None:
    one = load_dataset(make_folder(rows(), name="one"))
    other = [("u0", "i8", 0), *rows()[1:]]
    changed = make_folder(other, name="two")
    (changed / "one.inter").write_bytes((changed / "two.inter").read_bytes())
    (changed / "two.inter").unlink()
    target = changed.with_name("elsewhere") / "one"
    target.parent.mkdir()
    changed.rename(target)
    assert load_dataset(target).name == "one"
    assert load_dataset(target).digest != one.digest


def test_bare_folder_tells_its_choices(make_folder: MakeFolder) -> None:
    told: list[str] = []
    dataset = load_dataset(make_folder(rows(), ITEMS), notify=told.append)
    assert any("leave-one-out" in line for line in told)
    assert any("title, brand" in line for line in told)
    assert any("recommendation only" in line for line in told)
    assert any("negatives in place of 99" in line for line in told)
    assert dataset.items.titles[2] == "thing 2"
    assert dataset.items.texts[2] == "thing 2 brand2"
    assert set(dataset.evaluation) == {("validation", Task.REC), ("test", Task.REC)}


def test_bare_folder_does_not_take_a_cards_name(make_folder: MakeFolder) -> None:
    assert load_dataset(make_folder(rows(), name="ml-100k")).name == "ml-100k-bare"


def test_bare_folder_with_an_odd_name_gets_a_name(make_folder: MakeFolder) -> None:
    names = [load_dataset(make_folder(rows(), name=n)).name for n in ("my data (2)", "my data [2]")]
    assert all(name.startswith("my-data--2-") and is_name(name) for name in names)
    assert names[0] != names[1]


def test_bare_folder_with_queries_serves_both_tasks(make_folder: MakeFolder) -> None:
    inter = [(u, i, t, f"q{t % 2}" if t % 2 else "") for u, i, t in rows(4, 8)]
    folder = make_folder(inter, ITEMS, [("q1", "a lamp"), ("q0", "never asked")])
    dataset = load_dataset(folder)
    assert dataset.queries.texts == ("never asked", "a lamp")
    assert set(dataset.queries.kinds) == {"given"}
    searched = dataset.log.kind == EventSource.SEARCHED
    assert dataset.log.query[searched].tolist() == [1] * 16
    assert (dataset.log.query[~searched] == -1).all()
    assert ("test", Task.SEARCH) in dataset.evaluation
    assert audit(dataset).ok


def test_items_without_a_file_are_the_items_of_the_events(make_folder: MakeFolder) -> None:
    dataset = load_dataset(make_folder([("a", x, t) for t, x in enumerate("zyxw")]))
    assert dataset.items.ids == ("w", "x", "y", "z")
    assert dataset.items.titles == dataset.items.ids
    assert dataset.items.texts == ("",) * 4


def test_twins_on_request_are_copies_and_safe_hides_them(make_folder: MakeFolder) -> None:
    files = {"inter": {"name": "ml.inter"}, "item": {"name": "ml.item"}}
    known = {"share": 1.0, "fields": ["title", "brand"]}
    queries = {"share": 0.5, "twins": True, "known-item": known}
    folder = card_in(make_folder(rows(4, 8), ITEMS), files=files, queries=queries)
    dataset = load_dataset(folder)
    searches = int((dataset.log.kind == EventSource.SEARCHED).sum())
    assert 0 < searches == len(dataset.log) - 32
    assert audit(dataset).ok
    paper = audit(load_dataset(folder, leakage="paper"))
    assert paper.ok, "leaks are no failure where the paper's way was asked for"
    assert sum(row.twins_in_training for row in paper.rows) > 0
    assert sum(row.pairs_in_training for row in paper.rows) > 0


def test_large_scale_columns_are_small(films: Dataset) -> None:
    log = films.log
    kinds = {name: getattr(log, name).dtype for name in ("user", "item", "time", "kind", "query")}
    assert kinds == {
        "user": np.int32, "item": np.int32, "time": np.int64, "kind": np.uint8, "query": np.int32
    }  # fmt: skip


def test_loading_imports_neither_torch_nor_recbole(tmp_path: Path) -> None:
    code = (
        "import sys; from benchmark.data.load import load_dataset; "
        "load_dataset('ml-100k'); load_dataset('ml-100k'); "
        "print([m for m in ('torch', 'recbole', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_interfaces_import_without_the_heavy_readers() -> None:
    code = (
        "import sys; import benchmark.data.requests, benchmark.data.dataset, benchmark.model; "
        "print([m for m in ('pyarrow', 'pandas', 'pydantic', 'bm25s') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
