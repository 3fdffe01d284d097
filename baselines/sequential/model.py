"""A network of sequences behind the harness's Model interface."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.sequential.histories import last_states
from baselines.sequential.network import SequenceNetwork
from baselines.sequential.settings import SequenceSettings
from baselines.sequential.training import SequenceTrainer, learnable
from baselines.vector_scores import products
from benchmark.data.requests import Requests, Task
from benchmark.given import Given
from benchmark.learning.costs import FLOAT, Cost, epoch_of, forward, trained
from benchmark.learning.training_loop import train_to_best
from benchmark.learning.weights import arrays_of, count_weights, take_arrays
from benchmark.model import Model, TrainingContext, TrainView, Validation
from benchmark.needs import Library, Needs, Sizes, Work

__all__ = ["SequenceModel"]

S = TypeVar("S", bound=SequenceSettings)


class SequenceModel(Model[S]):
    """Reads the items of the history in order; an item's score is a dot product.

    A subclass names itself and its libraries, makes its network and tells what its layers cost.
    """

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.REC})
    uses_gpu = True
    shares_training = True

    name: ClassVar[str]
    """Of the training: of its progress bar and its checkpoint."""
    libraries: ClassVar[tuple[Library, ...]] = ("torch",)

    @abstractmethod
    def network(self, items: int) -> SequenceNetwork:
        """Return the network for so many items with fresh weights, by torch's own generator."""

    @abstractmethod
    def layer_costs(self, window: float) -> Cost:
        """Return what a position costs in all layers where so many are read."""

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs | None:
        """Tell the layers, the embeddings, and the items that each position is held against."""
        s, events = self.settings, sizes.events
        if s.history == "rec":
            events -= sizes.searches
        window = sizes.window(s.max_history)
        layers = self.layer_costs(window)
        table = (sizes.items + 1 + s.max_history) * s.width
        against = {"softmax": sizes.items, "sampled": s.negatives + 1, "binary": 2}[s.loss]
        steps = sizes.stretches(s.max_history, events) / s.batch_size
        epoch = epoch_of(
            layers + Cost(flop=2 * against * s.width, floats=4 * s.width),
            events,
            s.batch_size * window,
            steps,
            table,
        )
        read = forward(layers, sizes.mean_window(s.max_history))
        request = Work(
            flop=read.flop + 2 * sizes.items * s.width,
            moved=read.moved,
            calls=1 / 256,
            held=FLOAT
            * (256 * window * layers.floats / (3 * s.layers) + 2 * sizes.at_once * sizes.items),
        )
        return Needs(
            (trained(s, epoch, steps, request, sizes, tasks),),
            request,
            kept=FLOAT * (layers.weights + table),
            libraries=self.libraries,
        )

    def given(self) -> Given:
        """Tell that it reads the order of events and nothing else."""
        s = self.settings
        return Given(rec_targets=s.history, longest_history=s.max_history)

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Train until validation stops improving and keep the best weights."""
        self._build(len(train.items), context.seed, context.device)
        log = learnable(train.log, self.settings.history)
        trainer = SequenceTrainer(self.module, self.settings, log, context)
        train_to_best(
            self.name,
            self,
            self.module,
            trainer,
            self.settings,
            self.settings.learning_rate,
            validation,
            context,
        )

    def _build(self, items: int, seed: int, device: str) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.module = self.network(items)
        self.items, self.device = items, device
        self.module.to(device).eval()

    @torch.no_grad()
    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return products of the history's last state with the items' vectors.

        A request without history is answered from a single padding position.
        """
        parts = [np.empty((0, requests.width), dtype=np.float32)]
        table = self.module.item_table()
        batches = requests.batches(256)
        parts += [products(self._states(batch), table, batch) for batch in batches]
        return np.concatenate(parts)

    @torch.no_grad()
    def request_vectors(self, requests: Requests) -> NDArray[np.float32]:
        """Return the last state of each history, ``[requests, width]``."""
        parts = [np.empty((0, self.settings.width), dtype=np.float32)]
        parts += [self._states(batch).float().cpu().numpy() for batch in requests.batches(256)]
        return np.concatenate(parts)

    def ranked_vectors(self, task: Task) -> NDArray[np.float32]:
        """Return the vectors that states are multiplied with, ``[items, width]``."""
        return self.item_vectors()

    def _states(self, requests: Requests) -> Tensor:
        return last_states(self.module, requests, self.settings, self.device)

    @torch.no_grad()
    def item_vectors(self) -> NDArray[np.float32]:
        """Return the vectors of the items, ``[items, width]``."""
        return self.module.item_table().cpu().numpy().copy()

    def parameters(self) -> int:
        """Return the number of weights."""
        return count_weights(self.module)

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return the weights."""
        return arrays_of(self.module), {"items": self.items}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take back the weights."""
        self._build(values["items"], 0, "cpu")
        take_arrays(self.module, arrays)
