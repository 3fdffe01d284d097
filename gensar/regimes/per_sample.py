"""The plain regime, as published: one target per sample, an instruction around the history.

An input is the text of an instruction with the events in it, "; " between any two, and the end
token behind it all. An answer is a behaviour token, an identifier or words, and the end token.
"""

from __future__ import annotations

from functools import partial
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from benchmark.data.events import EventSource
from benchmark.data.requests import History, Requests, Task
from benchmark.learning.ragged import Ragged, join
from benchmark.learning.training_requests import TrainingRequests
from benchmark.model import TrainView
from gensar import instructions
from gensar.engine.identifiers import COLLABORATIVE, SEMANTIC
from gensar.engine.query_generation import WrittenQueries
from gensar.engine.regime import Epochs, MakeStep
from gensar.engine.sequences import NOTHING, Inputs, Sequences, with_query
from gensar.engine.targets import Step, TextTargets, ended, one_code_target_each
from gensar.engine.vocabulary import END, PADDING
from gensar.instructions import Instructions
from gensar.item_tasks import ItemTexts
from gensar.settings import GenSARSettings, TrainingTask

__all__ = ["PlainRegime"]

SEPARATOR = "; "
NONE: NDArray[np.int64] = np.empty(0, dtype=np.int64)
REC, SEARCH, GENERATE, PSEUDO, IDENTIFY, DESCRIBE = range(6)  # in the order of TrainingTask
_SETS: dict[int, Instructions] = {
    REC: instructions.RECOMMEND,
    SEARCH: instructions.SEARCH,
    GENERATE: instructions.GENERATE_QUERY,
    PSEUDO: instructions.SEARCH,
    IDENTIFY: instructions.IDENTIFY,
    DESCRIBE: instructions.DESCRIBE,
}


class PlainRegime:
    """Builds the training steps and the requests' inputs.

    A history is the last recommendation events and the last search events, merged by time;
    at equal times recommendation comes first.

    Args:
        settings: those of histories, the batch size and the numbers of samples are used.
        sequences: turns events into positions.
        written: queries that a model wrote for the items; else words of their texts are taken.
    """

    causal = False

    def __init__(
        self, settings: GenSARSettings, sequences: Sequences, written: WrittenQueries | None = None
    ) -> None:
        self.settings = settings
        self.sequences = sequences
        self.written = written
        encode = sequences.vocabulary.encode
        self._before = {t: encode([b for b, _ in texts], 32) for t, texts in _SETS.items()}
        self._after = {t: encode([a for _, a in texts], 32) for t, texts in _SETS.items()}
        self._separator = encode([SEPARATOR], 8)

    def request_inputs(self, requests: Requests, words: Ragged) -> Inputs:
        """Return what each request is answered from, with the first instruction."""
        task = REC if requests.task == Task.REC else SEARCH
        body = self._history(requests, words, with_own_query=task == SEARCH)
        return Inputs.whole(self._instruct(task, body, np.zeros(len(requests), dtype=np.int64)))

    def training(self, train: TrainView, tasks: tuple[Task, ...]) -> Epochs:
        """Return what the epochs of training on ``tasks`` are made from."""
        vocabulary, settings = self.sequences.vocabulary, self.settings
        words = vocabulary.encode(train.queries.texts, settings.query_tokens)
        texts = ItemTexts.as_they_are(train.items.texts, vocabulary, settings.item_text_tokens)
        if self.written is not None:
            texts = texts.with_written(self.written, vocabulary, settings.query_tokens)
        return partial(self.epoch, train, tasks, words, texts)

    def epoch(
        self,
        train: TrainView,
        tasks: tuple[Task, ...],
        words: Ragged,
        texts: ItemTexts,
        rng: np.random.Generator,
    ) -> list[MakeStep]:
        """Return what makes the steps of an epoch.

        All tasks' samples are shuffled together; the numbers follow section 4 of the published
        launcher, where 0 search samples stands for each search event once.
        """
        settings = self.settings
        rec = (
            np.flatnonzero(train.log.kind == EventSource.RECOMMENDED) if Task.REC in tasks else NONE
        )
        searches = (
            np.flatnonzero(train.log.kind == EventSource.SEARCHED) if Task.SEARCH in tasks else NONE
        )
        known, findable = texts.known, texts.findable
        search: NDArray[np.int64] = searches
        generate = pseudo = NONE
        if len(searches):
            if settings.search_samples:
                search = rng.choice(searches, settings.search_samples)
            generate = rng.choice(searches, settings.query_samples)
            pseudo = rng.choice(findable, settings.pseudo_samples) if len(findable) else NONE
        described = rng.choice(known, settings.text_samples) if len(known) else NONE
        named = rng.choice(known, settings.text_samples) if len(known) else NONE
        groups = [
            NONE if name in settings.without else group
            for name, group in zip(
                get_args(TrainingTask),
                (rec, search, generate, pseudo, described, named),
                strict=True,
            )
        ]
        task = np.repeat(np.arange(len(groups)), [len(g) for g in groups])
        what = np.concatenate(groups)
        order = rng.permutation(len(task))
        starts = range(0, len(order), settings.batch_size)
        past = TrainingRequests(train)
        parts = [order[start : start + settings.batch_size] for start in starts]
        return [
            partial(self._step, train, past, words, texts, task[part], what[part]) for part in parts
        ]

    def _step(
        self,
        train: TrainView,
        past: TrainingRequests,
        words: Ragged,
        texts: ItemTexts,
        task: NDArray[np.int64],
        what: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> Step:
        vocabulary = self.sequences.vocabulary
        step = Step([], [])
        for number in np.unique(task).tolist():
            rows = what[task == number]
            either = np.arange(len(rows)) % 2
            if number in (REC, SEARCH, GENERATE):
                requests = past.of(Task.REC if number == REC else Task.SEARCH, rows)
                body = self._history(requests, words, with_own_query=number == SEARCH)
            elif number == PSEUDO:
                queries = texts.queries(rows, rng)
                body = self.sequences.queries(queries, np.ones(len(rows), dtype=bool))
            elif number == IDENTIFY:
                body = self.sequences.widen(texts.of_items(rows))
            else:
                body = self.sequences.bare(rows, either)
            inputs = self._instruct(number, body, rng.integers(0, 10, len(rows)))
            item = train.log.item[rows] if number in (REC, SEARCH) else rows
            if number in (GENERATE, DESCRIBE):
                asked = number == GENERATE
                text = words.take(train.log.query[rows]) if asked else texts.of_items(rows)
                first = vocabulary.query if asked else PADDING
                step.texts.append((self._text_targets(inputs, text, first), 1.0))
            else:
                identifier = {REC: np.full_like(either, COLLABORATIVE), IDENTIFY: either}.get(
                    number, np.full_like(either, SEMANTIC)
                )
                first = {REC: vocabulary.rec, IDENTIFY: PADDING}.get(number, vocabulary.searched)
                step.codes.append((one_code_target_each(inputs, item, identifier, first), 1.0))
        return step.by_token(vocabulary.identifiers, self.settings.whole_answers)

    def _history(self, requests: Requests, words: Ragged, with_own_query: bool) -> Ragged:
        history = _merged(
            requests.history(self.settings.recent_rec, EventSource.RECOMMENDED),
            requests.history(self.settings.recent_search, EventSource.SEARCHED),
        )
        if with_own_query:
            history = with_query(history, requests)
        return self.sequences.listed(history, words, self._separator)

    def _instruct(self, task: int, body: Ragged, number: NDArray[np.int64]) -> Ragged:
        widen = self.sequences.widen
        before, after = self._before[task].take(number), self._after[task].take(number)
        end = self.sequences.repeat(END, np.ones(len(body), dtype=bool))
        return join(widen(before), body, widen(after), end)

    def _text_targets(self, inputs: Ragged, text: Ragged, start: int) -> TextTargets:
        """Ask for a text behind ``start``, which is written too where answers are whole."""
        if self.settings.whole_answers and start != PADDING:
            ones = np.ones(len(text), dtype=np.int64)
            text, start = join(Ragged(np.full(len(text), start), ones), text), PADDING
        return TextTargets(
            inputs=inputs.padded(NOTHING),
            visible=inputs.lengths,
            start=np.full(len(inputs), start),
            text=ended(text),
        )


def _merged(first: History, second: History) -> History:
    """Merge two histories by time; at equal times ``first`` comes first."""
    real = np.concatenate(
        [np.arange(h.item.shape[1]) < h.length[:, None] for h in (first, second)],
        axis=1,
    )
    time = np.concatenate([first.time, second.time], axis=1)
    order = np.lexsort((time, ~real), axis=1)

    def column(a: NDArray, b: NDArray) -> NDArray:
        return np.take_along_axis(np.concatenate([a, b], axis=1), order, axis=1)

    return History(
        item=column(first.item, second.item),
        kind=column(first.kind, second.kind),
        query=column(first.query, second.query),
        time=column(first.time, second.time),
        length=first.length + second.length,
    )
