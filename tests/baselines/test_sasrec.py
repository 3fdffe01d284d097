from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.sasrec.model import SASRec
from baselines.sasrec.network import new_network
from baselines.sasrec.settings import SASRecSettings
from baselines.sequential.network import Sequences
from benchmark.data.dataset import Dataset
from benchmark.data.events import EventLog, EventSource
from benchmark.data.requests import Requests, Task
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.learning.windows import stretches
from benchmark.model import Model, TrainingContext

REC = (Task.REC,)
WINDOW = 8
SMALL = SASRecSettings(width=16, inner=16, max_history=WINDOW, epochs=3, validate_every=1)


def _fit(data: Dataset, context: TrainingContext | None = None, **changed: object) -> SASRec:
    model = SASRec(replace(SMALL, **changed))  # type: ignore[arg-type]
    model.fit(data.train, HarnessValidation(data, REC), context or TrainingContext(REC, 1))
    return model


@pytest.fixture(scope="module")
def context() -> TrainingContext:
    return TrainingContext(REC, 1)


@pytest.fixture(scope="module")
def model(tiny: Dataset, context: TrainingContext) -> SASRec:
    return _fit(tiny, context)


def _requests(data: Dataset) -> Requests:
    return data.evaluation["test", Task.REC].requests


def test_fresh_weights_are_those_of_recbole_s_module() -> None:
    pytest.importorskip("recbole")
    from tests.baselines.recbole_sasrec import recbole_sasrec

    sizes = replace(SMALL, layers=3)
    weights = []
    for make in (new_network, recbole_sasrec):
        torch.manual_seed(3)
        weights.append(make(sizes, 20).state_dict())
    ours, theirs = weights
    assert list(ours) == list(theirs)
    for name, array in ours.items():
        torch.testing.assert_close(array, theirs[name], rtol=0, atol=0)


def test_states_are_those_of_recbole_s_module_whatever_the_weights() -> None:
    pytest.importorskip("recbole")
    from tests.baselines.recbole_sasrec import recbole_sasrec

    torch.manual_seed(0)
    ours, theirs = new_network(SMALL, 20).eval(), recbole_sasrec(SMALL, 20).eval()
    for weight in ours.parameters():  # fresh ones attend to everything alike
        torch.nn.init.normal_(weight, std=0.5)
    theirs.load_state_dict(ours.state_dict())
    items = torch.randint(1, 21, (WINDOW, WINDOW))
    lengths = torch.arange(1, WINDOW + 1)
    items = items.masked_fill(torch.arange(WINDOW) >= lengths[:, None], 0)
    with torch.no_grad():
        states = ours.states_of(Sequences(items, items * 0, items * 0))
        last = states[torch.arange(WINDOW), lengths - 1]
        torch.testing.assert_close(last, theirs(items, lengths), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("history", ["all", "rec"])
def test_scores_are_those_of_recbole_s_own_prediction(history: str, tiny: Dataset) -> None:
    pytest.importorskip("recbole")
    from tests.baselines.recbole_sasrec import recbole_sasrec

    model = _fit(tiny, history=history, epochs=1)
    asked = _requests(tiny)
    kind = None if history == "all" else EventSource.RECOMMENDED
    read = asked.history(WINDOW, kind)
    interaction = {
        "item_id_list": torch.as_tensor(read.item.astype(np.int64) + 1),
        "item_length": torch.as_tensor(read.length),
    }
    assert (read.length > 0).all()
    peer = recbole_sasrec(model.settings, len(tiny.items)).eval()
    peer.load_state_dict(model.module.state_dict())
    with torch.no_grad():
        expected = peer.full_sort_predict(interaction)[:, 1:].numpy()
    np.testing.assert_allclose(model.score(asked), expected, atol=1e-5)
    assert len(np.unique(expected.argmax(axis=1))) > 1


def test_a_log_of_one_moment_leaves_the_weights_as_they_were(tiny: Dataset) -> None:
    log = tiny.train.log
    train = replace(tiny.train, log=replace(log, time=np.zeros_like(log.time)))
    model, fresh = SASRec(SMALL), SASRec(SMALL)
    model.fit(train, HarnessValidation(tiny, REC), TrainingContext(REC, 1))
    fresh._build(len(tiny.items), 1, "cpu")
    for name, array in fresh.state()[0].items():
        np.testing.assert_array_equal(model.state()[0][name], array)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, 17), min_size=1, max_size=6),
    st.integers(1, 6),
    st.none() | st.integers(0, 99),
)
def test_stretches_predict_every_event_but_a_user_s_first_exactly_once(
    lengths, window, seed
) -> None:
    user = np.repeat(np.arange(len(lengths)), lengths)
    zeros = np.zeros_like(user)
    times = np.arange(len(user))
    log = EventLog.from_columns(user, zeros, times, zeros, zeros, zeros, len(lengths))
    rows = stretches(log, window, None if seed is None else np.random.default_rng(seed))
    assert rows.shape[1] == window + 1
    predicted: list[int] = []
    for row in rows:
        real = row[row >= 0]
        assert (row[len(real) :] == -1).all()
        assert (np.diff(real) == 1).all()
        assert len(set(user[real])) == 1
        assert len(real) >= 2
        predicted += real[1:].tolist()
    assert sorted(predicted) == sorted(set(range(len(user))) - set(log.offsets[:-1].tolist()))


class _Failing(HarnessValidation):
    """Fails when a model is measured for the second time."""

    def measure(self, model: Model, limit: int | None = None) -> dict[str, float]:
        if model in _MEASURED:
            raise RuntimeError("interrupted")
        _MEASURED.append(model)
        return super().measure(model, limit)


_MEASURED: list[Model] = []


def test_interrupted_training_goes_on_to_the_same_weights(
    model: SASRec, context: TrainingContext, tiny: Dataset, tmp_path: Path
) -> None:
    again = TrainingContext(REC, 1, checkpoints=tmp_path)
    with pytest.raises(RuntimeError, match="interrupted"):
        SASRec(SMALL).fit(tiny.train, _Failing(tiny, REC), again)
    resumed = _fit(tiny, again)
    arrays, _ = model.state()
    for name, array in resumed.state()[0].items():
        np.testing.assert_array_equal(array, arrays[name], err_msg=name)
    told = [[(p["step"], p["loss"], p["rec"]) for p in c.run_log.curve] for c in (context, again)]
    assert told[0] == told[1]
    assert len(told[0]) > 2


def test_importing_recbole_s_modules_leaves_torch_as_it_was() -> None:
    pytest.importorskip("recbole")
    code = (
        "import sys, numpy, torch\n"
        "drawn = lambda: [str(part) for part in numpy.random.get_state()]\n"
        "before = torch.get_rng_state(), drawn()\n"
        "import baselines.recbole_bridge.environment\n"
        "assert not torch.is_anomaly_enabled()\n"
        "assert torch.get_rng_state().equal(before[0])\n"
        "assert drawn() == before[1]\n"
        "assert 'recbole.quick_start' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_training_leaves_torch_s_random_state(tiny: Dataset) -> None:
    before = torch.get_rng_state()
    _fit(tiny, epochs=1)
    assert torch.get_rng_state().equal(before)
