from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from baselines.sasrec.model import SASRec
from baselines.sasrec.settings import SASRecSettings
from benchmark.data.dataset import Dataset
from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.evaluation.counts import Counts
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.evaluation.metrics import compute
from benchmark.model import TrainingContext
from gensar.engine.losses import code_loss, text_loss
from gensar.model import GenSAR
from perf import (
    decode,
    evaluate,
    load,
    load_data,
    metrics,
    million,
    sasrec,
    significance,
    sweep,
    train,
)
from perf.__main__ import app
from perf.measurement import Measurement, import_peer
from perf.recbole_peer import RecBolePeer
from tests.gensar import support
from tests.support import write_tiny

SMALL = SASRecSettings(max_history=20, width=16, inner=16, validate_every=1, validation_requests=0)
ROOT = Path(__file__).resolve().parents[1]
FOUND = Measurement("sasrec", ours_s=2.0, peer="other 1.0", peer_s=30.0, agree=True)


@pytest.fixture(scope="module")
def recommendations(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The tiny data set, its searches made recommendations."""
    folder = write_tiny(tmp_path_factory.mktemp("perf") / "tiny")
    (folder / "tiny.query").unlink()
    events = pd.read_csv(folder / "tiny.inter", sep="\t").drop(columns="query_id:token")
    events.to_csv(folder / "tiny.inter", sep="\t", index=False)
    return load_dataset(folder, cache=tmp_path_factory.mktemp("cache"), seen="keep")


def test_recbole_measures_the_same_weights_alike(recommendations: Dataset, tmp_path: Path) -> None:
    sizes = {"hidden_size": 16, "inner_size": 16, "MAX_ITEM_LIST_LENGTH": 20}
    peer = RecBolePeer.prepare(recommendations, tmp_path, sizes)
    peer.train_epoch()
    ours = sasrec.with_weights_of(peer, SASRec(SMALL), len(recommendations.items))
    validation = HarnessValidation(recommendations, (Task.REC,))
    assert peer.seconds > 0
    assert 0 < peer.validation_ndcg() < 1
    assert validation.measure(ours)["rec"] == pytest.approx(peer.validation_ndcg(), abs=1e-4)


def test_recbole_is_left_without_traces(recommendations: Dataset, tmp_path: Path) -> None:
    names = set(vars(np))
    RecBolePeer.prepare(recommendations, tmp_path, {"MAX_ITEM_LIST_LENGTH": 20})
    assert "float_" in names or not hasattr(np, "float_")


def test_the_command_prints_what_the_contract_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sasrec, "measure", lambda budget: FOUND)
    done = CliRunner().invoke(app, ["sasrec", "--json"])
    printed = json.loads(done.stdout)
    assert done.exit_code == 0
    assert {"name", "ours_s", "peer", "peer_s", "ratio", "agree", "environment"} <= set(printed)
    assert printed["ratio"] == 15.0


def test_answers_that_differ_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    different = Measurement("sasrec", 2.0, "other 1.0", 30.0, agree=False)
    monkeypatch.setattr(sasrec, "measure", lambda budget: different)
    assert CliRunner().invoke(app, ["sasrec"]).exit_code == 1


@pytest.mark.xdist_group("ranx")
def test_metrics_agree_with_both_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "AT_ONCE", 150)
    done = CliRunner().invoke(app, ["metrics", "--json", "--requests", "350"])
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    assert [each["peer"].split()[0] for each in printed] == ["ranx", "pytrec_eval-terrier"]
    for each in printed:
        assert each["agree"] and each["details"]["largest_difference"] < 1e-12
        assert min(each["ours_s"], each["peer_s"], each["details"]["peer_conversion_s"]) > 0


@pytest.mark.xdist_group("ranx")
def test_metrics_that_differ_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(counts: Counts, names: tuple[str, ...]) -> dict:
        return {name: values * (1 - 1e-6) for name, values in compute(counts, names).items()}

    monkeypatch.setattr(metrics, "compute", wrong)
    assert CliRunner().invoke(app, ["metrics", "--requests", "50"]).exit_code == 1


def test_memory_grows_with_the_batch_and_not_with_the_requests() -> None:
    sizes = [len(target) for _, target in metrics._batches(25_000)]
    assert sizes == [10_000, 10_000, 5_000]
    whole = metrics.AT_ONCE * metrics.CANDIDATES * 4 / 2**20
    assert 0 < metrics._peak_mib() < whole


@pytest.fixture
def small_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ITEMS": 900, "WIDTH": 8, "REPEATS": 1}.items():
        monkeypatch.setattr(evaluate, name, value)


def test_evaluation_agrees_with_both_peers(small_evaluation: None) -> None:
    pytest.importorskip("faiss")
    done = CliRunner().invoke(app, ["evaluate", "--json", "--requests", "300"])
    assert done.exit_code == 0, done.output
    plain, exact = json.loads(done.stdout)
    assert plain["peer"].startswith("numpy")
    assert exact["peer"].startswith("faiss-cpu")
    assert plain["details"]["scores"] == exact["details"]["scores"] == 300 * 900
    for each in (plain, exact):
        seconds = each["details"]["scores"] / each["details"]["our_scores_a_second"]
        assert seconds == pytest.approx(each["ours_s"])


def test_counts_that_differ_are_found(
    small_evaluation: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = evaluate.plain_counts

    def wrong(scores: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        greater, tied = right(scores, target)
        return greater + (np.arange(len(greater)) == 7), tied

    assert evaluate.against_numpy(200).agree
    monkeypatch.setattr(evaluate, "plain_counts", wrong)
    assert not evaluate.against_numpy(200).agree


@pytest.fixture
def small_million(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss")
    small = {"ITEMS": 70_000, "WIDTH": 8, "TOPICS": 50, "LISTS": 16, "PROBES": (1, 8)}
    for name, value in {**small, "SEARCHED": 40}.items():
        monkeypatch.setattr(million, name, value)


def test_a_large_catalogue_agrees_with_the_exact_index(small_million: None) -> None:
    done = CliRunner().invoke(app, ["million", "--json", "--requests", "60"])
    assert done.exit_code == 0, done.output
    exact, approximate = (each["details"] for each in json.loads(done.stdout))
    assert exact["requests"] == 60
    assert exact["relevant_items_with_ties"] > 0 < exact["relevant_items_that_the_peer_lists"]
    assert exact["our_peak_mib"] <= exact["peak_mib_with_the_peer"]
    few, many = (approximate[f"{probes} of 16 lists"] for probes in (1, 8))
    assert few["recall@10"] < many["recall@10"] <= 1
    assert few["ndcg@10"] <= approximate["exact_ndcg@10"]


def test_counts_of_a_large_catalogue_that_differ_are_found(
    small_million: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = million._Vectors.request_vectors

    def wrong(self: Any, requests: Any) -> np.ndarray:
        return right(self, requests)[:, ::-1].copy()

    world = million.World.drawn(40)
    monkeypatch.setattr(million._Vectors, "request_vectors", wrong)
    assert not million.against_exact(world).agree


@pytest.mark.xdist_group("ranx")
def test_p_values_agree_with_ranx() -> None:
    found = significance.measure(models=4, requests=300, peer_draws=500)
    assert found.agree
    assert found.details["our_p"] == pytest.approx(found.details["peer_p"], abs=0.15)
    measured = found.details["peer_measured_s"]
    assert found.peer_s == pytest.approx(measured / (3 * 500) * 6 * significance.DRAWS)
    assert "extrapolated" in found.details["note"]


@pytest.mark.xdist_group("ranx")
def test_p_values_that_differ_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(significance, "randomisation_tests", lambda values: np.full((4, 4), 0.999))
    assert not significance.measure(models=4, requests=300, peer_draws=200).agree


@pytest.fixture
def small_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"BATCH": 3, "BEAMS": 4, "POSITIONS": 12, "CANDIDATES": 5, "EXCLUDED": 6, "REPEATS": 1}
    small |= {"CATALOGUES": {40: 4, 50: 8}, "GROWING": (30, 300)}
    for name, value in small.items():
        monkeypatch.setattr(decode, name, value)


def test_decoding_agrees_with_generate(small_decoding: None) -> None:
    done = CliRunner().invoke(app, ["decode", "--json"])
    assert done.exit_code == 0, done.output
    names = [each["name"] for each in json.loads(done.stdout)]
    assert [name.split(",")[0] for name in names] == [
        "beam search",
        "what the constraint costs",
        "beam search",
        "what the constraint costs",
        "exact scores of 5 candidates",
        "exact ranking of all 40 items",
        "growth from 30 to 300 items",
    ]


@pytest.mark.parametrize("part", ["beam_search", "score_items", "score_catalogue"])
def test_decoding_that_differs_is_found(
    part: str, small_decoding: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = getattr(decode, part)

    def wrong(*arguments: Any) -> Any:
        found = right(*arguments)
        return (found[0], found[1] + 0.01) if part == "beam_search" else found + 0.01

    monkeypatch.setattr(decode, part, wrong)
    assert CliRunner().invoke(app, ["decode"]).exit_code == 1


def test_an_excluded_item_that_is_given_is_found(
    small_decoding: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = decode.ExcludedItems.of
    nobody = np.zeros(decode.BATCH + 1, dtype=np.int64)
    monkeypatch.setattr(
        decode.ExcludedItems, "of", lambda trie, _, items: right(trie, nobody, items[:0])
    )
    assert not decode._growth().agree


def test_training_is_held_against_one_target_per_sample(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = load_dataset(tiny_folder, cache=tmp_path)
    monkeypatch.setattr(train, "load_dataset", lambda name: data)
    for name in ("OURS", "PEER"):
        small = support.SMALL | {"epochs": 30, "validation_requests": 0, "batch_size": 16}
        if name == "PEER":
            small["learning_rate"] = 1e-5
        monkeypatch.setattr(train, name, replace(getattr(train, name), **small))
    with support.without_text_encoder():
        found = train.measure(2)
    assert found.agree
    peer, ours = found.details["peer_curve"], found.details["our_curve"]
    wanted = found.details["mean validation ndcg@10 to be reached"]
    assert peer and wanted == max(value for _, value in peer)
    assert all(value < wanted for _, value in ours[:-1]) and ours[-1][1] >= wanted
    assert found.ours_s == ours[-1][0]
    assert (found.peer_s, wanted) in peer


def test_the_peer_learns_by_the_loss_of_transformers(tiny_folder: Path, tmp_path: Path) -> None:
    """All tasks of a batch in one pass weigh by their tokens, as if each were asked alone."""
    data = load_dataset(tiny_folder, cache=tmp_path)
    context = TrainingContext(train.TASKS, seed=1)
    with support.without_text_encoder():
        model = GenSAR(replace(train.PEER, **support.SMALL, batch_size=300))
        model.prepare(data.train, HarnessValidation(data, train.TASKS), context)
    epochs = model.regime.training(data.train, train.TASKS)
    trainer = train._Eager(model.backbone, epochs, model.settings, context)
    rng = np.random.default_rng(0)
    step = trainer.epochs(rng)[0](rng)
    model.backbone.eval()
    with torch.no_grad():
        parts = [code_loss(model.backbone, trainer.table, codes) for codes, _ in step.codes]
        parts += [text_loss(model.backbone, texts, "cpu") for texts, _ in step.texts]
    total, count = sum(float(loss) for loss, _ in parts), sum(count for _, count in parts)
    assert len(step.codes) + len(step.texts) > 3
    assert trainer._learn(step, 1.0) == pytest.approx(total / count, rel=1e-4)
    assert model.backbone.t5.shared.weight.grad is not None


def test_loading_counts_what_the_peers_count() -> None:
    found = load.measure((3000, 6000))
    assert [each.name.partition("against ")[2][:6] for each in found] == ["pandas", "a loop"]
    for each in found:
        assert each.agree
        assert each.details["rows"] == [3000, 6000]


def test_loading_that_differs_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = load._in_a_process

    def wrong(side: str, *rest: Any) -> dict[str, Any]:
        told = right(side, *rest)
        told["counted"]["events"] += side == "loop"
        return told

    monkeypatch.setattr(load, "_in_a_process", wrong)
    assert [each.agree for each in load.measure((2000,))] == [True, False]


@pytest.mark.parametrize("rows", [1000, 2500])
def test_generated_data_are_of_the_size_asked_for_and_alike_for_a_seed(
    tmp_path: Path, rows: int
) -> None:
    size = load_data.Size.of(rows)
    one, two = (load_data.write_folder(tmp_path / name, size) for name in "ab")
    for kind, lines in (("inter", rows), ("item", size.items), ("query", size.queries)):
        text = (one / f"big.{kind}").read_bytes()
        assert text == (two / f"big.{kind}").read_bytes()
        assert len(text.splitlines()) == lines + 1
    data = load_dataset(one, cache=tmp_path / "cache")
    assert {p for asked in data.evaluation.values() for p in asked.protocols} == {
        *("full", "sampled", "given")
    }


def test_a_missing_peer_is_named_with_what_installs_it() -> None:
    with pytest.raises(SystemExit, match=r"no_such_peer is not installed.*\[perf\]"):
        import_peer("no_such_peer")


def test_the_page_on_speed_shows_the_records() -> None:
    page = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")] for line in page.splitlines()]
    shown = {row[1]: (row[3], row[4], row[5]) for row in rows if len(row) == 7}
    records = [
        each
        for name in ("decode", "train", "evaluate", "load")
        for each in json.loads((ROOT / "perf" / "records" / f"{name}.json").read_text())
    ]
    assert set(shown) - {"measurement", "---"} == {each["name"] for each in records}
    for each in records:
        assert each["agree"]
        ours, theirs, ratio = shown[each["name"]]
        for text, value in ((ours, each["ours_s"]), (theirs, each["peer_s"])):
            digits = len(text.removesuffix(" s").partition(".")[2])
            assert text == f"{value:.{digits}f} s"
        assert ratio == f"{each['ratio']:.{len(ratio.partition('.')[2])}f}"


def test_the_page_on_scale_shows_the_records() -> None:
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines()]
    figures = [row for row in rows if len(row) == 4 and row[2].startswith("`")]
    assert len(figures) > 10
    for _, shown, record, key in figures:
        _, name, place = key.split("`")
        entries = json.loads((ROOT / "perf" / "records" / f"{record.strip('`')}.json").read_text())
        values = [
            value
            for entry in entries
            for part in (entry, entry["details"])
            for found, value in part.items()
            if found == name
        ]
        if place:
            values = [value[int(place.strip(", "))] for value in values]
        digits = len(shown.partition(".")[2])
        assert shown in {f"{value:,.{digits}f}" for value in values}, key
    index = json.loads((ROOT / "perf" / "records" / "million.json").read_text())[1]["details"]
    for probes in million.PROBES:
        found = index[f"{probes} of {million.LISTS} lists"]
        shown = [f"{found['recall@10']:.3f}", f"{found['ndcg@10']:.3f}", f"{found['cpu_s']:.2f}"]
        assert [f"{probes} of {million.LISTS:,}", *shown] in rows


def test_two_workers_make_the_runs_that_one_makes(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    found = sweep.measure(["popularity"], 2, str(tiny_folder), "quick", threads=2)
    assert found.agree and found.details["runs"] == 2
    assert found.ours_s > 0 and found.details["threads_of_each"] == 1
