"""Numbers too small to matter: a processor takes up to a hundred times as long for each of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

__all__ = ["are_flushed", "subnormals_flushed"]


@contextmanager
def subnormals_flushed() -> Iterator[None]:
    """Compute with zero in place of numbers below 1e-38, where the processor can.

    Weights that nothing calls for fade to such numbers under an L2 penalty, and so do the moments
    of an optimiser; products with them took 27 times as long as others. It holds for this thread,
    and for those that PyTorch starts meanwhile. Without PyTorch nothing is trained, and nothing
    changes.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = are_flushed()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def are_flushed() -> bool:
    """Return whether a result below 1e-38 is zero, in this thread."""
    return bool(np.float32(1e-38) * np.float32(1e-3) == 0)
