from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from baselines.recbole_bridge import model as bridge
from baselines.recbole_bridge.dataset import StandIn, interaction
from baselines.recbole_bridge.environment import as_recbole_expects, sequential_recommender
from baselines.recbole_bridge.model import RecBoleModel
from baselines.recbole_bridge.module import build
from baselines.recbole_bridge.names import OBSTACLES, RUNNABLE
from baselines.recbole_bridge.settings import RecBoleSettings
from baselines.sasrec.model import SASRec
from baselines.sasrec.settings import SASRecSettings
from benchmark.data.dataset import Dataset
from benchmark.data.load import load_dataset
from benchmark.data.requests import Requests, Task
from benchmark.errors import InputError
from benchmark.evaluation.evaluate import HarnessValidation, evaluate
from benchmark.evaluation.metrics import compute
from benchmark.model import Model, TrainingContext
from benchmark.registry import available, find
from benchmark.run_log import RunLog
from perf.recbole_peer import RecBolePeer
from perf.sasrec import with_weights_of
from tests.baselines.support import without_history
from tests.support import write_tiny

REC = (Task.REC,)
SMALL = RecBoleSettings(max_history=8, batch_size=64, epochs=3, validate_every=1)
SIZES = {"hidden_size": 16, "inner_size": 32, "MAX_ITEM_LIST_LENGTH": 8}


def _fresh(name: str, data: Dataset, settings: RecBoleSettings = SMALL) -> RecBoleModel:
    """Return a model whose weights nothing has trained."""
    users, items = data.train.log.users, len(data.items)
    weights = build(name, settings, users, items, seed=1).state_dict()
    made = getattr(bridge, name)(settings)
    made.restore({n: w.numpy() for n, w in weights.items()}, {"users": users, "items": items})
    return made


def _fit(
    name: str, data: Dataset, context: TrainingContext | None = None, **changed: object
) -> Model:
    made = getattr(bridge, name)(replace(SMALL, **changed))  # type: ignore[arg-type]
    made.fit(data.train, HarnessValidation(data, REC), context or TrainingContext(REC, 1))
    return made


def _requests(data: Dataset) -> Requests:
    return data.evaluation["test", Task.REC].requests[:7]


@pytest.fixture(scope="module")
def recommendations(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The tiny data set, its searches made recommendations; seen items are ranked."""
    folder = write_tiny(tmp_path_factory.mktemp("recbole") / "tiny")
    (folder / "tiny.query").unlink()
    events = pd.read_csv(folder / "tiny.inter", sep="\t").drop(columns="query_id:token")
    events.to_csv(folder / "tiny.inter", sep="\t", index=False)
    return load_dataset(folder, cache=tmp_path_factory.mktemp("cache"), seen="keep")


@pytest.fixture(scope="module")
def peer(recommendations: Dataset, tmp_path_factory: pytest.TempPathFactory) -> RecBolePeer:
    """RecBole itself, trained for an epoch on the same events."""
    settings = {**SIZES, "metrics": ["Hit", "NDCG", "MRR"], "metric_decimal_place": 12}
    prepared = RecBolePeer.prepare(recommendations, tmp_path_factory.mktemp("peer"), settings)
    prepared.train_epoch()
    return prepared


def _measured(model: Model, data: Dataset) -> list[float]:
    names = ("hr@10", "ndcg@10", "mrr@10")
    (outcome,) = evaluate(model, "model", data, "validation", REC, ("full",), RunLog(quiet=True))
    values = compute(outcome.counts, names)
    return [float(values[name].mean()) for name in names]


def test_our_sasrec_the_bridge_and_recbole_measure_the_same_weights_alike(
    recommendations: Dataset, peer: RecBolePeer
) -> None:
    like = SASRec(SASRecSettings(max_history=8, width=16, inner=32))
    ours = with_weights_of(peer, like, len(recommendations.items))
    bridged = bridge.SASRec(replace(SMALL, width=16, inner=32))
    numbers = {"users": recommendations.train.log.users, "items": len(recommendations.items)}
    bridged.restore(ours.state()[0], numbers)
    with as_recbole_expects():
        told = peer.trainer.evaluate(peer.valid_data, load_best_model=False, show_progress=False)
    by_recbole = [told[name] for name in ("hit@10", "ndcg@10", "mrr@10")]
    assert 0 < by_recbole[1] < by_recbole[0] < 1
    assert _measured(ours, recommendations) == pytest.approx(by_recbole, abs=1e-6)
    assert _measured(bridged, recommendations) == pytest.approx(by_recbole, abs=1e-6)


def test_every_sequential_model_of_recbole_runs_or_says_why_not() -> None:
    folder = Path(sequential_recommender.__file__).parent
    files = {file.stem for file in folder.glob("*.py")} - {"__init__"}
    assert {name.lower() for name in {*RUNNABLE, *OBSTACLES}} == files
    listed = {name for name in available() if name.startswith("recbole:")}
    assert listed == {f"recbole:{name}" for name in RUNNABLE}


@pytest.mark.parametrize("name", sorted(OBSTACLES))
def test_what_is_said_not_to_run_does_not(name: str, tiny: Dataset) -> None:
    with pytest.raises((AttributeError, InputError)):
        build(name, SMALL, tiny.train.log.users, len(tiny.items), seed=1)
    with pytest.raises(InputError) as caught:
        find(f"recbole:{name}")
    assert str(caught.value) == f"model 'recbole:{name}': it cannot run here: {OBSTACLES[name]}"


def test_a_misspelt_name_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'recbole:GRU4Rec'"):
        find("recbole:gru4rec")


@pytest.mark.parametrize("name", sorted(RUNNABLE))
def test_requests_without_history_get_finite_scores(name: str, tiny: Dataset) -> None:
    asked = without_history(_requests(tiny), tiny.log)
    assert (asked.history(8).length == 0).all()
    scores = _fresh(name, tiny).score(asked)
    assert scores.shape == (len(asked), len(tiny.items))
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("name", ["DIN", "GRU4Rec"])
def test_candidates_score_as_they_do_in_the_catalogue(name: str, tiny: Dataset) -> None:
    model, asked = _fresh(name, tiny), _requests(tiny)
    chosen = np.tile(np.array([3, 7, 90], dtype=np.int32), (len(asked), 1))
    expected = np.take_along_axis(model.score(asked), chosen, axis=1)
    np.testing.assert_allclose(model.score(replace(asked, candidates=chosen)), expected, atol=1e-6)
    assert len(np.unique(expected)) > 3


def test_shan_ranks_as_it_predicts_single_items(tiny: Dataset) -> None:
    model, asked = _fresh("SHAN", tiny), _requests(tiny)
    history = asked.history(8)
    rows = [items[items >= 0] + 1 for items in history.item]
    batch = interaction(
        {
            "user_id": asked.user.astype(np.int64) + 1,
            "item_id": np.full(len(asked), 5),
            "Inverse_item_id_list": np.array([np.pad(r, (8 - len(r), 0)) for r in rows], int),
        },
        "cpu",
    )
    with torch.no_grad():
        expected = model.module.predict(batch).numpy()
    np.testing.assert_allclose(model.score(asked)[:, 4], expected, atol=1e-6)


def test_fearec_finds_the_samples_that_recbole_finds(tiny: Dataset) -> None:
    target = np.random.default_rng(0).integers(1, 9, 50)
    module = build("FEARec", SMALL, 3, 9, seed=1)
    data = StandIn(3, 9, module.config, {"item_id": target})
    found = module.get_same_item_index(data)
    expected = sequential_recommender.FEARec.get_same_item_index(module, data)
    assert found.keys() == expected.keys()
    for item, rows in expected.items():
        np.testing.assert_array_equal(found[item], rows)


@pytest.mark.parametrize("name", ["GRU4Rec", "BERT4Rec"])
def test_training_learns_the_walk_through_the_items(name: str, tiny: Dataset) -> None:
    trained = _fit(name, tiny, epochs=24, validate_every=24, learning_rate=1e-2)
    validation = HarnessValidation(tiny, REC)
    assert validation.measure(trained)["rec"] > 0.25
    assert validation.measure(_fresh(name, tiny))["rec"] < 0.15


def test_recommendation_events_alone_are_read_where_asked(tiny: Dataset) -> None:
    asked = _requests(tiny)
    everything, own = (
        _fresh("GRU4Rec", tiny, replace(SMALL, history=history)) for history in ("all", "rec")
    )
    own.restore(*everything.state())
    assert np.abs(everything.score(asked) - own.score(asked)).max() > 1e-4


class _Failing(HarnessValidation):
    """Fails when it measures for the second time."""

    def measure(self, model: Model, limit: int | None = None) -> dict[str, float]:
        if model in _MEASURED:
            raise RuntimeError("interrupted")
        _MEASURED.append(model)
        return super().measure(model, limit)


_MEASURED: list[Model] = []


def test_interrupted_training_goes_on_to_the_same_weights(tiny: Dataset, tmp_path: Path) -> None:
    whole = _fit("FEARec", tiny)  # draws from all three generators
    context = TrainingContext(REC, 1, checkpoints=tmp_path)
    with pytest.raises(RuntimeError, match="interrupted"):
        bridge.FEARec(SMALL).fit(tiny.train, _Failing(tiny, REC), context)
    resumed = _fit("FEARec", tiny, context)
    for name, array in whole.state()[0].items():
        np.testing.assert_array_equal(resumed.state()[0][name], array, err_msg=name)


def test_the_process_is_left_as_it_was() -> None:
    code = (
        "import logging, os, random, sys, warnings, numpy, torch\n"
        "def now():\n"
        "    return (sys.argv, dict(os.environ), random.getstate(),\n"
        "        torch.get_rng_state().tolist(),\n"
        "        [*map(repr, numpy.random.get_state())], logging.root.manager.disable,\n"
        "        [getattr(numpy, n, None) for n in ('bool', 'int', 'long', 'float_', 'object')])\n"
        "sys.argv[1:] = ['--learning_rate=7', 'x']\n"
        "with warnings.catch_warnings():\n"
        "    warnings.simplefilter('ignore')\n"
        "    from baselines.recbole_bridge.module import build\n"
        "    from baselines.recbole_bridge.settings import RecBoleSettings\n"
        "    before = now()\n"
        "    for name in ('SINE', 'FEARec', 'DIN'):\n"
        "        build(name, RecBoleSettings(), 5, 9, 1)\n"
        "    assert now() == before\n"
        "assert not torch.is_anomaly_enabled()\n"
        "assert 'recbole.quick_start' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def _rows(values: torch.Tensor, ids: NDArray[np.int64]) -> list[tuple[int, ...]]:
    return [tuple(ids[row].tolist()) for row in values.reshape(len(values), -1).numpy()]


def test_training_samples_are_those_that_recbole_makes(
    recommendations: Dataset, peer: RecBolePeer
) -> None:
    from baselines.recbole_bridge.samples import Samples, Wanted

    columns = Samples(recommendations.train, SMALL, Wanted(), seed=1).everything()
    ours = {
        (*history.tolist(), length, target)
        for history, length, target in zip(
            columns["item_id_list"], columns["item_length"], columns["item_id"], strict=True
        )
    }
    theirs = peer.train_data.dataset.inter_feat
    ids = np.zeros(peer.rows.max() + 1, dtype=np.int64)
    ids[peer.rows] = np.arange(len(peer.rows)) + 1
    ids[0] = 0
    made = {
        (*history, length, *target)
        for history, length, target in zip(
            _rows(theirs["item_id_list"], ids),
            theirs["item_length"].tolist(),
            _rows(theirs["item_id"], ids),
            strict=True,
        )
    }
    assert len(columns["item_id"]) == len(theirs)
    assert ours == made


def test_the_document_lists_the_models_that_exist() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs/models/recbole.md").read_text("utf-8")
    rows = {tuple(part.strip() for part in line.split("|")[1:-1]) for line in text.splitlines()}
    for name, (summary, reference) in RUNNABLE.items():
        assert (f"`recbole:{name}`", summary, reference) in rows
    for name, reason in OBSTACLES.items():
        assert (f"`recbole:{name}`", reason) in rows
