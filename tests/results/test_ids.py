from __future__ import annotations

from benchmark.data.dataset import Dataset
from benchmark.results.ids import with_ids
from benchmark.results.table import shared_table


def test_numbers_are_those_of_the_data_s_ids(tiny: Dataset) -> None:
    rows = with_ids(shared_table(tiny).to_pandas(), tiny)
    assert len(rows) > 0
    for _, row in rows.iterrows():
        assert row["user_id"] == tiny.users[row["user"]]
        assert row["item_id"] == tiny.items.ids[row["item"]]
        known = row["query"] >= 0
        assert row["query_id"] == (tiny.queries.ids[row["query"]] if known else "")
        assert known == (row["task"] == "search")
    top = with_ids(rows[["request", "item"]], tiny)
    assert list(top.columns) == ["request", "item", "item_id"]
