"""From quantised vectors to the identifiers that a generator writes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baselines.generative.quantise import Quantisation
from benchmark.model_protocols import IdentifierFacts
from gensar.engine.diagnostics import code_use
from gensar.engine.identifiers import (
    Identifiers,
    collision_rate,
    extra_codes,
    items_in_collision,
)

__all__ = ["facts_of", "separate_identifiers", "single_identifiers"]

Vectors = NDArray[np.float32]


def single_identifiers(
    codes: NDArray[np.int64], vectors: tuple[Vectors, ...], always: bool = False
) -> Identifiers:
    """Return identifiers that both tasks write with the same tokens.

    Args:
        codes: int64 ``[items, levels]``, which may collide.
        vectors: what the codes of each level stand for.
        always: whether there is a last level without any collision, too (TIGER, section 3.1).
    """
    whole, sizes = _told_apart(codes, vectors, always)
    return Identifiers((whole, whole), len(sizes), (sizes, sizes), (vectors, vectors))


def separate_identifiers(search: Quantisation, rec: Quantisation) -> Identifiers:
    """Return two identifiers of each item that share no token.

    The codes' vectors are brought to one width with zeros.
    """
    wide = max(one.vectors[0].shape[1] for one in (search, rec))
    books = tuple(
        tuple(np.pad(book, ((0, 0), (0, wide - book.shape[1]))) for book in one.vectors)
        for one in (search, rec)
    )
    (semantic, semantic_sizes), (collaborative, collaborative_sizes) = (
        _told_apart(one.codes, one.vectors, always=False) for one in (search, rec)
    )
    return Identifiers(
        codes=(semantic, collaborative),
        shared_levels=0,
        level_sizes=(semantic_sizes, collaborative_sizes),
        codebooks=(books[0], books[1]),
    )


def facts_of(codes: NDArray[np.int64], sizes: tuple[int, ...], levels: int) -> IdentifierFacts:
    """Return what the run log is told of identifiers ``[items, levels or one more]``."""
    return IdentifierFacts(
        collision_rate_by_pass=(collision_rate(codes[:, :levels]),),
        items_sharing_an_identifier=items_in_collision(codes[:, :levels]),
        levels=code_use(codes, sizes),
    )


def _told_apart(
    codes: NDArray[np.int64], vectors: tuple[Vectors, ...], always: bool
) -> tuple[NDArray[np.int64], tuple[int, ...]]:
    """Return unique codes and the size of each level; a further one numbers those that collide."""
    sizes = tuple(len(book) for book in vectors)
    if not always and collision_rate(codes) == 0:
        return codes, sizes
    extra = extra_codes(codes)
    return np.column_stack([codes, extra]), (*sizes, int(extra.max(initial=0)) + 1)
