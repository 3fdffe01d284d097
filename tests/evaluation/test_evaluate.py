from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from baselines.diagnostic import Constant, Random
from baselines.popularity import Popularity
from benchmark.data.dataset import Dataset
from benchmark.data.requests import Requests, Task
from benchmark.errors import BenchmarkError, DivergedError
from benchmark.evaluation import asking
from benchmark.evaluation.asking import Asking
from benchmark.evaluation.counts import Counts
from benchmark.evaluation.evaluate import (
    PROTOCOLS,
    HarnessValidation,
    Protocol,
    TaskOutcome,
    evaluate,
)
from benchmark.evaluation.metrics import compute
from benchmark.model import Model, TrainingContext, TrainView, Validation
from benchmark.run_log import RunLog
from benchmark.testing import seen_mask

from .reference import Retrieving, Row, Scoring, World

TASKS = (Task.REC, Task.SEARCH)
WORLDS = st.builds(
    World.drawn,
    seed=st.integers(0, 2**32),
    requests=st.integers(1, 12),
    items=st.integers(1, 70),
    levels=st.integers(1, 6),
    exclude=st.booleans(),
)


def _outcomes(model: Model, data: Dataset) -> dict[tuple[str, str], TaskOutcome]:
    model.fit(data.train, HarnessValidation(data, TASKS), TrainingContext(TASKS, 1))
    found = evaluate(model, "model", data, "test", TASKS, PROTOCOLS, RunLog(quiet=True))
    return {(str(o.task), o.protocol): o for o in found}


def _mean(outcome: TaskOutcome, name: str) -> float:
    return float(compute(outcome.counts, [name])[name].mean())


def _rows(counts: Counts) -> list[Row]:
    columns = (getattr(counts, n) for n in ("request", "gain", "greater", "tied", "candidates"))
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _numbered(outcome: TaskOutcome) -> list[Row]:
    """Return the rows with the requests' own numbers."""
    return [(int(outcome.requests[row[0]]), *row[1:]) for row in _rows(outcome.counts)]


@settings(max_examples=200, deadline=None)
@given(world=WORLDS, batch=st.integers(1, 5), small=st.booleans())
def test_counts_and_lists_are_those_of_a_slow_independent_count(
    world: World, batch: int, small: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if small:
            patch.setattr(asking, "_BATCH", batch)
        for model in (Scoring(world), Retrieving(world)):
            for (_, protocol), outcome in _outcomes(model, world.dataset()).items():
                if model.scores_catalogue or protocol != "full" or world.items <= asking.RETRIEVED:
                    assert _numbered(outcome) == world.rows(outcome.protocol), protocol
                asked = [n for n in range(len(world.seen)) if world.asks(n, outcome.protocol)]
                assert outcome.requests.tolist() == asked
                best = [world.best(n, outcome.protocol, 10) for n in asked]
                np.testing.assert_array_equal(outcome.top, best)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    items=st.integers(51, 400),
    levels=st.integers(1, 40),
    exclude=st.booleans(),
)
def test_the_best_50_say_as_much_to_every_metric_as_all_scores_do(
    seed: int, items: int, levels: int, exclude: bool
) -> None:
    world = World.drawn(seed, 4, items, levels, exclude)
    data = world.dataset()
    scored, retrieved = _outcomes(Scoring(world), data), _outcomes(Retrieving(world), data)
    for key, outcome in scored.items():
        ours, theirs = compute(retrieved[key].counts), compute(outcome.counts)
        for name, values in ours.items():
            np.testing.assert_array_equal(values, theirs[name], err_msg=name)
        np.testing.assert_array_equal(retrieved[key].top, outcome.top)


@settings(max_examples=60, deadline=None)
@given(world=WORLDS)
def test_all_that_is_retrieved_gives_the_counts_of_all_scores(world: World) -> None:
    evaluation = world.dataset().evaluation["test", Task.REC]
    found = []
    for model in (Scoring(world), Retrieving(world)):
        asked = Asking(model, "model", evaluation, ("full",), retrieved=world.items)
        for rows in asked.batches():
            asked.ask(rows)
        found.append(_rows(asked.answers("full").counts))
    assert found[0] == found[1]


class _Listener:
    def __init__(self, depths: Mapping[Protocol, int]) -> None:
        self.depths = depths
        self.heard: dict[str, list[list[int]]] = {}

    def hear(self, protocol: Protocol, first_request: int, items: NDArray, scores: NDArray) -> None:
        told = self.heard.setdefault(protocol, [])
        assert first_request == len(told)
        assert (np.isneginf(scores) == (items == -1)).all()
        told += items.tolist()


@settings(max_examples=50, deadline=None)
@given(world=WORLDS, depth=st.integers(1, 40), kind=st.sampled_from([Scoring, Retrieving]))
def test_an_observer_hears_the_best_candidates_in_order(
    world: World, depth: int, kind: type[Scoring]
) -> None:
    listener = _Listener({"full": depth, "given": 1000})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asking, "_BATCH", 5)
        data, log = world.dataset(), RunLog(quiet=True)
        evaluate(kind(world), "model", data, "test", TASKS, PROTOCOLS, log, listener)
    asked = {"given"} & set(world.dataset().evaluation["test", Task.REC].protocols)
    assert set(listener.heard) == {"full"} | asked
    for protocol, lists in listener.heard.items():
        for number, told in enumerate(lists):
            wanted = world.best(number, protocol, depth if protocol == "full" else 1000)  # type: ignore[arg-type]
            assert told == wanted[: len(told)]
            assert set(wanted[len(told) :]) <= {-1}


def test_lists_of_all_lengths_do_not_fill_memory_with_padding() -> None:
    """One list of 3,000 among 1,000 short ones: a rectangle of all would hold 3,000,000."""
    world = World.drawn(0, 1000, 4, 3, exclude=False)
    wide = replace(world, items=3000, scores=[row + [0.0] * 2996 for row in world.scores])
    lists = [[0, 1, number % 4] for number in range(999)]
    wide.lists["given"] = [sorted(set(each)) for each in lists] + [list(range(3000))]
    model = Retrieving(wide)
    found = evaluate(
        model, "m", wide.dataset(), "test", (Task.REC,), ("given",), RunLog(quiet=True)
    )
    assert _rows(found[0].counts) == wide.rows("given")
    assert model.widest <= 3000


def test_a_protocol_without_lists_is_left_out(tiny: Dataset) -> None:
    assert {protocol for _, protocol in _outcomes(Popularity(), tiny)} == {"full", "sampled"}


def test_an_error_in_a_short_list_names_its_request() -> None:
    world = World.drawn(0, 5, 40, 3, exclude=False)
    world.lists["given"][:] = [[1], list(range(40)), [], [0], [2, 3]]
    world.scores[4][3] = float("nan")
    with pytest.raises(BenchmarkError, match="m: request 4 has a score that is NaN"):
        evaluate(
            Retrieving(world), "m", world.dataset(), "test", TASKS, ("given",), RunLog(quiet=True)
        )


def test_constant_scores_are_worth_exactly_chance(movies: Dataset) -> None:
    for (_, protocol), outcome in _outcomes(Constant(), movies).items():
        if protocol == "sampled":
            share = 10 / outcome.counts.candidates
            assert _mean(outcome, "recall@10") == pytest.approx(share.mean(), abs=1e-4)
        assert (outcome.counts.greater == 0).all()
        assert (outcome.counts.tied == outcome.counts.candidates - 1).all()


def test_random_scores_are_worth_chance_within_their_sampling_error(movies: Dataset) -> None:
    for (_, protocol), outcome in _outcomes(Random(), movies).items():
        if protocol == "sampled":
            error = np.sqrt(0.1 * 0.9 / outcome.counts.requests)
            assert abs(_mean(outcome, "recall@10") - 0.1) < 4 * error


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
        (lambda r, k: (np.zeros((len(r), k)), np.zeros((len(r), 3))), "shape"),
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


def test_validation_is_the_mean_ndcg_of_the_whole_part(tiny: Dataset) -> None:
    model = Popularity()
    model.fit(tiny.train, HarnessValidation(tiny, TASKS), TrainingContext(TASKS, 1))
    log = RunLog(quiet=True)
    outcomes = evaluate(model, "model", tiny, "validation", TASKS, ("full",), log)
    measured = HarnessValidation(tiny, TASKS).measure(model)
    assert measured == {str(o.task): pytest.approx(_mean(o, "ndcg@10")) for o in outcomes}


def test_whoever_has_no_list_is_not_asked() -> None:
    world = World.drawn(3, 3, 5, 3, exclude=False)
    world.lists["given"][:] = [[], [0, 1, 2, 3, 4], []]
    data, log = world.dataset(), RunLog(quiet=True)
    (found,) = evaluate(Scoring(world), "m", data, "test", TASKS, ("given",), log)
    assert found.requests.tolist() == [1]
    assert _numbered(found) == world.rows("given")
    assert len(found.top) == 1
    world.lists["given"][:] = [[], [], []]
    assert not evaluate(Scoring(world), "m", world.dataset(), "test", TASKS, ("given",), log)


class _Remembering(Popularity):
    """Remembers who was asked for what and when."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[tuple[str, int, int, int]] = set()

    def score(self, requests: Requests) -> NDArray[np.float32]:
        self.asked |= _moments(requests)
        return super().score(requests)


def _moments(requests: Requests) -> set[tuple[str, int, int, int]]:
    columns = requests.user.tolist(), requests.time.tolist(), requests.query.tolist()
    return {(str(requests.task), *moment) for moment in zip(*columns, strict=True)}


@pytest.mark.parametrize("limit", [None, 20, 10**6])
def test_validation_asks_requests_of_validation_only(tiny: Dataset, limit: int | None) -> None:
    model = _Remembering()
    model.fit(tiny.train, HarnessValidation(tiny, TASKS), TrainingContext(TASKS, 1))
    HarnessValidation(tiny, TASKS).measure(model, limit)
    parts: dict[str, set] = {"validation": set(), "test": set()}
    for (part, _), evaluation in tiny.evaluation.items():
        parts[part] |= _moments(evaluation.requests)
    assert not parts["validation"] & parts["test"]
    sizes = [len(tiny.evaluation["validation", task]) for task in TASKS]
    assert model.asked <= parts["validation"]
    assert len(model.asked) == sum(min(limit or size, size) for size in sizes)


@settings(max_examples=60, deadline=None)
@given(world=WORLDS.filter(lambda world: world.exclude), above=st.booleans())
def test_what_the_user_has_seen_counts_neither_for_nor_against_the_target(
    world: World, above: bool
) -> None:
    """Wherever a model puts items of the history, each target stands by its own score."""
    scores = [list(row) for row in world.scores]
    for row, seen in zip(scores, world.seen, strict=True):
        for item in seen:
            row[item] = 1e6 if above else -np.inf
    moved = replace(world, scores=scores)
    plain, found = (_outcomes(Scoring(w), w.dataset())["rec", "full"] for w in (world, moved))
    assert _rows(found.counts) == _rows(plain.counts)
    np.testing.assert_array_equal(found.top, plain.top)


@dataclass(frozen=True)
class _Rate:
    learning_rate: float = 0.5


class _Diverged(Popularity):
    Settings = _Rate

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        super().fit(train, validation, context)
        self.counts = np.full_like(self.counts, np.nan)


def test_scores_that_are_no_numbers_tell_of_the_training_behind_them(tiny: Dataset) -> None:
    model, run_log = _Diverged(), RunLog(quiet=True)
    validation = HarnessValidation(tiny, TASKS)
    model.fit(tiny.train, validation, TrainingContext(TASKS, 1))
    with pytest.raises(DivergedError, match=r"score that is NaN or infinite$"):
        evaluate(model, "mine", tiny, "test", TASKS, PROTOCOLS, run_log)
    run_log.validated(step=3, loss=12.5)
    told = r"mine: .*training diverged \(step 3, loss 12.5\) at a learning rate of 0.5; lower"
    with pytest.raises(DivergedError, match=told):
        evaluate(model, "mine", tiny, "test", TASKS, PROTOCOLS, run_log)
    for ask in (lambda: validation.measure(model), lambda: model.retrieve(_some(tiny), 3)):
        with pytest.raises(DivergedError, match="NaN or infinite"):
            ask()


def _some(data: Dataset) -> Requests:
    return data.evaluation["test", Task.REC].requests[:2]


def test_a_limited_validation_is_drawn_from_all_requests_by_the_data(tiny: Dataset) -> None:
    """The first of them would be the same users always."""

    def asked(data: Dataset) -> list[int]:
        model = _Remembering()
        model.fit(data.train, HarnessValidation(data, TASKS), TrainingContext(TASKS, 1))
        HarnessValidation(data, (Task.REC,)).measure(model, 20)
        return sorted(user for _, user, _, _ in model.asked)

    first, other = asked(tiny), asked(replace(tiny, digest="another"))
    assert first == asked(tiny) and first != other
    half = len(tiny.evaluation["validation", Task.REC]) // 2
    assert 4 <= sum(user >= half for user in first) <= 16
