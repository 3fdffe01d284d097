"""Row numbers in the tables of runs, translated to the ids that the data's files use."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark.data.dataset import Dataset

__all__ = ["with_ids"]


def with_ids(rows: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Return ``rows`` with a column of ids for each column of numbers: ``user_id`` and so on.

    Args:
        rows: with any of the columns ``user``, ``query`` and ``item``; a query of -1 has the id "".
        dataset: what the run was asked about, as :func:`benchmark.running.dataset_of.dataset_of`
            returns it.
    """
    tables = {"user": dataset.users, "query": (*dataset.queries.ids, ""), "item": dataset.items.ids}
    ids = {
        f"{name}_id": np.array([*table], dtype=object)[rows[name].to_numpy()]
        for name, table in tables.items()
        if name in rows
    }
    return rows.assign(**ids)
