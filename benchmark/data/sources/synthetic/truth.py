"""What is true of the items and users of synthetic data, which no model is told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.special import ndtri

from benchmark.data.sources.synthetic.draws import Stream, classes, uniforms
from benchmark.data.sources.synthetic.rules import SLOTS, SyntheticRules
from benchmark.data.sources.synthetic.words import made_up

__all__ = ["TOPIC_WORDS", "Truth", "truth_of"]

TOPIC_WORDS = 8
"""Words that a topic has, of which each of its items takes some."""
_SPREAD = 0.5
"""Standard deviation of the logarithm of how active users are."""


@dataclass(frozen=True)
class Truth:
    """What was planted.

    Attributes:
        taste: int32 ``[items]``, the class that recommendation follows.
        topic: int32 ``[items]``, the class that search follows, and the text is about.
        subject: int32 ``[items]``.
        weight: ``[items]``, how popular each is in recommendation, among its like.
        search_weight: ``[items]``, likewise in search.
        slots: int32 ``[items, SLOTS]``, the words of each text by their place in ``vocabulary``:
            its own, its subject's, its topic's.
        vocabulary: every word.
        favourite: int32 ``[users]``, the taste of each.
        interest: int32 ``[users]``, the topic of what each searches for.
        offsets: int64 ``[users + 1]``, where each user's events begin, copies not counted.
    """

    taste: NDArray[np.int32]
    topic: NDArray[np.int32]
    subject: NDArray[np.int32]
    weight: NDArray[np.float64]
    search_weight: NDArray[np.float64]
    slots: NDArray[np.int32]
    vocabulary: pa.Array
    favourite: NDArray[np.int32]
    interest: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def titles(self) -> pa.Array:
        """Return the items' own word and that of their subject, ``[items]``."""
        return self.phrases(self.slots[:, :2])

    def abouts(self) -> pa.Array:
        """Return the words of the items' topics, ``[items]``."""
        return self.phrases(self.slots[:, 2:])

    def phrases(self, words: NDArray[np.integer]) -> pa.Array:
        """Return the texts of rows of words, ``[rows, words]`` by their place in the vocabulary."""
        columns = [self.vocabulary.take(pa.array(column)) for column in words.T]
        return pc.binary_join_element_wise(*columns, pa.scalar(" ", pa.large_string()))


def truth_of(rules: SyntheticRules) -> Truth:
    """Draw what is true of items and users."""

    def item_lots(stream: Stream) -> NDArray[np.float64]:
        return uniforms(rules.seed, stream, 0, rules.items)

    def user_lots(stream: Stream) -> NDArray[np.float64]:
        return uniforms(rules.seed, stream, 0, rules.users)

    taste = classes(item_lots(Stream.ITEM_TASTE), rules.tastes)
    coupled = item_lots(Stream.ITEM_COUPLED) < rules.coupling
    topic = np.where(coupled, taste, classes(item_lots(Stream.ITEM_TOPIC), rules.tastes))
    subject = classes(item_lots(Stream.ITEM_SUBJECT), rules.subjects)
    lots = item_lots(Stream.ITEM_RANK)
    searched = np.where(coupled, lots, item_lots(Stream.ITEM_SEARCH_RANK))
    favourite = classes(user_lots(Stream.USER_TASTE), rules.tastes)
    own = user_lots(Stream.USER_COUPLED) < rules.coupling
    return Truth(
        taste=taste,
        topic=topic,
        subject=subject,
        weight=_zipf(lots, rules.popularity),
        search_weight=_zipf(searched, rules.popularity),
        slots=_slots(rules, topic, subject),
        vocabulary=made_up(rules.tastes * TOPIC_WORDS + rules.subjects + rules.items),
        favourite=favourite,
        interest=np.where(own, favourite, classes(user_lots(Stream.USER_INTEREST), rules.tastes)),
        offsets=_offsets(rules, user_lots(Stream.USER_ACTIVITY)),
    )


def _zipf(lots: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    rank = np.empty(len(lots))
    rank[np.argsort(lots, kind="stable")] = np.arange(1, len(lots) + 1)
    return rank**-exponent


def _slots(
    rules: SyntheticRules, topic: NDArray[np.int32], subject: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Return the words of each item: first those of topics stand in the vocabulary, then subjects'.

    An odd step through a topic's words, which are a power of two, meets none of them twice.
    """
    lots = (uniforms(rules.seed, Stream.ITEM_WORDS, 0, rules.items, 2) * TOPIC_WORDS).astype(int)
    first, step = lots[:, :1], lots[:, 1:] | 1
    place = (first + step * np.arange(SLOTS - 2)) % TOPIC_WORDS
    topics = rules.tastes * TOPIC_WORDS
    own = topics + rules.subjects + np.arange(rules.items)
    columns = [own, topics + subject, *(topic[:, None] * TOPIC_WORDS + place).T]
    return np.stack(columns, axis=1).astype(np.int32)


def _offsets(rules: SyntheticRules, lots: NDArray[np.float64]) -> NDArray[np.int64]:
    """Share out the events by a lognormal law, one at least and half of all items at most each."""
    most = max(rules.items // 2, 1)
    weight = np.exp(_SPREAD * ndtri(np.clip(lots, 1e-12, None)))
    counts = np.ones(rules.users, dtype=np.int64)
    while left := rules.events - int(counts.sum()):
        weight[counts >= most] = 0
        shares = left * (weight / weight.sum())
        more = np.floor(shares).astype(np.int64)
        order = np.argsort(more - shares, kind="stable")
        more[order[: left - int(more.sum())]] += 1
        counts = np.minimum(counts + more, most)
    return np.concatenate([[0], np.cumsum(counts)])
