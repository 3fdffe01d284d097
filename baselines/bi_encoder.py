"""A bi-encoder: one network that turns queries and item texts into vectors of unit length.

It is tuned on pairs of texts that belong together. What is paired is up to the caller: queries
with the items clicked for them, items with items that the same users chose, or both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from baselines.pieces import ROWS, Pieces, alike, in_rows
from benchmark.budget import Budget
from benchmark.data.dataset import TrainView
from benchmark.data.events import EventSource
from benchmark.learning.sentence_encoder import MEND, load_encoder
from benchmark.learning.steps import descend, rows_of_all
from benchmark.learning.training_loop import TrainingLoop
from benchmark.learning.weights import arrays_of, count_weights, take_arrays
from benchmark.model import TrainingContext
from benchmark.processes import Processes
from benchmark.settings import setting

__all__ = [
    "BiEncoder",
    "PairGroup",
    "TuneSettings",
    "contrastive_loss",
    "distinct_texts",
    "query_item_pairs",
    "tune",
]


@dataclass(frozen=True, kw_only=True)
class TuneSettings(Budget):
    """How a bi-encoder is tuned."""

    longest: int = setting(32, "word pieces of a text that are read", low=1)
    temperature: float = setting(
        0.05, "what cosines are divided by in the softmax over the batch", low=1e-9
    )
    dropout: float = setting(0.0, "dropout while tuning; none is a third faster", high=1)
    batch_size: int = setting(128, "pairs in a batch, each the others' negatives", low=1)
    learning_rate: float = setting(1e-4, "learning rate", low=1e-9)
    weight_decay: float = setting(0.01, "weight decay")
    pairs: int = setting(4096, "pairs of a group in an epoch, 0 for all; the next epoch goes on")
    warm_up: int = setting(20, "steps in which the learning rate rises")
    validate_every: int = setting(
        32, "steps between validations, at least; later a tenth of the steps behind", low=1
    )


@dataclass(frozen=True)
class PairGroup:
    """Pairs of texts that belong together.

    A batch holds pairs of one group, so that a text's negatives are of the kind of its partner.

    Attributes:
        first: table of texts that stand at the left, such as queries.
        second: table of texts that stand at the right, such as items; may be the same table.
        pairs: int64 ``[pairs, 2]``, rows of ``first`` and of ``second``.
    """

    first: Sequence[str]
    second: Sequence[str]
    pairs: NDArray[np.int64]


def query_item_pairs(train: TrainView) -> PairGroup:
    """Return the distinct pairs of a training query and an item clicked for it, both with text."""
    log = train.log
    searched = log.rows_of_kind[EventSource.SEARCHED]
    pairs = np.stack([log.query[searched], log.item[searched]], axis=1).astype(np.int64)
    pairs = np.unique(pairs, axis=0)
    queries, items = train.queries.texts, train.items.texts
    readable = _filled(queries)[pairs[:, 0]] & _filled(items)[pairs[:, 1]]
    return PairGroup(queries, items, pairs[readable])


def _filled(texts: Sequence[str]) -> NDArray[np.bool_]:
    return np.fromiter(map(bool, texts), dtype=bool, count=len(texts))


class BiEncoder:
    """A pretrained sentence encoder, for use as it is or to be tuned.

    Args:
        name: ``minilm``, which comes with the installation, a name on the hub, or a folder.
        device: where to compute.
        longest: word pieces of a text that are read, or fewer where the encoder reads fewer.
        mend: ends the error where it cannot be loaded, see :func:`load_encoder`.

    Raises:
        InputError: it cannot be loaded.
    """

    def __init__(self, name: str, device: str, longest: int, mend: str = MEND) -> None:
        self.network = load_encoder(name, device, mend).eval()
        self.device = device
        # Of what reads any number of pieces the limit may be infinite.
        self.longest = int(min(longest, self.network.max_seq_length or longest))

    def pieces(self, texts: Sequence[str]) -> Pieces:
        """Return the word pieces of texts."""
        tokenizer = self.network.tokenizer
        found = tokenizer(list(texts), truncation=True, max_length=self.longest)["input_ids"]
        return in_rows(found, tokenizer.pad_token_id or 0)

    def embed(self, pieces: Pieces) -> Tensor:
        """Return vectors of unit length ``[texts, width]``, with gradients.

        Texts of similar length share a pass, which spares a third of the padding.
        """
        if not len(pieces.length):
            return torch.zeros(0, self.width, device=self.device)
        order = np.argsort(pieces.length, kind="stable")
        parts = [
            self._pass(pieces, rows, int(pieces.length[rows].max()))
            for rows in np.split(order, range(ROWS, len(order), ROWS))
        ]
        back = torch.as_tensor(np.argsort(order), device=self.device)
        return torch.cat(parts).index_select(0, back)

    @torch.no_grad()
    def encode(
        self, texts: Sequence[str], advance: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Return vectors of unit length, float32 ``[texts, width]``; each distinct text once.

        A text's vector does not hang on its company: every pass has ``ROWS`` texts, padded to
        a length that follows from each text alone. ``advance`` is told of progress in texts.
        """
        if len(texts) == 0:
            return np.empty((0, self.width), dtype=np.float32)
        distinct, place = distinct_texts(texts)
        pieces = self.pieces(distinct)
        found = np.empty((len(distinct), self.width), dtype=np.float32)
        for rows, width in alike(pieces.length):
            vectors = self._pass(pieces, np.resize(rows, ROWS), width)
            found[rows] = vectors[: len(rows)].float().cpu().numpy()
            if advance is not None:
                advance(len(rows))
        return found[place]

    @property
    def width(self) -> int:
        """Length of a vector."""
        return int(self.network.get_embedding_dimension() or 0)

    def parameters(self) -> int:
        """Return the number of weights."""
        return count_weights(self.network)

    def weights(self) -> dict[str, NDArray]:
        """Return all weights by name."""
        return arrays_of(self.network)

    def take(self, weights: dict[str, NDArray]) -> None:
        """Take back what :meth:`weights` returned."""
        take_arrays(self.network, weights)

    def _pass(self, pieces: Pieces, rows: NDArray[np.int64], width: int) -> Tensor:
        features = {
            "input_ids": torch.as_tensor(pieces.rows[rows, :width], device=self.device),
            "attention_mask": torch.as_tensor(pieces.mask(rows, width), device=self.device),
        }
        return functional.normalize(self.network(features)["sentence_embedding"], dim=1)


def distinct_texts(texts: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
    """Return the distinct texts, sorted, and the place of each text among them."""
    # As objects: an array of strings would give every text the room of the longest.
    found, place = np.unique(np.array(texts, dtype=object), return_inverse=True)
    return found.tolist(), place.astype(np.int64)


def contrastive_loss(
    first: Tensor, second: Tensor, not_negative: Tensor, temperature: float
) -> Tensor:
    """Return the mean cross-entropy of each left text's partner among all right texts.

    Args:
        first: vectors of unit length ``[pairs, width]``.
        second: their partners, likewise.
        not_negative: bool ``[pairs, pairs]``, true where the right text belongs to the left one
            although it is another pair's; it is left out of the softmax.
        temperature: what cosines are divided by.
    """
    logits = (first @ second.T / temperature).masked_fill(not_negative, -torch.inf)
    return functional.cross_entropy(logits, torch.arange(len(logits), device=logits.device))


class _Group:
    """A group's pairs as distinct texts in word pieces."""

    def __init__(self, encoder: BiEncoder, group: PairGroup) -> None:
        texts, place = distinct_texts([*group.first, *group.second])
        left, right = place[: len(group.first)], place[len(group.first) :]
        self.pieces, self.size = encoder.pieces(texts), len(texts)
        self.keys = np.unique(left[group.pairs[:, 0]] * self.size + right[group.pairs[:, 1]])

    def epoch(self, pairs: int, seed: int, epoch: int) -> NDArray[np.int64]:
        """Return the keys of an epoch's pairs; no pair comes again before all have come."""
        total = len(self.keys)
        count = min(pairs or total, total)
        start = epoch * count
        cycles = range(start // total, (start + count - 1) // total + 1)
        order = [np.random.default_rng([seed, cycle]).permutation(total) for cycle in cycles]
        chosen = np.concatenate(order)[start % total :][:count]
        return self.keys[chosen]

    def loss(
        self,
        encoder: BiEncoder,
        keys: NDArray[np.int64],
        temperature: float,
        processes: Processes,
    ) -> Tensor:
        """Return a process's part of the loss of one batch of pairs.

        Each process encodes its part of the texts, and holds every pair against all others.
        """
        left, right = np.divmod(keys, self.size)
        own = processes.part(len(keys))
        together = np.isin(left[:, None] * self.size + right, self.keys)
        # An item beside itself would be the nearest negative of all.
        together |= left[:, None] == right
        np.fill_diagonal(together, False)
        loss = contrastive_loss(
            rows_of_all(encoder.embed(self.pieces[left[own]]), processes),
            rows_of_all(encoder.embed(self.pieces[right[own]]), processes),
            torch.as_tensor(together, device=encoder.device),
            temperature,
        )
        return loss / processes.count


class _Tuner:
    """Takes the steps: on a batch of pairs of one group."""

    def __init__(
        self,
        encoder: BiEncoder,
        groups: Sequence[PairGroup],
        settings: TuneSettings,
        context: TrainingContext,
    ) -> None:
        self.encoder, self.settings, self.context = encoder, settings, context
        self.groups = [_Group(encoder, group) for group in groups if len(group.pairs)]
        self.optimiser: torch.optim.Optimizer = torch.optim.AdamW(
            encoder.network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )

    def batches(self, epoch: int) -> list[tuple[_Group, NDArray[np.int64]]]:
        """Return an epoch's batches, those of all groups in random order; a pair alone is left
        out."""
        seed, size = self.context.seed, self.settings.batch_size
        found: list[tuple[_Group, NDArray[np.int64]]] = []
        for group in self.groups:
            keys = group.epoch(self.settings.pairs, seed, epoch)
            parts = np.split(keys, range(size, len(keys), size))
            found += [(group, part) for part in parts if len(part) > 1]
        order = np.random.default_rng([seed, epoch]).permutation(len(found))
        return [found[place] for place in order.tolist()]

    def step(self, batch: tuple[_Group, NDArray[np.int64]], rng: np.random.Generator) -> float:
        """Take a step and return this process's part of the loss."""
        (group, keys), processes = batch, self.context.processes
        loss = group.loss(self.encoder, keys, self.settings.temperature, processes)
        descend(self.optimiser, loss, processes)
        return float(loss.item())


def tune(
    encoder: BiEncoder,
    groups: Sequence[PairGroup],
    settings: TuneSettings,
    context: TrainingContext,
    measure: Callable[[], dict[str, float]],
    name: str = "bi-encoder",
) -> None:
    """Tune ``encoder`` on pairs, leave it with its best weights, and note how it went.

    Args:
        encoder: is changed.
        groups: each epoch takes equally many pairs of each, as far as it has them.
        settings: how to train.
        context: seed, run_log and checkpoint folder.
        measure: returns validation NDCG@10 by task with the encoder as it is.
        name: names the progress bar and the checkpoint.
    """
    _set_dropout(encoder.network, settings.dropout)
    tuner = _Tuner(encoder, groups, settings, context)
    rate = settings.learning_rate
    loop = TrainingLoop(name, encoder.network, tuner, context, settings, rate)
    context.run_log.trained(name, loop.run(measure))


def _set_dropout(network: nn.Module, probability: float) -> None:
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = probability
