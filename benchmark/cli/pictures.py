"""``--picture``: a file whose ending says what is drawn into it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.errors import InputError
from benchmark.report.figures import PICTURES

if TYPE_CHECKING:
    from benchmark.target import Target

__all__ = ["picture_target"]


def picture_target(path: Path, endings: Sequence[str] = PICTURES) -> Target:
    """Return the file to draw into.

    Raises:
        InputError: it has another ending, or cannot be written.
    """
    from benchmark.target import Target

    if path.suffix not in endings:
        raise InputError(f"--picture {path}: name a file that ends in {' or '.join(endings)}")
    return Target.at("--picture", path)
