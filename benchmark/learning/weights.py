"""Weights of torch modules as arrays for :meth:`benchmark.model.Model.state`, and back."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from numpy.typing import NDArray
from torch import nn

__all__ = ["arrays_of", "count_weights", "take_arrays"]


def arrays_of(module: nn.Module, prefix: str = "") -> dict[str, NDArray]:
    """Return a module's weights and persistent buffers by name, each name behind ``prefix``."""
    state = module.state_dict()
    return {f"{prefix}{name}": weight.detach().cpu().numpy() for name, weight in state.items()}


def take_arrays(module: nn.Module, arrays: Mapping[str, NDArray], prefix: str = "") -> None:
    """Give a module the weights that :func:`arrays_of` returned with the same ``prefix``.

    Arrays whose names do not begin with ``prefix`` are left alone.

    Raises:
        RuntimeError: one of the module's weights is missing, one is too many, or one has another
            shape or type.
    """
    weights = {
        name.removeprefix(prefix): torch.as_tensor(array)
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
    for name, own in module.state_dict().items():
        # Torch would convert them without a word.
        if name in weights and weights[name].dtype != own.dtype:
            raise RuntimeError(f"{name} is {weights[name].dtype}, not {own.dtype}")
    module.load_state_dict(weights)


def count_weights(module: nn.Module) -> int:
    """Return the number of a module's weights."""
    return sum(weight.numel() for weight in module.parameters())
