"""Product quantisation of item vectors, along axes that are learned for it.

A vector is cut into as many parts as an identifier has digits, and each part is coded by the
nearest of its own few vectors. Which numbers stand together in a part is up to a rotation, which
alternates with the coding (optimised product quantisation, the non-parametric solution of Ge et
al. 2014, IEEE TPAMI 36(4)). RPG takes it from Faiss; this is NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

__all__ = ["ProductCodes", "product_codes", "whitened"]

Vectors = NDArray[np.float32]

PASSES = 2
"""Passes of k-means between two rotations."""
LAST_PASSES = 10
"""Passes of k-means at the last rotation."""
_DISTANCES_AT_ONCE = 2**17
"""What caches hold."""
_LEAST_VARIANCE = 1e-9
"""Of a direction, as a share of the largest: below it there is only rounding."""


@dataclass(frozen=True)
class ProductCodes:
    """How vectors are coded.

    Attributes:
        rotation: orthogonal, ``[width, width]``.
        books: what the codes of each digit stand for, ``[digits, codes, width / digits]``.
        errors: mean squared error of a vector, after every pass of k-means; it never rises.
    """

    rotation: Vectors
    books: Vectors
    errors: tuple[float, ...]

    def codes(self, vectors: Vectors) -> NDArray[np.int64]:
        """Return the nearest codes of ``vectors`` (``[n, width]``), int64 ``[n, digits]``."""
        parts = _parts(vectors @ self.rotation, len(self.books))
        pairs = zip(parts, self.books, strict=True)
        return np.stack([_nearest(part, book)[0] for part, book in pairs], axis=1)

    def restored(self, codes: NDArray[np.int64]) -> Vectors:
        """Return what ``codes`` (``[n, digits]``) stand for, ``[n, width]``."""
        return _restored(codes, self.books) @ self.rotation.T


def whitened(vectors: NDArray[np.floating], components: int, digits: int) -> Vectors:
    """Return principal components of unit variance, ``[n, width]``.

    ``width`` is the next multiple of ``digits`` from ``components`` on, or from as many as vary at
    all; what is missing is 0.

    Args:
        vectors: ``[n, any]``.
        components: most directions, those of the largest variance.
        digits: into how many parts the width can be cut.
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    variance, axes = np.linalg.eigh(centred.T @ centred / len(centred))
    variance, axes = variance[::-1][:components], axes[:, ::-1][:, :components]
    real = variance > max(_LEAST_VARIANCE * variance.max(initial=0), np.finfo(np.float64).tiny)
    scaled = (centred @ axes[:, real] / np.sqrt(variance[real])).astype(np.float32)
    width = max(1, -(-scaled.shape[1] // digits)) * digits
    return np.pad(scaled, ((0, 0), (0, width - scaled.shape[1])))


def product_codes(
    vectors: Vectors, digits: int, codes: int, rounds: int, seed: int
) -> ProductCodes:
    """Learn to code ``vectors``, from a random rotation on.

    Args:
        vectors: ``[n, width]``, at least one; the width is a multiple of ``digits``.
        digits: parts of a vector.
        codes: of each digit.
        rounds: how often the rotation is learned from the codes; 0 keeps the first.
        seed: decides the first rotation and the first codes.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.standard_normal((vectors.shape[1],) * 2, dtype=np.float32)
    rotation: Vectors = np.linalg.qr(drawn)[0]
    first = rng.choice(len(vectors), codes, replace=len(vectors) < codes)
    books = _parts((vectors @ rotation)[first], digits)
    errors: list[float] = []
    for number in range(rounds + 1):
        parts = _parts(vectors @ rotation, digits)
        for _ in range(PASSES if number < rounds else LAST_PASSES):
            found, books, error = _pass(parts, books)
            errors.append(error)
        if number < rounds:
            # Procrustes: the rotation that brings vectors nearest to what their codes stand for.
            left, _, right = np.linalg.svd(vectors.T @ _restored(found, books))
            rotation = left @ right
    return ProductCodes(rotation, books, tuple(errors))


def _pass(parts: Vectors, books: Vectors) -> tuple[NDArray[np.int64], Vectors, float]:
    """Return the nearest codes, their means, and the error of a vector to these."""
    found, means = [], np.empty_like(books)
    for digit, (part, book) in enumerate(zip(parts, books, strict=True)):
        code, distance = _nearest(part, book)
        means[digit] = _means(part, code, distance, book)
        found.append(code)
    codes = np.stack(found, axis=1)
    left = parts - means[np.arange(len(books))[:, None], codes.T]
    return codes, means, float(np.square(left).sum(dtype=np.float64) / parts.shape[1])


def _means(part: Vectors, code: NDArray[np.int64], distance: Vectors, book: Vectors) -> Vectors:
    """Return the mean of each code's points; a code without any moves to the farthest points."""
    ones, points = np.ones(len(part), dtype=np.float32), np.arange(len(part))
    members = csr_array((ones, (code, points)), shape=(len(book), len(part)))
    counts = np.bincount(code, minlength=len(book))
    means: Vectors = (members @ part) / np.maximum(counts, 1).astype(np.float32)[:, None]
    empty = np.flatnonzero(counts == 0)
    means[empty] = part[np.resize(np.argsort(-distance, kind="stable"), len(empty))]
    return means


def _nearest(part: Vectors, book: Vectors) -> tuple[NDArray[np.int64], Vectors]:
    """Return the nearest code of each point ``[n, size]`` and the squared distance to it."""
    code = np.empty(len(part), dtype=np.int64)
    size, lengths = max(1, _DISTANCES_AT_ONCE // len(book)), np.square(book).sum(axis=1)
    for start in range(0, len(part), size):
        some = slice(start, start + size)
        off = part[some] @ (-2 * book.T)
        off += lengths
        code[some] = off.argmin(axis=1)
    return code, np.square(part - book[code]).sum(axis=1)


def _parts(vectors: Vectors, digits: int) -> Vectors:
    """Return the parts of vectors, ``[digits, n, width / digits]``."""
    parts: Vectors = vectors.reshape(len(vectors), digits, -1).transpose(1, 0, 2)
    return np.ascontiguousarray(parts)


def _restored(codes: NDArray[np.int64], books: Vectors) -> Vectors:
    """Return what codes stand for before the rotation is undone, ``[n, width]``."""
    return books[np.arange(len(books)), codes].reshape(len(codes), -1)
