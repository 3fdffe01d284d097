"""The trie of all identifiers of one kind as flat tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Trie"]


@dataclass(frozen=True)
class Trie:
    """Prefix tree over codes; node 0 is the root, the nodes of a level are numbered together.

    Attributes:
        levels: length of an identifier.
        first_child: int64 ``[nodes + 1]``; the children of node ``n`` are the entries
            ``first_child[n]:first_child[n + 1]`` of ``child`` and ``child_code``.
        child: int64 ``[edges]``, the node that an edge leads to.
        child_code: int64 ``[edges]``, the code that stands on the edge.
        widest: for each level, the largest number of children of one of its nodes.
        path: int64 ``[items, levels]``, the node of each prefix of an item's identifier.
        nodes: number of nodes, the root included.
    """

    levels: int
    first_child: Tensor
    child: Tensor
    child_code: Tensor
    widest: tuple[int, ...]
    path: Tensor
    nodes: int

    @classmethod
    def of(cls, codes: NDArray[np.int64], device: str = "cpu") -> Trie:
        """Build the trie of ``codes`` (``[items, levels]``); items may share an identifier."""
        items, levels = codes.shape
        path = np.empty((items, levels), dtype=np.int64)
        parent: NDArray[np.int64] = np.zeros(items, dtype=np.int64)
        edges_from, edges_code, nodes = [], [], 1
        for level in range(levels):
            pairs = np.stack([parent, codes[:, level]], axis=1)
            distinct, inverse = np.unique(pairs, axis=0, return_inverse=True)
            path[:, level] = nodes + inverse.ravel()
            edges_from.append(distinct[:, 0])
            edges_code.append(distinct[:, 1])
            nodes += len(distinct)
            parent = path[:, level]
        sources = np.concatenate(edges_from)
        counts = np.bincount(sources, minlength=nodes)
        starts = np.concatenate([[0], np.cumsum(counts)])
        widest = tuple(int(np.bincount(s).max()) for s in edges_from)
        return cls(
            levels=levels,
            first_child=torch.as_tensor(starts, device=device),
            child=torch.arange(1, nodes, device=device),
            child_code=torch.as_tensor(np.concatenate(edges_code), device=device),
            widest=widest,
            path=torch.as_tensor(path, device=device),
            nodes=nodes,
        )

    def children(self, nodes: Tensor, level: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return the children of ``nodes`` (any shape), nodes of depth ``level``.

        Returns:
            child nodes, the codes on their edges, and whether there is such a child; each of the
            shape of ``nodes`` with one more axis of ``widest[level]``. A child that does not exist
            has code 0 and the last leaf's number, so that it has no children in turn.
        """
        start = self.first_child[nodes].unsqueeze(-1)
        end = self.first_child[nodes + 1].unsqueeze(-1)
        edges = start + torch.arange(self.widest[level], device=nodes.device)
        real = edges < end
        edges = edges.clamp_max(len(self.child) - 1)
        child = self.child[edges].masked_fill(~real, self.nodes - 1)
        return child, self.child_code[edges].masked_fill(~real, 0), real

    def count_below(self, permitted: Tensor) -> Tensor:
        """Count the permitted items (bool ``[rows, items]``) below each node.

        Returns:
            int32 ``[rows, nodes]``; the root's entry is 0, nothing asks for it.
        """
        rows = len(permitted)
        counts = torch.zeros(rows, self.nodes, dtype=torch.int32, device=permitted.device)
        ones = permitted.to(torch.int32)
        for level in range(self.levels):
            counts.index_add_(1, self.path[:, level], ones)
        return counts
