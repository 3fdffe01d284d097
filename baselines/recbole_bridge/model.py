"""RecBole's sequential models as models of this benchmark: one class for each, made when asked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.recbole_bridge.config import FIELDS
from baselines.recbole_bridge.dataset import interaction
from baselines.recbole_bridge.module import build, move, ranks_catalogue, scores_of, wanted_by
from baselines.recbole_bridge.names import RUNNABLE
from baselines.recbole_bridge.samples import (
    ITEM,
    LENGTH,
    LIST,
    Samples,
    read_requests,
    right_aligned,
)
from baselines.recbole_bridge.settings import (
    PAIRED_PRESETS,
    PRESETS,
    SHORT,
    SHORT_PRESETS,
    RecBoleSettings,
    model_values,
    own_values,
    unknown_to,
)
from baselines.recbole_bridge.trainer import RecBoleTrainer
from benchmark.data.requests import Requests, Task
from benchmark.given import Given
from benchmark.learning.costs import FLOAT, Cost, trained, transformer
from benchmark.learning.training_loop import train_to_best
from benchmark.learning.weights import arrays_of, count_weights, take_arrays
from benchmark.model import Model, TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes, Work

__all__ = ["RecBoleModel"]

SCORES_AT_ONCE = 2**18
"""Upper bound of the scores computed at a time; some models hold a vector for each of them."""
_PAIRED = 4
"""What attention from the candidate holds in a transformer's numbers; seen in DIN on ml-100k."""
PAIRS_AT_ONCE = 2**12
"""Upper bound of (request, item) pairs at a time, for models that read a history for each item."""


class RecBoleModel(Model[RecBoleSettings]):
    """A sequential model of RecBole, trained by its own loss and asked by its own prediction.

    Attributes:
        recbole_name: RecBole's name of it.
    """

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.REC})
    Settings = RecBoleSettings
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = PRESETS
    uses_gpu = True
    recbole_name: ClassVar[str]

    module: Any

    def __init__(self, settings: RecBoleSettings | None = None) -> None:
        super().__init__(settings)
        self._values = model_values(self.recbole_name, self.settings)
        self.device = "cpu"

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs | None:
        """Tell the exact number of weights, and the rest by the model's widths and batch.

        The weights grow evenly with users and items, so that three small networks tell them. All
        models are taken for transformers of as many layers, or of one where the file names none.
        """
        s, own = self.settings, {**own_values(self.recbole_name), **self._values}
        width = max(own.get(name) or 0 for name in ("embedding_size", "hidden_size"))
        layers = own.get("n_layers") or own.get("num_layers") or own.get("block_num") or 1
        inner = own.get("inner_size") or 4 * width
        window = s.max_history
        layer = transformer(1, width, inner, own.get("n_heads") or 1, window)
        samples = min(s.samples or sizes.events, sizes.events)
        steps = -(-samples // s.batch_size)
        weights = _weights(self.recbole_name, s, sizes.users, sizes.items)
        if ranks_catalogue(self.recbole_name):
            asked: float = min(256, max(1, SCORES_AT_ONCE // sizes.items))
            target = Cost(flop=2 * sizes.items * width, floats=3 * sizes.items)
            flop = window * layers * layer.flop + target.flop
            moved = window * layers * layer.floats
            held = asked * (window * layer.floats + 2 * sizes.items)
        else:
            asked = 1 / max(1, sizes.items / PAIRS_AT_ONCE)
            target = Cost()
            flop = sizes.items * window * layer.flop
            moved = sizes.items * window * layer.floats
            held = _PAIRED * max(PAIRS_AT_ONCE, sizes.items) * window * layer.floats
        positions = window * layers * layer.floats + target.floats
        epoch = Work(
            flop=3 * samples * (window * layers * layer.flop + target.flop),
            moved=3 * FLOAT * samples * positions + 36 * weights * steps,
            calls=3 * layers * steps,
            held=FLOAT * s.batch_size * positions,
            trained=weights,
        )
        request = Work(
            flop=flop,
            moved=FLOAT * moved,
            calls=layers / asked,
            held=FLOAT * (held + 2 * sizes.at_once * sizes.items),
        )
        return Needs(
            (trained(s, epoch, steps, request, sizes, tasks),),
            request,
            kept=FLOAT * weights,
            libraries=("torch", "recbole"),
        )

    def given(self) -> Given:
        """Tell what it reads."""
        return Given(rec_targets=self.settings.history, longest_history=self.settings.max_history)

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Train until validation stops improving and keep the best weights."""
        wanted = wanted_by(self.recbole_name, self._values)
        samples = Samples(train, self.settings, wanted, context.seed)
        self._users, self._items = train.log.users, len(train.items)
        self.module = build(
            self.recbole_name,
            self.settings,
            self._users,
            self._items,
            context.seed,
            samples.everything,
        )
        self.device = context.device
        move(self.module, self.device)
        trainer = RecBoleTrainer(self.module, samples, self.settings, context)
        train_to_best(
            f"recbole-{self.recbole_name}",
            self,
            self.module,
            trainer,
            self.settings,
            self.settings.learning_rate,
            validation,
            context,
        )

    @torch.no_grad()
    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return RecBole's scores; without history they are those for a padding item."""
        ranked = ranks_catalogue(self.recbole_name)
        size = SCORES_AT_ONCE // requests.items if ranked else PAIRS_AT_ONCE // requests.width
        answer = self._ranked if ranked else self._paired
        parts: list[NDArray[np.float32]] = [np.empty((0, requests.width), dtype=np.float32)]
        parts += [answer(batch) for batch in requests.batches(min(max(size, 1), 256))]
        return np.concatenate(parts)

    def _ranked(self, requests: Requests) -> NDArray[np.float32]:
        columns = read_requests(requests, self.settings)
        columns[FIELDS["INVERSE_ITEM_SEQ"]] = right_aligned(columns[LIST], columns[LENGTH])
        # Two models compute the loss, too, and throw it away; 0 is the item that it leaves out.
        columns[ITEM] = np.zeros(len(requests), dtype=np.int64)
        scores = _numpy(scores_of(self.module, interaction(columns, self.device), self._items))
        return requests.of_candidates(scores)

    def _paired(self, requests: Requests) -> NDArray[np.float32]:
        columns = read_requests(requests, self.settings)
        # Only a loss that is thrown away reads it.
        columns[FIELDS["NEG_PREFIX"] + LIST] = np.ones_like(columns[LIST])
        items = requests.candidates
        if items is None:
            items = np.broadcast_to(np.arange(requests.items), (len(requests), requests.items))
        pairs = {name: values.repeat(items.shape[1], axis=0) for name, values in columns.items()}
        pairs[ITEM] = items.reshape(-1).astype(np.int64) + 1
        return _numpy(self.module.predict(interaction(pairs, self.device))).reshape(items.shape)

    def parameters(self) -> int:
        """Return the number of weights."""
        return count_weights(self.module)

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return the weights and the numbers of users and items."""
        return arrays_of(self.module), {"users": self._users, "items": self._items}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take back the weights."""
        self._users, self._items = values["users"], values["items"]
        self.module = build(self.recbole_name, self.settings, self._users, self._items, 0)
        take_arrays(self.module, arrays)
        self.device = "cpu"


@lru_cache(maxsize=len(RUNNABLE))
def _weights(name: str, settings: RecBoleSettings, users: int, items: int) -> int:
    """Return the number of weights of a network for so many users and items."""
    small, step = 64, 8

    def count(users: int, items: int) -> int:
        return count_weights(build(name, settings, users, items, 0))

    base = count(small, small)
    by_user = (count(small + step, small) - base) / step
    by_item = (count(small, small + step) - base) / step
    return round(base + by_user * (users - small) + by_item * (items - small))


def _numpy(scores: Tensor) -> NDArray[np.float32]:
    return scores.float().cpu().numpy()


@lru_cache(maxsize=len(RUNNABLE))
def _class_for(name: str) -> type[RecBoleModel]:
    summary, reference = RUNNABLE[name]
    text = f"RecBole's {name}: {summary} ({reference})."
    presets = PRESETS if ranks_catalogue(name) else PAIRED_PRESETS
    if name in SHORT:
        presets = SHORT_PRESETS
    members = {
        "recbole_name": name,
        "presets": presets,
        "search_space": dict.fromkeys(unknown_to(name)),
        "__doc__": text,
        "__module__": __name__,
    }
    return cast(type[RecBoleModel], type(name, (RecBoleModel,), members))


def __getattr__(name: str) -> type[RecBoleModel]:
    """Return the class of the model that RecBole calls so."""
    if name not in RUNNABLE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _class_for(name)
