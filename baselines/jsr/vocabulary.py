"""The word pieces that items' language models speak of, and their frozen vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from baselines.words import Words
from benchmark.data.catalogue import Queries
from benchmark.data.requests import PAD
from benchmark.learning.sentence_encoder import load_encoder
from benchmark.settings import BUNDLED

__all__ = ["Vocabulary", "pretrained_words"]

_UNKNOWN = "[UNK]"


def pretrained_words() -> tuple[Tokenizer, NDArray[np.float32]]:
    """Return the bundled MiniLM's word pieces and their input vectors, ``[pieces, 384]``."""
    encoder: Any = load_encoder(BUNDLED, "cpu")
    tokenizer = Tokenizer.from_str(encoder.tokenizer.backend_tokenizer.to_str())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    vectors = encoder[0].auto_model.get_input_embeddings().weight.detach().numpy()
    return tokenizer, vectors.astype(np.float32).copy()


class Vocabulary:
    """The pieces of a tokenizer that training shows, numbered from 0.

    Args:
        words: all pieces.
        pieces: int64 ``[vocabulary]``, ascending, those that count; none other has a place.
    """

    def __init__(self, words: Words, pieces: NDArray[np.int64]) -> None:
        self._words, self.pieces = words, pieces

    @classmethod
    def shown(cls, tokenizer: Tokenizer, texts: Sequence[str], longest: int) -> Vocabulary:
        """Return the pieces of ``texts``, and the one for what no piece stands for."""
        words = Words(tokenizer)
        rows = words.rows(texts, longest)
        pieces = np.unique(np.append(rows[rows > 0], tokenizer.get_vocab()[_UNKNOWN]))
        return cls(words, pieces.astype(np.int64))

    def __len__(self) -> int:
        return len(self.pieces)

    def rows(self, texts: Sequence[str], longest: int) -> NDArray[np.int64]:
        """Return the places of each text's pieces, ``[texts, <= longest]``, ``PAD`` where none."""
        return self._places(self._words.rows(texts, longest))

    def of_queries(self, queries: Queries, longest: int) -> NDArray[np.int64]:
        """Return the rows of a table's queries and, last, one of ``PAD`` for ``NO_QUERY``."""
        return self._places(self._words.of_queries(queries, longest))

    def _places(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        places = np.minimum(np.searchsorted(self.pieces, rows), len(self.pieces) - 1)
        return np.where(self.pieces[places] == rows, places, PAD)

    def to_json(self) -> str:
        """Return the tokenizer for a model's state; the pieces are an array of it."""
        return self._words.to_json()
