"""From events to input tokens.

An input position holds one or more tokens whose embeddings are summed. With ``fused`` items an
item is a single position (behaviour token and all codes); with ``codes`` it is one position for
each of them, as in the paper. Unused places hold ``NOTHING``. A vocabulary without behaviour tokens
leaves codes and words alone; one with tokens for items adds an item's to its position in a history,
last of all there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.data.events import EventSource
from benchmark.data.requests import PAD, History, Requests
from benchmark.data.spans import spread
from benchmark.learning.ragged import Ragged, join
from gensar.engine.identifiers import COLLABORATIVE, SEMANTIC
from gensar.engine.vocabulary import END, Vocabulary

__all__ = ["NOTHING", "Inputs", "Sequences", "Stream", "padded_hidden", "with_query"]

NOTHING = -1


@dataclass(frozen=True)
class Stream:
    """Inputs in the order of their rows.

    Attributes:
        tokens: the positions of each row; values are ``[total, tokens per position]``.
        rec_cut: int64 ``[rows, window]``, the number of positions before each event.
        search_cut: the same for a search that led to it: everything before the clicked item, its
            query included.
        moment_cut: int64 ``[rows, window]``, the number of positions of strictly earlier events,
            which is what a request at that time may read.
        hidden: int64 ``[total, 2]``, first and stop of the positions that each position must not
            see though they stand before it; ``None`` where nothing is hidden. The words of a query
            see no event of their own moment, so that what they know is what a request knows.
    """

    tokens: Ragged
    rec_cut: NDArray[np.int64]
    search_cut: NDArray[np.int64]
    moment_cut: NDArray[np.int64]
    hidden: NDArray[np.int64] | None

    def padded_hidden(self) -> NDArray[np.int64] | None:
        """Return ``hidden`` as ``[rows, positions, 2]``, or ``None``."""
        return padded_hidden(self.tokens, self.hidden)


@dataclass(frozen=True)
class Inputs:
    """What requests are answered from.

    Attributes:
        tokens: the positions of each request; values are ``[total, tokens per position]``.
        first: int64 ``[requests]``, the first position that the decoder reads; the encoder reads
            all of them.
        hidden: see :class:`Stream`; for an encoder that is causal.
    """

    tokens: Ragged
    first: NDArray[np.int64]
    hidden: NDArray[np.int64] | None = None

    @classmethod
    def whole(cls, tokens: Ragged, hidden: NDArray[np.int64] | None = None) -> Inputs:
        """Return inputs that the decoder reads from the beginning."""
        return cls(tokens, np.zeros(len(tokens), dtype=np.int64), hidden)


def padded_hidden(tokens: Ragged, hidden: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
    """Return what is hidden from each position as ``[rows, positions, 2]``; see :class:`Stream`."""
    return None if hidden is None else Ragged(hidden, tokens.lengths).padded(0)


class Sequences:
    """Builds inputs for one vocabulary.

    Args:
        vocabulary: numbers the tokens.
        fused: whether an item is one position, which it is where items have tokens of their own.
    """

    def __init__(self, vocabulary: Vocabulary, fused: bool) -> None:
        self.vocabulary = vocabulary
        self._fused = fused
        rec = self._item_block(vocabulary.rec, COLLABORATIVE, fused)
        search = self._item_block(vocabulary.searched, SEMANTIC, fused)
        width = max(rec.shape[2], search.shape[2]) + vocabulary.own
        length = max(rec.shape[1], search.shape[1])
        self._blocks = np.full((2, len(rec), length, width), NOTHING, dtype=np.int64)
        self._block_lengths = np.array([rec.shape[1], search.shape[1]])
        self._blocks[EventSource.RECOMMENDED, :, : rec.shape[1], : rec.shape[2]] = rec
        self._blocks[EventSource.SEARCHED, :, : search.shape[1], : search.shape[2]] = search
        self.width = width

    def _item_block(self, behaviour: int, identifier: int, fused: bool) -> NDArray[np.int64]:
        tokens = self.vocabulary.code_tokens(identifier)
        if self.vocabulary.behaviour_tokens:
            tokens = np.column_stack([np.full(len(tokens), behaviour), tokens])
        return tokens[:, None, :] if fused else tokens[:, :, None]

    def widen(self, tokens: Ragged) -> Ragged:
        """Turn a row of single tokens into a row of positions."""
        values = np.full((len(tokens.values), self.width), NOTHING, dtype=np.int64)
        values[:, 0] = tokens.values
        return Ragged(values, tokens.lengths)

    def repeat(self, token: int, present: NDArray[np.bool_]) -> Ragged:
        """Return rows of one position with ``token`` where ``present``, else empty rows."""
        lengths = present.astype(np.int64)
        return self.widen(Ragged(np.full(int(lengths.sum()), token, dtype=np.int64), lengths))

    def queries(self, words: Ragged, present: NDArray[np.bool_]) -> Ragged:
        """Return query token and words where ``present``; other rows are empty."""
        queries = self.widen(words.take(np.where(present, np.arange(len(words)), -1)))
        if not self.vocabulary.behaviour_tokens:
            return queries
        return join(self.repeat(self.vocabulary.query, present), queries)

    def items(self, item: NDArray[np.integer], kind: NDArray[np.integer]) -> Ragged:
        """Return each item's positions in an event of its ``kind``; an item of -1 has none."""
        lengths = np.where(item >= 0, self._block_lengths[kind], 0)
        blocks = self._blocks[kind, np.maximum(item, 0)]
        keep = np.arange(blocks.shape[1]) < lengths[:, None]
        return Ragged(blocks[keep], lengths)

    def bare(self, item: NDArray[np.integer], identifier: NDArray[np.integer]) -> Ragged:
        """Return items' ``SEMANTIC`` or ``COLLABORATIVE`` identifiers alone."""
        semantic = identifier == SEMANTIC
        kind = np.where(semantic, EventSource.SEARCHED, EventSource.RECOMMENDED)
        blocks = self.items(item, kind)
        if not self.vocabulary.behaviour_tokens:
            return blocks
        if self._fused:
            values = blocks.values.copy()
            values[:, :-1], values[:, -1] = blocks.values[:, 1:], NOTHING
            return Ragged(values, blocks.lengths)
        keep = np.ones(len(blocks.values), dtype=bool)
        keep[blocks.offsets[:-1]] = False
        return Ragged(blocks.values[keep], blocks.lengths - 1)

    def listed(self, history: History, words: Ragged, separator: Ragged) -> Ragged:
        """Return the events of each row one behind the other, and nothing else.

        A query and the item found by it are two events, as in the published code.

        Args:
            history: see :meth:`stream`.
            words: likewise.
            separator: one row of text pieces, which stand between two events.
        """
        owner, queries, clicked = self._events(history, words)
        first = np.diff(owner, prepend=-1) != 0
        has_query, has_item = queries.lengths > 0, clicked.lengths > 0
        between = [
            self.widen(separator.take(np.where(present, 0, -1)))
            for present in (has_query & ~first, has_item & (has_query | ~first))
        ]
        events = join(between[0], queries, between[1], clicked)
        return events.regroup(owner, len(history.length))

    def _events(self, history: History, words: Ragged) -> tuple[NDArray[np.int64], Ragged, Ragged]:
        """Return the row of each event, its query or nothing, and its item or nothing."""
        real = np.arange(history.item.shape[1]) < history.length[:, None]
        item, kind, query = history.item[real], history.kind[real], history.query[real]
        queries = self.queries(words.take(query), query >= 0)
        clicked = self.items(item, kind)
        if self.vocabulary.own:
            clicked.values[:, -1] = self.vocabulary.first_item + item[item >= 0]
        return np.nonzero(real)[0], queries, clicked

    def stream(self, history: History, words: Ragged) -> Stream:
        """Return the events of each row as one input that begins with the end token.

        Args:
            history: ``[rows, window]``; an event whose item is -1 but which has a query (the
                request's own) contributes its query only.
            words: the text pieces of every query in the query table.
        """
        rows, window = history.item.shape
        real = np.arange(window) < history.length[:, None]
        owner, queries, clicked = self._events(history, words)
        events = join(queries, clicked)
        start = self.repeat(END, np.ones(rows, dtype=bool))
        body = events.regroup(owner, rows)
        firsts = 1 + events.offsets[:-1] - body.offsets[:-1][owner]
        rec_cut = np.zeros((rows, window), dtype=np.int64)
        search_cut = np.zeros((rows, window), dtype=np.int64)
        rec_cut[real] = firsts
        search_cut[real] = firsts + queries.lengths
        moment_cut = np.take_along_axis(rec_cut, _moment_begins(history.time), axis=1)
        tokens = join(start, body)
        # Queries of events that stand behind others of their moment.
        row, column = np.nonzero((moment_cut < rec_cut) & (rec_cut < search_cut))
        if not len(row):
            return Stream(tokens, rec_cut, search_cut, moment_cut, None)
        lengths = (search_cut - rec_cut)[row, column]
        at = spread(tokens.offsets[row] + rec_cut[row, column], lengths)
        hidden = np.zeros((len(tokens.values), 2), dtype=np.int64)
        hidden[at, 0] = np.repeat(moment_cut[row, column], lengths)
        hidden[at, 1] = np.repeat(rec_cut[row, column], lengths)
        return Stream(tokens, rec_cut, search_cut, moment_cut, hidden)


def _moment_begins(time: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for events ``[rows, window]`` the column of the first of the same time."""
    columns = np.broadcast_to(np.arange(time.shape[1]), time.shape)
    begins = np.ones(time.shape, dtype=bool)
    begins[:, 1:] = np.diff(time, axis=1) != 0
    return np.maximum.accumulate(np.where(begins, columns, 0), axis=1)


def with_query(history: History, requests: Requests) -> History:
    """Append the request's own search, whose item is not known yet, behind its history."""
    rows = np.arange(len(requests))

    def extended(column: NDArray, value: NDArray | int) -> NDArray:
        wider = np.pad(column, ((0, 0), (0, 1)))
        wider[rows, history.length] = value
        return wider

    return History(
        item=extended(history.item, PAD),
        kind=extended(history.kind, int(EventSource.SEARCHED)),
        query=extended(history.query, requests.query),
        # All of a history is earlier than its request: the harness has seen to that.
        time=extended(history.time, np.iinfo(np.int64).max),
        length=history.length + 1,
    )
