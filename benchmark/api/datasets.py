"""Data sets by name."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from benchmark.data.dataset import Dataset
from benchmark.data.load import load_dataset
from benchmark.data.terms import Leakage, Seen
from benchmark.remarks import remark

__all__ = ["load"]


def load(
    name_or_path: str | Path, *, seen: Seen = "exclude", leakage: Leakage | None = None
) -> Dataset:
    """Load a data set, preparing it unless that was done before.

    What is worth knowing of it goes to stderr, once in a session.

    Args:
        name_or_path: a card's name, a folder with a ``card.yaml``, or a folder of atomic files.
        seen: whether the whole catalogue is ranked without the items of a request's history.
        leakage: overrules the card's rule.

    Raises:
        InputError: an unknown name, a wrong card, or malformed or missing files.
    """
    return load_dataset(name_or_path, notify=_once, seen=seen, leakage=leakage)


@cache
def _once(line: str) -> None:
    remark(line)
