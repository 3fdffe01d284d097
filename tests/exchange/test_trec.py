from __future__ import annotations

from io import BytesIO
from pathlib import Path
from urllib.parse import unquote

import ir_measures
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark import registry
from benchmark.data.dataset import Dataset, Protocol
from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.data.terms import Seen
from benchmark.errors import BenchmarkError, InputError
from benchmark.evaluation.counts import Counts
from benchmark.evaluation.metrics import compute
from benchmark.exchange.export import export_run, stored_model
from benchmark.exchange.import_run import import_run
from benchmark.exchange.trec_read import read_listing
from benchmark.exchange.trec_write import encode, item_ids, request_ids, write_answers
from benchmark.model import NoSettings
from benchmark.results.record import RunRecord, read_run
from benchmark.running.plan import Experiment
from benchmark.running.runner import run_model
from tests.results.graded import graded
from tests.results.handmade import ENTRIES
from tests.support import USERS, write_tiny

PROTOCOLS: tuple[Protocol, ...] = ("full", "sampled", "given")
ASKED = [(task, protocol) for task in ("rec", "search") for protocol in PROTOCOLS]
COUNTS = ["greater", "tied", "candidates"]


@pytest.fixture(autouse=True)
def handmade(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "available", lambda: ENTRIES)


def _run(
    tiny: Dataset, results: Path, model: str, protocols: tuple[Protocol, ...] = PROTOCOLS
) -> RunRecord:
    entry, tasks = ENTRIES[model], (Task.REC, Task.SEARCH)
    plan = Experiment(entry, NoSettings(), "standard", tasks)
    run = run_model(plan, tiny, protocols, 1, "cpu", results, fresh=False)
    return run.record


def _export(run: RunRecord, tiny: Dataset, out: Path, depth: int = 1000) -> Path:
    export_run(run, tiny, stored_model(run), out, depth)
    return out


def _block(run: RunRecord, task: str, protocol: str) -> pd.DataFrame:
    frame = run.requests()
    frame = frame[(frame["task"] == task) & (frame["protocol"] == protocol)]
    return frame.reset_index(drop=True)


def _counts(run: RunRecord, task: str, protocol: str) -> NDArray[np.int64]:
    return _block(run, task, protocol)[COUNTS].to_numpy()


@pytest.fixture(scope="module")
def several(tiny: Dataset) -> Dataset:
    """Data with several relevant items of different grades, and lists of its own."""
    return graded(tiny)


@pytest.fixture(scope="module")
def distinct(several: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunRecord, Path]:
    """A run without ties, and its export."""
    place = tmp_path_factory.mktemp("distinct")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "available", lambda: ENTRIES)
        run = _run(several, place, "distinct")
        return run, _export(run, several, place / "out")


def _measured(run: RunRecord, task: str, protocol: str, name: str) -> NDArray[np.float64]:
    """Our values of a metric, by request."""
    return compute(Counts.of_table(_block(run, task, protocol)), (name,))[name]


@pytest.mark.parametrize(("task", "protocol"), ASKED)
def test_trec_eval_measures_an_exported_run_as_we_do(
    distinct: tuple[RunRecord, Path], task: str, protocol: str
) -> None:
    run, out = distinct
    block = _block(run, task, protocol)
    assert not block["tied"].any() and block["greater"].nunique() > 5
    assert block["gain"].nunique() == 3 and block["request"].duplicated().any()
    qrels = list(ir_measures.read_trec_qrels(str(out / f"qrels.{task}.txt")))
    answers = list(ir_measures.read_trec_run(str(out / f"run.{task}.{protocol}.txt")))
    for name in ("Success@10", "nDCG@10", "RR@10", "R@10", "AP@10"):
        measure = ir_measures.parse_measure(name)
        theirs = {m.query_id: m.value for m in ir_measures.iter_calc([measure], qrels, answers)}
        ours = _measured(run, task, protocol, name)
        expected = [theirs[f"{task}-{number}"] for number in range(len(ours))]
        np.testing.assert_allclose(ours, expected, atol=1e-12, rtol=0)


@pytest.mark.xdist_group("ranx")
@pytest.mark.filterwarnings("ignore")
def test_ranx_measures_an_exported_run_as_we_do(distinct: tuple[RunRecord, Path]) -> None:
    import ranx  # takes seconds, so only here

    run, out = distinct
    for task, protocol in ASKED:
        qrels = ranx.Qrels.from_file(str(out / f"qrels.{task}.txt"), kind="trec")
        answers = ranx.Run.from_file(str(out / f"run.{task}.{protocol}.txt"), kind="trec")
        ranx.evaluate(qrels, answers, ["hit_rate@10", "ndcg@10", "mrr@10"])
        for name, theirs in (("hr@10", "hit_rate@10"), ("ndcg@10", "ndcg@10"), ("mrr@10",) * 2):
            scores, ours = answers.scores[theirs], _measured(run, task, protocol, name)
            expected = [scores[f"{task}-{number}"] for number in range(len(ours))]
            np.testing.assert_allclose(ours, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("model", sorted(ENTRIES))
def test_what_is_exported_and_imported_is_the_same_run(
    several: Dataset, tmp_path: Path, model: str
) -> None:
    run = _run(several, tmp_path, model)
    out = _export(run, several, tmp_path / "out", depth=len(several.items))
    for task, protocol in ASKED:
        file = out / f"run.{task}.{protocol}.txt"
        found = import_run(file, "other", several, Task(task), protocol, 1, tmp_path)
        pd.testing.assert_frame_equal(
            _block(found.record, task, protocol), _block(run, task, protocol)
        )
        mine, theirs = (r.info["metrics"][task][protocol] for r in (run, found.record))
        assert {**theirs, "seconds_per_request": 0} == {**mine, "seconds_per_request": 0}
        assert found.not_candidates == 0
        assert found.unanswered == 0 or protocol == "given"
    pd.testing.assert_frame_equal(found.record.requests(), run.requests())
    pd.testing.assert_frame_equal(found.record.top(), run.top())
    assert len(list(tmp_path.glob("runs/tiny/requests-*.parquet"))) == 1


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 10**6), st.sampled_from(sorted(ENTRIES)), st.sampled_from([0.5, 1.0, 1 / 3]))
def test_any_run_goes_out_and_comes_back(
    tiny: Dataset,
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    model: str,
    unit: float,
) -> None:
    data, place = graded(tiny, seed, unit), tmp_path_factory.mktemp("place")
    run = _run(data, place, model)
    out = _export(run, data, place / "out", depth=len(data.items))
    for task, protocol in ASKED:
        file = out / f"run.{task}.{protocol}.txt"
        if file.stat().st_size:
            found = import_run(file, "other", data, Task(task), protocol, 1, place)
            np.testing.assert_array_equal(
                _counts(found.record, task, protocol), _counts(run, task, protocol)
            )


@pytest.mark.parametrize("seen", ["keep", "exclude"])
def test_a_repeated_purchase_is_listed_where_it_is_asked(tmp_path: Path, seen: Seen) -> None:
    folder = write_tiny(tmp_path / "tiny")
    again = [f"u{user}\ti{user}\t{time}\t" for user in range(USERS) for time in (1, 5000)]
    again[-1] = again[-1].replace(f"i{USERS - 1}\t", "i3\t")
    with (folder / "tiny.inter").open("a", encoding="utf-8") as file:
        file.write("\n".join(again) + "\n")
    data = load_dataset(folder, cache=tmp_path / "cache", seen=seen)
    run = _run(data, tmp_path, "distinct", ("full",))
    asked = 1 if seen == "exclude" else USERS
    assert _block(run, "rec", "full")["request"].nunique() == asked
    assert run.info["repeated"]["rec"]["requests"] == USERS - asked
    answers = _export(run, data, tmp_path / "out") / "run.rec.full.txt"
    found = import_run(answers, "x", data, Task.REC, "full", 1, tmp_path)
    np.testing.assert_array_equal(_counts(found.record, "rec", "full"), _counts(run, "rec", "full"))
    assert (found.unanswered, found.not_candidates) == (0, 0)


def test_qrels_hold_every_relevant_item_with_its_grade(
    several: Dataset, distinct: tuple[RunRecord, Path]
) -> None:
    for task in (Task.REC, Task.SEARCH):
        relevant = several.evaluation["test", task].relevant
        lines = (distinct[1] / f"qrels.{task}.txt").read_text().splitlines()
        assert lines == [
            f"{task}-{request} 0 {several.items.ids[item]} {gain:.0f}"
            for request, item, gain in zip(
                relevant.request, relevant.item, relevant.gain, strict=True
            )
        ]


@pytest.mark.parametrize(("unit", "factor"), [(1, 1), (0.5, 2), (1 / 3, 3), (0.01, 100), (7, 1)])
def test_grades_become_whole_numbers_of_the_same_proportions(
    tiny: Dataset, tmp_path: Path, unit: float, factor: int
) -> None:
    data, told = graded(tiny, unit=unit), []
    run = _run(data, tmp_path, "distinct", ("full",))
    export_run(run, data, stored_model(run), tmp_path / "out", 1000, told.append)
    assert len(told) == (2 if factor > 1 else 0)
    assert all(f"{factor} times as large" in line for line in told)
    for task in (Task.REC, Task.SEARCH):
        gain = data.evaluation["test", task].relevant.gain
        lines = (tmp_path / "out" / f"qrels.{task}.txt").read_text().splitlines()
        written = [int(line.split()[3]) for line in lines]
        np.testing.assert_allclose(written, gain * factor, rtol=1e-6)
        qrels = list(ir_measures.read_trec_qrels(str(tmp_path / "out" / f"qrels.{task}.txt")))
        answers = list(ir_measures.read_trec_run(str(tmp_path / "out" / f"run.{task}.full.txt")))
        theirs = ir_measures.calc_aggregate([ir_measures.nDCG @ 10], qrels, answers)
        ours = _measured(run, str(task), "full", "ndcg@10").mean()
        assert theirs[ir_measures.nDCG @ 10] == pytest.approx(ours, rel=1e-6)


def test_grades_that_are_no_fractions_are_refused(tiny: Dataset, tmp_path: Path) -> None:
    data = graded(tiny, unit=2**0.5)
    run = _run(data, tmp_path, "distinct", ("full",))
    with pytest.raises(InputError, match="whole numbers"):
        _export(run, data, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_behind_the_depth_counts_as_never_produced(
    several: Dataset, tmp_path: Path, distinct: tuple[RunRecord, Path]
) -> None:
    out = _export(distinct[0], several, tmp_path / "out", depth=5)
    lines = (out / "run.rec.full.txt").read_text().splitlines()
    assert len(lines) == 5 * len(several.evaluation["test", Task.REC])
    assert [line.split()[3] for line in lines[:6]] == ["1", "2", "3", "4", "5", "1"]
    found = import_run(out / "run.rec.full.txt", "x", several, Task.REC, "full", 1, tmp_path)
    whole, cut = (_counts(r, "rec", "full") for r in (distinct[0], found.record))
    within = whole[:, 0] < 5
    assert 0 < within.sum() < len(within)
    np.testing.assert_array_equal(cut[within], whole[within])
    assert (cut[~within, 0] == 5).all()
    np.testing.assert_array_equal(cut[~within, 1], whole[~within, 2] - 6)


def test_the_requests_say_what_is_asked(several: Dataset, distinct: tuple[RunRecord, Path]) -> None:
    for task in (Task.REC, Task.SEARCH):
        requests = several.evaluation["test", task].requests
        lines = (distinct[1] / f"requests.{task}.tsv").read_text(encoding="utf-8").splitlines()
        assert lines[0] == "request\tuser_id\tquery_id\tquery\thistory"
        assert len(lines) == len(requests) + 1
        history = requests.history(1000)
        words = requests.query_texts()
        for number, line in enumerate(lines[1:]):
            items = history.item[number, : history.length[number]]
            ids = " ".join(several.items.ids[item] for item in items)
            user, query = several.users[requests.user[number]], requests.query[number]
            asked = several.queries.ids[query] if task == Task.SEARCH else ""
            assert line.split("\t") == [f"{task}-{number}", user, asked, words[number], ids]


def test_a_model_that_answers_otherwise_than_recorded_is_not_exported(
    several: Dataset, tmp_path: Path, distinct: tuple[RunRecord, Path]
) -> None:
    other = stored_model(_run(several, tmp_path, "gappy"))
    with pytest.raises(BenchmarkError, match=r"\d\d of 60 requests \(rec, full\) are now answered"):
        export_run(distinct[0], several, other, tmp_path / "out", 10)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["runs"]


@pytest.fixture
def listed(tiny: Dataset, tmp_path: Path):
    """Import these lines, and return the import and the counts of all requests."""

    def call(lines: list[str], task: str = "rec", protocol: Protocol = "full"):
        file = tmp_path / "my.run"
        file.write_text("\n".join(lines), encoding="utf-8")
        found = import_run(file, "mine", tiny, Task(task), protocol, 1, tmp_path)
        return found, _counts(found.record, task, protocol)

    return call


def test_requests_without_an_answer_are_like_a_constant_model(tiny: Dataset, listed) -> None:
    target = tiny.items.ids[tiny.evaluation["test", Task.REC].relevant.item[3]]
    found, counts = listed([f"rec-3 Q0 {target} 1 0.5 x"])
    assert found.unanswered == found.requests - 1
    assert counts[3, :2].tolist() == [0, 0]
    others = np.delete(counts, 3, axis=0)
    assert (others[:, 0] == 0).all()
    np.testing.assert_array_equal(others[:, 1], others[:, 2] - 1)


def test_scores_rank_and_not_the_rank_column(tiny: Dataset, listed) -> None:
    evaluation = tiny.evaluation["test", Task.SEARCH]
    target = int(evaluation.relevant.item[0])
    others = [tiny.items.ids[i] for i in range(5) if i != target]
    own = tiny.items.ids[target]
    scores = {others[0]: "3e38", own: "1", others[1]: "1.0", others[2]: "-1e300", others[3]: "2"}
    lines = [f"search-0\tQ0  {item} {9 - n} {s} x" for n, (item, s) in enumerate(scores.items())]
    counts = listed(lines, "search")[1]
    assert counts[0].tolist() == [2, 1, len(tiny.items)]
    # Scores too close for float32 still differ.
    lines = [f"search-0 Q0 {own} 1 1.0 x", f"search-0 Q0 {others[0]} 2 1.0000000000000002 x"]
    assert listed(lines, "search")[1][0].tolist() == [1, 0, len(tiny.items)]


def test_listed_items_that_are_no_candidates_do_not_count(tiny: Dataset, listed) -> None:
    evaluation = tiny.evaluation["test", Task.REC]
    offsets, seen = evaluation.requests.seen()
    first = seen[offsets[0] : offsets[1]].tolist()
    outside = sorted(
        set(range(len(tiny.items))) - set(evaluation.lists["sampled"].rectangle()[0].tolist())
    )
    for protocol, items in (("full", first), ("sampled", outside)):
        lines = [f"rec-0 Q0 {tiny.items.ids[i]} 1 {n + 1} x" for n, i in enumerate(items)]
        target = tiny.items.ids[evaluation.relevant.item[0]]
        found, counts = listed([*lines, f"rec-0 Q0 {target} 1 0 x"], "rec", protocol)
        assert found.not_candidates == len(items) > 0
        assert counts[0, :2].tolist() == [0, 0]
        origin = found.record.info["facts"]["rec"][protocol]
        assert origin["not_candidates"] == len(items)
        assert origin["unanswered"] == found.unanswered == 59


def test_an_item_that_the_data_does_not_offer_cannot_be_produced(
    several: Dataset, tmp_path: Path
) -> None:
    evaluation = several.evaluation["test", Task.REC]
    relevant, lists = evaluation.relevant, evaluation.lists["given"]
    key = relevant.request * len(several.items) + relevant.item
    missing = ~np.isin(key, lists.owner * len(several.items) + lists.items)
    assert 0 < missing.sum() < len(missing)
    lines = [
        f"rec-{request} Q0 {several.items.ids[item]} 1 1 x"
        for request, item in zip(relevant.request, relevant.item, strict=True)
    ]
    (tmp_path / "my.run").write_text("\n".join(lines), encoding="utf-8")
    found = import_run(tmp_path / "my.run", "x", several, Task.REC, "given", 1, tmp_path)
    assert found.not_candidates == missing.sum()
    greater, tied, candidates = _counts(found.record, "rec", "given").T
    np.testing.assert_array_equal(greater == candidates, missing)
    assert not greater[~missing].any() and not tied[missing].any()


def test_lists_that_the_data_does_not_bring_are_refused(listed) -> None:
    with pytest.raises(InputError, match="--protocol given: tiny has no such lists for rec"):
        listed(["rec-0 Q0 i1 1 1 x"], "rec", "given")


def test_a_record_takes_each_task_and_protocol_once(
    several: Dataset, tmp_path: Path, distinct: tuple[RunRecord, Path]
) -> None:
    runs = [
        import_run(distinct[1] / f"run.{t}.{p}.txt", "mine", several, Task(t), p, 1, tmp_path)
        for t, p in (*reversed(ASKED), ("rec", "full"))
    ]
    assert len({run.record.folder for run in runs}) == 1
    last = read_run(runs[-1].record.folder)
    assert last.info["tasks"] == ["rec", "search"]
    assert last.info["protocols"] == list(PROTOCOLS)
    assert {(t, p) for t, m in last.info["metrics"].items() for p in m} == set(ASKED)
    assert len(last.requests()) == len(distinct[0].requests())
    pd.testing.assert_frame_equal(last.requests(), distinct[0].requests())
    other = import_run(
        distinct[1] / "run.rec.full.txt", "mine", several, Task.REC, "full", 2, tmp_path
    )
    assert other.record.folder != last.folder


def test_a_repeated_import_takes_the_place_of_the_older_one(tiny: Dataset, listed) -> None:
    own, other = (
        tiny.items.ids[i] for i in (tiny.evaluation["test", Task.SEARCH].relevant.item[0], 0)
    )
    assert own != other
    listed([f"search-0 Q0 {own} 1 2 x"], "search", "sampled")
    listed([f"search-0 Q0 {own} 1 2 x"], "search")
    found, counts = listed([f"search-0 Q0 {own} 1 2 x", f"search-0 Q0 {other} 2 3 x"], "search")
    assert counts[0, :2].tolist() == [1, 0]
    assert _counts(found.record, "search", "sampled")[0, :2].tolist() == [0, 0]


@given(st.text(max_size=8), st.text(max_size=8))
def test_an_encoded_id_is_one_field_and_its_own(one: str, other: str) -> None:
    assert unquote(encode(one)) == one
    assert encode(f"x{one}x").split() == [encode(f"x{one}x")]
    assert (encode(one) == encode(other)) == (one == other)


def test_only_what_must_be_is_encoded() -> None:
    assert encode("B00-é,'\"日本|#") == "B00-é,'\"日本|#"
    assert encode("50% a\tb") == "50%25%20a%09b"


DOUBTFUL = ["a%20b", "a b", "c%", "d"]


@pytest.mark.parametrize(
    ("names", "rows"),
    [
        (["a%20b", "c%25"], [1, 2]),
        (["a%20b", "c%"], [0, 2]),
        (["d", "a%2520b", "a%20b"], [3, 0, 1]),
        (["c%", "d"], [2, 3]),
        (["c%25", "d"], [2, 3]),
        (["a%20b"], None),
        (["d", "a%20b"], None),
        (["c%", "a%20b", "a%2520b"], None),
    ],
)
def test_a_name_of_two_items_is_told_by_the_others_or_refused(
    tmp_path: Path, names: list[str], rows: list[int] | None
) -> None:
    file = tmp_path / "my.run"
    file.write_text("".join(f"rec-0 Q0 {name} 1 1 x\n" for name in names))
    if rows is not None:
        assert read_listing(file, Task.REC, 1, DOUBTFUL).item.tolist() == rows
        return
    line = names.index("a%20b") + 1
    with pytest.raises(
        InputError, match=rf"my\.run:{line}: 'a%20b' is the id of an item, and 'a b'"
    ):
        read_listing(file, Task.REC, 1, DOUBTFUL)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.text("a% 205", min_size=1, max_size=5), min_size=1, max_size=8, unique=True),
    st.booleans(),
    st.data(),
)
def test_no_item_is_taken_for_another(
    tmp_path_factory: pytest.TempPathFactory, ids: list[str], encoded: bool, data: st.DataObject
) -> None:
    can_be_named = [row for row, name in enumerate(ids) if encoded or " " not in name]
    listed = (
        data.draw(st.lists(st.sampled_from(can_be_named), min_size=1, unique=True))
        if can_be_named
        else []
    )
    names = item_ids(ids).to_pylist() if encoded else ids
    file = tmp_path_factory.mktemp("names") / "my.run"
    file.write_text("".join(f"rec-0 Q0 {names[row]} 1 1 x\n" for row in listed))
    try:
        found = read_listing(file, Task.REC, 1, ids)
    except InputError as error:
        assert not listed or "percent-encoded; write" in str(error)
        assert not listed or set(names) & set(item_ids(ids).to_pylist()) & set(ids)
    else:
        assert found.item.tolist() == listed


ids = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    min_size=1,
    max_size=6,
    unique=True,
)


@settings(deadline=None, max_examples=50)
@given(ids, st.data())
def test_odd_ids_and_any_scores_survive_the_file(
    tmp_path_factory: pytest.TempPathFactory, ids: list[str], data: st.DataObject
) -> None:
    size = len(ids)
    numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
    rows = st.lists(numbers, min_size=size, max_size=size)
    scores = np.array(data.draw(st.lists(rows, min_size=1, max_size=3)), dtype=np.float32)
    items = np.tile(np.arange(size), (len(scores), 1))
    stream = BytesIO()
    requests = request_ids(Task.SEARCH, np.arange(len(scores)))
    write_answers(stream, requests, item_ids(ids), items, scores, "my system")
    file = tmp_path_factory.mktemp("odd") / "run.txt"
    file.write_bytes(stream.getvalue())
    found = read_listing(file, Task.SEARCH, len(scores), ids)
    np.testing.assert_array_equal(found.request, np.repeat(np.arange(len(scores)), size))
    np.testing.assert_array_equal(found.item, items.ravel())
    np.testing.assert_array_equal(found.score.astype(np.float32), scores.ravel())
    order = scores.ravel().astype(float)
    np.testing.assert_array_equal(
        np.sign(found.score[:, None] - found.score), np.sign(order[:, None] - order)
    )


def test_what_was_never_produced_has_no_line() -> None:
    stream = BytesIO()
    items = np.array([[-1, -1], [1, -1], [0, 1]])
    scores = np.array([[-np.inf, -np.inf], [0.1, -np.inf], [2, 1]], dtype=np.float32)
    requests = request_ids(Task.REC, np.array([7, 8, 9]))
    write_answers(stream, requests, item_ids(["x", "y z"]), items, scores, "t")
    assert stream.getvalue().decode().splitlines() == [
        "rec-8 Q0 y%20z 1 0.1 t",
        "rec-9 Q0 x 1 2 t",
        "rec-9 Q0 y%20z 2 1 t",
    ]
