"""The checks that every model has to pass, each a function that raises where one does not."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.data.catalogue import Queries
from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import Requests, Task
from benchmark.errors import InputError, did_you_mean
from benchmark.evaluation.asking import Asking
from benchmark.model import Model, TrainingContext, TrainView, Validation
from benchmark.model_protocols import ScoresByVectors
from benchmark.search_space import Choice, space_of
from benchmark.settings import settings_from_json
from benchmark.testing.subject import Subject, unchanged_randomness

__all__ = ["CHECKS", "seen_mask"]

TOLERANCE = 1e-5


def seen_mask(requests: Requests) -> NDArray[np.bool_]:
    """Return which items stand in each request's history, ``[requests, items]``."""
    offsets, seen = requests.seen()
    mask = np.zeros((len(requests), requests.items), dtype=bool)
    mask[np.repeat(np.arange(len(requests)), np.diff(offsets)), seen] = True
    return mask


def _shapes(subject: Subject) -> None:
    """Scores have a place for each candidate, are float32 and never NaN."""
    assert {str(t) for t in subject.model.tasks} == set(subject.entry.tasks)
    for task in subject.tasks:
        for asked in (subject.requests(task), subject.with_candidates(task)):
            width = asked.items if asked.candidates is None else asked.candidates.shape[1]
            scores = subject.model.score(asked)
            found = f"{task}: {scores.dtype} {list(scores.shape)}"
            assert scores.shape == (len(asked), width), f"{found}, wanted {[len(asked), width]}"
            assert scores.dtype == np.float32, f"{found}, wanted float32"
            assert not np.isnan(scores).any(), f"{task}: a score is NaN"
            assert not np.isposinf(scores).any(), f"{task}: a score is plus infinity"


def _retrieval(subject: Subject) -> None:
    """Retrieved items are distinct, unseen where asked, best first, and padded with -1."""
    for task in subject.tasks:
        asked = subject.requests(task)
        for k in (1, 10, asked.items + 5):
            items, scores = subject.model.retrieve(asked, k)
            assert items.shape == scores.shape == (len(asked), k)
            real = items >= 0
            assert (items < asked.items).all()
            assert np.isneginf(scores[~real]).all()
            assert np.isfinite(scores[real]).all()
            assert (np.diff(np.where(real, scores, -np.finfo(np.float32).max)) <= 0).all()
            for row in items:
                assert len(np.unique(row[row >= 0])) == (row >= 0).sum()
            if asked.exclude_seen:
                seen = seen_mask(asked)
                assert not (np.take_along_axis(seen, np.maximum(items, 0), axis=1) & real).any()


class _AnsweringBy(Model):
    """Passes on what a model answers: its scores, or what it retrieves by the same scores."""

    def __init__(self, model: Model, scores_catalogue: bool) -> None:
        super().__init__()
        self.scores_catalogue = scores_catalogue  # type: ignore[misc]  # of this copy only
        self._model = model

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Do nothing."""

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return the model's scores."""
        return self._model.score(requests)

    def retrieve(self, requests: Requests, k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return what the model retrieves; of one that searches, the best by its scores."""
        if self._model.scores_catalogue:
            return self._model.retrieve(requests, k)
        return super().retrieve(requests, k)

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return nothing."""
        return {}, {}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Do nothing."""


def _one_answer(subject: Subject) -> None:
    """Counts are the same by ``score`` and by ``retrieve``, with seen items and without.

    A model that searches the catalogue for the best finds what its search finds; of such a one it
    is its scores that are asked for in both ways.
    """
    for task in subject.tasks:
        part = subject.dataset.evaluation["test", task].at(slice(20))
        kept = replace(part, requests=replace(part.requests, exclude_seen=False))
        for evaluation in (part, kept):
            counts = []
            for scores_catalogue in (True, False):
                model = _AnsweringBy(subject.model, scores_catalogue)
                items = evaluation.requests.items
                asking = Asking(model, "model", evaluation, ("full",), retrieved=items)
                for rows in asking.batches():
                    asking.ask(rows)
                counts.append(asking.answers("full").counts)
            np.testing.assert_array_equal(counts[0].greater, counts[1].greater)
            np.testing.assert_array_equal(counts[0].tied, counts[1].tied)
            np.testing.assert_array_equal(counts[0].candidates, counts[1].candidates)


def _determinism(subject: Subject) -> None:
    """Training twice with one seed (with any, where uses_seed is false) gives equal scores."""
    for task in subject.tasks:
        asked = subject.with_candidates(task)
        np.testing.assert_array_equal(subject.model.score(asked), subject.again.score(asked))


def _save_and_load(subject: Subject) -> None:
    """A loaded model gives the same scores; its files are safetensors and JSON."""
    with tempfile.TemporaryDirectory() as folder:
        subject.model.save(Path(folder))
        files = {path.name for path in Path(folder).iterdir()}
        assert files == {"model.safetensors", "config.json"}
        loaded = subject.entry.load().load(Path(folder))
    assert loaded.settings == subject.model.settings
    assert loaded.parameters() == subject.model.parameters()
    for task in subject.tasks:
        asked = subject.with_candidates(task)
        np.testing.assert_array_equal(subject.model.score(asked), loaded.score(asked))


def _batch_size(subject: Subject) -> None:
    """The batch that a request is asked in changes its scores by less than 1e-5."""
    for task in subject.tasks:
        asked = subject.with_candidates(task)
        whole = subject.model.score(asked)
        for size in (1, 3):
            parts = np.concatenate([subject.model.score(b) for b in asked.batches(size)])
            np.testing.assert_allclose(parts, whole, atol=TOLERANCE, rtol=TOLERANCE)


def _histories(subject: Subject) -> None:
    """Histories of length 0, 1 and longer than any window are answered."""
    for task in subject.tasks:
        for length in (0, 1, 600):
            asked = _with_history(subject, task, length)
            scores = subject.model.score(asked)
            assert scores.shape == (len(asked), asked.items)
            assert not np.isnan(scores).any()


def _with_history(subject: Subject, task: Task, length: int, kept: int | None = None) -> Requests:
    """Return requests of users who all did ``length`` training events over and over.

    But for the last ``kept`` recommendations and searches of each, events are of other items then.
    """
    asked = subject.requests(task)[:3]
    train = subject.dataset.train.log
    rows = np.resize(np.arange(min(len(train), 40)), length * len(asked))
    item, kind = train.item[rows], train.kind[rows]
    if kept is not None:
        for user in np.split(np.arange(len(rows)), len(asked)):
            for own in (user[kind[user] == each] for each in EventSource):
                earlier = own[: max(0, len(own) - kept)]
                item[earlier] = (item[earlier] + 1) % asked.items
    log = EventLog.from_columns(
        user=np.repeat(np.arange(len(asked)), length),
        item=item,
        time=np.arange(len(rows)),
        kind=kind,
        query=train.query[rows],
        session=train.session[rows],
        users=len(asked),
    )
    return Requests.before(
        log,
        log.offsets[1:],
        task=task,
        user=np.arange(len(asked)),
        time=np.full(len(asked), len(rows)),
        query=asked.query,
        queries=asked.queries,
        items=asked.items,
        exclude_seen=asked.exclude_seen,
    )


def _vectors(subject: Subject) -> None:
    """Of a model that scores by vectors, products of these are the scores, but for 1e-4."""
    model = subject.model
    if not isinstance(model, ScoresByVectors):
        return
    for task in subject.tasks:
        asked = subject.requests(task)
        queries, items = model.request_vectors(asked), model.ranked_vectors(task)
        assert items.dtype == np.float32
        assert len(items) == asked.items
        np.testing.assert_allclose(queries @ items.T, model.score(asked), atol=1e-4, rtol=1e-4)


def _unseen_word(subject: Subject) -> None:
    """A query of words, letters and signs that training never showed is answered."""
    if Task.SEARCH not in subject.tasks:
        return
    asked = subject.requests(Task.SEARCH)[:3]
    queries = Queries(("a", "b", "c"), ("qwyjibo", "Ωμέγα ☃ 漢字", ""), ("given",) * 3)
    empty = subject.dataset.log.select(np.zeros(len(subject.dataset.log), dtype=bool))
    asked = Requests.before(
        empty,
        empty.offsets[1:][asked.user],
        task=Task.SEARCH,
        user=asked.user,
        time=asked.time,
        query=np.arange(3),
        queries=queries,
        items=asked.items,
    )
    scores = subject.model.score(asked)
    assert scores.shape == (3, asked.items)
    assert not np.isnan(scores).any()


def _given(subject: Subject) -> None:
    """What a model does not declare to be given changes no score.

    Where it declares nothing, there is nothing to hold it to.
    """
    given, train = subject.model.given(), subject.dataset.train
    if given is None:
        return
    items, queries, log = train.items, train.queries, train.log
    hidden = []
    if not given.item_text:
        items, hidden = replace(items, titles=items.ids, texts=("",) * len(items)), ["item_text"]
    if not given.query_text:
        queries, hidden = _renamed(queries), [*hidden, "query_text"]
    if given.times == "order":
        log = replace(log, time=np.unique(log.time, return_inverse=True)[1].astype(np.int64))
        hidden.append("times")
    again = subject.train(view=replace(train, items=items, queries=queries, log=log))
    for task in subject.tasks:
        asked = subject.requests(task)
        told = asked if given.query_text else replace(asked, queries=_renamed(asked.queries))
        same = np.array_equal(again.score(told), subject.model.score(asked))
        assert same, f"{task}: scores change with one of {', '.join(hidden)}; declare it"
        _reads_no_further(subject, task, given.longest_history)


def _reads_no_further(subject: Subject, task: Task, longest: int | None) -> None:
    """Hold a model to the length of the history that it declares, of recommendations or searches.

    Some models read so many events of each, so what is further back than that of either is changed.
    """
    if not longest:
        return
    asked, told = (_with_history(subject, task, 10 * longest, kept) for kept in (None, longest))
    same = np.array_equal(subject.model.score(told), subject.model.score(asked))
    assert same, f"{task}: scores change with an event before the last {longest}: longest_history"


def _renamed(queries: Queries) -> Queries:
    return replace(queries, texts=tuple(f"{text} q{n}" for n, text in enumerate(queries.texts)))


def _global_randomness(subject: Subject) -> None:
    """Neither training nor scoring touches global random generators."""
    subject.__dict__.pop("again", None)
    with _other_randomness():  # not the states that an earlier training may have left
        model = subject.again
        with unchanged_randomness():
            for task in subject.tasks:
                model.score(subject.with_candidates(task))
                model.retrieve(subject.requests(task), 5)


@contextmanager
def _other_randomness() -> Iterator[None]:
    """Give the global generators other states, and put theirs back."""
    import torch

    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    other = random.Random(str(python)).getrandbits(31)
    with torch.random.fork_rng(devices=[]):
        try:
            random.seed(other)
            np.random.seed(other)  # noqa: NPY002
            torch.manual_seed(other)
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002


def _search_space(subject: Subject) -> None:
    """What `tune` may choose are settings of the model."""
    kind = subject.entry.load()
    known = {field.name for field in fields(kind.Settings)}
    for name, dimension in space_of(kind.Settings, kind.search_space).items():
        assert name in known, f"search_space: {name} is no setting{did_you_mean(name, known)}"
        ends = (
            dimension.values if isinstance(dimension, Choice) else (dimension.low, dimension.high)
        )
        for value in ends:
            whole = isinstance(value, float) and value.is_integer()
            try:
                settings_from_json(kind.Settings, {name: int(value) if whole else value})
            except InputError:
                settings_from_json(kind.Settings, {name: value})


CHECKS: tuple[Callable[[Subject], None], ...] = (
    _shapes,
    _retrieval,
    _one_answer,
    _global_randomness,
    _determinism,
    _save_and_load,
    _batch_size,
    _histories,
    _vectors,
    _unseen_word,
    _given,
    _search_space,
)
"""Every check; its name without the underscore is what a test may call it."""
