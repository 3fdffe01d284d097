"""Small GenSAR parts with random weights, and training without the text encoder."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmark.data.catalogue import Items, Queries
from benchmark.data.dataset import Dataset
from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import Requests, Task
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.learning.subwords import train_tokenizer
from benchmark.model import TrainingContext, TrainView
from gensar.engine.backbone import Backbone, Normaliser, t5_of
from gensar.engine.identifiers import Identifiers
from gensar.engine.trie import Trie
from gensar.engine.vocabulary import Vocabulary
from gensar.model import GenSAR
from gensar.settings import GenSARSettings

ITEMS, USERS = 30, 6
QUERIES = ("drama", "action comedy", "which item is next")
TASKS = (Task.REC, Task.SEARCH)
KINDS_OF_OUTPUT = [("trie", False), ("trie", True), ("level", False), ("vocabulary", False)]
"""What probabilities of codes are over, and whether prefixes have vectors of their own."""
SMALL = {
    "collaborative_preset": "quick",
    "latent": 8,
    "rqvae_hidden": (16,),
    "codebook_size": 8,
    "rqvae_epochs": 5,
    "width": 16,
    "heads": 2,
    "layers": 1,
    "feed_forward": 32,
    "text_tokens": 200,
    "max_history": 6,
    "item_samples": 8,
    "item_share": 9.0,
    "query_samples": 20,
    "pseudo_samples": 20,
    "text_samples": 20,
    "epochs": 2,
    "validate_every": 1,
    "patience": 99,
    "validation_requests": 20,
}


def random_identifiers(
    items: int, sizes: tuple[tuple[int, ...], tuple[int, ...]], seed: int = 0
) -> Identifiers:
    """Return identifiers whose first two levels are shared."""
    rng = np.random.default_rng(seed)
    kinds = [np.stack([rng.integers(0, n, items) for n in levels], axis=1) for levels in sizes]
    kinds[1][:, :2] = kinds[0][:, :2]
    shared = [rng.standard_normal((sizes[0][0], 8)).astype(np.float32) for _ in range(2)]
    halves = ((0, 4), (4, 0))
    specific = [
        [
            np.pad(rng.standard_normal((sizes[0][2], 4)).astype(np.float32), ((0, 0), half))
            for _ in range(2)
        ]
        for half in halves
    ]
    books = ((*shared, *specific[0]), (*shared, *specific[1]))
    return Identifiers((kinds[0], kinds[1]), 2, sizes, books)


def vocabulary_of(identifiers: Identifiers) -> Vocabulary:
    tokenizer = train_tokenizer(["drama comedy action", "which item is next"], 60)
    return Vocabulary(tokenizer, tokenizer.get_vocab_size(), identifiers)


def backbone_of(
    vocabulary: Vocabulary,
    causal: bool = False,
    softmax: Normaliser = "level",
    seed: int = 0,
    whole_answers: bool = False,
    node_vectors: bool = False,
) -> Backbone:
    """Return a T5 of random weights, large enough that its outputs differ clearly."""
    settings = GenSARSettings(width=16, heads=2, layers=2, feed_forward=32)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        backbone = Backbone(
            t5_of(settings, vocabulary.size),
            vocabulary,
            causal,
            "vocabulary" if whole_answers else softmax,
            whole_answers,
            tuple(Trie.of(c).nodes for c in vocabulary.identifiers.codes) if node_vectors else (),
        )
        for weight in backbone.parameters():
            torch.nn.init.normal_(weight, std=0.5)
    return backbone.eval()


def competitors(
    vocabulary: Vocabulary, softmax: Normaliser, kind: int, item: int, level: int
) -> list[int]:
    """Return the tokens that an item's code at a level is held against, itself included."""
    if softmax == "vocabulary":
        return list(range(vocabulary.size))
    if softmax == "level":
        return list(range(*vocabulary.level_range(kind, level)))
    tokens = vocabulary.code_tokens(kind)
    alike = (tokens[:, :level] == tokens[item, :level]).all(axis=1)
    return sorted(set(tokens[alike, level].tolist()))


def log_probs_of(
    backbone: Backbone, output: Any, kind: int, item: int, level: int, softmax: Normaliser
) -> Tensor:
    """Return the log-probability of an item's code at a level, ``[rows]``, a competitor at a time.

    ``output`` is what ``transformers`` gives for the codes before it, hidden states included.
    """
    vocabulary = backbone.vocabulary
    among = competitors(vocabulary, softmax, kind, item, level)
    logits = output.logits[:, level, among]
    if len(backbone.node_vectors):
        state = output.decoder_hidden_states[-1][:, level] * backbone.t5.config.d_model**-0.5
        tokens = vocabulary.code_tokens(kind)
        path = Trie.of(vocabulary.identifiers.codes[kind]).path[:, level]
        for place, token in enumerate(among):
            alike = (tokens[:, :level] == tokens[item, :level]).all(axis=1)
            first = int(np.flatnonzero(alike & (tokens[:, level] == token))[0])
            logits[:, place] += state @ backbone.node_vectors[kind][path[first]]
    own = among.index(int(vocabulary.code_tokens(kind)[item, level]))
    return functional.log_softmax(logits, dim=-1)[:, own]


def train_view(twins: bool = False, seed: int = 0) -> TrainView:
    """Return events whose items a user never meets twice, but for twins of the same moment."""
    rng = np.random.default_rng(seed)
    length = rng.integers(1, 12, USERS)
    user = np.repeat(np.arange(USERS), length)
    item = np.concatenate([rng.permutation(ITEMS)[:n] for n in length])
    time = np.concatenate([np.arange(n) // 2 for n in length])
    kind = np.zeros_like(item) if twins else rng.integers(0, 2, len(item))
    if twins:
        copied = np.flatnonzero(rng.random(len(item)) < 0.6)
        user, item, time = (np.concatenate([c, c[copied]]) for c in (user, item, time))
        kind = np.concatenate([kind, np.ones(len(copied), dtype=np.int64)])
    query = np.where(kind == EventSource.SEARCHED, rng.integers(0, len(QUERIES), len(kind)), -1)
    log = EventLog.from_columns(user, item, time, kind, query, np.full(len(user), -1), USERS)
    ids = tuple(map(str, range(ITEMS)))
    queries = Queries(tuple("abc"), QUERIES, ("given",) * 3)
    return TrainView(log, Items(ids, ids, ("drama comedy",) * ITEMS, {}), queries, "")


def bag_of_words(texts: tuple[str, ...], *_: object) -> NDArray[np.float32]:
    """Stand in for the text encoder: the mean of a random vector for each word."""
    rows = []
    for text in texts:
        seeds = [zlib.crc32(word.encode()) for word in text.lower().split()] or [0]
        rows.append(np.mean([np.random.default_rng(s).standard_normal(24) for s in seeds], axis=0))
    return np.array(rows, dtype=np.float32)


@contextmanager
def without_text_encoder() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gensar.engine.item_vectors.semantic_vectors", bag_of_words)
        patch.setattr("gensar.model.semantic_vectors", bag_of_words)
        yield


def fit(data: Dataset, context: TrainingContext | None = None, **settings: object) -> GenSAR:
    """Train on ``data`` in a few seconds; ``settings`` go before :data:`SMALL`."""
    model = GenSAR(GenSARSettings(**{**SMALL, **settings}))  # type: ignore[arg-type]
    with without_text_encoder():
        model.fit(data.train, HarnessValidation(data, TASKS), context or TrainingContext(TASKS, 1))
    return model


def some_requests(data: Dataset, task: Task, candidates: bool = False) -> Requests:
    whole = data.evaluation["test", task]
    requests = whole.requests[:12]
    if not candidates:
        return requests
    lists = whole.lists["sampled"].at(np.arange(12))
    return replace(requests, candidates=lists.rectangle())
