"""Where a model computes."""

from __future__ import annotations

from benchmark.errors import InputError
from benchmark.model import Model

__all__ = ["resolve_device"]


def resolve_device(asked: str, model: Model) -> str:
    """Return ``cpu`` or ``cuda``; ``auto`` takes a GPU where there is one and the model uses it.

    Raises:
        InputError: ``cuda`` was asked for, and there is none or the model does not use one.
    """
    if not model.uses_gpu:
        if asked == "cuda":
            raise InputError("--device cuda: the model computes on the CPU only; use --device auto")
        return "cpu"
    import torch

    if asked == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: no CUDA device is visible; use --device cpu")
    return "cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu"
