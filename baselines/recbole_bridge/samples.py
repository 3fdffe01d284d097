"""Training events and requests as the batches that RecBole's models read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baselines.recbole_bridge.config import FIELDS
from baselines.recbole_bridge.masks import masked
from baselines.recbole_bridge.settings import RecBoleSettings
from benchmark.data.events import EventSource
from benchmark.data.requests import Requests, Task
from benchmark.learning.training_requests import TrainingRequests
from benchmark.model import TrainView

__all__ = ["Columns", "Samples", "Wanted", "read_requests", "right_aligned"]

Columns = dict[str, NDArray]
"""RecBole's column names to arrays with one row for each sample."""

USER, ITEM = FIELDS["USER_ID_FIELD"], FIELDS["ITEM_ID_FIELD"]
LIST, LENGTH = ITEM + FIELDS["LIST_SUFFIX"], FIELDS["ITEM_LIST_LENGTH_FIELD"]


@dataclass(frozen=True)
class Wanted:
    """What a model's loss reads beside user, history, target and one negative item.

    Attributes:
        labels: every sample once with its target, label 1, and once with its negative, label 0.
        negative_lists: another item for each item of the history.
        transform: RecBole's name of the transformation of batches, or ``None``.
        mask_ratio: share of the items that are masked, for the transform ``mask_itemseq``.
        last_ratio: share of the batches that mask the last item only, likewise.
    """

    labels: bool = False
    negative_lists: bool = False
    transform: str | None = None
    mask_ratio: float = 0.0
    last_ratio: float = 0.0


def read_requests(requests: Requests, settings: RecBoleSettings) -> Columns:
    """Return user, history and its length; ids are one higher than ours, 0 is padding.

    A history without events is told as one padding item, so that no model reads place -1.
    """
    kind = None if settings.history == "all" else EventSource.RECOMMENDED
    history = requests.history(settings.max_history, kind)
    return {
        USER: requests.user.astype(np.int64) + 1,
        LIST: history.item.astype(np.int64) + 1,
        LENGTH: np.maximum(history.length, 1),
    }


def right_aligned(sequences: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return sequences ``[rows, window]`` with the padding moved to the left."""
    window = sequences.shape[1]
    places = np.arange(window) - (window - length)[:, None]
    moved = np.take_along_axis(sequences, np.maximum(places, 0), axis=1)
    return np.where(places >= 0, moved, 0)


class Samples:
    """Draws the training samples of each epoch: an event with the history before it.

    RecBole has no sample for an event without any history, and so it is here.
    """

    def __init__(
        self, train: TrainView, settings: RecBoleSettings, wanted: Wanted, seed: int
    ) -> None:
        self.settings, self.wanted, self.seed = settings, wanted, seed
        self.items = len(train.items)
        self._log, self._past = train.log, TrainingRequests(train)
        self._kind = None if settings.history == "all" else EventSource.RECOMMENDED
        rows = (
            np.arange(len(train.log)) if self._kind is None else train.log.rows_of_kind[self._kind]
        )
        asked = self._past.of(Task.REC, rows)
        self.rows = rows[asked.history(1, self._kind).length > 0]

    def everything(self) -> Columns:
        """Return target, history and length of all training samples."""
        columns = self._columns(self.rows)
        return {name: columns[name] for name in (ITEM, LIST, LENGTH)}

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        """Return the log rows of an epoch's batches; none comes again before every other did."""
        chosen, size = self._chosen(epoch), self.settings.batch_size
        return [chosen[start : start + size] for start in range(0, len(chosen), size)]

    def _size(self) -> int:
        return min(self.settings.samples or len(self.rows), len(self.rows))

    def _chosen(self, number: int) -> NDArray[np.int64]:
        """Return the rows of an epoch: the next ones of one random order after the other."""
        size, every = self._size(), len(self.rows)
        if size == 0:
            return self.rows
        first, behind = divmod(number * size, every)
        last = (number * size + size - 1) // every
        orders = [
            np.random.default_rng([self.seed, order, 1]).permutation(self.rows)
            for order in range(first, last + 1)
        ]
        return np.concatenate(orders)[behind : behind + size]

    def _columns(self, rows: NDArray[np.int64]) -> Columns:
        columns = read_requests(self._past.of(Task.REC, rows), self.settings)
        return {**columns, ITEM: self._log.item[rows].astype(np.int64) + 1}

    def of(self, rows: NDArray[np.int64], rng: np.random.Generator) -> Columns:
        """Return the samples of some log rows, with what is drawn for them."""
        columns, wanted = self._columns(rows), self.wanted
        other = self._other_than(columns[ITEM], rng)
        columns[FIELDS["NEG_PREFIX"] + ITEM] = other
        if wanted.negative_lists:
            columns[FIELDS["NEG_PREFIX"] + LIST] = self._other_than(columns[LIST], rng)
        if wanted.transform == "inverse_itemseq":
            columns[FIELDS["INVERSE_ITEM_SEQ"]] = right_aligned(columns[LIST], columns[LENGTH])
        if wanted.transform == "mask_itemseq":
            columns |= self._masked(columns, rng)
        if wanted.labels:
            columns = {name: np.concatenate([values, values]) for name, values in columns.items()}
            columns[ITEM][len(rows) :] = other
            label = np.arange(len(columns[ITEM])) < len(rows)
            columns[FIELDS["LABEL_FIELD"]] = label.astype(np.float32)
        return columns

    def _other_than(self, items: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw items from all but the given one, as RecBole does for sequential models."""
        drawn = rng.integers(1, max(self.items, 2), items.shape)
        return np.minimum(drawn + (drawn >= items), self.items)

    def _masked(self, columns: Columns, rng: np.random.Generator) -> Columns:
        """Mask items of the history followed by its target, which is so learned from too."""
        window, rows = self.settings.max_history, np.arange(len(columns[ITEM]))
        length = np.minimum(columns[LENGTH], window - 1)
        surplus = (columns[LENGTH] - length)[:, None]
        places = np.minimum(np.arange(window) + surplus, window - 1)
        sequences = np.take_along_axis(columns[LIST], places, axis=1)
        sequences[rows, length] = columns[ITEM]
        only_last = rng.random() < self.wanted.last_ratio
        ratio = 0.0 if only_last else self.wanted.mask_ratio
        mask, index = masked(
            length + 1, window, ratio, max(1, int(self.wanted.mask_ratio * window)), rng
        )
        hidden = np.where(index > 0, np.take_along_axis(sequences, index, axis=1), 0)
        return {
            FIELDS["MASK_ITEM_SEQ"]: np.where(mask, self.items + 1, sequences),
            FIELDS["POS_ITEMS"]: hidden,
            FIELDS["NEG_ITEMS"]: np.where(index > 0, self._other_than(hidden, rng), 0),
            FIELDS["MASK_INDEX"]: index,
        }
