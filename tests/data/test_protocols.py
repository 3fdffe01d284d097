"""A card may name the protocols that requests are asked by; what it does not name is not made."""

from __future__ import annotations

import copy
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from baselines.popularity import Popularity
from benchmark.data import prepare as prepare_module
from benchmark.data.audit import audit
from benchmark.data.dataset import Dataset
from benchmark.data.evaluation_set import PROTOCOLS
from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.data.text_column import TextColumn
from benchmark.errors import InputError
from benchmark.evaluation.evaluate import HarnessValidation, evaluate
from benchmark.model import TrainingContext
from benchmark.run_log import RunLog
from benchmark.running.plan_rules import check_protocols
from tests.data.conftest import MakeFolder

from .test_grades import graded, pages

SUBSETS = [s for n in (1, 2, 3) for s in itertools.combinations(PROTOCOLS, n)]


def naming(folder: Path, **candidates: Any) -> Path:
    """Let the card of a folder say something of candidates."""
    card = yaml.safe_load((folder / "card.yaml").read_text())
    (folder / "card.yaml").write_text(yaml.safe_dump({**card, "candidates": candidates}))
    return folder


def all_of(dataset: Dataset, *protocols: str) -> dict[Any, Any]:
    """Return everything of the requests but lists of other protocols, comparable."""
    return {
        key: (
            asked.requests.user.tolist(),
            asked.requests.time.tolist(),
            asked.requests.query.tolist(),
            [part.tolist() for part in asked.requests.history_rows()],
            [part.tolist() for part in vars(asked.relevant).values()],
            {
                name: (lists.offsets.tolist(), lists.items.tolist())
                for name, lists in asked.lists.items()
                if name in protocols
            },
        )
        for key, asked in dataset.evaluation.items()
    }


@pytest.mark.parametrize("protocols", SUBSETS)
def test_a_protocol_is_the_same_whatever_others_there_are(
    make_folder: MakeFolder, protocols: tuple[str, ...]
) -> None:
    folder = graded(make_folder)
    every = load_dataset(folder)
    some = load_dataset(naming(folder, protocols=list(reversed(protocols))))
    assert all_of(some, *protocols) == all_of(every, *protocols)
    assert some.about.protocols == protocols
    assert every.about.protocols == ()
    for asked in some.evaluation.values():
        assert asked.protocols == protocols
        assert set(asked.lists) == set(protocols) - {"full"}
    assert audit(some).ok
    train = [getattr(data.train.log, "item").tolist() for data in (some, every)]  # noqa: B009
    assert train[0] == train[1]


def test_given_lists_alone_are_made_and_asked_without_the_catalogue(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = naming(graded(make_folder), protocols=["given"])

    def untouched(*_: object) -> Any:
        raise AssertionError("the catalogue was read")

    for name in ("recommendation_candidates", "search_candidates", "unmatched"):
        monkeypatch.setattr(prepare_module, name, untouched)
    monkeypatch.setattr(prepare_module.WordSearch, "best", untouched)
    dataset = load_dataset(folder)
    texts = dataset.items.texts
    for name in ("__iter__", "__getitem__", "batches"):
        original = getattr(TextColumn, name)

        def guarded(self: TextColumn, *rest: Any, original: Any = original) -> Any:
            return untouched() if self is texts else original(self, *rest)

        monkeypatch.setattr(TextColumn, name, guarded)
    widths: set[int] = set()

    class Narrow(Popularity):
        scores_catalogue = False

        def score(self, requests: Any) -> Any:
            widths.add(requests.width)
            return super().score(requests)

    model = Narrow()
    validation = HarnessValidation(dataset, (Task.REC, Task.SEARCH))
    model.fit(dataset.train, validation, TrainingContext((Task.REC, Task.SEARCH), 1))
    assert set(validation.measure(model)) == {"rec", "search"}
    outcomes = evaluate(
        model, "narrow", dataset, "test", (Task.REC, Task.SEARCH), PROTOCOLS, RunLog(quiet=True)
    )
    assert [(o.task, o.protocol) for o in outcomes] == [(t, "given") for t in Task]
    assert max(widths) == 4 < len(dataset.items)
    with pytest.raises(InputError, match=r"--protocol full: .* but given"):
        check_protocols(["full"], dataset)


def test_a_task_without_lists_is_left_out_and_told(make_folder: MakeFolder) -> None:
    rows = [row for row in pages() if row[3] or row[5] > 0]  # pages: only what was taken
    told: list[str] = []
    dataset = load_dataset(
        naming(graded(make_folder, rows), protocols=["given"]), notify=told.append
    )
    assert {task for _, task in dataset.evaluation} == {Task.SEARCH}
    assert any("test rec: none of 5 requests is asked" in line for line in told)


@pytest.mark.parametrize(
    ("protocols", "rows", "message"),
    [
        (["given"], [row for row in pages() if row[5] > 0], "the data bring no lists"),
        ([], None, "name one of full, sampled, given at least"),
        (["fulll"], None, "candidates.protocols"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    make_folder: MakeFolder, protocols: list[str], rows: Any, message: str
) -> None:
    folder = naming(graded(make_folder, copy.deepcopy(rows)), protocols=protocols)
    with pytest.raises(InputError) as caught:
        load_dataset(folder)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_more_scores_than_anybody_waits_for_are_refused(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = load_dataset(graded(make_folder))
    check_protocols(PROTOCOLS, dataset)
    monkeypatch.setattr("benchmark.running.plan_rules.MOST_SCORES", 5 * 40 - 1)
    check_protocols(["sampled", "given"], dataset)
    with pytest.raises(InputError, match=r"5 requests over 40 items .* split\.limit"):
        check_protocols(["full"], dataset)


def test_validation_by_lists_looks_at_so_many_requests_as_it_is_told(
    make_folder: MakeFolder,
) -> None:
    dataset = load_dataset(naming(graded(make_folder), protocols=["sampled"]))
    validation, asked = HarnessValidation(dataset, (Task.REC,)), []

    class Counting(Popularity):
        def score(self, requests: Any) -> Any:
            asked.append(len(requests))
            return super().score(requests)

    model = Counting()
    model.fit(dataset.train, validation, TrainingContext((Task.REC,), 1))
    assert 0 <= validation.measure(model, 2)["rec"] <= 1
    assert np.sum(asked) == 2
