"""Search by any sentence encoder as it was published (Reimers and Gurevych 2019)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from baselines.bi_encoder import BiEncoder, distinct_texts
from baselines.pieces import ROWS
from baselines.sentence_search import SentenceSearch, searching
from benchmark.data.requests import Task
from benchmark.errors import InputError
from benchmark.learning.pretrained import check_place, weights_digest
from benchmark.model import TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes
from benchmark.search_space import Dimension
from benchmark.settings import BUNDLED, setting

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["EncoderSearch", "EncoderSettings", "PublishedEncoder", "joined"]

Role = Literal["query", "document"]
_PROMPTS: dict[Role, tuple[str, ...]] = {
    "query": ("query",),
    "document": ("document", "passage", "corpus"),
}
"""What an encoder's own file may call what it puts before texts; the first that is there counts."""
_MEND = f"'{BUNDLED}' names the one that is installed; a folder needs no hub"


@dataclass(frozen=True)
class EncoderSettings:
    """Settings of :class:`EncoderSearch`."""

    encoder: str = setting(BUNDLED, "a hub name, a folder, or the bundled MiniLM")
    query_prefix: str | None = setting(None, "stands before a query; none: what the encoder names")
    item_prefix: str | None = setting(None, "stands before an item; none: what the encoder names")
    longest: int = setting(512, "word pieces of a text that are read, prefix included", low=1)


class PublishedEncoder(BiEncoder):
    """An encoder of any build, asked for queries and items each in its own way.

    One that is a transformer over word pieces is read as :class:`BiEncoder` reads it, so that no
    vector hangs on the texts beside it. Any other, such as a table of word vectors, or networks
    that differ for queries and items, is asked by sentence-transformers itself.
    """

    def __init__(self, name: str, device: str, longest: int) -> None:
        super().__init__(name, device, longest, _MEND)
        self.by_pieces = _reads_pieces(self.network)
        if not self.by_pieces:
            with suppress(AttributeError):  # a table of words reads whole texts
                self.network.max_seq_length = self.longest

    def prompt(self, role: Role) -> str:
        """Return what the encoder's own file puts before a text; "" where it says nothing."""
        prompts: Mapping[str, str | None] = self.network.prompts
        # The library adds empty ones of names that the file does not hold.
        return next(filter(None, (prompts.get(name) for name in _PROMPTS[role])), "")

    def encode_as(
        self,
        role: Role,
        texts: Sequence[str],
        prefix: str | None,
        advance: Callable[[int], None] | None = None,
    ) -> NDArray[np.float32]:
        """Return vectors of unit length, float32 ``[texts, width]``; each distinct text once.

        Args:
            role: what the texts are.
            texts: the texts.
            prefix: stands before each of them, see :func:`joined`; ``None`` for the encoder's own.
            advance: is told of progress in texts.
        """
        before = self.prompt(role) if prefix is None else joined(prefix)
        if self.by_pieces:
            return self.encode([before + text for text in texts] if before else texts, advance)
        if len(texts) == 0:
            return np.empty((0, self.width), dtype=np.float32)
        distinct, place = distinct_texts(texts)
        ask = self.network.encode_query if role == "query" else self.network.encode_document
        found = ask(
            distinct,
            prompt=before,
            batch_size=ROWS,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        if advance is not None:
            advance(len(distinct))
        return found.astype(np.float32)[place]


def _reads_pieces(network: SentenceTransformer) -> bool:
    """Return whether a network is a plain transformer over word pieces that counts all of them."""
    from sentence_transformers.base.modules import Transformer
    from transformers import PreTrainedTokenizerBase

    first = network[0]
    return (
        type(first) is Transformer
        and isinstance(network.tokenizer, PreTrainedTokenizerBase)
        and not first.do_lower_case
        and network.truncate_dim is None
        and all(getattr(module, "include_prompt", True) for module in network)
    )


def joined(prefix: str) -> str:
    """Return a prefix as it stands before a text: settings lose the blank at its end.

    Where it ends in ASCII, as ``query:`` does, a blank follows. What ends in another script, which
    may have no blanks, stays as it is.
    """
    return f"{prefix} " if prefix and prefix[-1].isascii() and not prefix[-1].isspace() else prefix


class EncoderSearch(SentenceSearch[EncoderSettings]):
    """Exact search by the cosine of query and item, of an encoder that learns nothing here."""

    Settings = EncoderSettings
    search_space: ClassVar[Mapping[str, Dimension | None]] = {}

    encoder: PublishedEncoder

    def check(self, train: TrainView, tasks: tuple[Task, ...]) -> None:
        """Refuse items without a text, and a folder that is not there.

        Raises:
            InputError: no item has any text, or there is no such folder.
        """
        super().check(train, tasks)
        check_place("text encoder", self.settings.encoder)

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs | None:
        """Tell the encoder and the vectors of the items."""
        search = searching(self.settings.encoder, self.settings.longest, sizes)
        return None if search is None else search.needs()

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Encode the items.

        Raises:
            InputError: the encoder cannot be loaded.
        """
        self._load(context.device)
        context.run_log.facts["prefixes"] = {
            role: self.encoder.prompt(role) if own is None else joined(own)
            for role, own in self._prefixes().items()
        }
        with context.run_log.phase("item vectors"):
            self.take_items(train, context)

    def _load(self, device: str) -> None:
        settings = self.settings
        self.encoder = PublishedEncoder(settings.encoder, device, settings.longest)

    def _prefixes(self) -> dict[Role, str | None]:
        return {"query": self.settings.query_prefix, "document": self.settings.item_prefix}

    def encode_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of queries, each behind its prefix."""
        return self.encoder.encode_as("query", texts, self.settings.query_prefix)

    def encode_items(
        self, texts: Sequence[str], advance: Callable[[int], None]
    ) -> NDArray[np.float32]:
        """Return the vectors of items, each behind its prefix."""
        return self.encoder.encode_as("document", texts, self.settings.item_prefix, advance)

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return the items' vectors, and what tells the encoder from another of its name."""
        return {"items": self.vectors}, {"weights": weights_digest(self.encoder.network)}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take the items' vectors, and the encoder that the settings name.

        Raises:
            InputError: the encoder cannot be loaded, or is no longer the one of these vectors.
        """
        self._load("cpu")
        if weights_digest(self.encoder.network) != values["weights"]:
            raise InputError(
                f"text encoder '{self.settings.encoder}' has other weights than it had when the"
                " items were encoded"
            )
        self.vectors = arrays["items"]
