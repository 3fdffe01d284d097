"""What requests are judged by: relevant items with grades, and lists of candidates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmark.data.requests import Requests
from benchmark.data.spans import spread
from benchmark.data.terms import PROTOCOLS, Protocol

__all__ = ["PROTOCOLS", "CandidateLists", "EvaluationSet", "Protocol", "Relevant", "Repeated"]


@dataclass(frozen=True)
class Relevant:
    """The relevant items of requests, a row for each; every request has at least one.

    Attributes:
        request: int64 ``[rows]``, number of the request, ascending.
        item: int32 ``[rows]``, ascending and distinct within a request.
        gain: float32 ``[rows]``, the grade, above 0; 1 where the data knows no more.
    """

    request: NDArray[np.int64]
    item: NDArray[np.int32]
    gain: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.request)

    @classmethod
    def of_events(
        cls,
        request: NDArray[np.integer],
        item: NDArray[np.integer],
        gain: NDArray[np.floating] | None = None,
    ) -> Relevant:
        """Make rows of events; of several events with one item in a request the best grade counts.

        All arguments are ``[events]``; without ``gain`` every grade is 1.
        """
        grade = np.ones(len(item), dtype=np.float32) if gain is None else gain.astype(np.float32)
        order = np.lexsort((-grade, item, request))
        request, item, grade = request[order], item[order], grade[order]
        new = np.ones(len(order), dtype=np.bool_)
        new[1:] = (request[1:] != request[:-1]) | (item[1:] != item[:-1])
        return cls(request[new].astype(np.int64), item[new].astype(np.int32), grade[new])

    def per_request(self, requests: int) -> NDArray[np.int64]:
        """Return the number of relevant items of each request, ``[requests]``."""
        return np.bincount(self.request, minlength=requests)

    def at(self, rows: NDArray[np.integer]) -> Relevant:
        """Return the relevant items of the requests at ``rows``, numbered by place in ``rows``."""
        starts = np.searchsorted(self.request, rows)
        lengths = np.searchsorted(self.request, rows, side="right") - starts
        places = spread(starts, lengths)
        owner = np.repeat(np.arange(len(rows)), lengths)
        return Relevant(owner, self.item[places], self.gain[places])

    def only(self, keep: NDArray[np.bool_]) -> Relevant:
        """Return the rows where ``keep`` (``[rows]``) holds; requests keep their numbers."""
        return Relevant(self.request[keep], self.item[keep], self.gain[keep])


@dataclass(frozen=True)
class CandidateLists:
    """A list of candidates for each request, of any length.

    Attributes:
        offsets: int64 ``[requests + 1]``; request ``i`` owns ``items[offsets[i]:offsets[i + 1]]``.
        items: int32 ``[total]``, ascending and distinct within a list.
    """

    offsets: NDArray[np.int64]
    items: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """The number of candidates of each request."""
        return np.diff(self.offsets)

    @property
    def owner(self) -> NDArray[np.int64]:
        """The request that each of ``items`` belongs to."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @classmethod
    def of_pairs(
        cls, request: NDArray[np.integer], item: NDArray[np.integer], requests: int
    ) -> CandidateLists:
        """Make the lists of ``requests`` requests from pairs in any order, which may repeat."""
        order = np.lexsort((item, request))
        request, item = request[order], item[order]
        new = np.ones(len(order), dtype=np.bool_)
        new[1:] = (request[1:] != request[:-1]) | (item[1:] != item[:-1])
        counts = np.bincount(request[new], minlength=requests)
        return cls(np.concatenate([[0], np.cumsum(counts)]), item[new].astype(np.int32))

    def at(self, rows: NDArray[np.integer]) -> CandidateLists:
        """Return the lists of the requests at ``rows``."""
        lengths = self.lengths[rows]
        places = spread(self.offsets[:-1][rows], lengths)
        return CandidateLists(np.concatenate([[0], np.cumsum(lengths)]), self.items[places])

    def rectangle(self) -> NDArray[np.int32]:
        """Return the lists as ``[requests, longest]``; a shorter one repeats its last item.

        So a model is asked about real items only; the surplus columns are no candidates.

        Raises:
            ValueError: a list is empty.
        """
        lengths = self.lengths
        if len(lengths) and not lengths.min():
            raise ValueError("a list of candidates is empty")
        columns = np.arange(int(lengths.max(initial=0)))
        places = self.offsets[:-1, None] + np.minimum(columns, lengths[:, None] - 1)
        return self.items[places]

    def without(self, drop: NDArray[np.bool_]) -> CandidateLists:
        """Return the lists without the entries where ``drop`` (``[total]``) holds."""
        counts = np.bincount(self.owner[~drop], minlength=len(self))
        return CandidateLists(np.concatenate([[0], np.cumsum(counts)]), self.items[~drop])


@dataclass(frozen=True)
class Repeated:
    """What ``seen: exclude`` took out, because it stood in the request's own history.

    Attributes:
        targets: relevant items taken out of requests.
        requests: requests that had no other relevant item and are not asked.
    """

    targets: int = 0
    requests: int = 0


@dataclass(frozen=True)
class EvaluationSet:
    """The requests of one task and part, with what only the harness may know.

    Attributes:
        requests: what models are asked; ``candidates`` is ``None`` (the full protocol).
        relevant: what is relevant to them. Where ``requests.exclude_seen`` holds, no relevant
            item stands in its request's history.
        lists: candidates by protocol: ``sampled``, and ``given`` where the data brings lists.
            A relevant item may be missing in a given list. A request whose list is empty is not
            asked by that protocol.
        repeated: what is not asked, though the data has it.
        full: whether the whole catalogue is ranked too.
    """

    requests: Requests
    relevant: Relevant
    lists: Mapping[Protocol, CandidateLists]
    repeated: Repeated = Repeated()
    full: bool = True

    def __len__(self) -> int:
        return len(self.requests)

    @property
    def protocols(self) -> tuple[Protocol, ...]:
        """The protocols by which any request is asked."""
        lists = {p for p in self.lists if len(self.asked(p))}
        return tuple(p for p in PROTOCOLS if p in lists or (p == "full" and self.full))

    def asked(self, protocol: Protocol) -> NDArray[np.int64]:
        """Return the numbers of the requests that are asked by a protocol, ascending."""
        if protocol == "full":
            return np.arange(len(self))
        return np.flatnonzero(self.lists[protocol].lengths)

    def at(self, rows: slice | NDArray[np.integer]) -> EvaluationSet:
        """Return the requests at ``rows``, numbered from 0 in that order."""
        numbers = np.arange(len(self))[rows]
        return replace(
            self,
            requests=self.requests[numbers],
            relevant=self.relevant.at(numbers),
            lists={protocol: lists.at(numbers) for protocol, lists in self.lists.items()},
        )
