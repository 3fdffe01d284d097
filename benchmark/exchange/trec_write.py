"""TREC files: what trec_eval and its kin read, and what a system outside needs to answer.

A run file has six fields a line: ``request Q0 item rank score tag``. Requests are called
``<task>-<number>``, by their place in their task. Items keep the data set's ids, in which
whitespace, control and format characters and ``%`` are percent-encoded, so that an id is always
one field, and a file does nothing where it is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import lcm
from typing import BinaryIO
from unicodedata import category
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from benchmark.data.dataset import EvaluationSet
from benchmark.data.requests import PAD, Requests, Task
from benchmark.errors import InputError

__all__ = ["encode", "item_ids", "request_ids", "write_answers", "write_qrels", "write_requests"]

_TEXT = pa.large_string()
_UNSAFE = frozenset(" %")
_REQUESTS_AT_ONCE = 1024


def encode(identifier: str) -> str:
    """Return an id as one field; different ids stay different."""
    if identifier.isprintable() and not _UNSAFE & set(identifier):
        return identifier
    kept = (c if c.isprintable() and c not in _UNSAFE else quote(c, safe="") for c in identifier)
    return "".join(kept)


def item_ids(ids: Iterable[str]) -> pa.Array:
    """Return the encoded ids of the catalogue, ``[items]``, or of any other table."""
    return pa.array(map(encode, ids), _TEXT)


def request_ids(task: Task, numbers: NDArray[np.integer]) -> pa.Array:
    """Return what the requests with these numbers are called."""
    return _join(str(task), pa.array(numbers).cast(_TEXT), separator="-")


def write_answers(
    stream: BinaryIO,
    requests: pa.Array,
    ids: pa.Array,
    items: NDArray[np.integer],
    scores: NDArray[np.float32],
    tag: str,
) -> None:
    """Write the lines of a run file for a batch of requests.

    A score is written with the fewest digits that give the same float32 again, so order and ties
    survive.

    Args:
        stream: takes the lines.
        requests: ids of the batch, ``[requests]``.
        ids: encoded ids of the catalogue.
        items: ``[requests, k]``, best first; ``PAD`` is left out.
        scores: ``[requests, k]``, finite where there is an item.
        tag: the system's name.
    """
    real = items != PAD
    owner = np.repeat(np.arange(len(items)), real.sum(axis=1))
    _write_lines(
        stream,
        " ",
        requests.take(pa.array(owner)),
        "Q0",
        ids.take(pa.array(items[real])),
        pa.array(real.cumsum(axis=1)[real]).cast(_TEXT),
        pa.array(scores[real]).cast(_TEXT),
        encode(tag),
    )


def write_qrels(stream: BinaryIO, evaluation: EvaluationSet, ids: pa.Array) -> int:
    """Write a line for each relevant item, ``request 0 item grade``.

    Grades are whole numbers there. Where the data's are not, all of a task are written the same
    number of times as large, which leaves every metric with linear gain as it is.

    Returns:
        How many times as large the grades are.

    Raises:
        InputError: no factor up to a million makes whole numbers of them.
    """
    relevant = evaluation.relevant
    factor = _whole(relevant.gain)
    requests = request_ids(evaluation.requests.task, relevant.request)
    grades = pa.array(np.rint(relevant.gain * np.float64(factor)).astype(np.int64)).cast(_TEXT)
    _write_lines(stream, " ", requests, "0", ids.take(pa.array(relevant.item)), grades)
    return factor


def _whole(grades: NDArray[np.float32]) -> int:
    """Return the least factor that makes whole numbers of the grades."""
    distinct = np.unique(grades).astype(np.float64)
    parts = [Fraction(value).limit_denominator(1000) for value in distinct.tolist()]
    factor = lcm(*(part.denominator for part in parts))
    exact = np.isclose(distinct, [float(part) for part in parts], rtol=2**-23, atol=0).all()
    if not exact or factor > 10**6:
        raise InputError(
            "the data's grades are no whole numbers, which TREC files need, nor simple fractions;"
            " write whole grades into its source"
        )
    return factor


def write_requests(
    stream: BinaryIO, requests: Requests, users: Sequence[str], ids: pa.Array
) -> None:
    """Write what each request asks, tab-separated below a header.

    ``user_id`` and ``query_id`` are those of the data, encoded as items are, ``query`` the words of
    a search, and ``history`` the items before the request, oldest first, separated by spaces.

    Args:
        stream: takes the lines.
        requests: of one task.
        users: ids of the data's users.
        ids: encoded ids of the catalogue.
    """
    of_users, of_queries = item_ids(users), item_ids((*requests.queries.ids, ""))
    stream.write(b"request\tuser_id\tquery_id\tquery\thistory\n")
    for start in range(0, len(requests), _REQUESTS_AT_ONCE):
        batch = requests[start : start + _REQUESTS_AT_ONCE]
        offsets, seen = batch.seen()
        places = pa.array(offsets, pa.int32())
        history = pa.ListArray.from_arrays(places, ids.take(pa.array(seen)))
        _write_lines(
            stream,
            "\t",
            request_ids(batch.task, np.arange(start, start + len(batch))),
            of_users.take(pa.array(batch.user)),
            of_queries.take(pa.array(np.where(batch.query < 0, len(of_queries) - 1, batch.query))),
            pa.array(map(_words, batch.query_texts()), _TEXT),
            pc.binary_join(history, pa.scalar(" ", _TEXT)),
        )


def _words(text: str) -> str:
    """Return a query in one field; control characters part words as blanks do."""
    return " ".join("".join(" " if category(c) == "Cc" else c for c in text).split())


def _write_lines(stream: BinaryIO, separator: str, *columns: pa.Array | str) -> None:
    lines = _join(_join(*columns, separator=separator), "\n", separator="")
    if len(lines):
        # The characters of all lines stand one after the other in the array's last buffer.
        stream.write(lines.buffers()[2])


def _join(*columns: pa.Array | str, separator: str) -> pa.Array:
    texts = [pa.scalar(c, _TEXT) if isinstance(c, str) else c for c in (*columns, separator)]
    return pc.binary_join_element_wise(*texts)
