"""What the six training tasks (GenSAR section 3.4) ask for, and the three on the item side.

Next recommended item, personalised search and query generation read user histories and come from
:mod:`gensar.regimes.packed` or :mod:`gensar.regimes.per_sample`. The other three, here, teach what
the codes mean: pseudo-query to identifier, item text to identifier, identifier to item text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from benchmark.learning.ragged import Ragged, join
from gensar.engine.identifiers import SEMANTIC, Identifiers
from gensar.engine.sequences import NOTHING, Sequences
from gensar.engine.vocabulary import END, PADDING, Vocabulary

__all__ = [
    "CodeTargets",
    "ItemTexts",
    "Step",
    "TextTargets",
    "Written",
    "ended",
    "item_side",
    "one_code_target_each",
    "pseudo_queries",
]


@dataclass(frozen=True)
class CodeTargets:
    """Identifiers to be written, several for each input.

    Attributes:
        inputs: int64 ``[rows, positions, width]``.
        first: int64 ``[rows, targets]``, the first position that each target may read.
        visible: int64 ``[rows, targets]``, the position behind the last that it may read; 0 marks
            a place without a target.
        start: int64 ``[rows, targets]``, the decoder's first token.
        kind: int64 ``[rows, targets]``, which identifier.
        item: int64 ``[rows, targets]``.
    """

    inputs: NDArray[np.int64]
    first: NDArray[np.int64]
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


@dataclass(frozen=True)
class Step:
    """What one optimiser step learns from: targets, each with its weight in the loss."""

    codes: list[tuple[CodeTargets, float]]
    texts: list[tuple[TextTargets, float]]

    def by_token(self, identifiers: Identifiers) -> Step:
        """Return the same targets weighted by how many codes or text pieces they are.

        The loss then is the mean over all of them, as of one batch in which the tasks are mixed.
        """
        levels = np.array([codes.shape[1] for codes in identifiers.codes])
        written = [int((levels[t.kind] * (t.visible > 0)).sum()) for t, _ in self.codes]
        spelled = [int((t.text != PADDING).sum()) for t, _ in self.texts]
        total = max(sum(written) + sum(spelled), 1)
        return Step(
            [(t, n / total) for (t, _), n in zip(self.codes, written, strict=True)],
            [(t, n / total) for (t, _), n in zip(self.texts, spelled, strict=True)],
        )


Written = tuple[list[str], NDArray[np.int64]]
"""Queries that a model wrote, and the item of each, ascending."""


@dataclass(frozen=True)
class ItemTexts:
    """The words of every item's text, and queries that it might be found by.

    Attributes:
        words: rows of ``pieces`` that make up each item's text.
        pieces: the text pieces of every distinct word.
        written: the pieces of queries that a model wrote, those of an item together; ``None``
            where words of the texts stand in for them.
        first: int64 ``[items + 1]``; item ``i`` owns the written queries from ``first[i]`` to
            before ``first[i + 1]``.
    """

    words: Ragged
    pieces: Ragged
    written: Ragged | None = None
    first: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, dtype=np.int64))

    def with_written(self, written: Written, vocabulary: Vocabulary, longest: int) -> ItemTexts:
        """Return the same texts with written queries of at most ``longest`` pieces each."""
        queries, items = written
        first = np.searchsorted(items, np.arange(len(self.words) + 1))
        return replace(self, written=vocabulary.encode(queries, longest), first=first)

    @property
    def known(self) -> NDArray[np.int64]:
        """The items that have a text."""
        return np.flatnonzero(self.words.lengths > 0)

    @property
    def findable(self) -> NDArray[np.int64]:
        """The items that have pseudo-queries."""
        return self.known if self.written is None else np.flatnonzero(np.diff(self.first))

    def queries(self, items: NDArray[np.int64], rng: np.random.Generator) -> Ragged:
        """Draw the pieces of one pseudo-query for each of ``items``, which have some."""
        if self.written is None:
            return self.spell(pseudo_queries(self.words.take(items), rng))
        return self.written.take(rng.integers(self.first[items], self.first[items + 1]))

    @classmethod
    def of(cls, texts: Sequence[str], vocabulary: Vocabulary, longest: int) -> ItemTexts:
        """Split the items' texts into at most ``longest`` words each."""
        numbers: dict[str, int] = {}
        rows = [
            [numbers.setdefault(word, len(numbers)) for word in text.lower().split()[:longest]]
            for text in texts
        ]
        return cls(Ragged.of_lists(rows), vocabulary.encode(list(numbers), longest))

    @property
    def any(self) -> bool:
        """Whether there is an item with text at all."""
        return len(self.words.values) > 0

    def spell(self, words: Ragged) -> Ragged:
        """Return the pieces of rows of words."""
        pieces = self.pieces.take(words.values)
        return pieces.regroup(np.repeat(np.arange(len(words)), words.lengths), len(words))


def item_side(
    sequences: Sequences,
    texts: ItemTexts,
    samples: tuple[int, int, int],
    rng: np.random.Generator,
) -> tuple[CodeTargets | None, CodeTargets | None, TextTargets | None]:
    """Draw items for pseudo-query search, text to identifier and identifier to text.

    ``samples`` says how many for each; a task without any gives ``None``. As published, even
    draws of the last two tasks use the semantic identifier and odd ones the collaborative.
    """
    vocabulary = sequences.vocabulary
    pools = (texts.findable, texts.known, texts.known)
    drawn = [rng.choice(p, n) if len(p) else p for p, n in zip(pools, samples, strict=True)]
    begin = [sequences.repeat(END, np.ones(len(items), dtype=bool)) for items in drawn]
    asked, described, named = drawn
    pseudo = plain = back = None
    if len(asked):
        queries = sequences.queries(texts.queries(asked, rng), np.ones(len(asked), dtype=bool))
        kind, start = np.full(len(asked), SEMANTIC), vocabulary.searched
        pseudo = one_code_target_each(join(begin[0], queries), asked, kind, start, first=1)
    if len(described):
        body = sequences.widen(texts.spell(texts.words.take(described)))
        kind = np.arange(len(described)) % 2
        plain = one_code_target_each(join(begin[1], body), described, kind, PADDING)
    if len(named):
        bare = join(begin[2], sequences.bare(named, np.arange(len(named)) % 2))
        back = TextTargets(
            inputs=bare.padded(NOTHING),
            visible=bare.lengths,
            start=np.full(len(named), PADDING),
            text=ended(texts.spell(texts.words.take(named))),
        )
    return pseudo, plain, back


def one_code_target_each(
    inputs: Ragged, item: NDArray[np.integer], kind: NDArray[np.int64], start: int, first: int = 0
) -> CodeTargets:
    """Return one target for each input, which reads it from position ``first`` on.

    ``item`` and ``kind`` are ``[rows]``; ``start`` is the decoder's first token.
    """
    return CodeTargets(
        inputs=inputs.padded(NOTHING),
        first=np.full((len(inputs), 1), first),
        visible=inputs.lengths[:, None],
        start=np.full((len(inputs), 1), start),
        kind=kind[:, None],
        item=item.astype(np.int64)[:, None],
    )


def pseudo_queries(words: Ragged, rng: np.random.Generator) -> Ragged:
    """Keep one to four words of each row at random, in their order."""
    rows = np.repeat(np.arange(len(words)), words.lengths)
    by_draw = np.lexsort((rng.random(len(rows)), rows))
    rank = np.empty(len(rows), dtype=np.int64)
    rank[by_draw] = np.arange(len(rows)) - np.repeat(words.offsets[:-1], words.lengths)
    wanted = np.minimum(rng.integers(1, 5, len(words)), words.lengths)
    return Ragged(words.values[rank < wanted[rows]], wanted)


def ended(words: Ragged) -> NDArray[np.int64]:
    """Return rows of text pieces with the end token behind them, padded."""
    ones = np.ones(len(words), dtype=np.int64)
    end = Ragged(np.full(len(words), END, dtype=np.int64), ones)
    return join(words, end).padded(PADDING)
