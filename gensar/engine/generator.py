"""A model that writes identifiers: everything but where the identifiers come from.

GenSAR is one, and so are the generative baselines: they share vocabulary, backbone, training loop
and constrained decoding, so that a comparison of them compares identifiers and tasks.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import T5Config, T5ForConditionalGeneration

from benchmark.data.catalogue import Queries
from benchmark.data.requests import PAD, Requests, Task
from benchmark.errors import BenchmarkError, InputError, did_you_mean
from benchmark.inspect.ad_hoc_requests import RankedItem, is_text, request_after
from benchmark.learning.ragged import Ragged
from benchmark.model import Model, TrainingContext, TrainView, Validation
from gensar.engine.backbone import Backbone, readable, t5_of, tokenizer_of
from gensar.engine.beam_search import Leaves, beam_search, score_catalogue, score_items
from gensar.engine.bucketed_encoder import encode_by_length
from gensar.engine.identifiers import COLLABORATIVE, SEMANTIC, Identifiers
from gensar.engine.incremental_decoder import Memory
from gensar.engine.initialisation import start_embeddings
from gensar.engine.sequences import NOTHING, Inputs, Sequences
from gensar.engine.targets import Step
from gensar.engine.trie import Barred, Trie
from gensar.engine.vocabulary import Vocabulary
from gensar.settings import GeneratorSettings

__all__ = ["Epochs", "Generator", "Identified", "TrainingFormat"]

SCORED_AT_ONCE = 6400
"""Candidates that one pass of the decoder scores."""
REQUESTS_AT_ONCE = 64
"""Requests that one beam search serves."""

Epochs = Callable[[np.random.Generator], tuple[int, Iterator[Step]]]
"""Gives, for an epoch's random numbers, its number of steps and the steps."""


class TrainingFormat(Protocol):
    """How requests become inputs and training events become steps."""

    @property
    def causal(self) -> bool:
        """Whether an input position sees only what stands before it."""
        ...

    def request_inputs(self, requests: Requests, words: Ragged) -> Inputs:
        """Return what each request is answered from.

        ``words`` are the text pieces of every query in the query table.
        """
        ...

    def training(self, train: TrainView, tasks: tuple[Task, ...]) -> Epochs:
        """Return what the epochs of training on ``tasks`` are made from."""
        ...


@dataclass(frozen=True)
class Identified:
    """The identifiers of all items.

    Attributes:
        identifiers: the codes.
        place: returns where texts lie in the space of the codebooks, ``[texts, width]``; ``None``
            where texts have no place in it.
    """

    identifiers: Identifiers
    place: Callable[[Sequence[str]], NDArray[np.float32]] | None = None


class Generator(Model):
    """Writes an item's identifier, code by code, among those that exist."""

    scores_catalogue = False
    uses_gpu = True

    settings: GeneratorSettings

    @abstractmethod
    def identify(
        self, train: TrainView, validation: Validation, context: TrainingContext
    ) -> Identified:
        """Give every item its identifiers."""

    @abstractmethod
    def make_regime(self, sequences: Sequences) -> TrainingFormat:
        """Return how this model reads and learns."""

    def texts(self, train: TrainView) -> list[str]:
        """Return what the text vocabulary is learned from; a model that reads no text has none."""
        return [text for text in (*train.items.texts, *train.queries.texts) if text]

    def make_vocabulary(self, tokenizer: Tokenizer, identifiers: Identifiers) -> Vocabulary:
        """Return the numbers of all tokens."""
        return Vocabulary(tokenizer, tokenizer.get_vocab_size(), identifiers)

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Make identifiers, then train the backbone to write them."""
        # Imported here, because the trainer asks for a model like this one.
        from gensar.engine.training import Trainer

        self.prepare(train, validation, context)
        with context.run_log.phase("backbone"):
            Trainer(self, train, validation, context).run()

    def prepare(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Make identifiers and a backbone that has learned nothing yet."""
        self.item_ids, self.item_titles = train.items.ids, train.items.titles
        self.trained_for = context.tasks
        found = self.identify(train, validation, context)
        tokenizer = tokenizer_of(self.settings, self.texts(train))
        vocabulary = self.make_vocabulary(tokenizer, found.identifiers)
        with torch.random.fork_rng():
            torch.manual_seed(context.seed)
            t5 = t5_of(self.settings, vocabulary.size)
        self._assemble(t5, vocabulary, context.device)
        new = self.settings.backbone == "config"
        if new and self.settings.codebook_start and found.identifiers.vectors[0]:
            pieces = found.place(vocabulary.pieces()) if found.place else None
            scale = self.settings.embedding_scale
            start_embeddings(self.backbone, pieces, scale, context.seed)

    def _assemble(
        self, t5: T5ForConditionalGeneration, vocabulary: Vocabulary, device: str
    ) -> None:
        self.device = device
        self.vocabulary = vocabulary
        self.sequences = Sequences(vocabulary, self.settings.item_tokens == "fused")
        self.regime = self.make_regime(self.sequences)
        self.backbone = Backbone(
            t5,
            vocabulary,
            causal=self.regime.causal,
            vocabulary_softmax=self.settings.vocabulary_softmax,
        ).to(device)
        self.backbone.eval()
        codes = vocabulary.identifiers.codes
        self._tries = [Trie.of(c, device) for c in codes]
        self._tokenised: tuple[Queries, Ragged] | None = None
        self._leaves = [Leaves.of(trie) for trie in self._tries]

    def identifier_kind(self, task: Task) -> int:
        """Return which identifier the task writes (GenSAR section 3.3)."""
        return COLLABORATIVE if task == Task.REC else SEMANTIC

    def behaviour_token(self, task: Task) -> int:
        """Return the token that the decoder starts with."""
        return self.vocabulary.rec if task == Task.REC else self.vocabulary.searched

    @torch.no_grad()
    def read(self, requests: Requests) -> Memory:
        """Encode a batch of requests: histories, and for search the query behind them."""
        asked = self.regime.request_inputs(requests, self._words(requests))
        inputs, first, stop = (
            torch.as_tensor(array, device=self.device)
            for array in (
                asked.tokens.padded(NOTHING),
                asked.first[:, None],
                asked.tokens.lengths[:, None],
            )
        )
        states = encode_by_length(self.backbone, inputs)
        visible = readable(first, stop, states.shape[1])
        return Memory(states, visible, self.backbone.summary(states, stop))

    def _words(self, requests: Requests) -> Ragged:
        """Return the pieces of all queries, tokenised once for each query table."""
        queries = requests.queries
        if self._tokenised is None or self._tokenised[0] is not queries:
            words = self.vocabulary.encode(queries.texts, self.settings.query_tokens)
            self._tokenised = (queries, words)
        return self._tokenised[1]

    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Score candidates by the log-probability of their identifiers.

        With ``candidate_decoding="beam"`` candidates that the beam search over their trie does
        not reach score minus infinity, as in the published evaluation.
        """
        asked = requests.candidates
        size = max(1, SCORED_AT_ONCE // max(requests.items if asked is None else asked.shape[1], 1))
        parts = [self._score(requests[i : i + size]) for i in range(0, len(requests), size)]
        shape = (0, requests.items) if asked is None else asked.shape
        return np.concatenate(parts) if parts else np.empty(shape, dtype=np.float32)

    def _score(self, requests: Requests) -> NDArray[np.float32]:
        kind = self.identifier_kind(requests.task)
        start, trie = self.behaviour_token(requests.task), self._tries[kind]
        beams = self.settings.num_beams if self.settings.candidate_decoding == "beam" else None
        memory, items = self.read(requests), requests.candidates
        if items is None and beams is None:
            scores = score_catalogue(self.backbone, memory, start, kind, trie)
        else:
            everything = np.arange(requests.items)
            items = np.tile(everything, (len(requests), 1)) if items is None else items
            # What fills up short lists stands for an item that is asked for anyway.
            items = np.where(items == PAD, items.max(axis=1, keepdims=True), items)
            chosen = torch.as_tensor(items.astype(np.int64), device=self.device)
            scores = score_items(self.backbone, memory, start, kind, trie, chosen, beams)
        return scores.cpu().numpy()

    def retrieve(self, requests: Requests, k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Write the best identifiers of the catalogue by constrained beam search.

        No more than ``beams`` are found, however many are asked for.
        """
        return self._retrieve(requests, k, self.settings.num_beams)

    def _retrieve(
        self, requests: Requests, k: int, beams: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        parts = requests.batches(REQUESTS_AT_ONCE)
        found = [self._written_best(part, k, beams) for part in parts]
        items = [np.empty((0, k), dtype=np.int32), *(pair[0] for pair in found)]
        scores = [np.empty((0, k), dtype=np.float32), *(pair[1] for pair in found)]
        return np.concatenate(items), np.concatenate(scores)

    def _written_best(
        self, requests: Requests, k: int, beams: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        kind = self.identifier_kind(requests.task)
        trie = self._tries[kind]
        barred = Barred.of(trie, *requests.seen()) if requests.exclude_seen else None
        leaves, scores = beam_search(
            self.backbone,
            self.read(requests),
            self.behaviour_token(requests.task),
            kind,
            trie,
            beams,
            barred,
        )
        found, scores = self._leaves[kind].items(leaves, scores, barred)
        missing = max(0, k - found.shape[1])
        items = np.pad(found.cpu().numpy(), ((0, 0), (0, missing)), constant_values=PAD)
        values = np.pad(scores.cpu().numpy(), ((0, 0), (0, missing)), constant_values=-np.inf)
        return items[:, :k].astype(np.int32), values[:, :k]

    def item_codes(self) -> dict[str, NDArray[np.int64]]:
        """Return the codes of every item, ``[items, levels]``, by the kind of identifier."""
        semantic, collaborative = self.vocabulary.identifiers.codes
        if np.array_equal(semantic, collaborative):
            return {"identifier": semantic}
        return {"semantic": semantic, "collaborative": collaborative}

    def recommend(
        self, history: Sequence[str | tuple[str, str]], k: int = 10, again: bool = False
    ) -> list[RankedItem]:
        """Return the ``k`` items that a user takes next, best first.

        Args:
            history: what the user took so far, oldest first: an item's id, or an item's id and the
                words by which the user found it.
            k: number of items.
            again: whether items of the history may be given again.

        Raises:
            InputError: an item is unknown, words are no text, ``k`` is not positive, or the model
                was not trained to recommend.
        """
        return self._answers(Task.REC, history, None, k, again)

    def search(
        self, history: Sequence[str | tuple[str, str]], query: str, k: int = 10
    ) -> list[RankedItem]:
        """Return the ``k`` items that the user searches for, best first; see :meth:`recommend`."""
        if not query.strip():
            raise InputError("a search needs words")
        return self._answers(Task.SEARCH, history, query, k, again=True)

    def _answers(
        self,
        task: Task,
        history: Sequence[str | tuple[str, str]],
        query: str | None,
        k: int,
        again: bool,
    ) -> list[RankedItem]:
        if task not in self.trained_for:
            raise InputError(f"this {type(self).__name__} was not trained for {task}")
        if k < 1:
            raise InputError(f"k must be at least 1, not {k}")
        row = {item: number for number, item in enumerate(self.item_ids)}
        events = [(event, None) if isinstance(event, str) else event for event in history]
        for item, _ in events:
            if item not in row:
                raise InputError(f"unknown item '{item}'{did_you_mean(item, row)}")
        for words in (query, *(found for _, found in events)):
            if words is not None and not is_text(words):
                raise InputError("words of a search have control characters or are no UTF-8")
        asked = request_after(
            [(row[item], words) for item, words in events], len(row), task, query, not again
        )
        k = min(k, len(row))
        found = self._retrieve(asked, k, max(k, self.settings.num_beams))
        items, scores = (part[0].tolist() for part in found)
        return [
            RankedItem(self.item_ids[item], self.item_titles[item], score)
            for item, score in zip(items, scores, strict=True)
            if item != PAD
        ]

    def parameters(self) -> int:
        """Return the number of the T5's parameters."""
        return sum(p.numel() for p in self.backbone.t5.parameters())

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return weights, codes and codebooks; tokenizer and T5 configuration as JSON."""
        weights = {
            f"t5.{name}": weight.detach().cpu().numpy()
            for name, weight in self.backbone.t5.named_parameters()
        }
        arrays, values = self.vocabulary.identifiers.to_arrays()
        return arrays | weights, {
            **values,
            "items": {"ids": self.item_ids, "titles": self.item_titles},
            "tasks": list(map(str, self.trained_for)),
            "tokenizer": self.vocabulary.tokenizer.to_str(),
            "t5": self.backbone.t5.config.to_dict(),
        }

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take back what :meth:`state` returned.

        Raises:
            BenchmarkError: weights of the T5 are missing.
        """
        self.trained_for = tuple(map(Task, values["tasks"]))
        self.item_ids, self.item_titles = (
            tuple(values["items"][name]) for name in ("ids", "titles")
        )
        vocabulary = self.make_vocabulary(
            Tokenizer.from_str(values["tokenizer"]), Identifiers.from_arrays(arrays, values)
        )
        with torch.random.fork_rng():
            t5 = T5ForConditionalGeneration(T5Config(**values["t5"]))
        weights = {n[3:]: torch.as_tensor(a) for n, a in arrays.items() if n.startswith("t5.")}
        # Weights that are tied to others are not among them.
        t5.load_state_dict(weights, strict=False)
        t5.tie_weights()
        lacking = sorted(name for name, _ in t5.named_parameters() if name not in weights)
        if lacking:
            raise BenchmarkError(f"{len(lacking)} weights are missing, {lacking[0]} for one")
        self._assemble(t5, vocabulary, "cpu")
