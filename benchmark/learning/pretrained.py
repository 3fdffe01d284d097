"""Pretrained weights by their names: where they lie, and errors of loading them in one line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from benchmark.errors import BenchmarkError, InputError, out_of_memory
from benchmark.failures import described
from benchmark.learning.quiet import without_progress_bars
from benchmark.plain_text import plain

__all__ = ["check_place", "loading", "weights_digest"]


def check_place(what: str, name: str) -> None:
    """Refuse a folder that is not there, which a hub need not be asked to know.

    Args:
        what: names it in the error, as in ``"text encoder"``.
        name: a name on the hub, which always passes, or a folder.

    Raises:
        InputError: it can only be a folder, and there is none.
    """
    if name.startswith(("/", ".", "~")) and not Path(name).is_dir():
        raise InputError(f"{what} '{plain(name, 200)}': there is no such folder")


@contextmanager
def loading(what: str, name: str, mend: str) -> Iterator[None]:
    """Load pretrained weights inside, without progress bars and with global randomness as it was.

    Args:
        what: names it in the error.
        name: a name on the hub or a folder.
        mend: what to do where it cannot be loaded; it ends the error.

    Raises:
        InputError: it cannot be loaded, and why, in one line.
    """
    check_place(what, name)
    where = f"from the folder {name}" if Path(name).is_dir() else "from the hub"
    try:
        with without_progress_bars(), torch.random.fork_rng():
            yield
    except BenchmarkError:
        raise
    except Exception as error:
        if out_of_memory(error):
            raise
        raise InputError(
            f"{what} '{plain(name, 200)}' cannot be loaded {plain(where, 200)}"
            f" ({described(error)}); {mend}"
        ) from error


def weights_digest(module: nn.Module) -> str:
    """Return the SHA-256 (hex) over all weights of a module, with their names and shapes."""
    total = hashlib.sha256()
    for name, weight in sorted(module.state_dict().items()):
        total.update(f"{name} {weight.dtype} {tuple(weight.shape)}\n".encode())
        raw = weight.detach().cpu().contiguous().flatten().view(torch.uint8)
        total.update(memoryview(raw.numpy()))
    return total.hexdigest()
