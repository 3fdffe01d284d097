"""Building RecBole's modules, and the few places where they need help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baselines.recbole_bridge.config import FIELDS, make_config
from baselines.recbole_bridge.dataset import Interaction, StandIn
from baselines.recbole_bridge.environment import (
    as_recbole_expects,
    own_randomness,
    sequential_recommender,
)
from baselines.recbole_bridge.samples import Wanted
from baselines.recbole_bridge.settings import RecBoleSettings, model_values, own_values
from benchmark.errors import RefusedError
from benchmark.failures import is_of_the_machine
from benchmark.learning.dropout import use_byte_dropout

__all__ = ["build", "move", "ranks_catalogue", "scores_of", "wanted_by"]

_REFUSALS = (
    ArithmeticError,
    AssertionError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    SystemExit,
    TypeError,
    ValueError,
)
"""How RecBole's constructors answer sizes that do not fit; one of them leaves the process."""


class _FEARec(sequential_recommender.FEARec):
    """FEARec, whose table of samples with the same target is made by one sort.

    RecBole searches all samples once for each sample, which grows with the square.
    """

    def get_same_item_index(self, dataset: StandIn) -> dict[int, NDArray[np.int64]]:
        """Return the rows of each target."""
        if self.ITEM_ID not in dataset.inter_feat:
            return {}
        target = dataset.inter_feat[self.ITEM_ID].numpy()
        order = np.argsort(target, kind="stable")
        items, starts = np.unique(target[order], return_index=True)
        return dict(zip(items.tolist(), np.split(order, starts[1:]), strict=True))


def _class_of(model: str) -> Any:
    return _FEARec if model == "FEARec" else getattr(sequential_recommender, model)


def wanted_by(model: str, values: dict[str, Any]) -> Wanted:
    """Return what the model's loss reads, with ``values`` over its own file's."""
    own = {**own_values(model), **values}
    return Wanted(
        labels=not ranks_catalogue(model),
        negative_lists=model == "DIEN",
        transform=own.get("transform"),
        mask_ratio=own.get("mask_ratio", 0.0),
        last_ratio=own.get("ft_ratio", 0.0),
    )


def ranks_catalogue(model: str) -> bool:
    """Return whether RecBole's class scores all items at once."""
    return "full_sort_predict" in vars(getattr(sequential_recommender, model))


def build(
    model: str,
    settings: RecBoleSettings,
    users: int,
    items: int,
    seed: int,
    everything: Callable[[], dict[str, NDArray]] | None = None,
) -> Any:
    """Return RecBole's module (an ``nn.Module``) with fresh weights, on the CPU.

    Args:
        model: RecBole's name.
        settings: sizes.
        users: number of users.
        items: number of items.
        seed: decides the weights.
        everything: returns all training samples, for a model that is to be trained and reads them.

    Raises:
        RefusedError: RecBole refuses the sizes.
        RuntimeError: there is not enough memory.
    """
    values = model_values(model, settings)
    if "reranker_CAN_NUM" in own_values(model):
        asked = values.get("reranker_CAN_NUM", own_values(model)["reranker_CAN_NUM"])
        values["reranker_CAN_NUM"] = min(asked, items)
    config = make_config(model, values, settings.max_history, settings.batch_size)
    samples = everything() if everything is not None and model == "FEARec" else {}
    data = StandIn(users, items, config, samples)
    try:
        with as_recbole_expects(), own_randomness(seed):
            module = _class_of(model)(config, data)
    except _REFUSALS as error:
        if is_of_the_machine(error):
            raise
        raise RefusedError(f"recbole:{model}: RecBole refuses these settings: {error}") from error
    use_byte_dropout(module)
    return module.eval()


def move(module: Any, device: str) -> None:
    """Move a module; RecBole's parts remember their device beside their weights."""
    for part in module.modules():
        if isinstance(getattr(part, "device", None), (str, torch.device)):
            part.device = torch.device(device)
    module.to(device)


def scores_of(module: Any, batch: Interaction, items: int) -> Tensor:
    """Return scores of the whole catalogue, ``[rows, items]``, by RecBole's own prediction."""
    if isinstance(module, sequential_recommender.SHAN):
        # It is trained on histories that end at the last place; its full ranking reads another
        # column than its training and its prediction of single items do.
        batch[module.ITEM_SEQ] = batch[FIELDS["INVERSE_ITEM_SEQ"]]
    return module.full_sort_predict(batch)[:, 1 : items + 1]
