"""A model that writes identifiers: everything but where the identifiers come from.

GenSAR is one, and so are the generative baselines: they share vocabulary, backbone, training loop
and constrained decoding, so that a comparison of them compares identifiers and tasks.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import T5Config, T5ForConditionalGeneration

from benchmark.data.catalogue import Queries
from benchmark.data.requests import PAD, Requests, Task
from benchmark.errors import BenchmarkError
from benchmark.learning.ragged import Ragged
from benchmark.learning.training_loop import train_to_best
from benchmark.model import Model, TrainingContext, TrainView, Validation
from gensar.engine.api import NotebookApi
from gensar.engine.backbone import Backbone, readable, t5_of, tokenizer_of
from gensar.engine.beam_search import Leaves, beam_search, score_catalogue, score_items
from gensar.engine.bucketed_encoder import encode_by_length
from gensar.engine.identifiers import COLLABORATIVE, SEMANTIC, Identifiers
from gensar.engine.incremental_decoder import EncoderOutput
from gensar.engine.initialisation import init_embeddings
from gensar.engine.regime import TrainingFormat
from gensar.engine.sequences import NOTHING, Sequences, padded_hidden
from gensar.engine.settings import GeneratorSettings
from gensar.engine.training import Trainer
from gensar.engine.trie import ExcludedItems, Trie
from gensar.engine.vocabulary import Vocabulary

__all__ = ["Generator", "Identified"]

SCORED_AT_ONCE = 6400
"""Candidates that one pass of the decoder scores."""
REQUESTS_AT_ONCE = 64
"""Requests that one beam search serves."""


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


class Generator(NotebookApi, Model):
    """Writes an item's identifier, code by code, among those that exist."""

    scores_catalogue = False
    uses_gpu = True
    shares_training = True

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
        tied = self.settings.item_tokens == "tied"
        own = tied or self.settings.item_tokens == "own"
        return Vocabulary(tokenizer, tokenizer.get_vocab_size(), identifiers, own=own, tied=tied)

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Make identifiers, then train the backbone to write them."""
        self.prepare(train, validation, context)
        with context.run_log.phase("backbone"):
            epochs = self.regime.training(train, context.tasks)
            trainer = Trainer(self.backbone, epochs, self.settings, context)
            train_to_best(
                "backbone",
                self,
                self.backbone,
                trainer,
                self.settings,
                self.settings.learning_rate,
                validation,
                context,
            )

    def prepare(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Make identifiers and a backbone that has learned nothing yet."""
        self.item_ids, self.item_titles = tuple(train.items.ids), tuple(train.items.titles)
        self.trained_for = context.tasks
        identified = self.identify(train, validation, context)
        # A GPU may have put an item into another code than that of the first process did.
        identifiers = context.processes.once(lambda: identified.identifiers)
        tokenizer = tokenizer_of(self.settings, self.texts(train))
        vocabulary = self.make_vocabulary(tokenizer, identifiers)
        with torch.random.fork_rng():
            torch.manual_seed(context.seed)
            t5 = t5_of(self.settings, vocabulary.size)
        self._assemble(t5, vocabulary, context.device)
        new = self.settings.backbone == "config"
        if new and self.settings.codebook_start and identifiers.codebooks[0]:
            place = identified.place
            pieces = place(vocabulary.pieces()) if place else None
            scale = self.settings.embedding_scale
            init_embeddings(self.backbone, pieces, scale, context.seed)
        if vocabulary.own:
            with torch.no_grad():  # an item that nobody chose adds nothing
                t5.shared.weight[vocabulary.first_item :] = 0

    def _assemble(
        self, t5: T5ForConditionalGeneration, vocabulary: Vocabulary, device: str
    ) -> None:
        self.device = device
        self.vocabulary = vocabulary
        self.sequences = Sequences(vocabulary, self.settings.item_tokens != "codes")
        self.regime = self.make_regime(self.sequences)
        codes = vocabulary.identifiers.codes
        self._tries = [Trie.of(c, device) for c in codes]
        own = self.settings.node_vectors
        self.backbone = Backbone(
            t5,
            vocabulary,
            causal=self.regime.causal,
            softmax=self.settings.softmax,
            whole_answers=self.settings.whole_answers,
            nodes=tuple(trie.nodes for trie in self._tries) if own else (),
            leaves=self._tries[COLLABORATIVE].path[:, -1] if vocabulary.tied else None,
        ).to(device)
        self.backbone.eval()
        self._tokenised: tuple[Queries, Ragged] | None = None
        self._leaves = [Leaves.of(trie) for trie in self._tries]

    def identifier_of(self, task: Task) -> int:
        """Return which identifier the task writes (GenSAR section 3.3)."""
        return COLLABORATIVE if task == Task.REC else SEMANTIC

    def behaviour_token(self, task: Task) -> int:
        """Return the token that the decoder starts with."""
        return self.vocabulary.rec if task == Task.REC else self.vocabulary.searched

    @torch.no_grad()
    def read(self, requests: Requests) -> EncoderOutput:
        """Encode a batch of requests: histories, and for search the query behind them."""
        inputs = self.regime.request_inputs(requests, self._words(requests))
        tokens, first, stop = (
            torch.as_tensor(array, device=self.device)
            for array in (
                inputs.tokens.padded(NOTHING),
                inputs.first[:, None],
                inputs.tokens.lengths[:, None],
            )
        )
        hidden = padded_hidden(inputs.tokens, inputs.hidden)
        states = encode_by_length(
            self.backbone,
            tokens,
            None if hidden is None else torch.as_tensor(hidden, device=self.device),
        )
        visible = readable(first, stop, states.shape[1])
        return EncoderOutput(states, visible, self.backbone.summary(states, stop))

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
        items = requests.candidates
        width = requests.items if items is None else items.shape[1]
        size = max(1, SCORED_AT_ONCE // max(width, 1))
        parts = [self._score(requests[i : i + size]) for i in range(0, len(requests), size)]
        return np.concatenate(parts) if parts else np.empty((0, width), dtype=np.float32)

    def _score(self, requests: Requests) -> NDArray[np.float32]:
        identifier = self.identifier_of(requests.task)
        start, trie = self.behaviour_token(requests.task), self._tries[identifier]
        beams = self.settings.num_beams if self.settings.candidate_decoding == "beam" else None
        encoded, items = self.read(requests), requests.candidates
        if items is None and beams is None:
            scores = score_catalogue(self.backbone, encoded, start, identifier, trie)
        else:
            if items is None:
                items = np.tile(np.arange(requests.items), (len(requests), 1))
            wanted = torch.as_tensor(items.astype(np.int64), device=self.device)
            scores = score_items(self.backbone, encoded, start, identifier, trie, wanted, beams)
        return scores.cpu().numpy()

    def retrieve(self, requests: Requests, k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Write the best identifiers of the catalogue by constrained beam search.

        No more than ``num_beams`` are found, however many are asked for.
        """
        return self.retrieve_by(requests, k, self.settings.num_beams)

    def retrieve_by(
        self, requests: Requests, k: int, beams: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Do as :meth:`retrieve` with another number of beams."""
        parts = [self._write(part, k, beams) for part in requests.batches(REQUESTS_AT_ONCE)]
        items = [np.empty((0, k), dtype=np.int32), *(items for items, _ in parts)]
        scores = [np.empty((0, k), dtype=np.float32), *(scores for _, scores in parts)]
        return np.concatenate(items), np.concatenate(scores)

    def _write(
        self, requests: Requests, k: int, beams: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        identifier = self.identifier_of(requests.task)
        trie = self._tries[identifier]
        excluded = ExcludedItems.of(trie, *requests.seen()) if requests.exclude_seen else None
        leaves, scores = beam_search(
            self.backbone,
            self.read(requests),
            self.behaviour_token(requests.task),
            identifier,
            trie,
            beams,
            excluded,
        )
        items, scores = self._leaves[identifier].items(leaves, scores, excluded)
        missing = ((0, 0), (0, max(0, k - items.shape[1])))
        rows = np.pad(items.cpu().numpy(), missing, constant_values=PAD)
        values = np.pad(scores.cpu().numpy(), missing, constant_values=-np.inf)
        return rows[:, :k].astype(np.int32), values[:, :k]

    def item_codes(self) -> dict[str, NDArray[np.int64]]:
        """Return the codes of every item, ``[items, levels]``, by the name of the identifier."""
        semantic, collaborative = self.vocabulary.identifiers.codes
        if np.array_equal(semantic, collaborative):
            return {"identifier": semantic}
        return {"semantic": semantic, "collaborative": collaborative}

    def parameters(self) -> int:
        """Return the number of parameters of the T5 and of what is added to it."""
        return sum(p.numel() for p in self.backbone.parameters())

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return weights, codes and codebooks; tokenizer and T5 configuration as JSON."""
        weights = {
            f"t5.{name}": weight.detach().cpu().numpy()
            for name, weight in self.backbone.t5.named_parameters()
        }
        weights |= {
            f"node_vectors.{number}": vectors.detach().cpu().numpy()
            for number, vectors in enumerate(self.backbone.node_vectors)
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
        with torch.no_grad():
            for number, vectors in enumerate(self.backbone.node_vectors):
                vectors.copy_(torch.as_tensor(arrays[f"node_vectors.{number}"]))
