"""What every engine promises, whatever it does works with; here at once, by what is written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.engine import engine as module
from benchmark.engine.engine import Engine, News
from benchmark.engine.work import Ended, How, Work

Script = dict[str, list[How]]
"""How the attempts at each work end, in their order; those that are not written are done."""


def _nothing() -> None:
    pass


class Scripted(Engine):
    """Ends works as it is written, the one begun last first."""

    def __init__(self, script: Script, places: int = 2, **more: Any) -> None:
        super().__init__(Path("logs"), **more)
        self.script = {key: deque(ends) for key, ends in script.items()}
        self.places = places
        self.begun: list[str] = []
        self.at_once = 0
        self._at_work: list[str] = []

    def close(self) -> None:
        pass

    def room(self) -> int:
        return self.places

    def _start(self, work: Work, attempt: int) -> None:
        self.begun.append(work.key)
        self._at_work.append(work.key)
        self.at_once = max(self.at_once, len(self._at_work))

    def _next(self, patience: float) -> Ended | None:
        if not self._at_work:
            return None
        key = self._at_work.pop()
        ends = self.script.get(key)
        return Ended(key, ends.popleft() if ends else "done", value=key, reason="because")


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BUSY", 0.0)


_graphs = st.lists(st.sets(st.integers(0, 20), max_size=3), min_size=1, max_size=12)


@given(_graphs, st.sets(st.integers(0, 11), max_size=3), st.integers(1, 4))
def test_each_work_is_told_once_after_what_it_stands_on(
    graph: list[set[int]], failing: set[int], places: int
) -> None:
    after = [{n for n in needs if n < number} for number, needs in enumerate(graph)]
    engine = Scripted({str(number): ["failed"] for number in failing}, places)
    for number, needs in enumerate(after):
        engine.submit(Work(str(number), _nothing, after=tuple(map(str, sorted(needs)))))
    outcomes = {outcome.key: outcome for outcome in engine.finished()}
    assert len(outcomes) == len(after) and engine.at_once <= places
    for number, needs in enumerate(after):
        lost = any(outcomes[str(need)].failure for need in needs)
        mine = outcomes[str(number)]
        if lost:
            assert (mine.attempts, mine.log) == (0, None) and mine.failure is not None
            assert mine.failure.startswith("not run, as ") and str(number) not in engine.begun
        else:
            assert (mine.failure is not None) == (number in failing) and mine.attempts == 1
            first = engine.begun.index(str(number))
            assert all(engine.begun.index(str(need)) < first for need in needs)


def test_works_are_begun_in_the_order_in_which_they_came() -> None:
    engine = Scripted({}, places=1)
    for key in "cab":
        engine.submit(Work(key, _nothing))
    assert [outcome.key for outcome in engine.finished()] == list("cab")


def test_more_may_be_submitted_while_outcomes_come() -> None:
    engine = Scripted({})
    engine.submit(Work("0", _nothing))
    told = []
    for outcome in engine.finished():
        told.append(outcome.key)
        if len(told) < 5:
            engine.submit(Work(str(len(told)), _nothing, after=(outcome.key,)))
    assert told == list("01234")


def test_what_stands_on_a_work_that_failed_before_is_not_begun() -> None:
    engine = Scripted({"a": ["failed"]})
    engine.submit(Work("a", _nothing))
    assert [outcome.failure for outcome in engine.finished()] == ["because"]
    engine.submit(Work("b", _nothing, after=("a",)))
    assert [outcome.failure for outcome in engine.finished()] == ["not run, as a failed"]


def test_what_is_killed_is_begun_again_so_often_and_no_oftener() -> None:
    news: list[News] = []
    engine = Scripted({"a": ["killed"] * 2, "b": ["killed"] * 9}, attempts=3, watch=news.append)
    engine.submit(Work("a", _nothing))
    engine.submit(Work("b", _nothing))
    outcomes = {outcome.key: outcome for outcome in engine.finished()}
    assert (outcomes["a"].failure, outcomes["a"].attempts) == (None, 3)
    assert (outcomes["b"].failure, outcomes["b"].attempts) == (
        "because, the last of 3 attempts",
        3,
    )
    assert sorted((each.key, each.state) for each in news) == [
        *[("a", "killed")] * 2,
        *[("b", "killed")] * 2,
    ]


def test_what_is_busy_is_begun_later_and_is_no_attempt() -> None:
    engine = Scripted({"a": ["busy"] * 7}, attempts=2)
    engine.submit(Work("a", _nothing))
    (outcome,) = engine.finished()
    assert (outcome.failure, outcome.attempts) == (None, 1) and len(engine.begun) == 8


@pytest.mark.parametrize(
    ("again", "match"),
    [
        (lambda: Work("a", _nothing), "submitted twice"),
        (lambda: Work("b", _nothing, after=("c",)), "c, which was not submitted"),
    ],
)
def test_a_graph_that_makes_no_sense_is_refused(again: Callable[[], Work], match: str) -> None:
    engine = Scripted({})
    engine.submit(Work("a", _nothing))
    with pytest.raises(ValueError, match=match):
        engine.submit(again())
