"""What a step of training asks for: identifiers and texts to be written, and from which inputs."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.learning.ragged import Ragged, join
from gensar.engine.identifiers import Identifiers
from gensar.engine.sequences import NOTHING
from gensar.engine.vocabulary import END, PADDING

__all__ = ["CodeTargets", "Step", "TextTargets", "ended", "one_code_target_each"]


@dataclass(frozen=True)
class CodeTargets:
    """Identifiers to be written, several for each input.

    Attributes:
        inputs: int64 ``[rows, positions, width]``.
        first: int64 ``[rows, targets]``, the first position that each target may read.
        visible: int64 ``[rows, targets]``, the position behind the last that it may read; 0 marks
            a place without a target.
        start: int64 ``[rows, targets]``, the decoder's first token.
        identifier: int64 ``[rows, targets]``, ``SEMANTIC`` or ``COLLABORATIVE``.
        item: int64 ``[rows, targets]``.
        hidden: int64 ``[rows, positions, 2]``, see :class:`gensar.engine.sequences.Stream`.
    """

    inputs: NDArray[np.int64]
    first: NDArray[np.int64]
    visible: NDArray[np.int64]
    start: NDArray[np.int64]
    identifier: NDArray[np.int64]
    item: NDArray[np.int64]
    hidden: NDArray[np.int64] | None = None

    def at(self, rows: slice) -> CodeTargets:
        """Return those of some inputs."""
        return CodeTargets(**_cut(self, rows))


@dataclass(frozen=True)
class TextTargets:
    """Texts to be written, one for each input.

    Attributes:
        inputs: int64 ``[rows, positions, width]``.
        visible: int64 ``[rows]``, how many positions may be read.
        start: int64 ``[rows]``, the decoder's first token.
        text: int64 ``[rows, pieces]``, ending in the end token and padded with ``PADDING``.
        hidden: int64 ``[rows, positions, 2]``, see :class:`gensar.engine.sequences.Stream`.
    """

    inputs: NDArray[np.int64]
    visible: NDArray[np.int64]
    start: NDArray[np.int64]
    text: NDArray[np.int64]
    hidden: NDArray[np.int64] | None = None

    def at(self, rows: slice) -> TextTargets:
        """Return those of some inputs."""
        return TextTargets(**_cut(self, rows))


def _cut(targets: CodeTargets | TextTargets, rows: slice) -> dict[str, Any]:
    arrays = {field.name: getattr(targets, field.name) for field in fields(targets)}
    return {name: None if array is None else array[rows] for name, array in arrays.items()}


@dataclass(frozen=True)
class Step:
    """What one optimiser step learns from: targets, each with its weight in the loss."""

    codes: list[tuple[CodeTargets, float]]
    texts: list[tuple[TextTargets, float]]

    def by_token(self, identifiers: Identifiers, whole_answers: bool) -> Step:
        """Return the same targets weighted by how many tokens they are.

        ``whole_answers`` says whether the tokens around codes are written too. The loss then is
        the mean over all of them, as of one batch in which the tasks are mixed.
        """
        levels = np.array([codes.shape[1] for codes in identifiers.codes])
        # A behaviour token where there is one, and the end token.
        around = [whole_answers * (1 + (t.start != PADDING)) for t, _ in self.codes]
        written = [
            int(((levels[t.identifier] + more) * (t.visible > 0)).sum())
            for (t, _), more in zip(self.codes, around, strict=True)
        ]
        spelled = [int((t.text != PADDING).sum()) for t, _ in self.texts]
        total = max(sum(written) + sum(spelled), 1)
        return Step(
            [(t, n / total) for (t, _), n in zip(self.codes, written, strict=True)],
            [(t, n / total) for (t, _), n in zip(self.texts, spelled, strict=True)],
        )


def one_code_target_each(
    inputs: Ragged,
    item: NDArray[np.integer],
    identifier: NDArray[np.int64],
    start: int,
    first: int = 0,
) -> CodeTargets:
    """Return one target for each input, which reads it from position ``first`` on.

    ``item`` and ``identifier`` are ``[rows]``; ``start`` is the decoder's first token.
    """
    return CodeTargets(
        inputs=inputs.padded(NOTHING),
        first=np.full((len(inputs), 1), first),
        visible=inputs.lengths[:, None],
        start=np.full((len(inputs), 1), start),
        identifier=identifier[:, None],
        item=item.astype(np.int64)[:, None],
    )


def ended(words: Ragged) -> NDArray[np.int64]:
    """Return rows of text pieces with the end token behind them, padded."""
    ones = np.ones(len(words), dtype=np.int64)
    end = Ragged(np.full(len(words), END, dtype=np.int64), ones)
    return join(words, end).padded(PADDING)
