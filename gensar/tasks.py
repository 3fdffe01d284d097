"""The six training tasks (GenSAR section 3.4) as batches of inputs and targets.

Next recommended item and personalised search come from user sequences, every event of which is a
target. Query generation reads the same sequences. The other three teach what the codes mean:
pseudo-query to identifier, item text to identifier, identifier to item text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.data.events import EventLog, Kind
from benchmark.data.requests import PAD, History
from gensar.identifiers import COLLABORATIVE, SEMANTIC
from gensar.ragged import Ragged, join
from gensar.sequences import NOTHING, Sequences
from gensar.vocabulary import END, PADDING, Vocabulary

__all__ = [
    "CodeTargets",
    "ItemTexts",
    "TextTargets",
    "item_side_batch",
    "sequence_batches",
    "windows",
]

QUERY_GENERATION_SHARE = 0.25
"""Share of the sequences that also give a target for query generation."""


@dataclass(frozen=True)
class CodeTargets:
    """Identifiers to be written, several for each input.

    Attributes:
        inputs: int64 ``[rows, positions, width]``.
        visible: int64 ``[rows, targets]``, how many positions each target may read; 0 marks a
            place without a target.
        start: int64 ``[rows, targets]``, the decoder's first token.
        kind: int64 ``[rows, targets]``, which identifier.
        item: int64 ``[rows, targets]``.
    """

    inputs: NDArray[np.int64]
    visible: NDArray[np.int64]
    start: NDArray[np.int64]
    kind: NDArray[np.int64]
    item: NDArray[np.int64]


@dataclass(frozen=True)
class TextTargets:
    """Texts to be written, one for each input.

    Attributes:
        inputs: int64 ``[rows, positions, width]``.
        visible: int64 ``[rows]``, how many positions may be read.
        start: int64 ``[rows]``, the decoder's first token.
        text: int64 ``[rows, pieces]``, ending in the end token and padded with ``PADDING``.
    """

    inputs: NDArray[np.int64]
    visible: NDArray[np.int64]
    start: NDArray[np.int64]
    text: NDArray[np.int64]


def windows(log: EventLog, window: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Cut every user's events into consecutive stretches of at most ``window``.

    The first cut falls at a random place, so that every epoch shows other beginnings.

    Returns:
        log rows int64 ``[sequences, window]``, padded with ``PAD``.
    """
    counts = np.diff(log.offsets)
    shift = rng.integers(0, window, size=len(counts))
    shift = np.where(counts <= window, 0, shift)
    pieces = -(-(counts + shift) // window)
    owner = np.repeat(np.arange(len(counts)), pieces)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    first = log.offsets[owner] + number * window - shift[owner]
    rows = first[:, None] + np.arange(window)
    real = (rows >= log.offsets[owner][:, None]) & (rows < log.offsets[owner + 1][:, None])
    rows = np.where(real, rows, PAD)
    rows = np.take_along_axis(rows, np.argsort(~real, axis=1, kind="stable"), axis=1)
    return rows[real.any(axis=1)]


def history_of(log: EventLog, rows: NDArray[np.int64]) -> History:
    """Return the events at log ``rows`` (``[n, window]``, padded with ``PAD``) as a history."""
    real, safe = rows >= 0, np.maximum(rows, 0)
    return History(
        item=np.where(real, log.item[safe], PAD).astype(np.int32),
        kind=np.where(real, log.kind[safe], 0).astype(np.uint8),
        query=np.where(real, log.query[safe], PAD).astype(np.int32),
        time=np.where(real, log.time[safe], 0),
        length=real.sum(axis=1),
    )


def sequence_batches(
    log: EventLog,
    sequences: Sequences,
    words: Ragged,
    window: int,
    batch: int,
    rng: np.random.Generator,
) -> Iterator[tuple[CodeTargets, TextTargets | None]]:
    """Yield one epoch of user sequences, with sequences of similar length in a batch.

    Every event is a target of its own task; in a quarter of the sequences one search event, drawn
    at random, also gives a target for query generation.
    """
    rows = windows(log, window, rng)
    length = (rows >= 0).sum(axis=1)
    order = np.argsort(length + rng.uniform(0, window / 8, len(length)), kind="stable")
    starts = np.arange(0, len(order), batch)
    for start in rng.permutation(starts):
        chosen = rows[order[start : start + batch]]
        chosen = chosen[:, : int((chosen >= 0).sum(axis=1).max())]
        yield _sequence_batch(history_of(log, chosen), sequences, words, rng)


def _sequence_batch(
    history: History, sequences: Sequences, words: Ragged, rng: np.random.Generator
) -> tuple[CodeTargets, TextTargets | None]:
    vocabulary = sequences.vocabulary
    stream = sequences.stream(history, words)
    inputs = stream.tokens.padded(NOTHING)
    searched = history.kind == Kind.SEARCHED
    real = history.item >= 0
    codes = CodeTargets(
        inputs=inputs,
        visible=np.where(real, np.where(searched, stream.search_cut, stream.rec_cut), 0),
        start=np.where(searched, vocabulary.searched, vocabulary.rec),
        kind=np.where(searched, SEMANTIC, COLLABORATIVE),
        item=np.maximum(history.item, 0).astype(np.int64),
    )
    draw = np.where(searched & real, rng.random(searched.shape), -1.0)
    draw[rng.random(len(draw)) >= QUERY_GENERATION_SHARE] = -1.0
    place, has = draw.argmax(axis=1), draw.max(axis=1) >= 0
    if not has.any():
        return codes, None
    at = np.flatnonzero(has), place[has]
    texts = TextTargets(
        inputs=inputs[has],
        visible=stream.rec_cut[at],
        start=np.full(int(has.sum()), vocabulary.query),
        text=_ended(words.take(history.query[at])),
    )
    return codes, texts


@dataclass(frozen=True)
class ItemTexts:
    """The words of every item's text.

    Attributes:
        words: rows of ``pieces`` that make up each item's text.
        pieces: the text pieces of every distinct word.
    """

    words: Ragged
    pieces: Ragged

    @classmethod
    def of(cls, texts: Sequence[str], vocabulary: Vocabulary, longest: int) -> ItemTexts:
        """Split the items' texts into at most ``longest`` words each."""
        numbers: dict[str, int] = {}
        rows = [
            [numbers.setdefault(word, len(numbers)) for word in text.lower().split()[:longest]]
            for text in texts
        ]
        return cls(Ragged.of_lists(rows), vocabulary.encode(list(numbers), longest))

    def spell(self, words: Ragged) -> Ragged:
        """Return the pieces of rows of words."""
        pieces = self.pieces.take(words.values)
        return pieces.regroup(np.repeat(np.arange(len(words)), words.lengths), len(words))


def item_side_batch(
    sequences: Sequences, texts: ItemTexts, samples: int, rng: np.random.Generator
) -> tuple[CodeTargets, TextTargets]:
    """Draw ``samples`` items for each of the three item-side tasks.

    A pseudo-query is a few words of the item's text in their order; as published, even draws of
    the other two tasks use the semantic identifier and odd ones the collaborative.
    """
    vocabulary = sequences.vocabulary
    known = np.flatnonzero(texts.words.lengths > 0)
    asked, described, named = (rng.choice(known, samples) for _ in range(3))
    kinds = np.arange(samples) % 2
    present = np.ones(samples, dtype=bool)
    begin = sequences.repeat(END, present)
    queries = texts.spell(pseudo_queries(texts.words.take(asked), rng))
    pseudo = join(begin, sequences.queries(queries, present))
    plain = join(begin, sequences.widen(texts.spell(texts.words.take(described))))
    inputs = Ragged(
        np.concatenate([pseudo.values, plain.values]),
        np.concatenate([pseudo.lengths, plain.lengths]),
    )
    codes = CodeTargets(
        inputs=inputs.padded(NOTHING),
        visible=inputs.lengths[:, None],
        start=np.repeat([vocabulary.searched, PADDING], samples)[:, None],
        kind=np.concatenate([np.full(samples, SEMANTIC), kinds])[:, None],
        item=np.concatenate([asked, described])[:, None],
    )
    bare = join(begin, sequences.bare(named, kinds))
    back = TextTargets(
        inputs=bare.padded(NOTHING),
        visible=bare.lengths,
        start=np.full(samples, PADDING),
        text=_ended(texts.spell(texts.words.take(named))),
    )
    return codes, back


def pseudo_queries(words: Ragged, rng: np.random.Generator) -> Ragged:
    """Keep one to four words of each row at random, in their order."""
    rows = np.repeat(np.arange(len(words)), words.lengths)
    by_draw = np.lexsort((rng.random(len(rows)), rows))
    rank = np.empty(len(rows), dtype=np.int64)
    rank[by_draw] = np.arange(len(rows)) - np.repeat(words.offsets[:-1], words.lengths)
    wanted = np.minimum(rng.integers(1, 5, len(words)), words.lengths)
    return Ragged(words.values[rank < wanted[rows]], wanted)


def _ended(words: Ragged) -> NDArray[np.int64]:
    ones = np.ones(len(words), dtype=np.int64)
    end = Ragged(np.full(len(words), END, dtype=np.int64), ones)
    return join(words, end).padded(PADDING)
