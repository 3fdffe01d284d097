from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmark.data.dataset import Dataset
from benchmark.data.requests import PAD, Requests, Task
from benchmark.errors import BenchmarkError
from benchmark.evaluation.evaluate import HarnessValidation
from benchmark.learning.subwords import train_tokenizer
from benchmark.model import Model, TrainingContext
from benchmark.run_log import RunLog
from benchmark.testing import seen_mask
from gensar.engine.backbone import t5_of
from gensar.engine.beam_search import score_catalogue
from gensar.engine.identifiers import COLLABORATIVE, SEMANTIC, collision_rate
from gensar.engine.regime import MakeStep
from gensar.engine.targets import Step
from gensar.engine.training import Trainer
from gensar.engine.trie import Trie
from gensar.model import GenSAR
from gensar.settings import GenSARSettings
from tests.gensar.support import TASKS, fit, some_requests

KIND_OF = {Task.REC: COLLABORATIVE, Task.SEARCH: SEMANTIC}
PUBLISHED = {
    "regime": "plain",
    "item_tokens": "codes",
    "candidate_decoding": "beam",
    "collisions": "paper",
    "softmax": "vocabulary",
    "codebook_start": False,
    "codebook_size": 3,
    "epochs": 1,
    "num_beams": 5,
}


@pytest.fixture(scope="module")
def run_log() -> RunLog:
    return RunLog(quiet=True)


@pytest.fixture(scope="module")
def packed(tiny: Dataset, run_log: RunLog) -> GenSAR:
    return fit(tiny, TrainingContext(TASKS, 1, run_log=run_log))


@pytest.fixture(scope="module")
def published(tiny: Dataset) -> GenSAR:
    return fit(tiny, **PUBLISHED)


def test_what_is_given_is_that_of_the_regime() -> None:
    packed = GenSAR(GenSARSettings(max_history=7)).given()
    assert (packed.rec_targets, packed.longest_history) == ("all", 7)
    plain = GenSAR(GenSARSettings(regime="plain", recent_rec=2, recent_search=3)).given()
    assert (plain.rec_targets, plain.longest_history) == ("rec", 5)
    assert packed.pseudo_queries == plain.pseudo_queries == "words"
    for none in ({"item_share": 0}, {"item_samples": 0}, {"without": ("pseudo-query-search",)}):
        assert not GenSAR(GenSARSettings(**none)).given().pseudo_queries
    assert not GenSAR(GenSARSettings(regime="plain", pseudo_samples=0)).given().pseudo_queries


def _without_history(data: Dataset, task: Task) -> Requests:
    asked = some_requests(data, task)
    empty = data.log.select(np.zeros(len(data.log), dtype=bool))
    return Requests.before(
        empty,
        empty.offsets[1:][asked.user],
        task=task,
        user=asked.user,
        time=asked.time,
        query=asked.query,
        queries=asked.queries,
        items=asked.items,
        exclude_seen=asked.exclude_seen,
    )


def _exact(model: GenSAR, asked: Requests, kind: int, start: int) -> NDArray[np.float32]:
    """Score the whole catalogue by identifiers of ``kind``."""
    trie = Trie.of(model.vocabulary.identifiers.codes[kind])
    return score_catalogue(model.backbone, model.read(asked), start, kind, trie).numpy()


def _restored(model: GenSAR, change) -> GenSAR:
    arrays, values = model.state()
    arrays = {name: array.copy() for name, array in arrays.items()}
    change(arrays, values)
    other = GenSAR(model.settings)
    other.restore(arrays, values)
    return other


def _swap(arrays: dict, values: dict) -> None:
    arrays["codes.0"], arrays["codes.1"] = arrays["codes.1"], arrays["codes.0"]
    values["level_sizes"] = values["level_sizes"][::-1]


def test_recommendation_writes_collaborative_and_search_semantic_identifiers(
    packed: GenSAR, tiny: Dataset
) -> None:
    start = {Task.REC: packed.vocabulary.rec, Task.SEARCH: packed.vocabulary.searched}
    for task, kind in KIND_OF.items():
        asked = some_requests(tiny, task)
        scores = packed.score(asked)
        right = _exact(packed, asked, kind, start[task])
        wrong = _exact(packed, asked, 1 - kind, start[task])
        np.testing.assert_allclose(scores, right, atol=1e-4)
        assert np.abs(scores - wrong).max() > 1e-2


@pytest.mark.parametrize("which", ["packed", "published"])
def test_swapped_identifiers_change_the_answers_to_both_tasks(
    which: str, tiny: Dataset, request: pytest.FixtureRequest
) -> None:
    model: GenSAR = request.getfixturevalue(which)
    same, swapped = _restored(model, lambda *_: None), _restored(model, _swap)
    for task in TASKS:
        items, scores = model.retrieve(some_requests(tiny, task), 10)
        np.testing.assert_array_equal(same.retrieve(some_requests(tiny, task), 10)[1], scores)
        others, other_scores = swapped.retrieve(some_requests(tiny, task), 10)
        there = np.isfinite(scores) & np.isfinite(other_scores)
        assert np.abs(other_scores - scores)[there].max() > 1e-3
        assert (others != items).any()


def test_a_pretrained_backbone_keeps_its_embeddings_and_is_trained_in_full_precision(
    tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [text for text in tiny.train.items.texts if text]
    tokenizer = train_tokenizer(texts, 200)
    pieces = tokenizer.get_vocab_size()
    t5 = t5_of(GenSARSettings(width=16, heads=2, layers=1, feed_forward=32), pieces)
    t5.to(torch.bfloat16).save_pretrained(tmp_path / "t5")
    monkeypatch.setattr("gensar.engine.generator.tokenizer_of", lambda *_: tokenizer)
    started: list[torch.Tensor] = []

    class Noted(Trainer):
        def batches(self, epoch: int) -> list[tuple[MakeStep, ...]]:
            started.append(self.backbone.t5.shared.weight.detach().clone()[:pieces])
            return super().batches(epoch)

    monkeypatch.setattr("gensar.engine.generator.Trainer", Noted)
    model = fit(tiny, backbone=str(tmp_path / "t5"), epochs=1)
    torch.testing.assert_close(started[0], t5.shared.weight.detach().float()[:pieces])
    model.save(tmp_path / "saved")
    assert {w.dtype for w in model.backbone.parameters()} == {torch.float32}


def test_every_step_is_the_mean_of_its_batches(
    tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares: list[float] = []

    class Noted(Trainer):
        def _backward(self, step: Step, share: float) -> float:
            shares.append(share)
            return super()._backward(step, share)

    monkeypatch.setattr("gensar.engine.generator.Trainer", Noted)
    fit(tiny, epochs=2, batch_size=4, accumulate=3)
    sizes = []
    while shares:  # a step of n batches weighs each of them by 1 / n
        sizes.append(round(1 / shares[0]))
        step, shares = shares[: sizes[-1]], shares[sizes[-1] :]
        assert step == [1 / sizes[-1]] * sizes[-1]
    assert max(sizes) == 3
    assert min(sizes) < 3


def test_a_model_that_does_not_search_has_no_queries_written(
    tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr("gensar.model.generate_queries", lambda *given: asked.append(given))
    for tasks in (TASKS, (Task.REC,)):
        context = TrainingContext(tasks, 1)
        GenSAR(GenSARSettings(pseudo_queries="own"))._write_queries(tiny.train, context)
    assert len(asked) == 1


def test_weights_that_are_missing_are_named(packed: GenSAR) -> None:
    name = "decoder.final_layer_norm.weight"
    with pytest.raises(BenchmarkError, match=f"1 weights are missing, {name}"):
        _restored(packed, lambda arrays, _: arrays.pop(f"t5.{name}"))


@pytest.mark.parametrize("task", TASKS)
def test_codes_that_only_one_identifier_has_matter_to_its_task_alone(
    task: Task, packed: GenSAR, tiny: Dataset
) -> None:
    kind = KIND_OF[task]
    first = packed.vocabulary.level_range(kind, 2)[0]
    stop = packed.vocabulary.level_range(kind, 3)[1]

    def disturb(arrays: dict, _: dict) -> None:
        noise = np.random.default_rng(0).standard_normal((stop - first, packed.settings.width))
        arrays["t5.shared.weight"][first:stop] += noise.astype(np.float32)

    disturbed = _restored(packed, disturb)
    other = Task.SEARCH if task == Task.REC else Task.REC
    for asked, same in ((task, False), (other, True)):
        requests = _without_history(tiny, asked)
        change = np.abs(disturbed.score(requests) - packed.score(requests)).max()
        assert change < 1e-6 if same else change > 1e-2


@pytest.mark.parametrize("which", ["packed", "published"])
def test_retrieval_gives_the_best_unseen_items_of_the_catalogue(
    which: str, tiny: Dataset, request: pytest.FixtureRequest
) -> None:
    model: GenSAR = request.getfixturevalue(which)
    for task in TASKS:
        for exclude in (True, False):
            asked = replace(some_requests(tiny, task), exclude_seen=exclude)
            start = model.behaviour_token(task)
            exact = _exact(model, asked, KIND_OF[task], start)
            seen = seen_mask(asked) if exclude else np.zeros_like(exact, dtype=bool)
            items, scores = _of_width(model, asked.items).retrieve(asked, asked.items)
            for row in range(len(asked)):
                real = items[row] != PAD
                assert set(items[row][real]) == set(np.flatnonzero(~seen[row]))
                np.testing.assert_allclose(
                    scores[row][real], exact[row, items[row][real]], atol=1e-4
                )
                assert np.isneginf(scores[row][~real]).all()


def _of_width(model: GenSAR, beams: int) -> GenSAR:
    other = GenSAR(replace(model.settings, num_beams=beams))
    other.restore(*model.state())
    return other


def test_a_narrow_beam_still_gives_only_unseen_items_once(packed: GenSAR, tiny: Dataset) -> None:
    narrow = _of_width(packed, 3)
    for task in TASKS:
        asked = replace(some_requests(tiny, task), exclude_seen=True)
        items, scores = narrow.retrieve(asked, 5)
        found = items[:, :3]
        assert ((found >= 0) & (found < asked.items)).all()
        assert all(len(set(row)) == 3 for row in found.tolist())
        assert not np.take_along_axis(seen_mask(asked), found, axis=1).any()
        assert (items[:, 3:] == PAD).all()  # no more than there are beams
        assert np.isneginf(scores[:, 3:]).all()


def test_candidates_that_the_beams_do_not_reach_score_minus_infinity(
    published: GenSAR, tiny: Dataset
) -> None:
    for task in TASKS:
        asked = some_requests(tiny, task, candidates=True)
        assert asked.candidates is not None
        found = published.score(asked)
        exact = _exact(published, asked, KIND_OF[task], published.behaviour_token(task))
        exact = np.take_along_axis(exact, asked.candidates, axis=1)
        reached = np.isfinite(found)
        np.testing.assert_allclose(found[reached], exact[reached], atol=1e-4)
        codes = published.vocabulary.identifiers.codes[KIND_OF[task]]
        for row in range(len(asked)):
            written = codes[asked.candidates[row][reached[row]]]
            assert len(np.unique(written, axis=0)) == published.settings.num_beams
            assert not reached[row].all()


@pytest.mark.parametrize("which", ["packed", "published"])
def test_an_item_that_fills_up_a_short_list_scores_the_same_each_time_and_takes_no_beam(
    which: str, tiny: Dataset, request: pytest.FixtureRequest
) -> None:
    model: GenSAR = request.getfixturevalue(which)
    for task in TASKS:
        asked = some_requests(tiny, task, candidates=True)
        assert asked.candidates is not None
        short = np.sort(asked.candidates[:, :20], axis=1)
        filled = np.column_stack([short, short[:, -1:].repeat(7, axis=1)])
        scores = model.score(replace(asked, candidates=filled))
        np.testing.assert_array_equal(scores[:, :20], model.score(replace(asked, candidates=short)))
        np.testing.assert_array_equal(scores[:, 20:], scores[:, 19:20].repeat(7, axis=1))


def test_items_that_share_a_published_identifier_share_their_score(
    published: GenSAR, tiny: Dataset
) -> None:
    exact = GenSAR(replace(published.settings, candidate_decoding="exact"))
    exact.restore(*published.state())
    for task, kind in KIND_OF.items():
        codes = published.vocabulary.identifiers.codes[kind]
        assert collision_rate(codes) > 0
        scores = exact.score(some_requests(tiny, task))
        _, group = np.unique(codes, axis=0, return_inverse=True)
        for number in range(group.max() + 1):
            members = scores[:, group.ravel() == number]
            np.testing.assert_allclose(
                members, members[:, :1].repeat(members.shape[1], 1), atol=1e-5
            )


def test_the_journal_tells_of_identifiers_collaborative_model_and_training(
    packed: GenSAR, run_log: RunLog
) -> None:
    assert {"identifiers", "collaborative", "trainings"} <= set(run_log.facts)
    for name, kind in (("semantic", SEMANTIC), ("collaborative", COLLABORATIVE)):
        rates = run_log.facts["identifiers"][name]["collision_rate_by_pass"]  # type: ignore[index]
        codes = packed.vocabulary.identifiers.codes[kind]
        assert rates[-1] == collision_rate(codes[:, :4])
        assert collision_rate(codes) == 0
    told = run_log.facts["trainings"]["backbone"]  # type: ignore[index]
    assert run_log.curve[-1]["step"] == told["steps"] >= told["best_step"] > 0
    assert told["stopped_by"] == "cap"


class _Failing(HarnessValidation):
    """Fails when GenSAR is measured for the second time."""

    def measure(self, model: Model, limit: int | None = None) -> dict[str, float]:
        if isinstance(model, GenSAR):
            if model in _MEASURED:
                raise RuntimeError("interrupted")
            _MEASURED.append(model)
        return super().measure(model, limit)


_MEASURED: list[GenSAR] = []


def test_interrupted_training_goes_on_to_the_same_weights(
    packed: GenSAR,
    run_log: RunLog,
    tiny: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="interrupted"):
        patch.setattr("tests.gensar.support.HarnessValidation", _Failing)
        fit(tiny, TrainingContext(TASKS, 1, checkpoints=tmp_path))
    context = TrainingContext(TASKS, 1, checkpoints=tmp_path)
    steps: list[float] = []

    class Noted(Trainer):
        def step(self, batch: Sequence[MakeStep], rng: np.random.Generator) -> float:
            steps.append(super().step(batch, rng))
            return steps[-1]

    with monkeypatch.context() as patch:
        patch.setattr("gensar.engine.generator.Trainer", Noted)
        resumed = fit(tiny, context)
    assert 0 < len(steps) < run_log.curve[-1]["step"]
    arrays, _ = packed.state()
    for name, array in resumed.state()[0].items():
        np.testing.assert_array_equal(array, arrays[name], err_msg=name)
    whole, continued = (
        [{k: v for k, v in point.items() if k != "seconds"} for point in j.curve]
        for j in (run_log, context.run_log)
    )
    assert continued == whole
    assert context.run_log.facts["trainings"] == run_log.facts["trainings"]
