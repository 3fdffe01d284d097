"""Queries that an item might be found by, written by a model that learned it from real ones.

A search model that only sees the queries of its training events never hears of an item that
nobody searched for. A second T5 learns to write an item's queries from its text (doc2query,
Nogueira and Lin 2019); what it then writes for every item stands beside the real queries (DSI-QG,
Zhuang et al. 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoTokenizer, T5ForConditionalGeneration

from benchmark.budget import Budget
from benchmark.data.events import EventSource
from benchmark.errors import BenchmarkError
from benchmark.learning.quiet import without_progress_bars
from benchmark.learning.ragged import Ragged
from benchmark.learning.steps import descend
from benchmark.learning.subwords import train_tokenizer
from benchmark.learning.training_loop import TrainingLoop
from benchmark.model import TrainingContext, TrainView
from benchmark.settings import setting
from gensar.engine.backbone import t5_of, use_cheap_dropout
from gensar.engine.settings import GeneratorSettings
from gensar.engine.vocabulary import END, PADDING

__all__ = [
    "PseudoQuerySettings",
    "WrittenQueries",
    "generate_queries",
    "known_pairs",
    "pseudo_queries",
]

WrittenQueries = tuple[list[str], NDArray[np.int64]]
"""Queries that a model wrote, and the item of each, int64 ``[queries]`` ascending."""

ITEMS_AT_ONCE = 64
"""Items whose queries are sampled together."""
COPIES = 8
"""Samples of words that each item gives an epoch of copying."""


@dataclass(frozen=True)
class PseudoQuerySettings:
    """Settings of :func:`generate_queries`, for a model's settings to inherit from."""

    generator: str = setting(
        "own",
        "what writes queries: 'own' for a small T5 that learns from the data set's searches, "
        "'words' for one to four words of the text, or a doc2query model's hub name",
    )
    queries_per_item: int = setting(10, "queries written for each item", low=1)
    sampled_from: int = setting(
        10, "each next piece is drawn among so many most probable ones", low=1
    )
    probability_mass: float = setting(
        1.0, "and among the fewest that make up so much of the probability", high=1
    )
    generated_tokens: int = setting(32, "longest written query, in tokens", low=1)
    generator_text_tokens: int = setting(
        64, "tokens of an item's text that the generator reads", low=1
    )
    generator_width: int = setting(64, "width of the own generator", low=4)
    generator_layers: int = setting(1, "layers of its encoder and of its decoder", low=1)
    generator_batch_size: int = setting(32, "pairs of item and query in a batch of it", low=1)
    generator_learning_rate: float = setting(4e-3, "its peak learning rate", low=1e-9)
    generator_copies: int = setting(
        3, "epochs in which it first learns to pick words of the items' own texts", low=1
    )
    generator_epochs: int = setting(3, "its epochs over the distinct pairs after that")


@dataclass(frozen=True)
class _Writer:
    """A text-to-text model with its pieces.

    Attributes:
        t5: the model, ready to sample from.
        encode: texts to pieces, each text ended as the model expects.
        decode: rows of pieces to texts, special pieces left out.
    """

    t5: T5ForConditionalGeneration
    encode: Callable[[Sequence[str]], Ragged]
    decode: Callable[[list[list[int]]], list[str]]


def generate_queries(
    train: TrainView, settings: PseudoQuerySettings, context: TrainingContext
) -> WrittenQueries:
    """Write ``queries_per_item`` queries for every item that has a text.

    Everything follows from the training view and the seed. Where training holds no search to
    learn from, the own generator gives way to ``words``; the run log's fact ``pseudo_queries``
    says which one wrote.

    Returns:
        queries, and the item of each, int64 ``[queries]`` ascending. Empty ones are left out, one
        written twice for an item is kept twice.

    Raises:
        BenchmarkError: the hub is out of reach or has no such model.
    """
    known = np.flatnonzero([bool(text.strip()) for text in train.items.texts])
    texts = [train.items.texts[item] for item in known.tolist()]
    generator = settings.generator
    if generator == "own" and not len(known_pairs(train)):
        generator = "words"

    def written() -> list[str]:
        if not texts or not settings.queries_per_item:
            return []
        if generator == "words":
            return _words(texts, settings.queries_per_item, context.seed)
        writer = _own(train, settings, context) if generator == "own" else _from_hub(settings)
        return _sample(writer, texts, settings, context)

    with context.run_log.phase("pseudo-queries"):
        queries = context.processes.once(written)
    items = np.repeat(known, settings.queries_per_item) if queries else known[:0]
    real = np.array([bool(query) for query in queries], dtype=bool)
    queries = [query for query in queries if query]
    context.run_log.facts["pseudo_queries"] = {
        "generator": generator,
        "written": len(queries),
        "distinct": len(set(queries)),
        "examples": queries[:: max(1, len(queries) // 5)][:5],
    }
    return queries, items[real]


def known_pairs(train: TrainView) -> NDArray[np.int64]:
    """Return the distinct pairs of item and query in training searches, int64 ``[pairs, 2]``.

    A pair counts once however often it occurs: else the few broadest queries are most of what
    the generator learns to write. Items and queries without text are left out.
    """
    item_has = np.array([bool(text.strip()) for text in train.items.texts], dtype=bool)
    query_has = np.array([bool(text.strip()) for text in train.queries.texts], dtype=bool)
    searches = train.log.kind == EventSource.SEARCHED
    pairs = np.column_stack([train.log.item[searches], train.log.query[searches]]).astype(np.int64)
    pairs = np.unique(pairs, axis=0)
    return pairs[item_has[pairs[:, 0]] & query_has[pairs[:, 1]]]


def pseudo_queries(words: Ragged, rng: np.random.Generator) -> Ragged:
    """Keep one to four words of each row at random, in their order."""
    rows = np.repeat(np.arange(len(words)), words.lengths)
    by_draw = np.lexsort((rng.random(len(rows)), rows))
    rank = np.empty(len(rows), dtype=np.int64)
    rank[by_draw] = np.arange(len(rows)) - np.repeat(words.offsets[:-1], words.lengths)
    wanted = np.minimum(rng.integers(1, 5, len(words)), words.lengths)
    return Ragged(words.values[rank < wanted[rows]], wanted)


def _words(texts: Sequence[str], each: int, seed: int) -> list[str]:
    """Return ``each`` pseudo-queries of every text: one to four of its words in their order."""
    split = [text.lower().split() for text in texts]
    number = {word: row for row, word in enumerate(dict.fromkeys(w for s in split for w in s))}
    rows = Ragged.of_lists([[number[word] for word in words] for words in split])
    many = rows.take(np.repeat(np.arange(len(texts)), each))
    drawn = pseudo_queries(many, np.random.default_rng([seed, 1]))
    spelled = np.array(list(number), dtype=object)[drawn.values]
    return [" ".join(words) for words in np.split(spelled, drawn.offsets[1:-1])]


def _from_hub(settings: PseudoQuerySettings) -> _Writer:
    try:
        with without_progress_bars():
            tokenizer = AutoTokenizer.from_pretrained(settings.generator)
            t5 = T5ForConditionalGeneration.from_pretrained(settings.generator, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise BenchmarkError(
            f"query generator '{settings.generator}' cannot be loaded from the hub; "
            "--set generator=own trains a small one on the data set"
        ) from error

    def encode(texts: Sequence[str]) -> Ragged:
        longest = settings.generator_text_tokens
        encodings = tokenizer(list(texts), truncation=True, max_length=longest)
        return Ragged.of_lists(encodings["input_ids"])

    def decode(rows: list[list[int]]) -> list[str]:
        return tokenizer.batch_decode(rows, skip_special_tokens=True)

    return _Writer(t5, encode, decode)


def _own(train: TrainView, settings: PseudoQuerySettings, context: TrainingContext) -> _Writer:
    """Train a small T5 from item text to query on the training searches.

    What a pretrained T5 knows before, that most words of a query are copied from the text, it
    learns first from :func:`_words` of the texts of all items.
    """
    pairs = known_pairs(train)
    known = np.flatnonzero([bool(text.strip()) for text in train.items.texts])
    picked = _words([train.items.texts[i] for i in known.tolist()], COPIES, context.seed)
    copied = np.column_stack([np.repeat(known, COPIES), np.arange(len(picked))])
    used = np.unique(pairs[:, 1]).tolist()
    texts = [*train.items.texts, *(train.queries.texts[query] for query in used)]
    tokenizer = train_tokenizer([text for text in texts if text], GeneratorSettings.text_tokens)
    sizes = GeneratorSettings(
        width=settings.generator_width,
        layers=settings.generator_layers,
        feed_forward=4 * settings.generator_width,
    )
    with torch.random.fork_rng():
        torch.manual_seed(context.seed)
        t5 = t5_of(sizes, tokenizer.get_vocab_size())
    nn.Module.to(t5, context.device)
    use_cheap_dropout(t5)
    source = _ended(tokenizer, train.items.texts, settings.generator_text_tokens)
    losses = []
    for name, epochs, queries, rows in (
        ("query-words", settings.generator_copies, picked, copied),
        ("queries", settings.generator_epochs, train.queries.texts, pairs),
    ):
        targets = _ended(tokenizer, queries, settings.generated_tokens)
        trainer = _WriterTrainer(name, t5, source, targets, rows, settings, context)
        losses.append(_train(trainer, epochs))
    context.run_log.facts["query_generator_losses"] = losses
    return _Writer(
        t5,
        lambda texts: _ended(tokenizer, texts, settings.generator_text_tokens),
        lambda rows: tokenizer.decode_batch(rows, skip_special_tokens=True),
    )


def _ended(tokenizer: Tokenizer, texts: Sequence[str], longest: int) -> Ragged:
    """Return the pieces of each text with the end token behind them, at most ``longest``."""
    encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return Ragged.of_lists([[*one.ids[: longest - 1], END] for one in encodings])


@dataclass
class _WriterTrainer:
    """Takes the steps of the own generator's training: on pairs of text and query.

    Attributes:
        name: tells the trainings of one generator apart.
        t5: is trained.
        source: the pieces of what is read.
        targets: the pieces of what is written.
        pairs: rows of the one and of the other.
        settings: rate and batch size.
        context: seed, device and processes.
    """

    name: str
    t5: T5ForConditionalGeneration
    source: Ragged
    targets: Ragged
    pairs: NDArray[np.int64]
    settings: PseudoQuerySettings
    context: TrainingContext

    def __post_init__(self) -> None:
        self.optimiser: torch.optim.Optimizer = torch.optim.AdamW(
            self.t5.parameters(), lr=self.settings.generator_learning_rate
        )

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """Return the pairs of each step of an epoch."""
        rng = np.random.default_rng([self.context.seed, epoch, len(self.name)])
        order, size = rng.permutation(self.pairs), self.settings.generator_batch_size
        return [order[start : start + size] for start in range(0, len(order), size)]

    def step(self, batch: NDArray[np.int64], rng: np.random.Generator) -> float:
        """Take a step and return the mean loss; every process takes it whole."""
        read, wanted = (
            self._padded(self.source, batch[:, 0]),
            self._padded(self.targets, batch[:, 1]),
        )
        loss = self.t5(
            input_ids=read,
            attention_mask=(read != PADDING).long(),
            labels=wanted.masked_fill(wanted == PADDING, -100),
        ).loss
        descend(self.optimiser, loss, self.context.processes, clip=1.0)
        return float(loss.item())

    def _padded(self, pieces: Ragged, rows: NDArray[np.int64]) -> Tensor:
        return torch.as_tensor(pieces.take(rows).padded(PADDING), device=self.context.device)


def _train(trainer: _WriterTrainer, epochs: int) -> float | None:
    """Train for some epochs and return the last loss; ``None`` where there is nothing to learn."""
    if not epochs:
        return None
    # These losses are not the search model's, so they stay out of its curve.
    alone = replace(trainer.context, run_log=trainer.context.run_log.apart())
    budget = Budget(minutes=0.0, epochs=epochs, warm_up=20, validate_every=100)
    rate = trainer.settings.generator_learning_rate
    setting = "generator_learning_rate"
    TrainingLoop(trainer.name, trainer.t5, trainer, alone, budget, rate, setting).run(dict)
    return alone.run_log.curve[-1]["loss"] if alone.run_log.curve else None


def _sample(
    writer: _Writer, texts: Sequence[str], settings: PseudoQuerySettings, context: TrainingContext
) -> list[str]:
    """Draw ``queries_per_item`` queries for each text; those of one text stand together."""
    t5: Any = writer.t5  # the types of transformers' own methods do not fit its models
    t5.to(context.device).eval()
    sources = writer.encode(texts)
    queries: list[str] = []
    with torch.random.fork_rng(), context.run_log.progress("pseudo-queries", len(texts)) as bar:
        torch.manual_seed(context.seed)
        for start in range(0, len(texts), ITEMS_AT_ONCE):
            part = sources.take(np.arange(start, min(start + ITEMS_AT_ONCE, len(texts))))
            inputs = torch.as_tensor(part.padded(PADDING), device=context.device)
            written = t5.generate(
                input_ids=inputs,
                attention_mask=(inputs != PADDING).long(),
                do_sample=True,
                top_k=settings.sampled_from,
                top_p=settings.probability_mass,
                num_return_sequences=settings.queries_per_item,
                max_new_tokens=settings.generated_tokens,
            )
            queries += (text.strip() for text in writer.decode(written.tolist()))
            bar.advance(len(part))
    return queries
