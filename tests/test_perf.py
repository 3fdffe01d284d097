from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from baselines.sasrec import SASRec, SASRecSettings
from benchmark.data.dataset import Dataset
from benchmark.data.load import load_dataset
from benchmark.data.requests import Task
from benchmark.evaluation.evaluate import HarnessValidation
from perf import sasrec
from perf.__main__ import app
from perf.measurement import Measurement
from perf.recbole_peer import RecBolePeer
from tests.support import write_tiny

SMALL = SASRecSettings(window=20, width=16, inner=16, validate_every=1, validation_requests=0)
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
