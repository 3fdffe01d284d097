"""Residual quantisers of one vector for each item.

All of them do the same at every level: the code is the one whose vector lies nearest to what the
levels before have left over, and that vector is taken away. They differ in where the vectors come
from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from baselines.generative.plain_rqvae import train_rqvae
from baselines.generative.settings import IdentifierSettings
from benchmark.errors import RefusedError
from gensar.engine.rqvae import Codebook

__all__ = ["Quantisation", "quantise", "residual_kmeans", "residual_lfq"]

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Quantisation:
    """The codes of all items, and what they stand for.

    Attributes:
        codes: int64 ``[items, levels]``.
        vectors: for each level what its codes stand for, ``[codes, width]`` of one width.
        place: maps further vectors of the kind that was quantised to the space of the codes'
            vectors, ``[n, input width]`` to ``[n, width]``.
    """

    codes: NDArray[np.int64]
    vectors: tuple[Vectors, ...]
    place: Callable[[Vectors], Vectors]


def quantise(
    vectors: Vectors, settings: IdentifierSettings, seed: int, device: str
) -> Quantisation:
    """Quantise the items' ``vectors`` (``[items, width]``) as the settings say."""
    if settings.quantiser == "rq-kmeans":
        return residual_kmeans(vectors, settings.levels, settings.codebook_size, seed)
    if settings.quantiser == "lfq":
        return residual_lfq(vectors, settings.levels, settings.codebook_size)
    trained = train_rqvae(vectors, settings, seed, device)
    return Quantisation(trained.codes(vectors), trained.codebooks(), trained.place)


def residual_kmeans(vectors: Vectors, levels: int, codes: int, seed: int) -> Quantisation:
    """Cluster ``vectors`` by k-means, then what is left of them, level by level."""
    rest = torch.as_tensor(vectors)
    columns, books = [], []
    for level in range(levels):
        book = Codebook(codes, rest.shape[1])
        book.init_from(rest, seed + level)
        with torch.no_grad():
            nearest = book.distances(rest).argmin(dim=1)
            rest = rest - book.vectors[nearest]
        columns.append(nearest.numpy())
        books.append(book.vectors.detach().numpy())
    return Quantisation(np.stack(columns, axis=1), tuple(books), lambda vectors: vectors)


def residual_lfq(vectors: Vectors, levels: int, codes: int) -> Quantisation:
    """Quantise without a look-up: the bits of a code are signs (Yu et al. 2024).

    Published, a network learns to put out a few numbers whose signs are kept. Here it is linear
    and solved for: the principal axes of what is left at a level. Along each axis the code stands
    for plus or minus the mean absolute value there, which is the best pair of values for squared
    error; the next level takes what that leaves, along axes of its own. Bit ``b`` of a code is set
    where the value along axis ``b`` is positive.

    Raises:
        RefusedError: ``codes`` is not a power of 2.
    """
    bits = codes.bit_length() - 1
    if codes != 2**bits or bits == 0:
        raise RefusedError(f"codes={codes}: the quantiser lfq needs a power of 2")
    patterns = (np.arange(codes)[:, None] >> np.arange(bits)) & 1
    rest = vectors.astype(np.float64)
    columns, books = [], []
    for _ in range(levels):
        mean = rest.mean(axis=0)
        axes = _principal_axes(rest - mean, bits)
        along = (rest - mean) @ axes
        reach = np.abs(along).mean(axis=0)
        book = mean + ((2 * patterns - 1) * reach) @ axes.T
        code = (along > 0) @ (1 << np.arange(bits))
        rest = rest - book[code]
        columns.append(code)
        books.append(book.astype(np.float32))
    return Quantisation(np.stack(columns, axis=1), tuple(books), lambda vectors: vectors)


def _principal_axes(centred: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return the directions of the largest variance, ``[width, count]``, each of one sign.

    Where there are fewer dimensions than directions, the others are zero.
    """
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :count]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], axis=0)
    axes = axes * np.where(largest < 0, -1.0, 1.0)
    return np.pad(axes, ((0, 0), (0, count - axes.shape[1])))
