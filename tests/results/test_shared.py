from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmark.data.dataset import Dataset
from benchmark.errors import BenchmarkError
from benchmark.results import record as module
from benchmark.results.parquet import to_bytes
from benchmark.results.record import RunRecord, read_run, shared_of
from benchmark.results.scan import scan_runs
from benchmark.results.table import RunTables, blocks_of, shared_table
from tests.results.records import means, record, tables, written

ASKED = {("rec", "full"): [3, 0, 40], ("rec", "sampled"): [1, 0, 9], ("search", "full"): [7, 7]}


def _shared(results: Path) -> list[Path]:
    return sorted(results.glob("runs/*/requests-*.parquet"))


def test_runs_on_the_same_requests_share_one_file_that_is_written_once(tmp_path: Path) -> None:
    record(tmp_path, "m", ASKED, seed=1)
    (file,) = _shared(tmp_path)
    os.utime(file, (1, 1))
    record(tmp_path, "other", {key: list(reversed(ranks)) for key, ranks in ASKED.items()})
    assert _shared(tmp_path) == [file]
    assert file.stat().st_mtime == 1
    record(tmp_path, "m", ASKED, seed=3, users=[4, 4, 4])
    assert len(_shared(tmp_path)) == 2


def test_another_writers_bytes_of_the_same_table_stay(tmp_path: Path) -> None:
    first = record(tmp_path, "m", ASKED, seed=1)
    (file,) = _shared(tmp_path)
    pa.parquet.write_table(first.tables().shared, file)
    bytes_of_another_version = file.read_bytes()
    second = record(tmp_path, "m", ASKED, seed=2)
    assert file.read_bytes() == bytes_of_another_version
    assert second.requests().equals(first.requests())


def test_a_damaged_shared_table_is_mended_by_the_next_run(tmp_path: Path) -> None:
    run = record(tmp_path, "m", ASKED)
    (file,) = _shared(tmp_path)
    whole = file.read_bytes()
    for damage in (whole[:-9], b"", b"PAR1"):
        file.write_bytes(damage)
        with pytest.raises(BenchmarkError, match=f"{file.name} differs from its checksum"):
            read_run(run.folder)
        record(tmp_path, "other", ASKED)
        assert file.read_bytes() == whole
    file.unlink()
    reports: list[str] = []
    assert list(scan_runs(tmp_path, reports.append)) == []
    assert len(reports) == 2 and all(file.name in report for report in reports)


def test_a_run_that_was_asked_less_reads_its_own_blocks(tmp_path: Path) -> None:
    whole = tables(ASKED)
    for names in ([("search", "full")], [("rec", "full"), ("search", "full")], list(ASKED)[:2], []):
        counts = tables({name: [n + 1 for n in ASKED[name]] for name in names}).counts
        asked_for = {"tasks": ["rec", "search"], "protocols": ["full", "sampled"]}
        run = written(tmp_path, "m", RunTables(whole.shared, counts, None), **asked_for)
        frame = run.requests()
        asked = [(t, p, n + 1) for t, p in names for n in ASKED[t, p]]
        own = frame[["task", "protocol", "greater"]]
        assert [tuple(row) for row in own.itertuples(index=False)] == asked
        assert frame.index.tolist() == list(range(len(asked)))
        assert frame["item"].tolist() == [i for name in names for i in range(len(ASKED[name]))]


def test_counts_that_do_not_fit_the_requests_are_refused(tmp_path: Path) -> None:
    whole = tables(ASKED)
    for asked in ({("rec", "full"): [1, 2]}, {("rec", "given"): [1, 2, 3]}):
        made = RunTables(whole.shared, tables(asked).counts, None)
        with pytest.raises(BenchmarkError, match="its counts are not those of the requests"):
            written(tmp_path, "m", made, metrics=means(tables(asked)))


def test_a_pipe_in_place_of_a_shared_table_is_not_waited_for(tmp_path: Path) -> None:
    run = record(tmp_path, "m", ASKED)
    (shared,) = _shared(tmp_path)
    shared.unlink()
    os.mkfifo(shared)
    assert record(tmp_path, "m", ASKED, seed=2).asked.table.equals(run.asked.table)
    assert read_run(run.folder) == run


def test_reading_all_runs_reads_the_shared_table_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(3):
        record(tmp_path, "m", ASKED, seed=seed)
    read: list[Path] = []
    original = os.open
    monkeypatch.setattr(
        os, "open", lambda path, *flags: (read.append(Path(path)), original(path, *flags))[1]
    )
    frames = [run.requests() for run in scan_runs(tmp_path, pytest.fail)]
    frames += [run.requests() for run in scan_runs(tmp_path, pytest.fail)][:1]
    assert len(frames) == 4
    assert read.count(_shared(tmp_path)[0]) == 2
    assert all(read.count(file) == 2 for file in read)


def test_what_a_reader_changes_stays_with_the_reader(tmp_path: Path) -> None:
    record(tmp_path, "m", ASKED, seed=1)
    record(tmp_path, "m", ASKED, seed=2)
    first, second = (run.requests() for run in scan_runs(tmp_path, pytest.fail))
    first.loc[:, "user"] = 99
    assert 99 not in second["user"].tolist()


def test_two_writers_at_once_do_no_harm(tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=record, args=(tmp_path, "m", ASKED), kwargs={"seed": seed})
        for seed in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(scan_runs(tmp_path, pytest.fail))) == 8
    assert len(_shared(tmp_path)) == 1
    assert not list(tmp_path.rglob(".*"))


def test_equal_tables_are_equal_bytes() -> None:
    rng = np.random.default_rng(0)
    ranks = rng.integers(0, 100, 5000).tolist()
    one, other = (tables({("rec", "full"): ranks, ("search", "sampled"): ranks}) for _ in "ab")
    assert to_bytes(one.counts) == to_bytes(other.counts)
    assert to_bytes(one.shared) == to_bytes(other.shared)


def test_rows_of_a_block_stand_together() -> None:
    apart = pa.concat_tables([tables(ASKED).counts, tables(ASKED).counts])
    with pytest.raises(BenchmarkError, match="stand apart"):
        blocks_of(apart)


def test_what_runs_share_is_made_once_for_the_same_data_and_harness(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Dataset] = []
    monkeypatch.setattr(
        module, "shared_table", lambda data: (made.append(data), shared_table(data))[1]
    )

    def made_by(data: Dataset, harness: str, name: str = "r") -> pa.Table:
        table = shared_of(data, tmp_path, harness)
        _store(tmp_path, data, table, harness, name)
        return table

    one, two = "1" * 64, "2" * 64
    first = made_by(tiny, one)
    assert made_by(tiny, one).equals(first) and len(made) == 1
    (file,) = _shared(tmp_path)
    file.write_bytes(b"damaged")
    assert made_by(tiny, one).equals(first) and len(made) == 2
    made_by(tiny, two, "two")
    assert made_by(tiny, one).equals(first) and len(made) == 3
    made_by(replace(tiny, candidates_digest="0" * 64), one)
    made_by(replace(tiny, digest="0" * 64), one)
    assert len(made) == 5


def _store(results: Path, data: Dataset, table: pa.Table, harness: str, name: str) -> RunRecord:
    """Store a run that was asked nothing and stands on the table."""
    return written(
        results,
        "m",
        RunTables(table, tables({}).counts, None),
        run=name,
        dataset="tiny",
        dataset_digest=data.digest,
        candidates_digest=data.candidates_digest,
        harness=harness,
        tasks=["rec"],
        protocols=["full"],
    )


@pytest.mark.parametrize("name", ["user", "item", "gain", "candidates", "item_events"])
def test_a_stored_table_that_is_not_the_data_s_is_not_believed(
    tiny: Dataset, tmp_path: Path, name: str
) -> None:
    right = shared_table(tiny)
    place = right.schema.get_field_index(name)
    values = right[name].to_numpy()
    values = values[::-1] if name == "item" else values + 1
    wrong = right.set_column(place, right.schema.field(name), pa.array(values, right[name].type))
    harness = "1" * 64
    _store(tmp_path, tiny, wrong, harness, "r")
    assert shared_of(tiny, tmp_path, harness).equals(right)
