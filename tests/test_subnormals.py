"""Models train and answer without numbers that are too small to matter, and nobody else does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmark.data.dataset import Dataset
from benchmark.data.requests import Requests, Task
from benchmark.registry import find
from benchmark.running.plan import Experiment
from benchmark.running.runner import run_model
from benchmark.subnormals import are_flushed, subnormals_flushed


def test_a_model_trains_and_answers_with_flushed_numbers(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = find("popularity").load()
    seen: list[tuple[str, bool]] = []
    fit, score = kind.fit, kind.score

    def watched_fit(self: object, *arguments: object) -> None:
        seen.append(("fit", are_flushed()))
        fit(self, *arguments)

    def watched_score(self: object, requests: Requests) -> NDArray[np.float32]:
        seen.append(("score", are_flushed()))
        return score(self, requests)

    monkeypatch.setattr(kind, "fit", watched_fit)
    monkeypatch.setattr(kind, "score", watched_score)
    plan = Experiment(find("popularity"), kind.Settings(), "quick", (Task.REC,))
    run_model(plan, tiny, ("full",), 1, "cpu", tmp_path, fresh=False)
    assert set(seen) == {("fit", True), ("score", True)}
    assert not are_flushed()


@pytest.mark.parametrize("before", [False, True])
def test_arithmetic_is_afterwards_what_it_was(before: bool) -> None:
    torch.set_flush_denormal(before)
    try:
        with pytest.raises(ValueError), subnormals_flushed(), subnormals_flushed():
            assert are_flushed()
            raise ValueError
        assert are_flushed() is before
    finally:
        torch.set_flush_denormal(False)


def test_products_with_faded_weights_are_nothing_instead_of_slow() -> None:
    weights = torch.full((4, 4), 1e-39)
    with subnormals_flushed():
        assert (torch.ones(4, 4) @ weights).count_nonzero() == 0
    assert (torch.ones(4, 4) @ weights).count_nonzero() == 16
