"""The three of GenSAR's training tasks that teach what codes mean (section 3.4).

They read no history: pseudo-query to identifier, item text to identifier, identifier to item text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from benchmark.learning.ragged import Ragged, join
from gensar.engine.identifiers import SEMANTIC
from gensar.engine.query_generation import WrittenQueries, pseudo_queries
from gensar.engine.sequences import NOTHING, Sequences
from gensar.engine.targets import CodeTargets, TextTargets, ended, one_code_target_each
from gensar.engine.vocabulary import END, PADDING, Vocabulary

__all__ = ["ItemTexts", "item_side"]


@dataclass(frozen=True)
class ItemTexts:
    """The words of every item's text, and queries that it might be found by.

    Attributes:
        words: rows of ``pieces`` that make up each item's text.
        pieces: the text pieces of every distinct word.
        written: the pieces of queries that a model wrote, those of an item together; ``None``
            where words of the texts stand in for them.
        uncut: the pieces of each item's text as it is; ``None`` where its words stand for it.
        first: int64 ``[items + 1]``; item ``i`` owns the written queries from ``first[i]`` to
            before ``first[i + 1]``.
    """

    words: Ragged
    pieces: Ragged
    written: Ragged | None = None
    uncut: Ragged | None = None
    first: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, dtype=np.int64))

    def with_written(
        self, written: WrittenQueries, vocabulary: Vocabulary, longest: int
    ) -> ItemTexts:
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

    @classmethod
    def as_they_are(cls, texts: Sequence[str], vocabulary: Vocabulary, longest: int) -> ItemTexts:
        """Take at most ``longest`` pieces of each text, whatever its case and blanks."""
        words = cls.of(texts, vocabulary, longest)
        return replace(words, uncut=vocabulary.encode(texts, longest))

    def of_items(self, items: NDArray[np.int64]) -> Ragged:
        """Return the pieces of the items' texts."""
        return self.spell(self.words.take(items)) if self.uncut is None else self.uncut.take(items)

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
    by_query, by_text, by_name = drawn
    pseudo = plain = back = None
    if len(by_query):
        queries = sequences.queries(texts.queries(by_query, rng), np.ones(len(by_query), bool))
        semantic = np.full(len(by_query), SEMANTIC)
        inputs = join(begin[0], queries)
        pseudo = one_code_target_each(inputs, by_query, semantic, vocabulary.searched, first=1)
    if len(by_text):
        body = sequences.widen(texts.of_items(by_text))
        both = np.arange(len(by_text)) % 2
        plain = one_code_target_each(join(begin[1], body), by_text, both, PADDING)
    if len(by_name):
        bare = join(begin[2], sequences.bare(by_name, np.arange(len(by_name)) % 2))
        back = TextTargets(
            inputs=bare.padded(NOTHING),
            visible=bare.lengths,
            start=np.full(len(by_name), PADDING),
            text=ended(texts.of_items(by_name)),
        )
    return pseudo, plain, back
