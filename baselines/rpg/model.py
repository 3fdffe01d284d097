"""RPG behind the harness's Model interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.generative.identify import facts_of
from baselines.rpg.costs import REQUESTS_AT_ONCE, rpg_needs
from baselines.rpg.graph import alike_items, walk
from baselines.rpg.network import CodeTrainer, RPGNetwork, sums_of_codes
from baselines.rpg.product_codes import product_codes, whitened
from baselines.rpg.settings import PRESETS, RPGSettings
from baselines.sequential.histories import last_states
from baselines.sequential.training import learnable
from benchmark.data.requests import Requests, Task
from benchmark.errors import InputError
from benchmark.given import Given
from benchmark.learning.encoder_sizes import weights_of
from benchmark.learning.training_loop import train_to_best
from benchmark.learning.weights import arrays_of, count_weights, take_arrays
from benchmark.model import Model, SharedStep, TrainingContext, TrainView, Validation
from benchmark.needs import Needs, Sizes
from benchmark.search_space import Choice, Dimension, Range
from gensar.engine.item_vectors import text_step, text_vectors
from gensar.engine.spaces import interaction_vectors

__all__ = ["RPG"]


class RPG(Model[RPGSettings]):
    """Predicts all digits of the next item's identifier at once (Hou et al. 2025).

    An item's score is the sum of its digits' log-probabilities; items with the same digits tie.
    """

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.REC})
    Settings = RPGSettings
    presets = PRESETS
    uses_gpu = True
    shares_training = True
    search_space: ClassVar[Mapping[str, Dimension | None]] = {
        "digits": Choice((8, 16, 32)),
        "codebook_size": Choice((64, 128, 256)),
        "temperature": Range(0.02, 0.2, log=True),
    }

    def check(self, train: TrainView, tasks: tuple[Task, ...]) -> None:
        """Refuse items without a text where their texts are what is coded.

        Raises:
            InputError: no item has any.
        """
        if self.settings.vectors == "content" and not train.items.have_texts:
            raise InputError(
                "it codes the items' texts, and this data set has none; --set vectors=interactions"
                " codes who met them"
            )

    def shared_steps(self, tasks: tuple[Task, ...]) -> Sequence[SharedStep]:
        """Return the encoding of the items' texts, where it is them that are coded."""
        return [text_step(self.settings.encoder)] if self.settings.vectors == "content" else []

    def needs(self, sizes: Sizes, tasks: tuple[Task, ...]) -> Needs | None:
        """Tell the vectors and their codes, the layers, and a softmax for each digit."""
        return rpg_needs(self.settings, sizes, tasks)

    def given(self) -> Given:
        """Tell what it reads; where texts are coded, their encoder too."""
        s, reads = self.settings, self.settings.vectors == "content"
        return Given(
            item_text=reads,
            encoder=s.encoder if reads else "",
            encoder_parameters=weights_of(s.encoder) if reads else 0,
            rec_targets=s.history,
            longest_history=s.max_history,
        )

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Code the items, train until validation stops improving, and keep the best weights."""
        self.check(train, context.tasks)
        run_log, settings = context.run_log, self.settings
        with run_log.phase("item vectors"):
            vectors = self._vectors(train, context)
        with run_log.phase("identifiers"):
            codes = context.kept("codes", lambda: self._codes(vectors, train, context.seed))[
                "codes"
            ]
        facts = facts_of(codes, (settings.codebook_size,) * settings.digits, settings.digits)
        run_log.facts["identifiers"] = {"identifier": facts.to_json()}
        self._build(codes, context.seed, context.device)
        with run_log.phase("network"):
            log = learnable(train.log, settings.history)
            trainer = CodeTrainer(self.network, settings, log, context)
            train_to_best(
                "rpg",
                self,
                self.network,
                trainer,
                settings,
                settings.learning_rate,
                validation,
                context,
            )
        if settings.decoding == "graph":
            with run_log.phase("graph"):
                self._walk_along(context.processes.once(self._alike))

    def _vectors(self, train: TrainView, context: TrainingContext) -> NDArray[np.float32]:
        if self.settings.vectors == "content":
            return text_vectors(train, context, self.settings.encoder)
        width = self.settings.components
        return interaction_vectors(train.log, len(train.items), width, context.seed)

    def _codes(
        self, vectors: NDArray[np.float32], train: TrainView, seed: int
    ) -> dict[str, NDArray]:
        """Return the codes of all items, learned from those that training shows."""
        settings = self.settings
        inputs = whitened(vectors, settings.components, settings.digits)
        shown = np.unique(train.log.item)
        learned = product_codes(
            inputs[shown] if len(shown) else inputs,
            settings.digits,
            settings.codebook_size,
            settings.rotations,
            seed,
        )
        return {"codes": learned.codes(inputs)}

    def _build(self, codes: NDArray[np.int64], seed: int, device: str) -> None:
        self.seed = seed
        self.graph: Tensor | None = None
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.network = RPGNetwork(self.settings, torch.as_tensor(codes))
        self.device = device
        self.network.to(device).eval()

    @torch.no_grad()
    def _alike(self) -> NDArray[np.int32]:
        items = self.network.items
        return alike_items(items.books(), items.tokens(), self.settings.edges)

    def _walk_along(self, graph: NDArray[np.int32]) -> None:
        self.graph = torch.as_tensor(graph, dtype=torch.int64).to(self._device)
        # Until there is a graph, while it is trained, the whole catalogue is scored.
        self.scores_catalogue = False  # type: ignore[misc]  # of this model only

    @property
    def _device(self) -> torch.device:
        return self.network.weight.device

    @torch.no_grad()
    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return sums of the log-probabilities of an item's digits.

        A request without history is answered from a single padding position.
        """
        parts = [np.empty((0, requests.width), dtype=np.float32)]
        tokens = self.network.items.tokens()
        for batch in requests.batches(REQUESTS_AT_ONCE):
            scores = sums_of_codes(self._log_probabilities(batch), tokens)
            parts.append(batch.of_candidates(scores.float().cpu().numpy()))
        return np.concatenate(parts)

    def _log_probabilities(self, requests: Requests) -> Tensor:
        states = last_states(self.network.encoder, requests, self.settings, self.device)
        return self.network.log_probabilities(states)

    @torch.no_grad()
    def retrieve(self, requests: Requests, k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the best items; by the graph, as many as there are beams at most.

        Items of the history are walked through, and left out of the answer only.
        """
        if self.graph is None:
            return super().retrieve(requests, k)
        items = np.full((len(requests), k), -1, dtype=np.int32)
        best = np.full((len(requests), k), -np.inf, dtype=np.float32)
        for start in range(0, len(requests), REQUESTS_AT_ONCE):
            rows = slice(start, start + REQUESTS_AT_ONCE)
            self._answer(requests[rows], items[rows], best[rows])
        return items, best

    def _answer(
        self, requests: Requests, items: NDArray[np.int32], best: NDArray[np.float32]
    ) -> None:
        """Fill in what is met along the graph, ``[requests, k]``."""
        assert self.graph is not None
        walked = walk(
            self._log_probabilities(requests),
            self.network.items.tokens(),
            self.graph,
            self._starts(requests),
            self.settings.propagation_steps,
        )
        reached, scores = (part.cpu().numpy() for part in walked)
        if requests.exclude_seen:
            row = np.repeat(np.arange(len(requests)), reached.shape[1])
            seen = requests.holds(row, reached.ravel()).reshape(reached.shape)
            order = np.argsort(seen, axis=1, kind="stable")
            reached = np.take_along_axis(np.where(seen, -1, reached), order, axis=1)
            scores = np.take_along_axis(np.where(seen, -np.inf, scores), order, axis=1)
        kept = min(items.shape[1], reached.shape[1])
        items[:, :kept], best[:, :kept] = reached[:, :kept], scores[:, :kept]

    def _starts(self, requests: Requests) -> Tensor:
        """Return random items to start from, which hang on seed and user only."""
        beams = min(self.settings.num_beams, requests.items)
        order = np.random.default_rng(self.seed).permutation(requests.items)
        place = requests.user[:, None].astype(np.int64) * beams + np.arange(beams)
        return torch.as_tensor(order[place % requests.items], device=self._device)

    def item_vectors(self) -> NDArray[np.float32]:
        """Return the items' embeddings, ``[items, width]``."""
        with torch.no_grad():
            numbers = torch.arange(1, len(self.network.items.codes) + 1, device=self._device)
            return self.network.items(numbers).cpu().numpy()

    def parameters(self) -> int:
        """Return the number of weights."""
        return count_weights(self.network)

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return weights and codes, and the graph where there is one."""
        arrays = arrays_of(self.network, "network.")
        if self.graph is not None:
            arrays["graph"] = self.graph.cpu().numpy().astype(np.int32)
        return arrays, {"seed": self.seed}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take back weights, codes and graph."""
        self._build(arrays["network.encoder.item_embedding.codes"], values["seed"], "cpu")
        take_arrays(self.network, arrays, "network.")
        if "graph" in arrays:
            self._walk_along(arrays["graph"])
