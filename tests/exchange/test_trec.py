from __future__ import annotations

from io import BytesIO
from pathlib import Path
from urllib.parse import unquote

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark import registry
from benchmark.data.dataset import Dataset
from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.errors import BenchmarkError
from benchmark.evaluation.evaluate import Protocol, seen_mask
from benchmark.evaluation.metrics import compute
from benchmark.exchange.export import export_run, stored_model
from benchmark.exchange.import_run import import_run
from benchmark.exchange.trec_read import read_listing
from benchmark.exchange.trec_write import encode, item_ids, request_ids, write_answers
from benchmark.model import NoSettings
from benchmark.results.record import RunRecord, read_run
from benchmark.running.plan import Experiment
from benchmark.running.runner import run_model
from tests.results.handmade import ENTRIES
from tests.support import USERS, write_tiny

ASKED = [(t, p) for t in ("rec", "search") for p in ("full", "sampled")]
COUNTS = ["greater", "tied", "candidates"]


@pytest.fixture(autouse=True)
def handmade(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "available", lambda: ENTRIES)


def _run(tiny: Dataset, results: Path, model: str) -> RunRecord:
    entry, tasks = ENTRIES[model], (Task.REC, Task.SEARCH)
    protocols: tuple[Protocol, ...] = ("full", "sampled")
    plan = Experiment(entry, NoSettings(), "standard", tasks)
    run = run_model(plan, tiny, protocols, 1, "cpu", results, fresh=False)
    return run.record


def _export(run: RunRecord, tiny: Dataset, out: Path, depth: int = 1000) -> Path:
    export_run(run, tiny, stored_model(run), out, depth)
    return out


def _counts(run: RunRecord, task: str, protocol: str) -> np.ndarray:
    frame = run.requests()
    frame = frame[(frame["task"] == task) & (frame["protocol"] == protocol)]
    return frame.sort_values("request")[COUNTS].to_numpy()


@pytest.fixture(scope="module")
def distinct(tiny: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunRecord, Path]:
    """A run without ties, and its export."""
    place = tmp_path_factory.mktemp("distinct")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "available", lambda: ENTRIES)
        run = _run(tiny, place, "distinct")
        return run, _export(run, tiny, place / "out")


@pytest.mark.parametrize(("task", "protocol"), ASKED)
def test_trec_eval_measures_an_exported_run_as_we_do(
    distinct: tuple[RunRecord, Path], task: str, protocol: str
) -> None:
    run, out = distinct
    greater, tied, _ = _counts(run, task, protocol).T
    assert not tied.any() and len(set(greater.tolist())) > 8
    ours = compute(greater, tied)
    qrels = list(ir_measures.read_trec_qrels(str(out / f"qrels.{task}.txt")))
    answers = list(ir_measures.read_trec_run(str(out / f"run.{task}.{protocol}.txt")))
    for name, measure in (
        ("hr@10", ir_measures.Success @ 10),
        ("ndcg@10", ir_measures.nDCG @ 10),
        ("mrr@10", ir_measures.RR @ 10),
    ):
        theirs = {m.query_id: m.value for m in ir_measures.iter_calc([measure], qrels, answers)}
        expected = [theirs[f"{task}-{number}"] for number in range(len(greater))]
        np.testing.assert_allclose(ours[name], expected, atol=1e-12, rtol=0)


@pytest.mark.xdist_group("ranx")
@pytest.mark.filterwarnings("ignore")
def test_ranx_measures_an_exported_run_as_we_do(distinct: tuple[RunRecord, Path]) -> None:
    import ranx  # takes seconds, so only here

    run, out = distinct
    for task, protocol in ASKED:
        qrels = ranx.Qrels.from_file(str(out / f"qrels.{task}.txt"), kind="trec")
        answers = ranx.Run.from_file(str(out / f"run.{task}.{protocol}.txt"), kind="trec")
        ranx.evaluate(qrels, answers, ["hit_rate@10", "ndcg@10", "mrr@10"])
        greater, tied, _ = _counts(run, task, protocol).T
        ours = compute(greater, tied)
        for name, theirs in (("hr@10", "hit_rate@10"), ("ndcg@10", "ndcg@10"), ("mrr@10",) * 2):
            scores = answers.scores[theirs]
            expected = [scores[f"{task}-{number}"] for number in range(len(greater))]
            np.testing.assert_allclose(ours[name], expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("model", sorted(ENTRIES))
def test_what_is_exported_and_imported_is_the_same_run(
    tiny: Dataset, tmp_path: Path, model: str
) -> None:
    run = _run(tiny, tmp_path, model)
    out = _export(run, tiny, tmp_path / "out", depth=len(tiny.items))
    for task, protocol in ASKED:
        file = out / f"run.{task}.{protocol}.txt"
        found = import_run(file, "other", tiny, Task(task), protocol, 1, tmp_path)
        np.testing.assert_array_equal(
            _counts(found.record, task, protocol), _counts(run, task, protocol)
        )
        mine, theirs = (r.info["metrics"][task][protocol] for r in (run, found.record))
        assert {**theirs, "seconds_per_request": 0} == {**mine, "seconds_per_request": 0}
        assert (found.unanswered, found.not_candidates) == (0, 0)
    one = found.record.requests().drop(columns="protocol")
    np.testing.assert_array_equal(one, run.requests().drop(columns="protocol"))


def test_a_relevant_item_that_was_seen_before_is_listed(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path / "tiny")
    again = [f"u{user}\ti{user}\t{time}\t" for user in range(USERS) for time in (1, 5000)]
    with (folder / "tiny.inter").open("a", encoding="utf-8") as file:
        file.write("\n".join(again) + "\n")
    data = load_dataset(folder, cache=tmp_path / "cache")
    asked = data.evaluation["test", Task.REC]
    assert seen_mask(asked.requests)[np.arange(USERS), asked.targets].all()
    run = _run(data, tmp_path, "distinct")
    out = _export(run, data, tmp_path / "out")
    file = out / "run.rec.full.txt"
    found = import_run(file, "x", data, Task.REC, "full", 1, tmp_path)
    np.testing.assert_array_equal(_counts(found.record, "rec", "full"), _counts(run, "rec", "full"))
    assert (found.unanswered, found.not_candidates) == (0, 0)


def test_what_is_behind_the_depth_counts_as_never_produced(
    tiny: Dataset, tmp_path: Path, distinct: tuple[RunRecord, Path]
) -> None:
    out = _export(distinct[0], tiny, tmp_path / "out", depth=5)
    lines = (out / "run.rec.full.txt").read_text().splitlines()
    assert len(lines) == 5 * len(tiny.evaluation["test", Task.REC].targets)
    assert [line.split()[3] for line in lines[:6]] == ["1", "2", "3", "4", "5", "1"]
    found = import_run(out / "run.rec.full.txt", "x", tiny, Task.REC, "full", 1, tmp_path)
    whole, cut = (_counts(r, "rec", "full") for r in (distinct[0], found.record))
    within = whole[:, 0] < 5
    assert 0 < within.sum() < len(within)
    np.testing.assert_array_equal(cut[within], whole[within])
    assert (cut[~within, 0] == 5).all()
    np.testing.assert_array_equal(cut[~within, 1], whole[~within, 2] - 6)


def test_the_requests_say_what_is_asked(tiny: Dataset, distinct: tuple[RunRecord, Path]) -> None:
    for task in (Task.REC, Task.SEARCH):
        requests = tiny.evaluation["test", task].requests
        lines = (distinct[1] / f"requests.{task}.tsv").read_text(encoding="utf-8").splitlines()
        assert lines[0] == "request\tuser\tquery\thistory"
        assert len(lines) == len(requests) + 1
        history = requests.history(1000)
        words = requests.query_texts()
        for number, line in enumerate(lines[1:]):
            items = history.item[number, : history.length[number]]
            ids = " ".join(tiny.items.ids[item] for item in items)
            user = requests.user[number]
            assert line.split("\t") == [f"{task}-{number}", str(user), words[number], ids]


def test_a_model_that_answers_otherwise_than_recorded_is_not_exported(
    tiny: Dataset, tmp_path: Path, distinct: tuple[RunRecord, Path]
) -> None:
    other = stored_model(_run(tiny, tmp_path, "gappy"))
    with pytest.raises(BenchmarkError, match=r"\d\d of 60 requests \(rec, full\) are now answered"):
        export_run(distinct[0], tiny, other, tmp_path / "out", 10)
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
    target = tiny.items.ids[tiny.evaluation["test", Task.REC].targets[3]]
    found, counts = listed([f"rec-3 Q0 {target} 1 0.5 x"])
    assert found.unanswered == found.requests - 1
    assert counts[3, :2].tolist() == [0, 0]
    others = np.delete(counts, 3, axis=0)
    assert (others[:, 0] == 0).all()
    np.testing.assert_array_equal(others[:, 1], others[:, 2] - 1)


def test_scores_rank_and_not_the_rank_column(tiny: Dataset, listed) -> None:
    evaluation = tiny.evaluation["test", Task.SEARCH]
    target = int(evaluation.targets[0])
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
    outside = sorted(set(range(len(tiny.items))) - set(evaluation.sampled[0].tolist()))
    for protocol, items in (("full", first), ("sampled", outside)):
        lines = [f"rec-0 Q0 {tiny.items.ids[i]} 1 {n + 1} x" for n, i in enumerate(items)]
        target = tiny.items.ids[evaluation.targets[0]]
        found, counts = listed([*lines, f"rec-0 Q0 {target} 1 0 x"], "rec", protocol)
        assert found.not_candidates == len(items) > 0
        assert counts[0, :2].tolist() == [0, 0]
        origin = found.record.info["facts"]["rec"][protocol]
        assert origin["not_candidates"] == len(items)
        assert origin["unanswered"] == found.unanswered == 59


def test_a_record_takes_each_task_and_protocol_once(
    tiny: Dataset, tmp_path: Path, distinct: tuple[RunRecord, Path]
) -> None:
    runs = [
        import_run(distinct[1] / f"run.{t}.{p}.txt", "mine", tiny, Task(t), p, 1, tmp_path)
        for t, p in (*reversed(ASKED), ("rec", "full"))
    ]
    assert len({run.record.folder for run in runs}) == 1
    last = read_run(runs[-1].record.folder)
    assert last.info["tasks"] == ["rec", "search"]
    assert last.info["protocols"] == ["full", "sampled"]
    assert {(t, p) for t, m in last.info["metrics"].items() for p in m} == set(ASKED)
    assert len(last.requests()) == len(distinct[0].requests())
    assert not last.requests().duplicated(["task", "protocol", "request"]).any()
    other = import_run(
        distinct[1] / "run.rec.full.txt", "mine", tiny, Task.REC, "full", 2, tmp_path
    )
    assert other.record.folder != last.folder


def test_a_repeated_import_takes_the_place_of_the_older_one(tiny: Dataset, listed) -> None:
    own, other = (tiny.items.ids[i] for i in (tiny.evaluation["test", Task.SEARCH].targets[0], 0))
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
