from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark.data.events import NO_QUERY, EventLog, EventSource
from benchmark.data.requests import Requests, Task
from benchmark.learning.ragged import Ragged
from benchmark.learning.simultaneous_duplicates import steps_to_moment
from benchmark.learning.windows import windows
from benchmark.model import TrainView
from gensar.engine.identifiers import COLLABORATIVE, SEMANTIC
from gensar.engine.losses import CodeTable, code_loss
from gensar.engine.sequences import NOTHING, Sequences
from gensar.engine.targets import CodeTargets, Step
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
BACKBONE = backbone_of(VOCABULARY, causal=True)
TABLE = CodeTable(BACKBONE, "cpu")


def _regime(fused: bool = True, **changed: Any) -> PackedRegime:
    sizes = {"max_history": WINDOW, "batch_size": 4, "item_samples": 6, "item_share": 9.0}
    texts = {"query_tokens": 8, "item_text_tokens": 8, "rec_targets": "rec"}
    return PackedRegime(
        GenSARSettings(**{**sizes, **texts, **changed}), Sequences(VOCABULARY, fused)
    )


def _steps(regime: PackedRegime, train: TrainView, tasks: tuple[Task, ...] = TASKS) -> list[Step]:
    rng = np.random.default_rng(3)
    return [make(rng) for make in regime.training(train, tasks)(rng)]


def _alone(targets: CodeTargets, row: int, column: int) -> CodeTargets:
    """Return one target with nothing but the positions that it may read."""
    visible = targets.visible[row, column]
    pick = (slice(row, row + 1), slice(column, column + 1))
    hidden = targets.hidden
    return CodeTargets(
        inputs=targets.inputs[row : row + 1, :visible],
        hidden=None if hidden is None else hidden[row : row + 1, :visible],
        first=targets.first[pick],
        visible=targets.visible[pick],
        start=targets.start[pick],
        identifier=targets.identifier[pick],
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


def _request(train: TrainView, row: int, task: Task | None = None) -> Requests:
    """Return the request that training event ``row`` answers: its history is earlier in time."""
    log = train.log
    task = task or (Task.SEARCH if log.kind[row] == EventSource.SEARCHED else Task.REC)
    return Requests.before(
        log,
        log.first_of_moment[[row]],
        task=task,
        user=log.user[[row]],
        time=log.time[[row]],
        query=log.query[[row]] if task == Task.SEARCH else np.array([NO_QUERY]),
        queries=train.queries,
        items=ITEMS,
    )


def _known(
    tokens: NDArray[np.int64], hidden: NDArray[np.int64] | None, first: int
) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """Return what the decoder reads (from ``first`` on), and what its last position sees."""
    seen = np.ones(len(tokens), dtype=bool)
    if hidden is not None:
        seen[slice(*hidden[-1])] = False
    read = tokens[first:], tokens[seen]
    return tuple(tuple(map(tuple, part.tolist())) for part in read)


def _known_to(requests: Requests, regime: PackedRegime) -> tuple[tuple[tuple[int, ...], ...], ...]:
    inputs = regime.request_inputs(requests, WORDS)
    assert inputs.hidden is None or (inputs.hidden[-1] == 0).all()
    return _known(inputs.tokens.values, None, int(inputs.first[0]))


def _known_to_targets(targets: list[tuple[CodeTargets, int, int]]) -> Counter:
    """Count what is known for each item and identifier that is written."""
    known: Counter = Counter()
    for some, row, column in targets:
        alone = _alone(some, row, column)
        hidden = None if alone.hidden is None else alone.hidden[0]
        what = int(some.item[row, column]), int(some.identifier[row, column])
        known[what, _known(alone.inputs[0], hidden, int(alone.first[0, 0]))] += 1
    return known


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "codes"])
def test_the_decoder_of_a_search_reads_the_query_that_is_asked_and_of_a_recommendation_all(
    fused: bool,
) -> None:
    train = train_view()
    regime = _regime(fused, max_history=40)
    for row in range(len(train.log)):
        inputs = regime.request_inputs(_request(train, row), WORDS)
        if train.log.kind[row] == EventSource.RECOMMENDED:
            assert inputs.first.tolist() == [0]
            continue
        words = WORDS.take(train.log.query[[row]]).values.tolist()
        read = inputs.tokens.values[inputs.first[0] :, 0].tolist()
        assert read == [VOCABULARY.query, *words]


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "codes"])
@pytest.mark.parametrize("seed", range(3))
def test_a_target_knows_exactly_what_its_request_would_tell(fused: bool, seed: int) -> None:
    train = train_view(seed=seed)
    regime = _regime(fused, max_history=40)
    wanted: Counter = Counter()
    for row, kind in enumerate(train.log.kind.tolist()):
        identifier = SEMANTIC if kind == EventSource.SEARCHED else COLLABORATIVE
        known = _known_to(_request(train, row), regime)
        wanted[(int(train.log.item[row]), identifier), known] += 1
    assert _known_to_targets(_user_targets(_steps(regime, train))) == wanted
    assert (steps_to_moment(train.log) > 0).sum() > 5


def test_recommendation_from_searches_reads_what_is_earlier_than_the_search() -> None:
    train = train_view()
    regime = _regime(max_history=40, rec_targets="all")
    wanted: Counter = Counter()
    for row in range(len(train.log)):
        known = _known_to(_request(train, row, Task.REC), regime)
        wanted[(int(train.log.item[row]), COLLABORATIVE), known] += 1
    targets = _user_targets(_steps(regime, train))
    written = [one for one in targets if one[0].identifier[one[1], one[2]] == COLLABORATIVE]
    assert _known_to_targets(written) == wanted
    searches = _user_targets(_steps(regime, train, (Task.SEARCH,)))
    assert len(searches) == (train.log.kind == EventSource.SEARCHED).sum()


@torch.no_grad()
def test_a_search_does_not_hang_on_what_else_happened_at_its_moment() -> None:
    train = train_view(seed=1)
    rng = np.random.default_rng(0)
    changes = 0
    for targets, row, column in _user_targets(_steps(_regime(max_history=40), train)):
        alone = _alone(targets, row, column)
        first, stop = (0, 0) if alone.hidden is None else alone.hidden[0, -1].tolist()
        if first == stop:
            continue
        other = alone.inputs.copy()
        sibling = other[0, first:stop]
        other[0, first:stop] = np.where(sibling >= 0, rng.integers(0, 20, sibling.shape), sibling)
        losses = [
            code_loss(BACKBONE, TABLE, one)[0] for one in (alone, replace(alone, inputs=other))
        ]
        torch.testing.assert_close(*losses)
        changes += 1
    assert changes > 3


def test_events_of_different_times_hide_nothing_and_read_all_before_them() -> None:
    train = train_view()
    times = np.arange(len(train.log))
    train = replace(train, log=replace(train.log, time=times))
    for step in _steps(_regime(max_history=40), train):
        targets = step.codes[0][0]
        assert targets.hidden is None
        for row, column in np.argwhere(targets.visible > 0).tolist():
            stop = targets.visible[row, column]
            stop = targets.first[row, column] or stop
            blocks = (targets.inputs[row, :stop, 0] == VOCABULARY.rec).sum()
            blocks += (targets.inputs[row, :stop, 0] == VOCABULARY.searched).sum()
            assert blocks == column


def test_tasks_write_their_identifier_behind_their_behaviour_token() -> None:
    train = train_view()
    for task, kind, start in (
        (Task.REC, COLLABORATIVE, VOCABULARY.rec),
        (Task.SEARCH, SEMANTIC, VOCABULARY.searched),
    ):
        found = _user_targets(_steps(_regime(), train, (task,)))
        assert {int(t.identifier[r, c]) for t, r, c in found} == {kind}
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
        if targets.identifier[row, column] == SEMANTIC:
            asked = np.flatnonzero(read[:, 0] == VOCABULARY.query)[-1]
            assert read[asked + 1 :, 0].tolist() in spelled
            assert (read[asked:, 1:] == NOTHING).all()
        else:
            assert read[-1, 0] in (END, VOCABULARY.rec, VOCABULARY.searched)
    generated = [t for step in steps for t, _ in step.texts if VOCABULARY.query in t.start]
    assert generated
    for text in generated:
        for row, visible in enumerate(text.visible):
            pieces = [p for p in text.text[row].tolist() if p > END]
            own = [VOCABULARY.query, *pieces]
            behind = text.inputs[row, visible:, 0].tolist()
            assert any(behind[at : at + len(own)] == own for at in range(len(behind)))
            assert behind[0] in (VOCABULARY.query, VOCABULARY.rec)


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
        searched += targets.identifier[row, column] == SEMANTIC
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


def test_an_item_of_a_history_adds_its_own_token_and_nothing_else() -> None:
    settings = GenSARSettings(max_history=WINDOW, batch_size=4, item_tokens="own")
    owning = replace(VOCABULARY, own=True)
    assert (owning.first_item, owning.size) == (VOCABULARY.size, VOCABULARY.size + ITEMS)
    train = train_view()
    own, plain = (
        _steps(PackedRegime(settings, Sequences(vocabulary, True)), train)
        for vocabulary in (owning, VOCABULARY)
    )
    sequences = Sequences(VOCABULARY, True)
    for step, without in zip(own, plain, strict=True):
        for (targets, _), (fewer, _) in zip(
            (*step.codes, *step.texts), (*without.codes, *without.texts), strict=True
        ):
            assert np.array_equal(targets.inputs[..., :-1], fewer.inputs)
            items = targets.inputs[..., -1]
            at = items != NOTHING
            kinds = (fewer.inputs[at][:, 0] == VOCABULARY.searched).astype(np.int64)
            whole = sequences.items(items[at] - owning.first_item, kinds)
            assert np.array_equal(fewer.inputs[at], whole.values)
        assert (step.codes[0][0].inputs[..., -1] >= owning.first_item).any()
        for targets, _ in step.codes[1:]:
            assert (targets.inputs[..., -1] == NOTHING).all()
        from_items = [t for t, _ in step.texts if VOCABULARY.query not in t.start]
        assert all((t.inputs[..., -1] == NOTHING).all() for t in from_items)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 50.0])
def test_item_samples_keep_their_share_of_the_events(share: float) -> None:
    for step in _steps(_regime(item_share=share, item_samples=6), train_view()):
        own = int((step.codes[0][0].visible > 0).sum())
        wanted = min(6, math.ceil(share * own))
        counts = [len(codes.inputs) for codes, _ in step.codes[1:]]
        assert counts == ([wanted] * 2 if wanted else [])
