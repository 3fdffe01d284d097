"""Where a model computes."""

from __future__ import annotations

from benchmark.errors import InputError
from benchmark.model import Model

__all__ = ["resolve_device"]


def resolve_device(asked: str, model: Model, gpu: bool | None = None) -> str:
    """Return ``cpu`` or ``cuda``; ``auto`` takes a GPU where there is one and the model uses it.

    Args:
        asked: ``auto``, ``cpu`` or ``cuda``.
        model: what is to compute.
        gpu: whether there is a GPU; ``None`` looks for one on this machine.

    Raises:
        InputError: ``cuda`` was asked for, and there is none or the model does not use one.
    """
    if not model.uses_gpu:
        if asked == "cuda":
            raise InputError("--device cuda: the model computes on the CPU only; use --device auto")
        return "cpu"
    if gpu is None:
        import torch

        gpu = torch.cuda.is_available()
    if asked == "cuda" and not gpu:
        raise InputError("--device cuda: no CUDA device is visible; use --device cpu")
    return "cuda" if asked != "cpu" and gpu else "cpu"
