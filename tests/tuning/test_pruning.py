"""Trials that end early."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.data.dataset import Dataset
from benchmark.data.requests import Task
from benchmark.tuning.pruning import HALVING, Halving, seconds_saved
from benchmark.tuning.study import Study
from benchmark.tuning.trials import Point, Trial, write_trial
from tests.tuning.curved import Curved, InPhases, Swallowing, WithPart, plan_of, searched

values = st.floats(0, 1)


def curve_of(measured: Sequence[float], epochs: int, every: int = 1) -> tuple[Point, ...]:
    return tuple(
        Point(
            "net",
            every * number,
            100 * every * number // epochs,
            {"rec": value},
            float(every * number),
        )
        for number, value in enumerate(measured, 1)
    )


def highest(curve: Sequence[Point]) -> float:
    return max(point.value for point in curve)


@st.composite
def searches(draw: st.DrawFn) -> tuple[list[tuple[Point, ...]], Halving, list[int]]:
    """Draw curves of several trials, a rule, and which of the trials at work goes on next."""
    every, points = draw(st.integers(1, 4)), draw(st.integers(1, 12))
    several = st.lists(values, min_size=points, max_size=points)
    curves = [
        curve_of(c, every * points, every) for c in draw(st.lists(several, min_size=1, max_size=12))
    ]
    halving = Halving(draw(st.integers(1, 60)), draw(st.integers(2, 4)))
    return curves, halving, draw(st.lists(st.integers(0, 3), min_size=1, max_size=50))


@settings(max_examples=60, deadline=None)
@given(searches())
def test_no_pruned_trial_had_come_to_more_than_the_best_complete_one(search) -> None:
    """However many workers there are and in whatever order they come to their validations."""
    curves, halving, turns = search
    reached = [curve[:0] for curve in curves]
    pruned: set[int] = set()
    waiting, at_work, turn = [*range(len(curves))], list[int](), 0
    while waiting or at_work:
        while waiting and len(at_work) < 1 + max(turns):
            at_work.append(waiting.pop(0))
        number = at_work[turns[turn % len(turns)] % len(at_work)]
        turn += 1
        curve, whole = curves[number][: len(reached[number]) + 1], curves[number]
        reached[number] = curve
        others = (reached[other] for other in range(len(curves)) if other != number)
        ends = len(curve) == len(whole)
        if not ends and number > 0 and halving.prunes(curve, others):
            pruned.add(number)
            ends = True
        if ends:
            at_work.remove(number)
    best = max(highest(reached[n]) for n in range(len(curves)) if n not in pruned)
    assert all(highest(reached[number]) <= best for number in pruned)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(values, min_size=9, max_size=9), min_size=2, max_size=12))
def test_one_after_the_other_it_is_optunas_own_rule(measured: list[list[float]]) -> None:
    pruner = optuna.pruners.SuccessiveHalvingPruner(10, 3)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", pruner=pruner)
    before: list[tuple[Point, ...]] = []
    for each in measured:
        trial, ended = study.ask(), 9
        for number in range(1, 10):
            trial.report(max(each[:number]), 10 * number)
            if trial.should_prune():
                ended = number
                break
        curves = [curve_of(each[:number], 10) for number in range(1, 10)]
        own = next((n for n, c in enumerate(curves, 1) if HALVING.prunes(c, before)), 9)
        assert own == ended
        before.append(curves[own - 1])


@pytest.mark.parametrize(
    ("epochs", "every", "judged"),
    [
        (30, 3, [3, 9, 27]),
        (9, 3, [3, 9]),
        (4, 2, [2, 4]),
        (2, 2, [2]),
        (16, 2, [2, 6, 16]),
        (400, 1, [40, 120, 360]),
    ],
)
def test_the_rungs_are_shares_of_the_epochs(epochs: int, every: int, judged: list[int]) -> None:
    """A trial that others beat everywhere ends wherever it is judged; ties go on."""
    worse = curve_of([0.1] * (epochs // every), epochs, every)
    better = curve_of([0.2] * (epochs // every), epochs, every)
    ends = [
        worse[n - 1].step
        for n in range(1, len(worse) + 1)
        if HALVING.prunes(worse[:n], [better, better])
    ]
    assert ends == judged
    assert not any(HALVING.prunes(worse[:n], [worse]) for n in range(1, len(worse) + 1))


def test_a_third_of_many_goes_on() -> None:
    others = [curve_of([value / 10], 10) for value in range(8)]
    ends = [HALVING.prunes(curve_of([value / 10], 10), others) for value in range(9)]
    assert ends == [True] * 5 + [False] * 4  # the sixth is as good as the third of the nine


def _as_if_timeless(study: Study) -> list[Trial]:
    return [
        replace(t, seconds=0.0, curve=tuple(replace(p, seconds=0.0) for p in t.curve))
        for t in study.trials
    ]


def test_trials_that_fall_behind_end_early_and_are_told_as_such(
    tiny: Dataset, tmp_path: Path
) -> None:
    study = searched(plan_of(), tiny, tmp_path, 8)
    whole = searched(plan_of(), tiny, tmp_path, 8, pruning=None)
    assert study.name != whole.name
    assert {t.state for t in whole.trials} == {"complete"}
    pruned = [t for t in study.trials if t.state == "pruned"]
    assert pruned
    for trial in pruned:
        assert trial.curve[-1].step in (1, 3, 9)
        assert trial.value == highest(trial.curve) <= highest(study.best.curve)
    assert study.trials[0].state == study.best.state == "complete"
    assert study.best.value > study.trials[0].value
    summary = study.chosen().summary
    assert summary["pruned"] == [t.number for t in pruned]
    assert summary["pruning"] == {"min_resource": 10, "reduction_factor": 3}
    assert summary["seconds_saved"] >= 0
    assert [t.settings for t in study.trials] == [t.settings for t in whole.trials]


def test_the_preset_is_never_pruned(tiny: Dataset, tmp_path: Path) -> None:
    """Even where others, which were faster, did better: there has to be something to choose."""
    before = searched(plan_of(), tiny, tmp_path, 4)
    (file,) = tmp_path.rglob("study.json")
    file.unlink()
    for trial in before.trials[1:]:
        write_trial(file.parent, trial)
    study = searched(plan_of(), tiny, tmp_path, 4)
    assert study.trials[0].state == "complete"
    assert study.trials[1:] == before.trials[1:]
    others = [trial.curve for trial in study.trials[1:]]
    assert HALVING.prunes(study.trials[0].curve[:1], others)  # any other would have been


@pytest.mark.parametrize("interrupted_at", [3, 10, 11, 20, 21])
def test_a_search_interrupted_in_a_trial_goes_on_as_it_would_have(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted_at: int
) -> None:
    whole = searched(plan_of(), tiny, tmp_path / "whole", 5)
    monkeypatch.setattr(Curved, "trained", [])
    monkeypatch.setattr(Curved, "interrupted_at", interrupted_at)
    with pytest.raises(KeyboardInterrupt):
        searched(plan_of(), tiny, tmp_path / "parts", 5)
    monkeypatch.setattr(Curved, "interrupted_at", None)
    resumed = searched(plan_of(), tiny, tmp_path / "parts", 5)
    assert _as_if_timeless(resumed) == _as_if_timeless(whole)
    epochs = sum(t.curve[-1].step for t in whole.trials)
    assert len(Curved.trained) == epochs  # those before the interruption were not repeated
    (folder,) = (tmp_path / "parts").rglob("study.json")
    assert [file.name for file in folder.parent.iterdir()] == ["study.json"]


def test_the_curve_of_a_part_judges_nothing(tiny: Dataset, tmp_path: Path) -> None:
    study = searched(plan_of(WithPart), tiny, tmp_path, 6)
    assert {t.state for t in study.trials} == {"complete"}
    assert all(t.curve == () for t in study.trials)


@pytest.mark.parametrize("tasks", [(Task.REC, Task.SEARCH), (Task.REC,)])
def test_the_first_training_of_all_tasks_judges(
    tiny: Dataset, tmp_path: Path, tasks: tuple[Task, ...]
) -> None:
    study = searched(replace(plan_of(InPhases), tasks=tasks), tiny, tmp_path, 5)
    assert {p.training for t in study.trials for p in t.curve} == {"curved"}
    assert all({*p.by_task} == {*tasks} for t in study.trials for p in t.curve)
    assert any(t.state == "pruned" for t in study.trials)


def test_a_model_that_swallows_errors_is_pruned_all_the_same(tiny: Dataset, tmp_path: Path) -> None:
    study, plain = (searched(plan_of(kind), tiny, tmp_path, 6) for kind in (Swallowing, Curved))
    assert [t.state for t in study.trials] == [t.state for t in plain.trials]


def test_the_seconds_saved_are_those_that_complete_trials_went_on_for() -> None:
    first, second = curve_of([0.1, 0.2, 0.3, 0.3], 4), curve_of([0.1], 4)
    complete = Trial(1, {}, "complete", 0.3, {"rec": 0.3}, 5.0, "", first)
    pruned = Trial(2, {}, "pruned", 0.1, {"rec": 0.1}, 3.0, "", second)
    assert seconds_saved([complete]) == 0
    assert seconds_saved([complete, pruned]) == 3.0 * (5.0 / 1.0 - 1)
