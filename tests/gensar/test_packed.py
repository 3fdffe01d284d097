from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import Requests, Task
from benchmark.learning.ragged import Ragged
from benchmark.learning.windows import windows
from benchmark.model import TrainView
from gensar.engine.identifiers import COLLABORATIVE, SEMANTIC
from gensar.engine.losses import CodeTable, code_loss
from gensar.engine.sequences import NOTHING, Sequences
from gensar.engine.targets import CodeTargets, ItemTexts, Step
from gensar.engine.vocabulary import END, PADDING
from gensar.regimes.packed import PackedRegime
from gensar.settings import GenSARSettings
from tests.gensar.support import (
    ITEMS,
    QUERIES,
    TASKS,
    backbone_of,
    random_identifiers,
    train_view,
    vocabulary_of,
)

WINDOW = 5
VOCABULARY = vocabulary_of(random_identifiers(ITEMS, ((4, 4, 4, 4, 9), (4, 4, 4, 4))))
WORDS = VOCABULARY.encode(QUERIES, 8)
TEXTS = ItemTexts.of(["drama comedy"] * ITEMS, VOCABULARY, 8)
BACKBONE = backbone_of(VOCABULARY, causal=True)
TABLE = CodeTable(BACKBONE, "cpu")


def _regime(fused: bool = True, window: int = WINDOW, rec_targets: str = "rec") -> PackedRegime:
    chosen = GenSARSettings(
        max_history=window, batch_size=4, item_samples=6, rec_targets=rec_targets
    )
    return PackedRegime(chosen, Sequences(VOCABULARY, fused))


def _steps(regime: PackedRegime, train: TrainView, tasks: tuple[Task, ...] = TASKS) -> list[Step]:
    count, steps = regime.epoch(train, tasks, WORDS, TEXTS, np.random.default_rng(3))
    found = list(steps)
    assert len(found) == count
    return found


def _alone(targets: CodeTargets, row: int, column: int) -> CodeTargets:
    """Return one target with nothing but the positions that it may read."""
    visible = targets.visible[row, column]
    pick = (slice(row, row + 1), slice(column, column + 1))
    return CodeTargets(
        inputs=targets.inputs[row : row + 1, :visible],
        first=targets.first[pick],
        visible=targets.visible[pick],
        start=targets.start[pick],
        kind=targets.kind[pick],
        item=targets.item[pick],
    )


def _user_targets(steps: list[Step]) -> list[tuple[CodeTargets, int, int]]:
    return [
        (step.codes[0][0], row, column)
        for step in steps
        for row, column in np.argwhere(step.codes[0][0].visible > 0).tolist()
    ]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 13), min_size=1, max_size=6), st.integers(1, 5), st.integers(0, 99))
def test_windows_hold_every_event_once_in_order(lengths, window, seed) -> None:
    user = np.repeat(np.arange(len(lengths)), lengths)
    zeros = np.zeros_like(user)
    log = EventLog.from_columns(
        user, zeros, np.arange(len(user)), zeros, zeros, zeros, len(lengths)
    )
    rows = windows(log, window, np.random.default_rng(seed))
    assert rows.shape[1] == window
    for row in rows:
        real = row[row >= 0]
        assert len(real) > 0
        assert (row[len(real) :] == -1).all()
        assert (np.diff(real) == 1).all()
        assert len(set(user[real])) == 1
    assert sorted(rows[rows >= 0].tolist()) == list(range(len(user)))


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "codes"])
@pytest.mark.parametrize("rec_targets", ["rec", "all"])
@torch.no_grad()
def test_a_target_s_loss_is_that_of_the_target_alone_with_its_history(
    fused: bool, rec_targets: str
) -> None:
    for step in _steps(_regime(fused, rec_targets=rec_targets), train_view()):
        targets = step.codes[0][0]
        together, count = code_loss(BACKBONE, TABLE, targets)
        places = np.argwhere(targets.visible > 0)
        single = [code_loss(BACKBONE, TABLE, _alone(targets, *place)) for place in places.tolist()]
        assert count == sum(n for _, n in single)
        torch.testing.assert_close(together, torch.stack([s for s, _ in single]).sum())
        for place, (loss, _) in zip(places.tolist(), single, strict=True):
            only = np.zeros_like(targets.visible)
            only[tuple(place)] = targets.visible[tuple(place)]
            packed, _ = code_loss(BACKBONE, TABLE, replace(targets, visible=only))
            torch.testing.assert_close(packed, loss, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("task", TASKS)
def test_a_model_of_one_task_is_trained_for_nothing_of_the_other(task: Task) -> None:
    start = {Task.REC: VOCABULARY.rec, Task.SEARCH: VOCABULARY.searched}
    steps = _steps(_regime(), train_view(), (task,))
    found = [t.start[t.visible > 0] for step in steps for t, _ in step.codes]
    assert set(np.concatenate(found).tolist()) == {start[task], PADDING}
    assert any(step.texts for step in steps)


@torch.no_grad()
def test_later_events_change_no_earlier_target() -> None:
    rng = np.random.default_rng(0)
    for targets, row, column in _user_targets(_steps(_regime(), train_view()))[::5]:
        only = np.zeros_like(targets.visible)
        visible = only[row, column] = targets.visible[row, column]
        later = targets.inputs[row, visible:]
        changed = targets.inputs.copy()
        changed[row, visible:] = np.where(later >= 0, rng.integers(0, 20, later.shape), later)
        first, _ = code_loss(BACKBONE, TABLE, replace(targets, visible=only))
        second, _ = code_loss(BACKBONE, TABLE, replace(targets, visible=only, inputs=changed))
        torch.testing.assert_close(first, second)
        if visible > 1:
            earlier = targets.inputs.copy()
            earlier[row, visible - 1, 0] = (earlier[row, visible - 1, 0] + 1) % 20
            third, _ = code_loss(BACKBONE, TABLE, replace(targets, visible=only, inputs=earlier))
            assert abs(float(third - first)) > 1e-6


def _request(train: TrainView, row: int, window_start: int) -> Requests:
    """Return the request that training event ``row`` answers, history from ``window_start``."""
    log = train.log
    offsets = log.offsets.copy()
    offsets[log.user[row]] = window_start
    return Requests(
        task=Task.SEARCH if log.kind[row] == EventSource.SEARCHED else Task.REC,
        user=log.user[[row]],
        time=log.time[[row]],
        query=log.query[[row]],
        queries=train.queries,
        items=ITEMS,
        candidates=None,
        exclude_seen=False,
        _log=replace(log, offsets=offsets),
        _stop=np.array([row]),
        _omit=np.empty((1, 0), dtype=np.int64),
    )


def _read(tokens: NDArray[np.int64], first: int) -> tuple[tuple[tuple[int, ...], ...], int]:
    return tuple(map(tuple, tokens.tolist())), first


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "codes"])
def test_the_decoder_of_a_search_reads_the_query_that_is_asked_and_of_a_recommendation_all(
    fused: bool,
) -> None:
    train = train_view()
    regime = _regime(fused, max_history=40)
    for row in range(len(train.log)):
        inputs = regime.request_inputs(_request(train, row, 0), WORDS)
        if train.log.kind[row] == EventSource.RECOMMENDED:
            assert inputs.first.tolist() == [0]
            continue
        words = WORDS.take(train.log.query[[row]]).values.tolist()
        read = inputs.tokens.values[inputs.first[0] :, 0].tolist()
        assert read == [VOCABULARY.query, *words]


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "codes"])
def test_a_target_reads_exactly_what_its_request_would_give(fused: bool) -> None:
    train = train_view()
    regime = _regime(fused, max_history=40)
    found = {
        (int(targets.item[row, column]), *_read(alone.inputs[0], int(alone.first[0, 0])))
        for targets, row, column in _user_targets(_steps(regime, train))
        for alone in [_alone(targets, row, column)]
    }
    wanted = set()
    for row in range(len(train.log)):
        asked = _request(train, row, int(train.log.offsets[train.log.user[row]]))
        inputs = regime.request_inputs(asked, WORDS)
        wanted.add((int(train.log.item[row]), *_read(inputs.tokens.values, int(inputs.first[0]))))
    assert found == wanted
    assert len(found) == len(train.log)


def test_recommendation_from_searches_reads_what_stood_before_the_query() -> None:
    train = train_view()
    regime = _regime(max_history=40, rec_targets="all")
    found = {
        (int(targets.item[row, column]), *_read(alone.inputs[0], int(alone.first[0, 0])))
        for targets, row, column in _user_targets(_steps(regime, train))
        for alone in [_alone(targets, row, column)]
        if targets.kind[row, column] == COLLABORATIVE
    }
    wanted = set()
    for row in range(len(train.log)):
        asked = _request(train, row, int(train.log.offsets[train.log.user[row]]))
        asked = replace(asked, task=Task.REC, query=np.array([-1], dtype=np.int32))
        inputs = regime.request_inputs(asked, WORDS)
        wanted.add((int(train.log.item[row]), *_read(inputs.tokens.values, int(inputs.first[0]))))
    assert found == wanted
    assert len(found) == len(train.log)
    searches = _user_targets(_steps(regime, train, (Task.SEARCH,)))
    assert len(searches) == (train.log.kind == EventSource.SEARCHED).sum()


def test_tasks_write_their_identifier_behind_their_behaviour_token() -> None:
    train = train_view()
    for task, kind, start in (
        (Task.REC, COLLABORATIVE, VOCABULARY.rec),
        (Task.SEARCH, SEMANTIC, VOCABULARY.searched),
    ):
        found = _user_targets(_steps(_regime(), train, (task,)))
        assert {int(t.kind[r, c]) for t, r, c in found} == {kind}
        assert {int(t.start[r, c]) for t, r, c in found} == {start}
        of_kind = EventSource.RECOMMENDED if task == Task.REC else EventSource.SEARCHED
        assert len(found) == (train.log.kind == of_kind).sum()


def test_a_search_reads_its_own_query_and_a_generated_query_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gensar.regimes.packed.QUERY_GENERATION_SHARE", 1.0)
    steps = _steps(_regime(), train_view())
    spelled = [WORDS.take(np.array([q])).values.tolist() for q in range(len(QUERIES))]
    for targets, row, column in _user_targets(steps):
        read = targets.inputs[row, : targets.visible[row, column]]
        if targets.kind[row, column] == SEMANTIC:
            asked = np.flatnonzero(read[:, 0] == VOCABULARY.query)[-1]
            assert read[asked + 1 :, 0].tolist() in spelled
            assert (read[asked:, 1:] == NOTHING).all()
        else:
            assert read[-1, 0] in (END, VOCABULARY.rec, VOCABULARY.searched)
    generated = [t for step in steps for t, _ in step.texts if VOCABULARY.query in t.start]
    assert generated
    for text in generated:
        for row, visible in enumerate(text.visible):
            assert text.inputs[row, visible, 0] == VOCABULARY.query
            pieces = [p for p in text.text[row].tolist() if p > END]
            rest = text.inputs[row, visible + 1 : visible + 1 + len(pieces), 0]
            assert rest.tolist() == pieces


@pytest.mark.parametrize("window", [3, 40])
def test_no_target_reads_its_twin(window: int) -> None:
    train = train_view(twins=True)
    sequences = Sequences(VOCABULARY, fused=True)
    found = _user_targets(_steps(_regime(max_history=window), train))
    searched = 0
    for targets, row, column in found:
        read = {tuple(p) for p in targets.inputs[row, : targets.visible[row, column]].tolist()}
        item = targets.item[row, [column]]
        for kind in (EventSource.RECOMMENDED, EventSource.SEARCHED):
            block = sequences.items(item, np.array([kind])).values
            assert tuple(block[0].tolist()) not in read
        searched += targets.kind[row, column] == SEMANTIC
    assert searched == (train.log.kind == EventSource.SEARCHED).sum() > 5
    assert len(found) == len(train.log)


def test_bare_identifiers_are_items_without_behaviour_token() -> None:
    items, kinds = np.array([3, 3, 7]), np.array([SEMANTIC, COLLABORATIVE, COLLABORATIVE])
    for fused in (True, False):
        bare: Ragged = Sequences(VOCABULARY, fused).bare(items, kinds)
        for row, (item, kind) in enumerate(zip(items, kinds, strict=True)):
            start, stop = bare.offsets[row : row + 2]
            tokens = bare.values[start:stop].ravel()
            expected = VOCABULARY.code_tokens(kind)[item].tolist()
            assert tokens[tokens != NOTHING].tolist() == expected
            assert stop - start == (1 if fused else len(expected))
