"""Search by the vectors of a sentence encoder: an item's score is its cosine with the query."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from baselines.bi_encoder import BiEncoder
from benchmark.data.requests import Requests, Task
from benchmark.errors import InputError
from benchmark.given import Given
from benchmark.learning.costs import FLOAT, Cost, encoder_of, encoding, vector_width
from benchmark.learning.encoder_sizes import weights_of
from benchmark.model import Model, TrainingContext, TrainView
from benchmark.needs import Needs, Sizes, Work

__all__ = ["ITEMS_AT_ONCE", "Searching", "SentenceSearch", "searching"]

ITEMS_AT_ONCE = 2**16
"""Items whose vectors are held in double precision at a time."""


class _Settings(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def encoder(self) -> str: ...
    @property
    def longest(self) -> int: ...


S = TypeVar("S", bound=_Settings)
"""Settings that name an encoder, and how much of a text it reads."""


@dataclass(frozen=True)
class Searching:
    """What search by the vectors of an encoder takes.

    Attributes:
        encoder: the cost of a word piece.
        pieces: of an item's text and of a query together.
        items: the work of encoding the catalogue.
        request: that of a request.
        kept: bytes of the items' vectors.
    """

    encoder: Cost
    pieces: float
    items: Work
    request: Work
    kept: float

    def needs(self, *before: Work) -> Needs:
        """Return what a run needs that does the work ``before`` and then encodes the catalogue."""
        return Needs(
            (*before, self.items),
            self.request,
            kept=self.kept + FLOAT * self.encoder.weights,
            libraries=("torch", "sentence-transformers"),
        )


def searching(name: str, longest: int, sizes: Sizes) -> Searching | None:
    """Return what search by an encoder takes; ``None`` where nobody knows how large that is.

    Args:
        name: of the encoder.
        longest: word pieces of a text that are read.
        sizes: of the data.
    """
    item, query = sizes.item_pieces(longest), sizes.query_pieces(longest)
    encoder, width = encoder_of(name, max(item, query)), vector_width(name)
    if encoder is None or width is None:
        return None
    asked = encoding(encoder, 1, query)
    request = Work(
        flop=asked.flop + 2 * 2 * sizes.items * width,
        moved=asked.moved + 8 * sizes.items,
        calls=asked.calls,
        held=asked.held
        + 3 * FLOAT * sizes.at_once * sizes.items
        + 2 * FLOAT * width * min(sizes.items, ITEMS_AT_ONCE),
        encoder=encoder.weights,
    )
    items = encoding(encoder, sizes.items, item).named("item vectors")
    return Searching(encoder, item + query, items, request, FLOAT * width * sizes.items)


class SentenceSearch(Model[S], Generic[S]):
    """Exact search by the cosine of a query's vector and each item's, whoever asks.

    Attributes:
        encoder: makes the vectors.
        vectors: of the items, float32 ``[items, width]``, of unit length.
    """

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.SEARCH})
    uses_gpu = True
    shares_training = True

    encoder: BiEncoder
    vectors: NDArray[np.float32]

    @abstractmethod
    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return vectors of unit length of queries, ``[texts, width]``."""

    @abstractmethod
    def encode_items(
        self, texts: Sequence[str], advance: Callable[[int], None]
    ) -> NDArray[np.float32]:
        """Return vectors of unit length of items; ``advance`` is told of texts that are done."""

    def check(self, train: TrainView, tasks: tuple[Task, ...]) -> None:
        """Refuse items without a text: all would have one vector.

        Raises:
            InputError: no item has any.
        """
        if not train.items.have_texts:
            raise InputError("dense search needs items with a text, and this data set has none")

    def take_items(self, train: TrainView, context: TrainingContext) -> None:
        """Encode the catalogue."""
        with context.run_log.progress("item vectors", len(set(train.items.texts))) as bar:
            self.vectors = self.encode_items(train.items.texts, bar.advance)

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return the cosine of query and item.

        Products are summed in double precision: so they hang on the batch by less than a float's
        last digit, and ranks do not hang on it.
        """
        queries, rows = self._queries(requests)
        table = np.empty((len(queries), requests.items), dtype=np.float32)
        for start in range(0, requests.items, ITEMS_AT_ONCE):
            some = slice(start, start + ITEMS_AT_ONCE)
            table[:, some] = queries @ self.vectors[some].astype(np.float64).T
        return requests.of_candidates(table[rows])

    def request_vectors(self, requests: Requests) -> NDArray[np.float64]:
        """Return the queries' vectors, ``[requests, width]``."""
        queries, rows = self._queries(requests)
        return queries[rows]

    def ranked_vectors(self, task: Task) -> NDArray[np.float32]:
        """Return the items' vectors, ``[items, width]``."""
        return self.vectors

    def _queries(self, requests: Requests) -> tuple[NDArray[np.float64], list[int]]:
        """Return the vectors of the distinct queries, and the row of each request's."""
        texts = requests.query_texts()
        distinct = sorted(set(texts))
        place = {text: row for row, text in enumerate(distinct)}
        return self.encode_queries(distinct).astype(np.float64), [place[text] for text in texts]

    def given(self) -> Given:
        """Tell what it reads."""
        encoder = self.settings.encoder
        return Given(
            item_text=True,
            query_text=True,
            encoder=encoder,
            encoder_parameters=weights_of(encoder),
            rec_targets="",
            longest_history=0,
        )

    def parameters(self) -> int:
        """Return the number of the encoder's weights."""
        return self.encoder.parameters()
