"""The trie of the items' identifiers as flat tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["ExcludedItems", "Trie"]


@dataclass(frozen=True)
class Trie:
    """Prefix tree over codes; node 0 is the root.

    The nodes of a level are numbered together, and there the children of a node together, so that
    an edge leads to the node whose number is the edge's and one.

    Attributes:
        levels: length of an identifier.
        first_child: int64 ``[nodes + 1]``; node ``n`` has the edges from ``first_child[n]`` to
            before ``first_child[n + 1]``.
        code: int64 ``[edges]``, the code that stands on the edge.
        parent: int64 ``[edges]``, the node that an edge comes from.
        first_node: the first node of each level, and the number of nodes: ``levels + 1`` numbers;
            level 0 holds the nodes of one code.
        widest: for each level, the largest number of children of one of its nodes' parents.
        path: int64 ``[items, levels]``, the node of each prefix of an item's identifier.
        items_below: int64 ``[nodes]``.
    """

    levels: int
    first_child: Tensor
    code: Tensor
    parent: Tensor
    first_node: tuple[int, ...]
    widest: tuple[int, ...]
    path: Tensor
    items_below: Tensor

    @property
    def nodes(self) -> int:
        """Number of nodes, the root included."""
        return self.first_node[-1]

    @classmethod
    def of(cls, codes: NDArray[np.int64], device: str = "cpu") -> Trie:
        """Build the trie of ``codes`` (``[items, levels]``); items may share an identifier."""
        items, levels = codes.shape
        path = np.empty((items, levels), dtype=np.int64)
        parent: NDArray[np.int64] = np.zeros(items, dtype=np.int64)
        parents, edge_codes, first_node, widest = [], [], [1], []
        for level in range(levels):
            size = int(codes[:, level].max(initial=0)) + 1
            distinct, inverse = np.unique(parent * size + codes[:, level], return_inverse=True)
            path[:, level] = first_node[-1] + inverse.ravel()
            parents.append(distinct // size)
            edge_codes.append(distinct % size)
            first_node.append(first_node[-1] + len(distinct))
            widest.append(int(np.unique(parents[-1], return_counts=True)[1].max(initial=0)))
            parent = path[:, level]
        sources = np.concatenate(parents)
        nodes = first_node[-1]
        first_child = np.concatenate([[0], np.cumsum(np.bincount(sources, minlength=nodes))])
        below = np.bincount(path.ravel(), minlength=nodes)
        below[0] = items

        def moved(array: NDArray[np.integer]) -> Tensor:
            return torch.as_tensor(array, dtype=torch.int64, device=device)

        return cls(
            levels=levels,
            first_child=moved(first_child),
            code=moved(np.concatenate(edge_codes)),
            parent=moved(sources),
            first_node=tuple(first_node),
            widest=tuple(widest),
            path=moved(path),
            items_below=moved(below),
        )

    def children(self, nodes: Tensor, level: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return the children of ``nodes`` (any shape), which have a depth of ``level`` codes.

        Returns:
            child nodes, the codes on their edges, and whether there is such a child; each of the
            shape of ``nodes`` with one more axis of ``widest[level]``. A child that does not exist
            has code 0 and the last leaf's number, so that it has no children in turn.
        """
        start = self.first_child[nodes].unsqueeze(-1)
        end = self.first_child[nodes + 1].unsqueeze(-1)
        edges = start + torch.arange(self.widest[level], device=nodes.device)
        real = edges < end
        edges = edges.clamp_max(len(self.code) - 1)
        child = (edges + 1).masked_fill(~real, self.nodes - 1)
        return child, self.code[edges].masked_fill(~real, 0), real


@dataclass(frozen=True)
class ExcludedItems:
    """Items that must not be given to a request, and the nodes that nothing else stands below.

    Its size follows the excluded items, not the catalogue.

    Attributes:
        items: int64 ``[requests, most]``, filled up with -1.
        parent: int64 ``[requests, most nodes]``, the parent of each such node, filled up with -1.
        place: likewise, which of its parent's children the node is.
    """

    items: Tensor
    parent: Tensor
    place: Tensor

    @classmethod
    def of(
        cls, trie: Trie, offsets: NDArray[np.integer], items: NDArray[np.integer]
    ) -> ExcludedItems:
        """Exclude ``items[offsets[r]:offsets[r + 1]]`` from request ``r``; some may repeat."""
        device = trie.path.device
        rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        pairs = torch.as_tensor(np.stack([rows, items]).astype(np.int64), device=device)
        pairs = torch.unique(pairs, dim=1)
        nodes = trie.path[pairs[1]]
        keys = (pairs[0].unsqueeze(1) * trie.nodes + nodes).flatten()
        distinct, excluded_below = torch.unique(keys, return_counts=True)
        dead = distinct[excluded_below == trie.items_below[distinct % trie.nodes]]
        row, node = dead // trie.nodes, dead % trie.nodes
        parent = trie.parent[node - 1]
        requests = len(offsets) - 1
        return cls(
            _rows(pairs[0], pairs[1], requests),
            _rows(row, parent, requests),
            _rows(row, node - 1 - trie.first_child[parent], requests),
        )

    def allowed_children(self, nodes: Tensor, real: Tensor) -> Tensor:
        """Return which children lead to an item that is not excluded.

        Args:
            nodes: int64 ``[requests, prefixes]``.
            real: bool ``[requests, prefixes, children]``, which children there are.
        """
        row, prefix, number = (nodes.unsqueeze(2) == self.parent.unsqueeze(1)).nonzero().unbind(1)
        left = real.clone()
        left[row, prefix, self.place[row, number]] = False
        return left

    def holds(self, items: Tensor) -> Tensor:
        """Return which of ``items`` (int64 ``[requests, n]``) are excluded."""
        return (items.unsqueeze(2) == self.items.unsqueeze(1)).any(dim=2)


def _rows(row: Tensor, values: Tensor, rows: int) -> Tensor:
    """Put values whose rows ascend into ``[rows, longest]``, filled up with -1."""
    counts = torch.bincount(row, minlength=rows)
    place = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts)[row]
    longest = int(counts.max()) if rows else 0
    out = torch.full((rows, longest), -1, dtype=torch.int64, device=row.device)
    out[row, place] = values
    return out
