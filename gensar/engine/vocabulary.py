"""Tokens: text pieces first, then the three behaviour tokens, then the codes of every level.

Behind them there may be one token for each item, which is read only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from benchmark.learning.ragged import Ragged
from gensar.engine.identifiers import Identifiers

__all__ = ["END", "PADDING", "Vocabulary"]

PADDING, END = 0, 1
"""The same numbers as in T5's own vocabulary and in that of :mod:`benchmark.learning.subwords`."""


@dataclass(frozen=True)
class Vocabulary:
    """Numbers every token.

    Attributes:
        tokenizer: the text tokenizer; its pieces are ``0 … text - 1``.
        text: size of the text part, special tokens included.
        identifiers: the items' codes.
        behaviour_tokens: whether there are behaviour tokens; without them the decoder always
            starts with ``PADDING``, as T5's does.
        own: whether each item has a token of its own beside its codes.
        tied: whether the embeddings of these tokens are vectors that there are already, so that
            the table of tokens needs none; see :class:`gensar.engine.backbone.Backbone`.
    """

    tokenizer: Tokenizer
    text: int
    identifiers: Identifiers
    behaviour_tokens: bool = True
    own: bool = False
    tied: bool = False

    @property
    def rec(self) -> int:
        """Behaviour token before the collaborative identifier of a recommended item."""
        return self.text if self.behaviour_tokens else PADDING

    @property
    def query(self) -> int:
        """Behaviour token before the words of a query."""
        return self.text + 1 if self.behaviour_tokens else PADDING

    @property
    def searched(self) -> int:
        """Behaviour token before the semantic identifier of an item found by search."""
        return self.text + 2 if self.behaviour_tokens else PADDING

    @property
    def first_code(self) -> int:
        """The first code token."""
        return self.text + 3 * self.behaviour_tokens

    def level_range(self, identifier: int, level: int) -> tuple[int, int]:
        """Return first and last + 1 of the tokens of a level of one identifier.

        Shared levels are the same tokens for both.
        """
        sizes, shared = self.identifiers.level_sizes, self.identifiers.shared_levels
        start = self.first_code + sum(sizes[0][: min(level, shared)])
        if level >= shared:
            start += sum(sizes[0][shared:]) if identifier else 0
            start += sum(sizes[identifier][shared:level])
        return start, start + sizes[identifier][level]

    @property
    def first_item(self) -> int:
        """The first of the items' own tokens, if there are any."""
        return self.level_range(1, len(self.identifiers.level_sizes[1]) - 1)[1]

    @property
    def size(self) -> int:
        """Number of all tokens that have an embedding of their own."""
        own = self.own and not self.tied
        return self.first_item + own * len(self.identifiers.codes[0])

    def code_tokens(self, identifier: int) -> NDArray[np.int64]:
        """Return the tokens of every item's identifier, ``[items, levels]``."""
        codes = self.identifiers.codes[identifier]
        starts = [self.level_range(identifier, level)[0] for level in range(codes.shape[1])]
        return codes + np.array(starts, dtype=np.int64)

    def pieces(self) -> tuple[str, ...]:
        """Return every text piece as a person would write it, ``[text]``."""
        pieces = (self.tokenizer.id_to_token(number) or "" for number in range(self.text))
        return tuple(piece.replace("\u2581", " ").strip() for piece in pieces)

    def encode(self, texts: Sequence[str], longest: int) -> Ragged:
        """Return the pieces of each text, cut at ``longest``."""
        encoded = self.tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return Ragged.of_lists([e.ids[:longest] for e in encoded])
