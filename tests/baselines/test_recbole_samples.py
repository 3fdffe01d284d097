from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.recbole_bridge.masks import masked
from baselines.recbole_bridge.samples import Columns, Samples, Wanted, right_aligned
from baselines.recbole_bridge.settings import RecBoleSettings, model_values
from benchmark.data.dataset import Dataset
from benchmark.data.events import EventSource
from benchmark.errors import InputError
from benchmark.settings import build_settings

SMALL = RecBoleSettings(max_history=6, batch_size=50, samples=200)
MASKS = Wanted(transform="mask_itemseq", mask_ratio=0.3, last_ratio=0.5)


def _samples(data: Dataset, wanted: Wanted | None = None, **changed: object) -> Samples:
    chosen = RecBoleSettings(**{**SMALL.__dict__, **changed})  # type: ignore[arg-type]
    return Samples(data.train, chosen, wanted or Wanted(), seed=3)


def _batches(samples: Samples, epoch: int = 0) -> list[Columns]:
    rng = np.random.default_rng(epoch)
    return [samples.of(rows, rng) for rows in samples.batches(epoch)]


@pytest.mark.parametrize("history", ["all", "rec"])
def test_every_event_with_a_history_comes_once_before_any_comes_twice(
    history: str, tiny: Dataset
) -> None:
    samples, log = _samples(tiny, history=history), tiny.train.log
    kinds = (log.kind == EventSource.RECOMMENDED) | (history == "all")
    before = np.concatenate([[0], np.cumsum(kinds)])
    own = before[:-1] - before[log.offsets[log.user]]
    assert samples.rows.tolist() == np.flatnonzero(kinds & (own > 0)).tolist()
    drawn = np.concatenate([samples._chosen(epoch) for epoch in range(12)])
    assert len(drawn) == 12 * 200
    for start in range(0, len(drawn) - len(samples.rows), len(samples.rows)):
        part = drawn[start : start + len(samples.rows)]
        assert len(np.unique(part)) == len(samples.rows)


def test_batches_hold_the_events_before_the_target(tiny: Dataset) -> None:
    samples, log = _samples(tiny, samples=0), tiny.train.log
    rows = samples._chosen(0)
    batches = _batches(samples)
    target = np.concatenate([b["item_id"] for b in batches])
    history = np.concatenate([b["item_id_list"] for b in batches])
    for row, item, read in zip(rows, target, history, strict=True):
        past = log.item[log.offsets[log.user[row]] : row][-6:] + 1
        assert item == log.item[row] + 1
        assert read.tolist() == [*past, *[0] * (6 - len(past))]


def test_negatives_are_any_item_but_the_target(tiny: Dataset) -> None:
    drawn = [batch for epoch in range(40) for batch in _batches(_samples(tiny), epoch)]
    target, other = (np.concatenate([b[n] for b in drawn]) for n in ("item_id", "neg_item_id"))
    assert (target != other).all()
    assert set(other) == set(range(1, len(tiny.items) + 1))


def test_labelled_samples_come_with_their_target_and_with_another_item(tiny: Dataset) -> None:
    batch = _batches(_samples(tiny, Wanted(labels=True, negative_lists=True)))[0]
    assert batch["label"].tolist() == [1.0] * 50 + [0.0] * 50
    assert (batch["item_id"][50:] == batch["neg_item_id"][:50]).all()
    assert (batch["item_id_list"][50:] == batch["item_id_list"][:50]).all()
    assert (batch["neg_item_id_list"] != batch["item_id_list"]).all()


@given(
    st.lists(st.integers(2, 6), min_size=1, max_size=8),
    st.floats(0, 1),
    st.integers(1, 8),
    st.integers(0, 99),
)
@settings(max_examples=100, deadline=None)
def test_masked_places_are_the_last_of_those_drawn(lengths, ratio, most, seed) -> None:
    length = np.array(lengths)
    mask, index = masked(length, 6, ratio, most, np.random.default_rng(seed))
    assert index.shape == (len(length), min(most, 6))
    for row, places, long in zip(mask, index, lengths, strict=True):
        chosen = np.flatnonzero(row)
        assert chosen[-1] > 0
        assert chosen[-1] < long
        kept = chosen[chosen > 0][-index.shape[1] :]
        assert places.tolist() == [*[0] * (index.shape[1] - len(kept)), *kept]


def test_masked_sequences_end_with_the_target_and_tell_what_they_hide(tiny: Dataset) -> None:
    samples = _samples(tiny, MASKS)
    only_last = []
    for batch in _batches(samples):
        hidden = batch["Mask_item_id_list"] == len(tiny.items) + 1
        only_last.append(bool((hidden.sum(axis=1) == 1).all()))
        for number in range(len(batch["item_id"])):
            before = batch["item_id_list"][number, : batch["item_length"][number]]
            whole = np.array([*before, batch["item_id"][number]])[-6:]
            shown = batch["Mask_item_id_list"][number]
            covered = hidden[number, : len(whole)]
            assert (shown[: len(whole)][~covered] == whole[~covered]).all()
            assert (shown[len(whole) :] == 0).all()
            places = batch["MASK_INDEX"][number]
            told = batch["Pos_item_id"][number]
            assert (
                told == np.where(places > 0, whole[np.minimum(places, len(whole) - 1)], 0)
            ).all()
            assert (batch["Neg_item_id"][number] != told)[places > 0].all()
    assert True in only_last


def test_padding_moves_to_the_left() -> None:
    moved = right_aligned(np.array([[1, 2, 0, 0], [5, 6, 7, 8], [0, 0, 0, 0]]), np.array([2, 4, 1]))
    assert moved.tolist() == [[0, 0, 1, 2], [5, 6, 7, 8], [0, 0, 0, 0]]


def test_settings_become_recbole_s_own_names() -> None:
    chosen = RecBoleSettings(width=32, layers=3, dropout=0.1, options="loss_type=BPR")
    assert model_values("GRU4Rec", chosen) == {
        "embedding_size": 32,
        "hidden_size": 64,
        "num_layers": 3,
        "dropout_prob": 0.1,
        "loss_type": "BPR",
    }
    assert model_values("NARM", RecBoleSettings(dropout=0.1))["dropout_probs"] == [0.1, 0.1]
    several = "dilations=[1,2]; reg_weight=1e-3"
    assert model_values("NextItNet", RecBoleSettings(options=several)) == {
        "dilations": [1, 2],
        "reg_weight": 1e-3,
    }


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"heads": 2}, "recbole:GRU4Rec has no setting 'heads'"),
        ({"options": "num_layer=2"}, "no 'num_layer'; did you mean 'num_layers'"),
        ({"options": "num_layers"}, "name=value"),
        ({"options": "num_layers=two"}, "'two' is no number"),
        ({"options": "num_layers=[1"}, "is no number"),
        ({"options": "loss_type=__import__('os').abort()"}, "is no word"),
    ],
)
def test_what_does_not_fit_a_model_is_refused(changed: dict, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("[", r"\[")):
        model_values("GRU4Rec", RecBoleSettings(**changed))


def test_sizes_that_recbole_refuses_are_told() -> None:
    from baselines.recbole_bridge.module import build

    with pytest.raises(InputError, match=r"RecBole refuses these settings: .*heads"):
        build("SASRec", RecBoleSettings(heads=7), 5, 9, seed=1)
    with pytest.raises(InputError, match="at least 2"):
        build_settings(RecBoleSettings, {}, "standard", [("max_history", "1")])
