"""What RecBole 1.2.1 expects of the process, given to it and taken back.

Whoever needs RecBole imports it through this module or after it. ``recbole.quick_start`` is never
imported: it pulls in an old ray, which nothing here needs.
"""

from __future__ import annotations

import io
import logging
import os
import random
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from unittest import mock

import numpy as np
import torch

from benchmark.errors import BenchmarkError

_anomaly_mode = torch.is_anomaly_enabled()
try:
    import recbole.model.sequential_recommender as sequential_recommender  # noqa: PLR0402
except ModuleNotFoundError as error:
    raise BenchmarkError(
        f"RecBole 1.2.1 cannot be used without the package '{error.name}'; run:"
        " pip install --no-deps recbole==1.2.1 && pip install 'search-rec-benchmark[recbole]'"
    ) from error

# sine.py turns autograd's anomaly mode on for the whole process when imported, which makes every
# training step of every model about a third slower.
torch.autograd.set_detect_anomaly(_anomaly_mode)

__all__ = ["as_recbole_expects", "own_randomness", "sequential_recommender"]

_NUMPY_1_NAMES = {
    # What Config reads
    "float_": np.float64,
    "complex_": np.complex128,
    "unicode_": np.str_,
    # What it sets for the models
    "bool": np.bool_,
    "int": np.int_,
    "float": np.float64,
    "complex": np.complex128,
    "object": np.object_,
    "str": np.str_,
    "long": np.int_,
    "unicode": np.str_,
}


@contextmanager
def as_recbole_expects() -> Iterator[None]:
    """Give RecBole the NumPy 1 names it reads and an empty command line, and keep it quiet.

    Its ``Config`` copies aliases that NumPy 2 has dropped, sets others, reads ``sys.argv`` and
    writes ``CUDA_VISIBLE_DEVICES``; some models print while they are built.
    """
    before = {name: np.__dict__[name] for name in _NUMPY_1_NAMES if name in np.__dict__}
    for name, value in _NUMPY_1_NAMES.items():
        np.__dict__.setdefault(name, value)
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            mock.patch.object(sys, "argv", sys.argv[:1]),
            mock.patch.dict(os.environ),
            redirect_stdout(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        for name in _NUMPY_1_NAMES:
            np.__dict__.pop(name, None)
        np.__dict__.update(before)


@contextmanager
def own_randomness(*seed: int) -> Iterator[None]:
    """Seed the global generators that RecBole's models draw from, and put them back afterwards."""
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002
    number = int(np.random.SeedSequence(seed).generate_state(1)[0])
    try:
        with torch.random.fork_rng():
            random.seed(number)
            np.random.seed(number)  # noqa: NPY002
            torch.manual_seed(number)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002
