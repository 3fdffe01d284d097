"""BM25 over item text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import bm25s
import numpy as np
import Stemmer
from numpy.typing import NDArray

from benchmark.data.analyser import analyse
from benchmark.data.card import Analyser
from benchmark.data.requests import Requests, Task
from benchmark.data.text_column import TextColumn
from benchmark.data.word_index import index_texts, score_pairs
from benchmark.errors import InputError
from benchmark.given import Given
from benchmark.model import Model, TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes, Work
from benchmark.search_space import Dimension, Range
from benchmark.settings import setting

__all__ = ["BM25", "BM25Settings"]

WORD_BYTES = 6
"""Of text: what a word takes, blank included."""
TEXTS_AT_ONCE = 1024
"""Texts that are looked at together for a word; the first of them mostly have one."""


@dataclass(frozen=True)
class BM25Settings:
    """Settings of :class:`BM25`; the defaults are Lucene's."""

    k1: float = setting(1.2, "how soon repeated words count no more")
    b: float = setting(0.75, "how much long texts are held back, 0 to 1", high=1)
    language: str = setting("english", "Snowball stemmer")
    stop_words: str = setting("en", "bm25s stop word list")

    def __post_init__(self) -> None:
        if self.language not in Stemmer.algorithms():
            raise ValueError(f"setting 'language': Snowball has no stemmer for '{self.language}'")
        try:
            bm25s.tokenize(["a"], stopwords=self.stop_words, show_progress=False)
        except ValueError as error:
            raise ValueError(f"setting 'stop_words': bm25s has no '{self.stop_words}'") from error


class BM25(Model[BM25Settings]):
    """Counts items by BM25 (Robertson and Zaragoza 2009) for the query, whoever asks.

    Scoring and index are those of bm25s (Lu 2024) in Lucene's variant, words are stemmed.
    """

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.SEARCH})
    uses_seed: ClassVar[bool] = False
    scores_candidates = True
    Settings = BM25Settings
    search_space: ClassVar[Mapping[str, Dimension | None]] = {
        "b": Range(0.0, 1.0),
        "k1": Range(0.2, 3.0),
    }

    def check(self, train: TrainView, tasks: tuple[Task, ...]) -> None:
        """Refuse items without a single word.

        Raises:
            InputError: no text has one.
        """
        texts = TextColumn(train.items.texts).batches(TEXTS_AT_ONCE)
        if not any(any(self._words(batch, train.analyser)) for batch in texts):
            raise InputError("word search needs items with a text; no item has a word in it")

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs:
        """Tell the index, 8 bytes for each word, and the words while they are counted."""
        words = sizes.item_bytes / WORD_BYTES
        return Needs(
            (Work(moved=2000 * words, held=100 * min(words, 2**20)),),
            Work(moved=12 * sizes.items, held=3 * 4 * sizes.at_once * sizes.items),
            kept=2 * 8 * words,
        )

    def given(self) -> Given:
        """Tell what it reads."""
        return Given(item_text=True, query_text=True, rec_targets="")

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Index the items' texts.

        Raises:
            InputError: no text has a word.
        """
        self.check(train, context.tasks)
        settings, self.analyser = self.settings, train.analyser
        words = partial(self._words, analyser=train.analyser)
        self.index = index_texts(train.items.texts, settings.k1, settings.b, words)

    def _words(self, texts: Sequence[str], analyser: Analyser) -> list[list[str]]:
        return analyse(texts, analyser, self.settings.language, self.settings.stop_words)

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return BM25 scores; a query without a known word scores 0 everywhere."""
        texts = requests.query_texts()
        if requests.candidates is not None:
            return score_pairs(self.index, self._words(texts, self.analyser), requests.candidates)
        distinct = sorted(set(texts))
        rows = {text: row for row, text in enumerate(distinct)}
        table = np.zeros((len(distinct), requests.items), dtype=np.float32)
        for row, words in enumerate(self._words(distinct, self.analyser)):
            if words:
                table[row] = self.index.get_scores(words)
        return table[[rows[text] for text in texts]]

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return bm25s's sparse score matrix and vocabulary."""
        arrays = {name: self.index.scores[name] for name in ("data", "indices", "indptr")}
        return arrays, {
            "num_docs": int(self.index.scores["num_docs"]),
            "vocabulary": self.index.vocab_dict,
            "analyser": self.analyser,
        }

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take back the index."""
        self.analyser = values.get("analyser", "bigrams")
        self.index = bm25s.BM25(k1=self.settings.k1, b=self.settings.b)
        self.index.scores = {**arrays, "num_docs": values["num_docs"]}
        self.index.nonoccurrence_array = None
        self.index.vocab_dict = values["vocabulary"]
        self.index.unique_token_ids_set = set(values["vocabulary"].values())
