from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from baselines.generative.apart import ApartRegime, searched_pairs
from benchmark.data.dataset import Dataset
from benchmark.data.events import EventSource
from benchmark.data.requests import Task
from benchmark.model import TrainView
from gensar.engine.identifiers import COLLABORATIVE, SEMANTIC
from gensar.engine.losses import CodeTable, code_loss
from gensar.engine.sequences import NOTHING, Sequences
from gensar.engine.targets import CodeTargets, Step
from gensar.engine.vocabulary import END
from tests.gensar.support import (
    ITEMS,
    QUERIES,
    TASKS,
    backbone_of,
    random_identifiers,
    train_view,
    vocabulary_of,
)

WHOLE = 40
VOCABULARY = vocabulary_of(random_identifiers(ITEMS, ((4, 4, 4, 4, 9), (4, 4, 4, 4))))
TOKENS = VOCABULARY.code_tokens(COLLABORATIVE)
BACKBONE = backbone_of(VOCABULARY, causal=True)
TABLE = CodeTable(BACKBONE, "cpu")


def _regime(
    max_history: int = WHOLE, batch_size: int = 2, search_batch_size: int = 3, fused: bool = True
) -> ApartRegime:
    sequences = Sequences(VOCABULARY, fused)
    return ApartRegime(sequences, max_history, batch_size, search_batch_size, 8)


def _steps(
    regime: ApartRegime, train: TrainView, tasks: tuple[Task, ...] = TASKS, seed: int = 3
) -> list[Step]:
    rng = np.random.default_rng(seed)
    return [make(rng) for make in regime.training(train, tasks)(rng)]


def _targets(steps: list[Step], kind: int) -> list[CodeTargets]:
    return [codes for step in steps for codes, _ in step.codes if (codes.identifier == kind).all()]


def _tokens_read(targets: CodeTargets, row: int, column: int) -> list[list[int]]:
    read = targets.inputs[row, : targets.visible[row, column]]
    return [[token for token in place if token != NOTHING] for place in read.tolist()]


def _expected(train: TrainView) -> list[tuple[int, list[int]]]:
    """Return each event's item and the items that may be read for it: those earlier in time."""
    log, found = train.log, []
    for user in range(log.users):
        rows = range(log.offsets[user], log.offsets[user + 1])
        for row in rows:
            before = [int(log.item[r]) for r in rows if log.time[r] < log.time[row]]
            found.append((int(log.item[row]), before))
    return found


@pytest.mark.parametrize("twins", [False, True])
def test_every_event_reads_the_items_earlier_in_time_and_no_other(twins: bool) -> None:
    train = train_view(twins)
    found = []
    for targets in _targets(_steps(_regime(), train), COLLABORATIVE):
        assert (targets.start == VOCABULARY.rec).all()
        for row, column in np.argwhere(targets.visible > 0).tolist():
            item = int(targets.item[row, column])
            found.append((item, _tokens_read(targets, row, column)))
    expected = [
        (item, [[END]] + [[VOCABULARY.rec, *TOKENS[one].tolist()] for one in before])
        for item, before in _expected(train)
    ]
    assert sorted(found) == sorted(expected)


def test_a_target_s_loss_does_not_hang_on_what_stands_behind_what_it_reads() -> None:
    train = train_view(twins=True)
    targets = _targets(_steps(_regime(), train), COLLABORATIVE)[0]
    for row, column in np.argwhere(targets.visible > 0).tolist():
        pick = (slice(row, row + 1), slice(column, column + 1))
        one = CodeTargets(
            targets.inputs[row : row + 1],
            *(getattr(targets, each.name)[pick] for each in fields(targets)[1:-1]),
        )
        cut = replace(one, inputs=one.inputs[:, : int(one.visible[0, 0])])
        with torch.no_grad():
            whole, alone = (code_loss(BACKBONE, TABLE, some)[0] for some in (one, cut))
        torch.testing.assert_close(whole, alone)


def test_short_windows_hold_every_event_once() -> None:
    train = train_view(seed=1)
    items = [
        item
        for targets in _targets(_steps(_regime(max_history=4), train), COLLABORATIVE)
        for item in targets.item[targets.visible > 0].tolist()
    ]
    assert sorted(items) == sorted(train.log.item.tolist())


def test_search_learns_every_pair_once_from_the_query_alone() -> None:
    train = train_view()
    words = VOCABULARY.encode(QUERIES, 8)
    expected = sorted(
        (int(item), [[END], [VOCABULARY.query], *([w] for w in words.take(query[None]).values)])
        for item, query in zip(train.log.item, train.log.query, strict=True)
        if query >= 0
    )
    found = []
    for targets in _targets(_steps(_regime(), train), SEMANTIC):
        assert (targets.start == VOCABULARY.searched).all()
        found += [
            (int(targets.item[row, 0]), _tokens_read(targets, row, 0))
            for row in range(len(targets.item))
        ]
    assert sorted(found) == expected
    assert len(searched_pairs(train, words).item) == len(expected) > 3


@pytest.mark.parametrize(("batch", "search_batch"), [(1, 100), (100, 1), (2, 3), (100, 100)])
def test_steps_hold_both_tasks_and_bounded_batches(batch: int, search_batch: int) -> None:
    train = train_view()
    steps = _steps(_regime(batch_size=batch, search_batch_size=search_batch), train)
    users = int((np.diff(train.log.offsets) > 0).sum())
    pairs = int((train.log.kind == EventSource.SEARCHED).sum())
    assert len(steps) == max(-(-users // batch), -(-pairs // search_batch))
    for kind, count, most in ((COLLABORATIVE, users, batch), (SEMANTIC, pairs, search_batch)):
        sizes = [len(targets.item) for targets in _targets(steps, kind)]
        assert sum(sizes) == count
        assert len(sizes) == min(len(steps), count)
        assert max(sizes) <= most
        assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("task", TASKS)
def test_one_task_alone_has_targets_of_its_own_only(task: Task) -> None:
    steps = _steps(_regime(), train_view(), (task,))
    kind = COLLABORATIVE if task == Task.REC else SEMANTIC
    assert len(_targets(steps, kind)) == sum(len(step.codes) for step in steps) > 0


def test_without_any_search_there_is_nothing_to_learn_of_it() -> None:
    train = train_view()
    train = replace(train, log=train.log.select(train.log.kind == EventSource.RECOMMENDED))
    assert _targets(_steps(_regime(), train), SEMANTIC) == []
    assert [step.codes for step in _steps(_regime(), train, (Task.SEARCH,))] == [[]]


def test_epochs_differ_and_come_again() -> None:
    train = train_view()
    first, again, other = (_steps(_regime(max_history=4), train, seed=seed) for seed in (1, 1, 2))
    assert all(
        np.array_equal(a.item, b.item)
        for kind in (SEMANTIC, COLLABORATIVE)
        for a, b in zip(_targets(first, kind), _targets(again, kind), strict=True)
    )
    assert [c.item.tolist() for c, _ in first[0].codes] != [
        c.item.tolist() for c, _ in other[0].codes
    ]


def test_a_bidirectional_encoder_cannot_be_trained_all_along_a_sequence() -> None:
    regime = ApartRegime(Sequences(VOCABULARY, True), WHOLE, 2, 3, 8, causal=False)
    with pytest.raises(ValueError, match="causal"):
        regime.training(train_view(), TASKS)
    assert regime.training(train_view(), (Task.SEARCH,))


@pytest.mark.parametrize("fused", [True, False])
def test_a_search_request_reads_its_query_and_nothing_of_the_user(
    fused: bool, tiny: Dataset
) -> None:
    regime = _regime(fused=fused)
    asked = tiny.evaluation["test", Task.SEARCH].requests[:10]
    words = VOCABULARY.encode(asked.queries.texts, 8)
    inputs = regime.request_inputs(asked, words).tokens
    for row, query in enumerate(asked.query.tolist()):
        expected = [END, VOCABULARY.query, *words.take(np.array([query])).values.tolist()]
        start = inputs.offsets[row]
        assert inputs.values[start : start + inputs.lengths[row], 0].tolist() == expected
    assert (inputs.values[:, 1:] == NOTHING).all()


def test_a_recommendation_request_reads_the_items_of_all_events_and_no_words(
    tiny: Dataset,
) -> None:
    vocabulary = vocabulary_of(random_identifiers(120, ((9, 9, 9, 9), (9, 9, 9, 9))))
    regime = ApartRegime(Sequences(vocabulary, True), 5, 2, 3, 8)
    tokens = vocabulary.code_tokens(COLLABORATIVE)
    asked = tiny.evaluation["test", Task.REC].requests[:10]
    history = asked.history(5)
    assert (history.kind[history.item >= 0] == EventSource.SEARCHED).any()
    inputs = regime.request_inputs(asked, vocabulary.encode(asked.queries.texts, 8)).tokens
    for row in range(len(asked)):
        start = inputs.offsets[row]
        read = inputs.values[start : start + inputs.lengths[row]].tolist()
        items = history.item[row, : history.length[row]].tolist()
        assert [[token for token in place if token != NOTHING] for place in read] == [
            [END],
            *([vocabulary.rec, *tokens[item].tolist()] for item in items),
        ]
