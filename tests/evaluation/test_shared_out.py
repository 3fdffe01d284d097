"""Requests that several processes share: each is asked once, and what comes out is that of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.data.load import load_dataset
from benchmark.data.requests import Requests, Task
from benchmark.evaluation.evaluate import PROTOCOLS, HarnessValidation, evaluate
from benchmark.model import Model, TrainingContext, TrainView, Validation
from benchmark.processes import ALONE, Processes
from benchmark.run_log import RunLog
from tests.processes import together

TASKS = (Task.REC, Task.SEARCH)
Asked = list[tuple[int, int, int]]


class _Recording(Model):
    """Scores by a rule, and notes what it is asked."""

    tasks = frozenset(TASKS)

    def __init__(self) -> None:
        super().__init__()
        self.asked: Asked = []

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Learn nothing."""

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return numbers that follow from request and item."""
        columns = (requests.user, requests.time, requests.query)
        self.asked += list(zip(*(column.tolist() for column in columns), strict=True))
        draw = requests.user[:, None] * 7919 + requests.time[:, None] * 31
        return ((draw + np.arange(requests.items) * 104_729) % 1009).astype(np.float32)

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return nothing."""
        return {}, {}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take nothing."""


def _answers(processes: Processes, folder: Path, cache: Path) -> tuple[Any, Asked, Any]:
    data = load_dataset(folder, cache=cache)
    model = _Recording()
    outcomes = evaluate(
        model, "m", data, "test", TASKS, PROTOCOLS, RunLog(quiet=True), processes=processes
    )
    asked, model.asked = model.asked, []
    validation = HarnessValidation(data, TASKS, processes)
    measured = [validation.measure(model, limit) for limit in (None, 1, 7)]
    answers = {
        (str(o.task), o.protocol): [
            *(o.requests, o.top, o.counts.request, o.counts.gain),
            *(o.counts.greater, o.counts.tied, o.counts.candidates),
        ]
        for o in outcomes
    }
    return answers, asked, measured


@pytest.mark.parametrize("count", [2, 3])
def test_every_request_is_asked_once_and_counts_as_before(
    tiny_folder: Path, tmp_path: Path, count: int
) -> None:
    answers, asked, measured = _answers(ALONE, tiny_folder, tmp_path)
    found = together(_answers, tiny_folder, tmp_path, count=count)
    shares = [share for _, share, _ in found]
    assert sorted(each for share in shares for each in share) == sorted(asked)
    assert max(map(len, shares)) - min(map(len, shares)) <= len(TASKS)
    for shared, _, values in found:
        assert values == measured
        assert shared.keys() == answers.keys()
        for key, arrays in answers.items():
            for array, expected in zip(shared[key], arrays, strict=True):
                assert np.array_equal(array, expected) and array.dtype == expected.dtype
