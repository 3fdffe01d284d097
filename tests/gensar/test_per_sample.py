from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmark.data.catalogue import Items, Queries
from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import Requests, Task
from benchmark.learning.subwords import train_tokenizer
from benchmark.model import TrainView
from gensar import instructions
from gensar.engine.identifiers import COLLABORATIVE, SEMANTIC
from gensar.engine.losses import CodeTable, code_loss, text_loss
from gensar.engine.sequences import NOTHING, Sequences
from gensar.engine.targets import Step
from gensar.engine.vocabulary import END, PADDING, Vocabulary
from gensar.item_tasks import ItemTexts
from gensar.regimes.per_sample import PlainRegime
from gensar.settings import GenSARSettings
from tests.gensar.support import (
    ITEMS,
    QUERIES,
    TASKS,
    backbone_of,
    random_identifiers,
    train_view,
)

SETS = {
    "rec": instructions.RECOMMEND,
    "search": instructions.SEARCH,
    "generate": instructions.GENERATE_QUERY,
    "identify": instructions.IDENTIFY,
    "describe": instructions.DESCRIBE,
}
VOCABULARY = Vocabulary(
    train_tokenizer(["; ", *(" ".join(pair) for texts in SETS.values() for pair in texts)], 900),
    900,
    random_identifiers(ITEMS, ((4, 4, 4, 4, 9), (4, 4, 4, 4))),
)
WORDS = VOCABULARY.encode(QUERIES, 8)
ITEM_TEXTS = ["drama comedy" + " next" * (item % 3) for item in range(ITEMS)]
TEXTS = ItemTexts.as_they_are(ITEM_TEXTS, VOCABULARY, 99)
HISTORY = ((0, 4, 1, 0, -1), (0, 9, 2, 1, 0), (0, 2, 3, 1, 1))
"""User, item, time, kind and query: an item taken, one found by "drama", one by "action comedy"."""
SAMPLES = {"query_samples": 11, "pseudo_samples": 12, "text_samples": 13}


def _regime(**changed: int) -> PlainRegime:
    chosen = {"batch_size": 7, "recent_rec": 3, "recent_search": 2, **SAMPLES, **changed}
    settings = GenSARSettings(regime="plain", **chosen)  # type: ignore[arg-type]
    return PlainRegime(settings, Sequences(VOCABULARY, fused=False))


def _steps(regime: PlainRegime, train: TrainView, tasks: tuple[Task, ...] = TASKS) -> list[Step]:
    rng = np.random.default_rng(3)
    return [make(rng) for make in regime.epoch(train, tasks, WORDS, TEXTS, rng)]


def _spell(text: str) -> list[int]:
    return VOCABULARY.encode([text], 99).values.tolist()


def _events(train: TrainView, rows: list[int]) -> list[int]:
    """Return the tokens of log rows, one by one."""
    log, parts = train.log, []
    for row in rows:
        if log.kind[row] == EventSource.SEARCHED:
            parts.append([VOCABULARY.query, *_spell(QUERIES[log.query[row]])])
            codes = VOCABULARY.code_tokens(SEMANTIC)[log.item[row]].tolist()
            parts.append([VOCABULARY.searched, *codes])
        else:
            codes = VOCABULARY.code_tokens(COLLABORATIVE)[log.item[row]].tolist()
            parts.append([VOCABULARY.rec, *codes])
    return _joined(parts)


def _joined(parts: list[list[int]]) -> list[int]:
    """Put what each event is told by one behind the other."""
    between = _spell("; ")
    return [token for part in parts for token in (*between, *part)][len(between) :]


def _past(train: TrainView, row: int) -> list[int]:
    """Return the last 3 recommendations and 2 searches that are earlier than ``row``."""
    log = train.log
    before = range(int(log.offsets[log.user[row]]), row)
    rows = [other for other in before if log.time[other] < log.time[row]]
    recent = [
        [other for other in rows if log.kind[other] == kind][-last:]
        for kind, last in ((EventSource.RECOMMENDED, 3), (EventSource.SEARCHED, 2))
    ]
    return sorted(itertools.chain(*recent), key=lambda other: log.time[other])


def _written(step: Step) -> list[tuple[int, int, int, tuple[int, ...]]]:
    """Return start token, kind, item and input of every identifier that is asked for."""
    return [
        (
            int(t.start[r, 0]),
            int(t.identifier[r, 0]),
            int(t.item[r, 0]),
            tuple(t.inputs[r, : t.visible[r, 0], 0].tolist()),
        )
        for t, _ in step.codes
        for r in range(len(t.item))
    ]


def _readable(tokens: NDArray[np.int64]) -> str:
    """Return tokens as text: behaviour tokens by name, codes as <identifier level code>."""
    names = {VOCABULARY.rec: "<rec>", VOCABULARY.query: "<query>", VOCABULARY.searched: "<found>"}
    for kind, letter in ((COLLABORATIVE, "c"), (SEMANTIC, "s")):
        for level in range(len(VOCABULARY.identifiers.level_sizes[kind])):
            start, stop = VOCABULARY.level_range(kind, level)
            names |= {t: f"<{letter}{level} {t - start}>" for t in range(start, stop)}
    pieces = [names.get(t, VOCABULARY.tokenizer.id_to_token(t)) for t in tokens.tolist()]
    return "".join(pieces).replace("\u2581", " ")


def test_a_search_with_a_history_is_asked_and_answered_in_the_published_form() -> None:
    """Literally: what GenSAR's code would write for it, but for the words of instructions."""
    log = EventLog.from_columns(*np.array(HISTORY).T, np.full(3, -1), 1)
    names = tuple(map(str, range(ITEMS)))
    queries = Queries(tuple("abc"), QUERIES, ("given",) * 3)
    train = TrainView(log, Items(names, names, tuple(ITEM_TEXTS), {}), queries, "")
    regime = _regime(softmax="vocabulary", batch_size=99)
    (step,) = _steps(regime, train)
    texts = {int(t.text[0, 0]): t for t, _ in step.texts}
    semantic, collaborative = (
        [_readable(VOCABULARY.code_tokens(kind)[item]) for item in (4, 9, 2)]
        for kind in (SEMANTIC, COLLABORATIVE)
    )
    history = f"<rec>{collaborative[0]} ; <query> drama ; <found>{semantic[1]}"
    search = next(t for t, _ in step.codes if t.start[0, 0] == VOCABULARY.searched)
    last = np.flatnonzero(search.item[:, 0] == 2)[0]
    asked = {
        f" {before}{history} ; <query> action comedy {after}</s>"
        for before, after in instructions.SEARCH
    }
    assert _readable(search.inputs[last, : search.visible[last, 0], 0]) in asked
    wanted = texts[VOCABULARY.query]
    answers = {_readable(row[row != PADDING]) for row in wanted.text}
    assert answers == {"<query> drama</s>", "<query> action comedy</s>"}
    assert set(wanted.start.tolist()) == {PADDING}
    table = CodeTable(backbone_of(VOCABULARY, whole_answers=True), "cpu")
    label = table.padded[SEMANTIC, 2].numpy()
    assert _readable(label[label != PADDING]) == f"{semantic[2]}</s>"


@pytest.mark.parametrize("twins", [False, True])
def test_every_event_is_one_sample_read_from_its_past_in_some_instruction(twins: bool) -> None:
    train = train_view(twins)
    log = train.log
    found = [one for step in _steps(_regime(), train) for one in _written(step)]
    wanted: Counter = Counter()
    plain: dict[tuple[int, int, tuple[int, ...]], tuple[int, int, tuple[int, ...]]] = {}
    for row in range(len(log)):
        search = log.kind[row] == EventSource.SEARCHED
        body = _events(train, _past(train, row))
        if search:
            own = [VOCABULARY.query, *_spell(QUERIES[log.query[row]])]
            body = _joined([body, own]) if body else own
        start = VOCABULARY.searched if search else VOCABULARY.rec
        sample = start, int(log.item[row]), tuple(body)
        wanted[sample] += 1
        for before, after in SETS["search" if search else "rec"]:
            plain[(*sample[:2], (*_spell(before), *body, *_spell(after), END))] = sample
    assert Counter(plain[s, i, x] for s, _, i, x in found if (s, i, x) in plain) == wanted


def test_each_task_has_its_number_of_samples_and_its_identifier() -> None:
    train = train_view()
    steps = _steps(_regime(search_samples=9), train)
    found = Counter((s, k) for step in steps for s, k, _, _ in _written(step))
    recommended = int((train.log.kind == EventSource.RECOMMENDED).sum())
    assert found[VOCABULARY.rec, COLLABORATIVE] == recommended
    assert found[VOCABULARY.searched, SEMANTIC] == 9 + SAMPLES["pseudo_samples"]
    bare = [found[PADDING, kind] for kind in (SEMANTIC, COLLABORATIVE)]
    assert sum(bare) == SAMPLES["text_samples"]
    assert min(bare) > 0
    assert len(found) == 4
    starts = Counter(int(s) for step in steps for t, _ in step.texts for s in t.start)
    assert starts == {VOCABULARY.query: 11, PADDING: 13}


def test_only_the_asked_tasks_are_trained() -> None:
    found = {
        (start, kind)
        for step in _steps(_regime(), train_view(), (Task.REC,))
        for start, kind, _, _ in _written(step)
    }
    assert found == {(VOCABULARY.rec, 1), (PADDING, 0), (PADDING, 1)}


@pytest.mark.parametrize("whole", [False, True], ids=["codes", "whole answers"])
@torch.no_grad()
def test_every_token_of_a_batch_counts_the_same_whatever_its_task(whole: bool) -> None:
    backbone = backbone_of(VOCABULARY, softmax="vocabulary", whole_answers=whole)
    table = CodeTable(backbone, "cpu")
    for step in _steps(_regime(softmax="vocabulary" if whole else "level"), train_view()):
        parts = [(code_loss(backbone, table, t), weight) for t, weight in step.codes]
        parts += [(text_loss(backbone, t, "cpu"), weight) for t, weight in step.texts]
        trained = sum(weight * loss / count for (loss, count), weight in parts)
        mean = sum(loss for (loss, _), _ in parts) / sum(count for (_, count), _ in parts)
        torch.testing.assert_close(trained, mean)


def test_described_items_are_given_their_own_text() -> None:
    texts = {tuple(_spell(text)) for text in ITEM_TEXTS}
    for step in _steps(_regime(), train_view()):
        for start, _, item, inputs in _written(step):
            if start == PADDING:
                text = tuple(_spell(ITEM_TEXTS[item]))
                wanted = {(*_spell(b), *text, *_spell(a), END) for b, a in SETS["identify"]}
                assert inputs in wanted
        for target, _ in step.texts:
            for row, start in enumerate(target.start):
                if start == PADDING:
                    pieces = target.text[row][target.text[row] > END]
                    assert tuple(pieces.tolist()) in texts


@pytest.mark.parametrize("task", TASKS)
def test_requests_are_asked_with_the_first_instruction(task: Task) -> None:
    train = train_view()
    log = train.log
    kind = EventSource.SEARCHED if task == Task.SEARCH else EventSource.RECOMMENDED
    rows = np.flatnonzero(log.kind == kind)
    asked = Requests.before(
        log,
        log.first_of_moment[rows],
        task=task,
        user=log.user[rows],
        time=log.time[rows],
        query=log.query[rows],
        queries=train.queries,
        items=ITEMS,
    )
    found = _regime().request_inputs(asked, WORDS).tokens
    before, after = SETS[str(task)][0]
    for i, row in enumerate(rows.tolist()):
        past = _events(train, _past(train, row))
        own = [VOCABULARY.query, *_spell(QUERIES[log.query[row]])] if log.query[row] >= 0 else []
        body = _joined([part for part in (past, own) if part])
        tokens = found.values[found.offsets[i] : found.offsets[i + 1]]
        assert tokens[:, 0].tolist() == [*_spell(before), *body, *_spell(after), END]
        assert (tokens[:, 1:] == NOTHING).all()
