"""Whether a run was asked what its data set asks: the check before its numbers meet titles."""

from __future__ import annotations

import pyarrow as pa

from benchmark.data.dataset import Dataset
from benchmark.errors import BenchmarkError
from benchmark.results.record import RunRecord
from benchmark.results.table import ASKED, asked_table, blocks_of

__all__ = ["check_asked"]

_NAMES = (*ASKED, "gain")


def check_asked(run: RunRecord, dataset: Dataset) -> None:
    """Refuse a run whose requests are not those of the data set whose digests it states.

    Raises:
        BenchmarkError: they are not.
    """
    described = asked_table(dataset, _NAMES)
    blocks = blocks_of(described)
    for name in blocks_of(run.tables().counts):
        own, wanted = run.asked.blocks[name], blocks.get(name, slice(0, 0))
        if not _rows(run.asked.table, own).equals(_rows(described, wanted)):
            asked = " ".join(name)
            raise BenchmarkError(
                f"{run.folder}: contradicts itself: its requests ({asked}) are not those of"
                f" {dataset.name}, whose digests it states"
            )


def _rows(table: pa.Table, rows: slice) -> pa.Table:
    return table.select(_NAMES)[rows.start : rows.stop]
