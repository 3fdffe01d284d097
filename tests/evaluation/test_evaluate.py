from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from baselines.diagnostic import Constant, Random
from baselines.popularity import Popularity
from benchmark.data.dataset import Dataset
from benchmark.data.requests import Requests, Task
from benchmark.errors import BenchmarkError
from benchmark.evaluation.evaluate import (
    PROTOCOLS,
    RETRIEVED,
    HarnessValidation,
    TaskOutcome,
    evaluate,
    seen_mask,
)
from benchmark.evaluation.metrics import compute
from benchmark.model import Model, TrainingContext
from benchmark.run_log import RunLog

TASKS = (Task.REC, Task.SEARCH)


def _outcomes(model: Model, data: Dataset) -> dict[tuple[str, str], TaskOutcome]:
    model.fit(data.train, HarnessValidation(data, TASKS), TrainingContext(TASKS, 1))
    found = evaluate(model, "model", data, "test", TASKS, PROTOCOLS, RunLog(quiet=True))
    return {(str(o.task), o.protocol): o for o in found}


def _mean(outcome: TaskOutcome, name: str) -> float:
    return float(compute(outcome.ranks.greater, outcome.ranks.tied)[name].mean())


def test_constant_scores_are_worth_exactly_chance(movies: Dataset) -> None:
    for (_, protocol), outcome in _outcomes(Constant(), movies).items():
        if protocol == "sampled":
            assert _mean(outcome, "hr@10") == pytest.approx(0.1, abs=1e-12)
        assert (outcome.ranks.greater == 0).all()
        assert (outcome.ranks.tied == outcome.ranks.candidates - 1).all()


def test_random_scores_are_worth_chance_within_their_sampling_error(movies: Dataset) -> None:
    for (_, protocol), outcome in _outcomes(Random(), movies).items():
        if protocol == "sampled":
            error = np.sqrt(0.1 * 0.9 / len(outcome.ranks.greater))
            assert abs(_mean(outcome, "hr@10") - 0.1) < 4 * error


def test_popularity_is_ranked_as_a_plain_loop_ranks_it(tiny: Dataset) -> None:
    outcome = _outcomes(Popularity(), tiny)["rec", "full"]
    counts = np.bincount(tiny.train.log.item, minlength=len(tiny.items))
    asked, targets = outcome.evaluation.requests, outcome.evaluation.targets
    offsets, seen = asked.seen()
    for row, target in enumerate(targets):
        out = set(seen[offsets[row] : offsets[row + 1]].tolist()) - {int(target)}
        kept = [c for i, c in enumerate(counts) if i not in out and i != target]
        assert outcome.ranks.greater[row] == sum(c > counts[target] for c in kept)
        assert outcome.ranks.tied[row] == sum(c == counts[target] for c in kept)
        assert outcome.ranks.candidates[row] == len(kept) + 1


class _Retrieving(Random):
    scores_catalogue: ClassVar[bool] = False


def test_retrieving_and_scoring_the_catalogue_give_the_same_metrics(movies: Dataset) -> None:
    scored, retrieved = _outcomes(Random(), movies), _outcomes(_Retrieving(), movies)
    for key, outcome in scored.items():
        other = retrieved[key]
        np.testing.assert_array_equal(outcome.ranks.candidates, other.ranks.candidates)
        listed = outcome.ranks.greater < RETRIEVED
        np.testing.assert_array_equal(outcome.ranks.greater[listed], other.ranks.greater[listed])
        if key[1] == "full":
            assert outcome.coverage == other.coverage


class _Wrong(Popularity):
    scores_catalogue: ClassVar[bool] = False

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def retrieve(self, requests: Requests, k: int) -> tuple[NDArray, NDArray]:
        return self.answer(requests, k)


def _seen_first(requests: Requests, k: int) -> tuple[NDArray, NDArray]:
    items = np.full((len(requests), k), -1, dtype=np.int32)
    if requests.exclude_seen:
        items[:, 0] = seen_mask(requests).argmax(axis=1)
    return items, np.where(items >= 0, 0.0, -np.inf).astype(np.float32)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (_seen_first, "has seen"),
        (lambda r, k: (np.full((len(r), k), 10**6), np.zeros((len(r), k))), "not in the catalogue"),
        (lambda r, k: (np.zeros((len(r), 3)), np.zeros((len(r), 3))), "shape"),
    ],
)
def test_wrong_answers_are_refused(tiny: Dataset, answer: Any, message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        _outcomes(_Wrong(answer), tiny)


def test_validation_asks_the_same_requests_of_every_model(tiny: Dataset) -> None:
    validation = HarnessValidation(tiny, TASKS)
    model = Popularity()
    model.fit(tiny.train, validation, TrainingContext(TASKS, 1))
    assert validation.measure(model, 20) == validation.measure(model, 20)
    assert set(validation.measure(model)) == {"rec", "search"}
