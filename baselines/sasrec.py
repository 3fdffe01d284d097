"""SASRec (Kang and McAuley 2018): RecBole's module, trained on whole sequences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.recbole_bridge.modules import RecBoleSASRec, build_sasrec
from baselines.sequence_training import SequenceTrainer
from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import Requests, Task
from benchmark.learning.dropout import use_byte_dropout
from benchmark.model import Model, TrainingContext, TrainView, Validation
from benchmark.settings import check_heads, setting

__all__ = ["SASRec", "SASRecSettings"]


@dataclass(frozen=True)
class SASRecSettings:
    """Settings of :class:`SASRec`; the defaults are those of ``standard``."""

    width: int = setting(64, "width of embeddings and layers", low=1)
    layers: int = setting(2, "transformer layers", low=1)
    heads: int = setting(2, "attention heads", low=1)
    inner: int = setting(256, "width of the feed-forward layers", low=1)
    dropout: float = setting(0.4, "dropout of embeddings and layers", high=1)
    attention_dropout: float = setting(0.3, "dropout of attention weights", high=1)
    max_history: int = setting(50, "events of the history that are read", low=1)
    history: Literal["all", "rec"] = setting(
        "all", "read and predict all events, or recommendation events only"
    )
    loss: Literal["softmax", "binary"] = setting(
        "softmax", "over the whole catalogue, or against one random item as in the paper"
    )
    batch_size: int = setting(32, "sequences in a batch", low=1)
    learning_rate: float = setting(1e-3, "learning rate", low=1e-9)
    weight_decay: float = setting(0.0, "weight decay")
    epochs: int = setting(30, "most epochs; the rate falls to 0 by then")
    validate_every: int = setting(3, "epochs between validations", low=1)
    validation_requests: int = setting(2000, "requests in a validation, 0 for all")
    patience: int = setting(3, "validations without a gain before training stops", low=1)

    def __post_init__(self) -> None:
        check_heads(self.width, self.heads)


class SASRec(Model):
    """Self-attention over the items of the history; an item's score is a dot product."""

    tasks: ClassVar[frozenset[Task]] = frozenset({Task.REC})
    Settings = SASRecSettings
    uses_gpu = True
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "quick": {"epochs": 4, "validate_every": 2, "validation_requests": 200},
        "thorough": {
            "width": 128,
            "dropout": 0.5,
            "epochs": 40,
            "patience": 5,
            "validation_requests": 0,
        },
        "paper": {
            "max_history": 200,
            "width": 50,
            "heads": 1,
            "inner": 50,
            "dropout": 0.2,
            "attention_dropout": 0.2,
            "loss": "binary",
            "batch_size": 128,
            "epochs": 400,
            "patience": 6,
            "validation_requests": 0,
        },
    }

    settings: SASRecSettings

    def fit(self, train: TrainView, validation: Validation, context: TrainingContext) -> None:
        """Train until validation stops improving and keep the best weights."""
        self._build(len(train.items), context.seed, context.device)
        SequenceTrainer(self, self._learnable(train.log), validation, context).run()

    def _learnable(self, log: EventLog) -> EventLog:
        if self.settings.history == "all":
            return log
        return log.select(log.kind == EventSource.RECOMMENDED)

    def _build(self, items: int, seed: int, device: str) -> None:
        chosen = self.settings
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.module: RecBoleSASRec = build_sasrec(
                items,
                chosen.max_history,
                {
                    "n_layers": chosen.layers,
                    "n_heads": chosen.heads,
                    "hidden_size": chosen.width,
                    "inner_size": chosen.inner,
                    "hidden_dropout_prob": chosen.dropout,
                    "attn_dropout_prob": chosen.attention_dropout,
                },
            )
        use_byte_dropout(self.module)
        self.device = device
        self.module.device = device
        self.module.to(device).eval()

    def hidden(self, sequences: Tensor) -> Tensor:
        """Return the states of every position, ``[rows, positions, width]``.

        ``sequences`` is int64 ``[rows, positions]`` of rows of the embedding table, padded with 0
        on the right. RecBole's own ``forward`` is this up to its last line, which keeps one
        position only.
        """
        module = self.module
        places = torch.arange(sequences.shape[1], device=sequences.device)
        embedded = module.item_embedding(sequences) + module.position_embedding(places)
        embedded = module.dropout(module.LayerNorm(embedded))
        mask = module.get_attention_mask(sequences)
        return module.trm_encoder(embedded, mask, output_all_encoded_layers=True)[-1]

    @torch.no_grad()
    def score(self, requests: Requests) -> NDArray[np.float32]:
        """Return dot products of the history's last state with the items' embeddings.

        A request without history is answered from a single padding position.
        """
        kind = None if self.settings.history == "all" else EventSource.RECOMMENDED
        parts = [np.empty((0, requests.width), dtype=np.float32)]
        for batch in requests.batches(256):
            history = batch.history(self.settings.max_history, kind)
            longest = max(int(history.length.max(initial=0)), 1)
            sequences = torch.as_tensor(history.item[:, :longest].astype(np.int64) + 1)
            last = torch.as_tensor(np.maximum(history.length - 1, 0), device=self.device)
            states = self.hidden(sequences.to(self.device))
            states = states[torch.arange(len(batch), device=self.device), last]
            table = self.module.item_embedding.weight[1:]
            if batch.candidates is None:
                scores = states @ table.T
            else:
                chosen = torch.as_tensor(batch.candidates.astype(np.int64), device=self.device)
                scores = torch.einsum("bd,bcd->bc", states, table[chosen])
            parts.append(scores.float().cpu().numpy())
        return np.concatenate(parts)

    def item_vectors(self) -> NDArray[np.float32]:
        """Return the items' embeddings, ``[items, width]``."""
        return self.module.item_embedding.weight[1:].detach().cpu().numpy().copy()

    def parameters(self) -> int:
        """Return the number of weights."""
        return sum(weight.numel() for weight in self.module.parameters())

    def state(self) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return the weights."""
        weights = self.module.state_dict()
        arrays = {name: weight.cpu().numpy() for name, weight in weights.items()}
        return arrays, {"items": self.module.n_items - 1}

    def restore(self, arrays: dict[str, NDArray], values: dict[str, Any]) -> None:
        """Take back the weights."""
        self._build(values["items"], 0, "cpu")
        self.module.load_state_dict({name: torch.as_tensor(a) for name, a in arrays.items()})
